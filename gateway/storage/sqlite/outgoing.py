"""The SMS that leave, on SQLite: rows of `outbox`, and which of them wait.

Nearly every SMS is sent and closed moments after its commit, so it enters no index: those that wait are found
by reading the rows above the number `listed` in `meta`. A commit moves that number forward, some way behind
the newest SMS, and puts those that wait nevertheless into the index `outbox_waiting`. So neither many closed
SMS nor one that waits for days make a start longer.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import orjson

from gateway.message import Commit, Delivery, MobileTerminated
from gateway.storage.sqlite.rows import (
    attempt_row,
    changed_row,
    closed_row,
    marked_row,
    outbox_row,
    waiting_sms,
)

UNLISTED = 200_000
"""How far `listed` stays behind the newest number: some seconds of full load, and some 50 ms of a start."""
STEP = 2_000
"""Numbers between two moves of `listed`, and rows that one move reads at most: under 1 ms."""

# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_SENT: Final = Delivery.SENT
_INSERT = """
INSERT INTO outbox (number, cause, msisdn, account, source, destination, ton, npi, text, secret, reference,
    at, expires_at, state, parts, source_ton, source_npi)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_MARK = "UPDATE outbox SET kind = ?, tlvs = ? WHERE number = ?"
_CHANGE = """
UPDATE outbox SET state = ?, losses = ?, attempts = ?, parts = ?, parts_done = ?, error = ?, repeat = ?,
    listed = 1
WHERE number = ?
"""
_CLOSE = """
UPDATE outbox SET state = ?, closed_at = ?, parts = ?, parts_done = ?, attempts = ?, remote_id = ?, error = ?,
    session = ?, text = CASE WHEN secret THEN NULL ELSE text END
WHERE number = ?
"""
_CLOSE_SENT = """
UPDATE outbox SET state = 1, closed_at = ?, parts_done = parts, attempts = 1, error = '', session = ?
WHERE number IN (SELECT value FROM json_each(?))
"""
_ATTEMPT = """
INSERT OR REPLACE INTO attempt
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE EXISTS (SELECT 1 FROM outbox WHERE number = ?1)
"""
_LEAVING = """
SELECT number, cause, msisdn, account, source, destination, ton, npi, text, secret, reference, at, expires_at,
    parts, parts_done, attempts, losses, source_ton, source_npi, kind, tlvs
FROM outbox"""
_PARKED = f"{_LEAVING} WHERE state = 4 AND number = ?"

_LISTED = "SELECT value FROM meta WHERE key = 'listed'"
_SET_LISTED = "UPDATE meta SET value = ? WHERE key = 'listed'"
_LIST = "UPDATE outbox SET listed = 1 WHERE number = ?"
_REACH = """
SELECT max(number) FROM (
    SELECT number FROM outbox WHERE number > ? AND number <= ? ORDER BY number LIMIT ?)
"""
_LIST_WAITING = "UPDATE outbox SET listed = 1 WHERE number > ? AND number <= ? AND state = 0"
_LEFT_LISTED = "UPDATE outbox SET repeat = 1 WHERE listed = 1 AND state = 0"
_LEFT_UNLISTED = "UPDATE outbox SET repeat = 1, listed = 1 WHERE number > ? AND state = 0"
_NEWEST = "SELECT coalesce(max(number), 0) FROM outbox"


def waiting(select: str) -> str:
    """The statement for the SMS that wait: by number, behind :after, :limit of them.

    select: what to read of outbox, up to its FROM.
    """
    return f"""
{select} WHERE listed = 1 AND state = 0 AND number > :after
UNION ALL
{select} WHERE number > max(:after, ({_LISTED})) AND listed = 0 AND state = 0
ORDER BY number LIMIT :limit
"""


_WAITING = waiting(_LEAVING)


class Outgoing:
    """The table `outbox` of one connection. The methods that write run inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._listed: int | None = None

    @property
    def listed(self) -> int:
        """The number up to which every SMS that waits is in the index."""
        if self._listed is None:
            self._listed = int(self._db.execute(_LISTED).fetchone()[0])
        return self._listed

    def reload(self) -> None:
        """A transaction was rolled back: what was noted of the tables may not be true any more."""
        self._listed = None

    def write(self, commit: Commit) -> None:
        """What a commit knows of them."""
        db = self._db
        if commit.outgoing:
            db.executemany(_INSERT, [outbox_row(m) for m in commit.outgoing])
            marked = [marked_row(m) for m in commit.outgoing if m.kind or m.tlvs]
            if marked:
                db.executemany(_MARK, marked)
            listed = self.listed
            below = [(m.number,) for m in commit.outgoing if m.number <= listed]
            if below:  # numbers of a node with a lower number than the one before
                db.executemany(_LIST, below)
            self._list_waiting(commit.outgoing[-1].number - UNLISTED)
        if commit.changed:
            db.executemany(_CHANGE, [changed_row(m) for m in commit.changed])
        if commit.closed:
            self._close(commit.closed)
        if commit.attempts:
            db.executemany(_ATTEMPT, [attempt_row(each) for each in commit.attempts])

    def _close(self, closed: Iterable[MobileTerminated]) -> None:
        """One statement for those that left as nearly all do, by the time when they did and the bind; one for
        each of the others."""
        usual: dict[tuple[int, int], list[int]] = defaultdict(list)
        others = []
        for m in closed:
            if _sent_at_once(m):
                usual[m.closed_at, m.session].append(m.number)
            else:
                others.append(closed_row(m))
        for (at, session), numbers in usual.items():
            self._db.execute(_CLOSE_SENT, (at, session, orjson.dumps(numbers).decode()))
        if others:
            self._db.executemany(_CLOSE, others)

    def _list_waiting(self, until: int) -> None:
        """Move `listed` towards a number, by one step, when that is worth it."""
        db, listed = self._db, self.listed
        if until < listed + STEP:
            return
        reach = db.execute(_REACH, (listed, until, STEP)).fetchone()[0]
        if reach is None:  # a gap, as between two runs
            reach = until
        else:
            db.execute(_LIST_WAITING, (listed, reach))
        self._set_listed(reach)

    def _set_listed(self, number: int) -> None:
        self._db.execute(_SET_LISTED, (number,))
        self._listed = number

    def recover(self) -> None:
        """At the start: all that wait may have left; from now on they are listed."""
        db = self._db
        db.execute(_LEFT_LISTED)
        db.execute(_LEFT_UNLISTED, (self.listed,))
        self._set_listed(max(self.listed, db.execute(_NEWEST).fetchone()[0]))

    def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        """See Store.waiting: rows with state 0, as they were written; secret ones sealed."""
        rows = self._db.execute(_WAITING, {"after": after, "limit": limit})
        return [waiting_sms(row) for row in rows.fetchall()]

    def parked(self, number: int) -> MobileTerminated | None:
        """See Store.parked: the row with that number, if its state is 4."""
        row: tuple[Any, ...] | None = self._db.execute(_PARKED, (number,)).fetchone()
        return None if row is None else waiting_sms(row)


def _sent_at_once(m: MobileTerminated) -> bool:
    """Whether it closes as nearly all do: sent whole at the first attempt, nothing to blank or to note."""
    return (
        m.state is _SENT
        and m.attempts == 1
        and m.parts_done == m.parts
        and not (m.secret or m.remote_id or m.error)
    )
