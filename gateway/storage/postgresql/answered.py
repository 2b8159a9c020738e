"""The SMS of named nodes whose answers are not certain yet: how a resend is recognised at another node.

The key is digest and ordinal, so of two commits with an equal SMS only one succeeds, whatever they saw.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.message import Commit
from gateway.storage.nodes import Equal
from gateway.storage.postgresql.link import Db, Link, Statement
from gateway.storage.postgresql.owner import NODE_SHIFT, range_of
from gateway.storage.postgresql.rows import octets, recordset

_INSERT: Final = """
INSERT INTO answered (digest, ordinal, number)
SELECT digest, ordinal, number FROM json_to_recordset(%s) AS x (digest bytea, ordinal integer, number bigint)
"""
# One in doubt stays until it is a candidate.
_DOUBTED: Final = """
EXISTS (SELECT FROM uncertain u WHERE a.number > u.done AND a.number BETWEEN u.first AND u.last)
"""
_CERTAIN: Final = f"DELETE FROM answered a WHERE number BETWEEN %s AND %s AND NOT {_DOUBTED}"  # noqa: S608
_EXPECTED: Final = f"""
DELETE FROM answered a WHERE number > %s AND number <= %s AND NOT {_DOUBTED}
    AND (number <= (SELECT settled FROM node n WHERE n.number = a.number >> {NODE_SHIFT})
        OR EXISTS (SELECT FROM candidate c WHERE c.number = a.number))
"""  # noqa: S608
_EQUAL: Final = f"""
SELECT a.digest, a.number, n.number, a.ordinal, n.batch, NOT n.recovered OR {_DOUBTED}
FROM answered a JOIN node n ON n.number = a.number >> {NODE_SHIFT}
WHERE a.digest = ANY(%s) ORDER BY a.digest, a.ordinal
"""  # noqa: S608


def statements(commit: Commit, node: int) -> Iterator[Statement]:
    """What a commit of a named node knows of them. Rows stand in the order of their keys, as locks are
    taken."""
    if commit.messages:
        keys = sorted((m.digest, commit.ordinals.get(m.number, 0), m.number) for m in commit.messages)
        rows = [{"digest": octets(key[0]), "ordinal": key[1], "number": key[2]} for key in keys]
        yield _INSERT, (recordset(rows),)
    if commit.settled is not None:
        yield _CERTAIN, (range_of(node)[0], commit.settled.number)


async def expected(db: Db, done: int, reach: int) -> None:
    """Those of an uncertain range behind `done` up to `reach` are candidates now, or never become one."""
    await db.execute(_EXPECTED, (done, reach))


async def equal(link: Link, digests: Sequence[bytes]) -> list[Equal]:
    """See SharedStore.answered. The table comes and goes faster than the planner hears of it."""
    rows = await link.look(_EQUAL, (list(digests),))
    return [Equal(bytes(digest), *others) for digest, *others in rows]
