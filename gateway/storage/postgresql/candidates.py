"""Which SMS may come again (Store.expect, Store.candidates), on PostgreSQL.

A range of the journal whose answers are in doubt is noted by the commit that learns of it. Its rows then
become rows of `candidate`, found by their digests, some thousand at a time: no message of a healthy session
costs anything.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from gateway.message import Commit, Expected, Watermark
from gateway.storage.contract import Candidate
from gateway.storage.postgresql.link import Db, Statement

MOST: Final = 500_000
"""Candidates that are kept. Beyond it the oldest go, whose answers are most likely known."""

_NOTE: Final = "INSERT INTO uncertain (session, first, last, until, done) VALUES (%s, %s, %s, %s, %s)"
_REPEATED: Final = "UPDATE journal SET repeated_at = %s WHERE number = %s"
_USED: Final = "UPDATE candidate SET used_at = %s, session = %s WHERE number = %s"
_DOUBTED: Final = "UPDATE candidate SET used_at = 0, until = %s WHERE number = %s"
# Where its time was over meanwhile it is a candidate no more.
_EXPECT_AGAIN: Final = """
INSERT INTO candidate (number, digest, session, until)
SELECT number, digest, session, %s FROM journal WHERE number = %s ON CONFLICT DO NOTHING
"""
_CERTAIN: Final = "DELETE FROM candidate WHERE session = %s AND number BETWEEN %s AND %s"
_CERTAIN_RANGE: Final = "DELETE FROM uncertain WHERE session = %s AND first >= %s AND last <= %s"
_RANGE = "SELECT id, session, first, last, until, done FROM uncertain ORDER BY id LIMIT 1"
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
_TOO_MANY = "DELETE FROM candidate WHERE number IN (SELECT number FROM candidate ORDER BY number LIMIT %s)"
_FIND: Final = """
SELECT digest, number FROM candidate WHERE digest = ANY(%s) AND used_at = 0 AND until > %s ORDER BY number
"""
# One that was used up goes when the answer to its retransmission is certain, or is a candidate again when it
# is not.
_OVER = """
DELETE FROM candidate WHERE number IN (
    SELECT number FROM (SELECT number, until, used_at FROM candidate ORDER BY number LIMIT %s) x
    WHERE until <= %s AND used_at = 0)
"""
_NUMBERS = "SELECT count(*) FROM journal WHERE number BETWEEN %s AND %s"


def statements(commit: Commit) -> Iterator[Statement]:
    """What a commit knows of them."""
    for number, session, at in commit.repeats:
        yield _REPEATED, (at, number)
        yield _USED, (at, session, number)
    for doubted in commit.doubted:
        yield _DOUBTED, doubted
        yield _EXPECT_AGAIN, doubted
    for each in commit.uncertain:
        yield _NOTE, (each.session, each.first, each.last, each.until, each.first - 1)
    for span in commit.certain:
        # A range of one session; of its SMS only those that were answered on it last.
        yield _CERTAIN, span
        yield _CERTAIN_RANGE, span


async def one(db: Db, statement: str, values: Any = ()) -> Any:
    """The first column of the first row."""
    row = await (await db.execute(statement, values)).fetchone()
    return row[0] if row else None


class Candidates:
    """The tables `uncertain` and `candidate`. The methods run inside a transaction of the caller."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._count: int | None = None

    def reload(self) -> None:
        """They have changed, or it is not known whether they have: count again."""
        self._count = None

    async def recover(self, db: Db, settled: Watermark, until: int) -> None:
        """See Store.recover."""
        number, at = settled
        await db.execute("DELETE FROM candidate WHERE used_at BETWEEN 1 AND %s", (at,))
        await db.execute("UPDATE candidate SET used_at = 0, until = %s WHERE used_at > 0", (until,))
        last = await one(db, "SELECT max(number) FROM journal")
        if last is not None and last > number:
            await db.execute(_NOTE, (0, number + 1, last, until, number))

    async def expect(self, db: Db, limit: int) -> Expected:
        """See Store.expect."""
        count = await self._counted(db)
        found = await (await db.execute(_RANGE)).fetchone()
        if found is None:
            self._count = count
            return Expected(0, count)
        key, session, first, last, until, done = found
        dropped = 0
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
            count += (await db.execute(_EXPECT, values)).rowcount
        if looked_at < limit:
            await db.execute("DELETE FROM uncertain WHERE id = %s", (key,))
        else:
            await db.execute("UPDATE uncertain SET done = %s WHERE id = %s", (reach, key))
        if count > self._most:
            gone = (await db.execute(_TOO_MANY, (count - self._most,))).rowcount
            count, dropped = count - gone, dropped + gone
        self._count = count
        return Expected(await one(db, "SELECT count(*) FROM uncertain"), count, dropped)

    async def forget(self, db: Db, now: int, limit: int) -> int:
        """See Store.forget_candidates."""
        count = await self._counted(db)
        self._count = count - (await db.execute(_OVER, (limit, now))).rowcount
        return self._count

    async def _counted(self, db: Db) -> int:
        """How many there are; unknown until the caller's transaction has succeeded."""
        count, self._count = self._count, None
        return int(await one(db, "SELECT count(*) FROM candidate")) if count is None else count


async def find(db: Db, digests: Iterable[bytes], now: int) -> list[Candidate]:
    """See Store.candidates."""
    rows = await (await db.execute(_FIND, (list(digests), now))).fetchall()
    return [Candidate(bytes(digest), number) for digest, number in rows]
