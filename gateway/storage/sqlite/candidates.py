"""Which SMS may come again (Store.expect, Store.candidates), on SQLite.

A range of the journal whose answers are in doubt is noted by the commit that learns of it. Its rows then
become rows of `candidate`, found by their digests, some thousand at a time: no message of a healthy session
costs anything.
"""

import sqlite3
from collections.abc import Iterable

from gateway.message import Commit, Expected, Watermark
from gateway.storage.contract import Candidate

MOST = 500_000
"""Candidates that are kept: some 40 MB of the file. Beyond it the oldest go, whose answers are most likely
known."""

_NOTE = "INSERT INTO uncertain (session, first, last, until, done) VALUES (?, ?, ?, ?, ?)"
_RANGE = "SELECT id, session, first, last, until, done FROM uncertain ORDER BY id LIMIT 1"
_SKIP = "SELECT number FROM journal WHERE number BETWEEN ? AND ? ORDER BY number DESC LIMIT 1 OFFSET ?"
_REACH = """
SELECT max(number), count(*) FROM (
    SELECT number FROM journal WHERE number > :done AND number <= :last ORDER BY number LIMIT :limit)
"""
# Whether a row that came again was heard of is known from its own row here, so such rows of the journal are
# left out.
_EXPECT = """
INSERT OR IGNORE INTO candidate (number, digest, session, until)
SELECT number, digest, session, :until FROM journal
WHERE number > :done AND number <= :reach AND :session IN (0, session) AND repeated_at = 0
"""
_EXPECT_LONGER = """
UPDATE candidate SET until = max(until, :until)
WHERE number > :done AND number <= :reach AND :session IN (0, session)
"""
_DOUBT = "UPDATE candidate SET used_at = 0, until = ? WHERE number = ?"
_EXPECT_AGAIN = """
INSERT INTO candidate (number, digest, session, until)
SELECT number, digest, session, ? FROM journal WHERE number = ?
"""
_TOO_MANY = "DELETE FROM candidate WHERE number IN (SELECT number FROM candidate ORDER BY number LIMIT ?)"
_FIND = "SELECT number FROM candidate WHERE digest = ? AND used_at = 0 AND until > ? ORDER BY number"
# One that was used up goes when the answer to its retransmission is certain, or is a candidate again when it
# is not.
_OVER = """
DELETE FROM candidate WHERE number IN (
    SELECT number FROM (SELECT number, until, used_at FROM candidate ORDER BY number LIMIT :limit)
    WHERE until <= :now AND used_at = 0)
"""
_COUNT = "SELECT count(*) FROM candidate"


class Candidates:
    """The tables `uncertain` and `candidate` of one connection. Every method runs inside the caller's
    transaction."""

    def __init__(self, db: sqlite3.Connection, most: int = MOST) -> None:
        self._db = db
        self._most = most
        self.count = 0
        self.recount()

    def write(self, commit: Commit) -> None:
        """What a commit knows of them."""
        db = self._db
        for number, session, at in commit.repeats:
            db.execute("UPDATE journal SET repeated_at = ? WHERE number = ?", (at, number))
            db.execute(
                "UPDATE candidate SET used_at = ?, session = ? WHERE number = ?", (at, session, number)
            )
        for until, number in commit.doubted:
            if not db.execute(_DOUBT, (until, number)).rowcount:  # its time was over meanwhile
                self.count += db.execute(_EXPECT_AGAIN, (until, number)).rowcount
        for session, first, last, until in ((u.session, u.first, u.last, u.until) for u in commit.uncertain):
            db.execute(_NOTE, (session, first, last, until, first - 1))
        for span in commit.certain:
            # A range of one session; of its SMS only those that were answered on it last.
            gone = db.execute("DELETE FROM candidate WHERE session = ? AND number BETWEEN ? AND ?", span)
            self.count -= gone.rowcount
            db.execute("DELETE FROM uncertain WHERE session = ? AND first >= ? AND last <= ?", span)

    def recover(self, settled: Watermark, until: int) -> None:
        """See Store.recover."""
        number, at = settled
        db = self._db
        db.execute("DELETE FROM candidate WHERE used_at BETWEEN 1 AND ?", (at,))
        db.execute("UPDATE candidate SET used_at = 0, until = ? WHERE used_at > 0", (until,))
        last = db.execute("SELECT max(number) FROM journal").fetchone()[0]
        if last is not None and last > number:
            db.execute(_NOTE, (0, number + 1, last, until, number))
        self.recount()

    def expect(self, limit: int) -> Expected:
        """See Store.expect."""
        db = self._db
        found = db.execute(_RANGE).fetchone()
        if found is None:
            return Expected(0, self.count)
        key, session, first, last, until, done = found
        dropped = 0
        # After a crash only: of a session's range the rows of others would count.
        if not session and done < first and (skip := db.execute(_SKIP, (first, last, self._most)).fetchone()):
            between = "SELECT count(*) FROM journal WHERE number BETWEEN ? AND ?"
            dropped = db.execute(between, (first, skip[0])).fetchone()[0]
            done = skip[0]
        values = {"session": session, "last": last, "until": until, "done": done, "limit": limit}
        reach, looked_at = db.execute(_REACH, values).fetchone()
        if looked_at:
            values["reach"] = reach
            db.execute(_EXPECT_LONGER, values)
            self.count += db.execute(_EXPECT, values).rowcount
        if looked_at < limit:
            db.execute("DELETE FROM uncertain WHERE id = ?", (key,))
        else:
            db.execute("UPDATE uncertain SET done = ? WHERE id = ?", (reach, key))
        if self.count > self._most:
            gone = db.execute(_TOO_MANY, (self.count - self._most,)).rowcount
            self.count -= gone
            dropped += gone
        return Expected(db.execute("SELECT count(*) FROM uncertain").fetchone()[0], self.count, dropped)

    def recount(self) -> None:
        """A transaction was rolled back: count again."""
        self.count = int(self._db.execute(_COUNT).fetchone()[0])

    def find(self, digests: Iterable[bytes], now: int) -> list[Candidate]:
        """See Store.candidates."""
        execute = self._db.execute
        return [
            Candidate(digest, number)
            for digest in set(digests)
            for (number,) in execute(_FIND, (digest, now)).fetchall()
        ]

    def forget(self, now: int, limit: int) -> int:
        """See Store.forget_candidates."""
        self.count -= self._db.execute(_OVER, {"limit": limit, "now": now}).rowcount
        return self.count
