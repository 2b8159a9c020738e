"""The events of an SQLite store: written with the commit that caused them, read by relays, then deleted.

The store numbers events itself, one after the other: the one connection commits in one order, so a sequence
without gaps is the order of commits. Events of the family FIGURES are numbered apart, and have the negative
of their number in the table: whoever asks for others does not meet them. No deleted number comes again:
whatever deletes an event leaves a cursor at its number or behind it.
"""

import contextlib
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import orjson

from gateway.message import FIGURES, StoredEvent
from gateway.storage.contract import Cursor, ForgottenEvents
from gateway.storage.marks import LOOKED_AT, is_of

T = TypeVar("T")

ORIGIN_BITS: Final = 48
PARKED_MOST: Final = 10_000
"""Events that one consumer refused and that are kept: the latest ones."""

_COLUMNS: Final = "sequence, origin, at, cause, msisdn, fetion_number, province, family, name, version, data"
_EVENT = f"INSERT INTO event ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_AFTER = f"SELECT {_COLUMNS} FROM event WHERE sequence > ? ORDER BY sequence LIMIT ?"  # noqa: S608
_PARKED = f"""
SELECT {_COLUMNS}, reason FROM parked_event WHERE consumer = ? AND sequence > ? ORDER BY sequence LIMIT ?
"""  # noqa: S608
_PARK = f"""
INSERT OR IGNORE INTO parked_event (consumer, {_COLUMNS}, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608
_UNPARK = """
DELETE FROM parked_event WHERE consumer = :name AND sequence <= (
    SELECT sequence FROM parked_event WHERE consumer = :name ORDER BY sequence DESC LIMIT 1 OFFSET :most)
"""
_TAKEN = "DELETE FROM parked_event WHERE consumer = ? AND sequence = ?"
_OLD_PARKED = "SELECT consumer, count(*) FROM parked_event WHERE at < ? GROUP BY consumer"
_COUNT_DROPPED = "UPDATE consumer SET dropped = dropped + ? WHERE name = ?"
_LAST = """
SELECT max(coalesce((SELECT max(sequence) FROM event), 0), coalesce((SELECT max(cursor) FROM consumer), 0))
"""
COUNTED = f"SELECT {_COLUMNS} FROM event WHERE sequence < ? ORDER BY sequence DESC LIMIT ?"  # noqa: S608
_LAST_COUNTED = """
SELECT max(coalesce((SELECT -min(sequence) FROM event), 0),
    coalesce((SELECT max(value) FROM meta WHERE key LIKE 'folded %'), 0))
"""
_SOME_COUNTED = "SELECT data FROM event WHERE sequence < 0 LIMIT ?"
_FOLDED = "SELECT coalesce((SELECT value FROM meta WHERE key = 'folded ' || ?), 0)"
_SET_FOLDED = """
INSERT INTO meta VALUES ('folded ' || ?, ?)
ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)
"""
_NEW_CONSUMER = "INSERT OR IGNORE INTO consumer (name, cursor) VALUES (?, 0)"
_CURSOR = "SELECT cursor, parked, dropped FROM consumer WHERE name = ?"
_MOVE = "UPDATE consumer SET cursor = max(cursor, ?), parked = parked + ? WHERE name = ?"
# The first and the last event of those up to :until, `limit` of them at most.
_RANGE = """
SELECT min(sequence), max(sequence) FROM (
    SELECT sequence FROM event WHERE sequence BETWEEN 1 AND :until ORDER BY sequence LIMIT :limit)
"""
_OLD = """
SELECT coalesce(max(sequence), 0) FROM (
    SELECT sequence, at FROM event WHERE sequence > 0 ORDER BY sequence LIMIT :limit)
WHERE at < :before
"""
_PASSED = "SELECT coalesce(min(cursor), 0) FROM consumer"
_LATE = "SELECT name, :last - max(cursor, :first - 1) FROM consumer WHERE cursor < :last"
_DROP = """
UPDATE consumer SET dropped = dropped + :last - max(cursor, :first - 1), cursor = :last WHERE cursor < :last
"""


def _row(event: StoredEvent, sequence: int, origin: int) -> tuple[Any, ...]:
    return (
        sequence, origin, event.at, event.cause, event.msisdn, event.fetion_number, event.province,
        event.family, event.name, event.version,
        orjson.dumps(dict(event.data)).decode() if event.data else None,
    )  # fmt: skip


def event_of(row: Sequence[Any]) -> StoredEvent:
    """The event of a row of _COLUMNS."""
    sequence, origin, at, cause, msisdn, fetion_number, province, family, name, version, text = row
    data = orjson.loads(text) if text else {}
    return StoredEvent(
        at, cause, msisdn, fetion_number, province, family, name, version, data, abs(sequence),
        f"{origin:012x}-{sequence}",
    )  # fmt: skip


class EventTables:
    """Rows of the three tables. last: the last event that was committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._origin = secrets.randbits(ORIGIN_BITS)
        self.last: int = db.execute(_LAST).fetchone()[0]
        self.last_counted: int = max(0, db.execute(_LAST_COUNTED).fetchone()[0])
        self._written, self._written_counted = self.last, self.last_counted

    def write(self, events: Sequence[StoredEvent]) -> None:
        """Number them behind the last one and insert them, in the transaction that is open."""
        told, counted, rows = self.last, self.last_counted, []
        for event in events:
            if event.family == FIGURES:
                counted += 1
                rows.append(_row(event, -counted, self._origin))
            else:
                told += 1
                rows.append(_row(event, told, self._origin))
        self._db.executemany(_EVENT, rows)
        self._written, self._written_counted = told, counted

    def committed(self) -> None:
        """What was written is there for good."""
        self.last, self.last_counted = self._written, self._written_counted

    def rolled_back(self) -> None:
        """What was written is not there."""
        self._written, self._written_counted = self.last, self.last_counted

    def folded(self, consumer: str) -> int:
        """Where a consumer of the family FIGURES stands."""
        return int(self._db.execute(_FOLDED, (consumer,)).fetchone()[0])

    def fold(self, consumer: str, sequence: int) -> None:
        """In the transaction that is open: its cursor, and the events that it is done with."""
        self._db.execute("DELETE FROM event WHERE sequence BETWEEN ? AND -1", (-sequence,))
        self._db.execute(_SET_FOLDED, (consumer, sequence))

    def drop_counted(self, consumer: str, sequence: int) -> int:
        """In the transaction that is open: the oldest ones, up to a sequence."""
        gone = self._db.execute("DELETE FROM event WHERE sequence BETWEEN ? AND -1", (-sequence,)).rowcount
        if gone:
            self.fold(consumer, sequence)
        return gone

    def counts(self, day: str) -> bool:
        """Whether events of the family FIGURES that are there may be of a day."""
        rows = self._db.execute(_SOME_COUNTED, (LOOKED_AT + 1,)).fetchall()
        return len(rows) > LOOKED_AT or any(is_of(data, day) for (data,) in rows)

    def move(self, name: str, sequence: int, parked: Sequence[tuple[StoredEvent, str]]) -> int:
        """In the transaction that is open: the cursor, and what was refused; how many parked ones went."""
        db = self._db
        db.execute(_NEW_CONSUMER, (name,))
        new = 0
        for event, reason in parked:
            origin = int(event.event_id.partition("-")[0], 16)
            new += db.execute(_PARK, (name, *_row(event, event.sequence, origin), reason)).rowcount
        db.execute(_MOVE, (sequence, new, name))
        gone = db.execute(_UNPARK, {"name": name, "most": PARKED_MOST}).rowcount if new else 0
        if gone:
            db.execute(_COUNT_DROPPED, (gone, name))
        return gone

    def unpark(self, name: str, sequences: Sequence[int]) -> None:
        """In the transaction that is open."""
        self._db.executemany(_TAKEN, [(name, sequence) for sequence in sequences])

    def forget(self, before: int, most: int, limit: int) -> ForgottenEvents:
        """In the transaction that is open: one step, from the low end of the table."""
        db = self._db
        dropped = Counter(dict(db.execute(_OLD_PARKED, (before,)).fetchall()))
        if dropped:
            db.execute("DELETE FROM parked_event WHERE at < ?", (before,))
            db.executemany(_COUNT_DROPPED, [(count, name) for name, count in dropped.items()])
        old = db.execute(_OLD, {"before": before, "limit": limit}).fetchone()[0]
        passed = db.execute(_PASSED).fetchone()[0]
        values = {"until": max(passed, self.last - most, old), "limit": limit}
        first, last = db.execute(_RANGE, values).fetchone()
        if last is None:
            return ForgottenEvents(0, dropped=dropped)
        ends = {"first": first, "last": last}
        late = Counter(dict(db.execute(_LATE, ends).fetchall()))
        if late:
            db.execute(_DROP, ends)
        gone = db.execute("DELETE FROM event WHERE sequence BETWEEN 1 AND ?", (last,)).rowcount
        return ForgottenEvents(gone, last, dropped + late)


class EventCalls:
    """The calls of gateway.storage.contract.EventStore; the rest of the store is SqliteStore."""

    _events: EventTables
    slow: bool

    # What follows is SqliteStore's: named here so that the calls are checked by type.

    async def _free(self) -> None:
        raise NotImplementedError

    async def _in_thread(self, work: Callable[..., T], *values: Any) -> T:
        raise NotImplementedError

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    def _transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    @property
    def last_event(self) -> int:
        """As the tables count."""
        return self._events.last

    async def events_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """A search of the primary key."""
        return [event_of(row) for row in await self._read(_AFTER, (sequence, limit))]

    async def cursor(self, name: str) -> Cursor:
        """A row of the table consumer, made where there is none."""
        rows = await self._read(_CURSOR, (name,))
        if not rows:
            await self._write_apart(lambda: self._events.move(name, 0, ()))
            return Cursor()
        return Cursor(*rows[0])

    async def move_cursor(
        self, name: str, sequence: int, parked: Sequence[tuple[StoredEvent, str]] = ()
    ) -> int:
        """In a commit of its own."""
        return await self._write_apart(lambda: self._events.move(name, sequence, parked))

    async def parked_events(self, name: str, limit: int, after: int = 0) -> list[tuple[StoredEvent, str]]:
        """A search of the primary key."""
        return [(event_of(row[:-1]), row[-1]) for row in await self._read(_PARKED, (name, after, limit))]

    async def unpark_events(self, name: str, sequences: Sequence[int]) -> None:
        """In a commit of its own."""
        await self._write_apart(lambda: self._events.unpark(name, sequences))

    async def forget_events(self, before: int, most: int, limit: int) -> ForgottenEvents:
        """In a commit of its own; nothing is written where nothing is to go."""
        return await self._write_apart(lambda: self._events.forget(before, most, limit))

    async def _write_apart(self, work: Callable[[], T]) -> T:
        """Run it in a transaction of its own, in another thread where an fsync is slow."""

        def whole() -> T:
            with self._transaction():
                return work()

        await self._free()
        return await self._in_thread(whole) if self.slow else whole()
