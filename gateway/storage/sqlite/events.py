"""The events of an SQLite store: written with the commit that caused them, read by relays, then deleted.

The store numbers events itself, one after the other: the one connection commits in one order, so a sequence
without gaps is the order of commits. No deleted number comes again: whatever deletes an event leaves a cursor
at its number or behind it.
"""

import contextlib
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import orjson

from gateway.message import StoredEvent
from gateway.storage.contract import Cursor, ForgottenEvents

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
_NEW_CONSUMER = "INSERT OR IGNORE INTO consumer (name, cursor) VALUES (?, 0)"
_CURSOR = "SELECT cursor, parked, dropped FROM consumer WHERE name = ?"
_MOVE = "UPDATE consumer SET cursor = max(cursor, ?), parked = parked + ? WHERE name = ?"
# The last event of those up to :until, `limit` of them at most.
_RANGE = """
SELECT max(sequence) FROM (
    SELECT sequence FROM event WHERE sequence <= :until ORDER BY sequence LIMIT :limit)
"""
_OLD = """
SELECT coalesce(max(sequence), 0) FROM (SELECT sequence, at FROM event ORDER BY sequence LIMIT :limit)
WHERE at < :before
"""
_PASSED = "SELECT coalesce(min(cursor), 0) FROM consumer"
# Of those that go, what a consumer would have been told: those of FIGURES go to who counts alone.
_THEIRS = """
(SELECT count(*) FROM event
    WHERE sequence > cursor AND sequence <= :last AND (family = 'figures') = (consumer.name = 'figures'))
"""
_LATE = f"SELECT name, {_THEIRS} FROM consumer WHERE cursor < :last"  # noqa: S608
_DROP = f"""
UPDATE consumer SET dropped = dropped + {_THEIRS}, cursor = :last WHERE cursor < :last
"""  # noqa: S608
_COUNTED = "DELETE FROM event WHERE sequence > ? AND sequence <= ? AND family = 'figures'"


def _row(event: StoredEvent, sequence: int, origin: int) -> tuple[Any, ...]:
    return (
        sequence, origin, event.at, event.cause, event.msisdn, event.fetion_number, event.province,
        event.family, event.name, event.version,
        orjson.dumps(dict(event.data)).decode() if event.data else None,
    )  # fmt: skip


def _event(row: Sequence[Any]) -> StoredEvent:
    sequence, origin, at, cause, msisdn, fetion_number, province, family, name, version, text = row
    data = orjson.loads(text) if text else {}
    return StoredEvent(
        at, cause, msisdn, fetion_number, province, family, name, version, data, sequence,
        f"{origin:012x}-{sequence}",
    )  # fmt: skip


class EventTables:
    """Rows of the three tables. last: the last event that was committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._origin = secrets.randbits(ORIGIN_BITS)
        self.last: int = db.execute(_LAST).fetchone()[0]
        self._written = self.last

    def write(self, events: Sequence[StoredEvent]) -> None:
        """Number them behind the last one and insert them, in the transaction that is open."""
        first = self.last + 1
        rows = [_row(event, number, self._origin) for number, event in enumerate(events, first)]
        self._db.executemany(_EVENT, rows)
        self._written = self.last + len(rows)

    def committed(self) -> None:
        """What was written is there for good."""
        self.last = self._written

    def rolled_back(self) -> None:
        """What was written is not there."""
        self._written = self.last

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

    def end(self, name: str) -> None:
        """There is no consumer of that name any more."""
        self._db.execute("DELETE FROM consumer WHERE name = ?", (name,))

    def cursor_of(self, name: str) -> int:
        """Where a consumer stands, 0 where it was never asked for."""
        row = self._db.execute(_CURSOR, (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def counted(self, name: str, cursor: int, sequence: int) -> None:
        """What the events of FIGURES behind a cursor say is in the figures: they go, and the cursor moves."""
        self._db.execute(_COUNTED, (cursor, sequence))
        self.move(name, sequence, ())

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
        last = db.execute(_RANGE, values).fetchone()[0]
        if last is None:
            return ForgottenEvents(0, dropped=dropped)
        late = Counter(dict(db.execute(_LATE, {"last": last}).fetchall()))
        if late:
            db.execute(_DROP, {"last": last})
        gone = db.execute("DELETE FROM event WHERE sequence <= ?", (last,)).rowcount
        return ForgottenEvents(gone, last, +(dropped + late))


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
        return [_event(row) for row in await self._read(_AFTER, (sequence, limit))]

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
        return [(_event(row[:-1]), row[-1]) for row in await self._read(_PARKED, (name, after, limit))]

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
