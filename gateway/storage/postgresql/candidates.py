"""Which SMS may come again (Store.expect, Store.candidates), on PostgreSQL.

A range of the journal whose answers are in doubt is noted by the commit that learns of it. Its rows then
become rows of `candidate`, found by their digests, some thousand at a time: no message of a healthy session
costs anything.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from gateway.message import Commit, Expected, Watermark
from gateway.storage.contract import Candidate
from gateway.storage.postgresql.answered import expected
from gateway.storage.postgresql.link import Db, Link, Statement
from gateway.storage.postgresql.owner import FIRST_OF, LAST_OF, NODE_SHIFT, Owner, range_of

MOST: Final = 500_000
"""Candidates that are kept. Beyond it the oldest go, whose answers are most likely known."""

_NOTE: Final = """
INSERT INTO uncertain (session, first, last, until, done, node) VALUES (%s, %s, %s, %s, %s, %s)
"""
# Division by zero: another node has used one up (gateway.storage.postgresql.place).
_UNUSED: Final = """
WITH c AS (SELECT used_at, used_by FROM candidate WHERE number = ANY(%s) ORDER BY number FOR UPDATE)
SELECT 1 / (count(*) = 0)::integer FROM c WHERE used_at > 0 AND used_by != %s
"""
_REPEATED: Final = "UPDATE journal SET repeated_at = %s WHERE number = %s"
_USED: Final = "UPDATE candidate SET used_at = %s, session = %s, used_by = %s WHERE number = %s"
_DOUBTED: Final = "UPDATE candidate SET used_at = 0, until = %s WHERE number = %s"
# Where its time was over meanwhile it is a candidate no more.
_EXPECT_AGAIN: Final = """
INSERT INTO candidate (number, digest, session, until)
SELECT number, digest, session, %s FROM journal WHERE number = %s ON CONFLICT DO NOTHING
"""
_CERTAIN: Final = "DELETE FROM candidate WHERE session = %s AND number BETWEEN %s AND %s"
_CERTAIN_RANGE: Final = "DELETE FROM uncertain WHERE session = %s AND first >= %s AND last <= %s"
_RANGE = "SELECT id, session, first, last, until, done FROM uncertain WHERE node = %s ORDER BY id LIMIT 1"
_SKIP = "SELECT number FROM journal WHERE number BETWEEN %s AND %s ORDER BY number DESC LIMIT 1 OFFSET %s"
_REACH = """
SELECT max(number), count(*) FROM (
    SELECT number FROM journal WHERE number > %(done)s AND number <= %(last)s ORDER BY number
    LIMIT %(limit)s) x
"""
# Whether a row that came again was heard of is known from its own row here, so such rows of the journal are
# left out.
_EXPECT = """
INSERT INTO candidate (number, digest, session, until)
SELECT number, digest, session, %(until)s FROM journal
WHERE number > %(done)s AND number <= %(reach)s AND %(session)s IN (0, session) AND repeated_at = 0
ON CONFLICT DO NOTHING
"""
_EXPECT_LONGER = """
UPDATE candidate SET until = greatest(until, %(until)s)
WHERE number > %(done)s AND number <= %(reach)s AND %(session)s IN (0, session)
"""
_TOO_MANY = """
DELETE FROM candidate WHERE number IN (
    SELECT number FROM candidate WHERE number BETWEEN %s AND %s ORDER BY number LIMIT %s)
"""
_FIND: Final = """
SELECT digest, number FROM candidate WHERE digest = ANY(%s) AND used_at = 0 AND until > %s ORDER BY number
"""
# One that was used up goes when the answer to its retransmission is certain, or is a candidate again when it
# is not.
_OVER = f"""
DELETE FROM candidate WHERE number IN (
    SELECT x.number FROM node n CROSS JOIN LATERAL (
        SELECT number, until, used_at FROM candidate c WHERE c.number BETWEEN {FIRST_OF} AND {LAST_OF}
        ORDER BY c.number LIMIT %s) x
    WHERE x.until <= %s AND x.used_at = 0)
"""  # noqa: S608
_NUMBERS = "SELECT count(*) FROM journal WHERE number BETWEEN %s AND %s"
_FORGOTTEN = "DELETE FROM candidate WHERE used_by = %s AND used_at BETWEEN 1 AND %s"
_IN_DOUBT = "UPDATE candidate SET used_at = 0, until = %s WHERE used_by = %s AND used_at > 0"
_LAST = "SELECT max(number) FROM journal WHERE number BETWEEN %s AND %s"


def checks(commit: Commit, node: int) -> Iterator[Statement]:
    """What must be so where there are other nodes."""
    if commit.repeats:
        yield _UNUSED, ([each.number for each in commit.repeats], node)


def statements(commit: Commit, node: int) -> Iterator[Statement]:
    """What a commit knows of them."""
    for number, session, at in commit.repeats:
        yield _REPEATED, (at, number)
        yield _USED, (at, session, node, number)
    for doubted in commit.doubted:
        yield _DOUBTED, doubted
        yield _EXPECT_AGAIN, doubted
    for each in commit.uncertain:
        yield _NOTE, (each.session, each.first, each.last, each.until, each.first - 1, node)
    for span in commit.certain:
        # A range of one session; of its SMS only those that were answered on it last.
        yield _CERTAIN, span
        yield _CERTAIN_RANGE, span


async def one(db: Db, statement: str, values: Any = ()) -> Any:
    """The first column of the first row."""
    row = await (await db.execute(statement, values)).fetchone()
    return row[0] if row else None


async def recover(db: Db, node: int, settled: Watermark, until: int) -> int | None:
    """See Store.recover, of any node whose gateway has ended. Gives the number of its last SMS."""
    number, at = settled
    await db.execute(_FORGOTTEN, (node, at))
    await db.execute(_IN_DOUBT, (until, node))
    last = await one(db, _LAST, range_of(node))
    if last is not None and last > number:
        await db.execute(_NOTE, (0, number + 1, last, until, number, node))
    return None if last is None else int(last)


class Candidates:
    """The tables `uncertain` and `candidate`. The methods run inside a transaction of the caller.

    owner: other nodes may change them too, so what is counted is soon old.
    """

    def __init__(self, owner: Owner, most: int = MOST) -> None:
        self._owner = owner
        self._most = most
        self._count: int | None = None

    def reload(self) -> None:
        """They have changed, or it is not known whether they have: count again."""
        self._count = None

    async def expect(self, db: Db, limit: int) -> Expected:
        """See Store.expect."""
        count, node = await self._counted(db), self._owner.node
        found = await (await db.execute(_RANGE, (node,))).fetchone()
        if found is None:
            self._count = count
            return Expected(0, count)
        new, _, dropped = await self._step(db, found, limit)
        count += new
        if count > self._most:
            first, last = range_of(found[2] >> NODE_SHIFT)
            gone = (await db.execute(_TOO_MANY, (first, last, count - self._most))).rowcount
            count, dropped = count - gone, dropped + gone
        self._count = count
        left = await one(db, "SELECT count(*) FROM uncertain WHERE node = %s", (node,))
        return Expected(left, count, dropped)

    async def expect_of(self, db: Db, node: int, limit: int) -> int:
        """Make candidates of the uncertain ranges of another node, one step.

        Gives how many SMS were looked at: 0 when there are no ranges any more.
        """
        self.reload()
        while found := await (await db.execute(_RANGE, (node,))).fetchone():
            _, looked_at, _ = await self._step(db, found, limit)
            if looked_at:
                return looked_at
        return 0

    async def _step(self, db: Db, found: tuple[Any, ...], limit: int) -> tuple[int, int, int]:
        """Work off the begin of a range: new candidates, SMS looked at, those that were too many."""
        key, session, first, last, until, done = found
        dropped, new, begin = 0, 0, done
        # After a crash only: of a session's range the rows of others would count.
        if not session and done < first:
            skip = await one(db, _SKIP, (first, last, self._most))
            if skip is not None:
                dropped, done = await one(db, _NUMBERS, (first, skip)), skip
        values = {"session": session, "last": last, "until": until, "done": done, "limit": limit}
        reached = await (await db.execute(_REACH, values)).fetchone()
        assert reached is not None
        reach, looked_at = reached
        if looked_at:
            values["reach"] = reach
            await db.execute(_EXPECT_LONGER, values)
            new = (await db.execute(_EXPECT, values)).rowcount
        if looked_at < limit:
            await db.execute("DELETE FROM uncertain WHERE id = %s", (key,))
            reach = last
        else:
            await db.execute("UPDATE uncertain SET done = %s WHERE id = %s", (reach, key))
        await expected(db, begin, reach)
        return new, looked_at, dropped

    async def forget(self, db: Db, now: int, limit: int) -> int:
        """See Store.forget_candidates."""
        count = await self._counted(db)
        self._count = count - (await db.execute(_OVER, (limit, now))).rowcount
        return self._count

    async def _counted(self, db: Db) -> int:
        """How many there are; unknown until the caller's transaction has succeeded."""
        count, self._count = None if self._owner.shared else self._count, None
        return int(await one(db, "SELECT count(*) FROM candidate")) if count is None else count


async def find(link: Link, digests: Iterable[bytes], now: int) -> list[Candidate]:
    """See Store.candidates."""
    rows = await link.look(_FIND, (list(digests), now))
    return [Candidate(bytes(digest), number) for digest, number in rows]
