"""The events of a store on PostgreSQL: written with the commit that caused them, read by relays, deleted.

Events of the family FIGURES are numbered apart, and have the negative of their number in the table: whoever
asks for others does not meet them.

Each node has events of its own, which it numbers one after the other: its one connection commits in one
order, so a sequence without gaps is the order of its commits. No deleted number comes again: whatever deletes
an event leaves a cursor at its number or behind it. The id of an event stays when the event moves to another
node (gateway.storage.postgresql.takeover).
"""

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import orjson
import psycopg

from gateway.message import FIGURES, StoredEvent
from gateway.storage.contract import Cursor, ForgottenEvents
from gateway.storage.postgresql.candidates import one
from gateway.storage.postgresql.link import Db, Link, Statement
from gateway.storage.postgresql.rows import recordset

ORIGIN_BITS: Final = 48
PARKED_MOST: Final = 10_000
"""Events that one consumer refused for good and that are kept to be looked at: the latest ones."""

_NAMES: Final = (
    "node, sequence, origin, number, at, cause, msisdn, fetion_number, province, family, name, version, data"
)
_TYPED: Final = (
    "node integer, sequence bigint, origin bigint, number bigint, at bigint, cause bigint, msisdn text,"
    " fetion_number text, province text, family text, name text, version integer, data text"
)
_EVENTS: Final = f"""
INSERT INTO event ({_NAMES}) SELECT {_NAMES} FROM json_to_recordset(%s) AS x ({_TYPED})
"""  # noqa: S608
_AFTER: Final = f"""
SELECT {_NAMES} FROM event WHERE node = %s AND sequence > %s ORDER BY sequence LIMIT %s
"""  # noqa: S608
_PARKED: Final = f"""
SELECT {_NAMES}, reason FROM parked_event WHERE node = %s AND consumer = %s AND sequence > %s
ORDER BY sequence LIMIT %s
"""  # noqa: S608
_TAKEN: Final = "DELETE FROM parked_event WHERE node = %s AND consumer = %s AND sequence = ANY(%s)"
_OLD_PARKED: Final = (
    "SELECT consumer, count(*) FROM parked_event WHERE node = %s AND at < %s GROUP BY consumer"
)
_NO_OLD_PARKED: Final = "DELETE FROM parked_event WHERE node = %s AND at < %s"
_COUNT_DROPPED: Final = "UPDATE consumer SET dropped = dropped + %s WHERE node = %s AND name = %s"
_PARK: Final = f"""
INSERT INTO parked_event (consumer, {_NAMES}, reason)
SELECT consumer, {_NAMES}, reason FROM json_to_recordset(%s) AS x (consumer text, reason text, {_TYPED})
ON CONFLICT DO NOTHING
"""  # noqa: S608
_UNPARK: Final = """
DELETE FROM parked_event WHERE node = %(node)s AND consumer = %(name)s AND sequence <= (
    SELECT sequence FROM parked_event WHERE node = %(node)s AND consumer = %(name)s
    ORDER BY sequence DESC LIMIT 1 OFFSET %(most)s)
"""
_LAST: Final = """
SELECT greatest(coalesce((SELECT max(sequence) FROM event WHERE node = %(node)s), 0),
    coalesce((SELECT max(cursor) FROM consumer WHERE node = %(node)s), 0))
"""
_COUNTED: Final = f"""
SELECT {_NAMES} FROM event WHERE node = %s AND sequence < %s ORDER BY sequence DESC LIMIT %s
"""  # noqa: S608
_LAST_COUNTED: Final = """
SELECT greatest(coalesce((SELECT -min(sequence) FROM event WHERE node = %(node)s), 0),
    coalesce((SELECT max(value) FROM meta WHERE key LIKE 'folded ' || %(node)s::text || ' %%'), 0), 0)
"""
_FOLDED: Final = "SELECT coalesce((SELECT value FROM meta WHERE key = %s), 0)"
_SET_FOLDED: Final = """
INSERT INTO meta VALUES (%s, %s)
ON CONFLICT (key) DO UPDATE SET value = greatest(meta.value, excluded.value)
"""
_GONE_COUNTED: Final = "DELETE FROM event WHERE node = %s AND sequence BETWEEN %s AND -1"
_NEW_CONSUMER: Final = "INSERT INTO consumer (node, name) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_CURSOR: Final = "SELECT cursor, parked, dropped FROM consumer WHERE node = %s AND name = %s"
_MOVE: Final = """
UPDATE consumer SET cursor = greatest(cursor, %s), parked = parked + %s WHERE node = %s AND name = %s
"""
_OLD: Final = """
SELECT coalesce(max(sequence), 0) FROM (
    SELECT sequence, at FROM event WHERE node = %s AND sequence > 0 ORDER BY sequence LIMIT %s) x
WHERE at < %s
"""
_PASSED: Final = "SELECT coalesce(min(cursor), 0) FROM consumer WHERE node = %s"
# The first and the last event of those up to a number, so many at most.
_RANGE: Final = """
SELECT min(sequence), max(sequence) FROM (
    SELECT sequence FROM event WHERE node = %s AND sequence BETWEEN 1 AND %s ORDER BY sequence LIMIT %s) x
"""
_LATE: Final = """
SELECT name, %(last)s - greatest(cursor, %(first)s - 1) FROM consumer
WHERE node = %(node)s AND cursor < %(last)s
"""
_DROP: Final = """
UPDATE consumer SET dropped = dropped + %(last)s - greatest(cursor, %(first)s - 1), cursor = %(last)s
WHERE node = %(node)s AND cursor < %(last)s
"""
_GONE: Final = "DELETE FROM event WHERE node = %(node)s AND sequence BETWEEN 1 AND %(last)s"


def _row(event: StoredEvent, node: int, sequence: int, event_id: tuple[int, int]) -> dict[str, Any]:
    """event_id: origin and number."""
    origin, number = event_id
    data = orjson.dumps(dict(event.data)).decode() if event.data else None
    return {
        "node": node, "sequence": sequence, "origin": origin, "number": number, "at": event.at,
        "cause": event.cause, "msisdn": event.msisdn, "fetion_number": event.fetion_number,
        "province": event.province, "family": event.family, "name": event.name, "version": event.version,
        "data": data,
    }  # fmt: skip


def _event(row: Sequence[Any]) -> StoredEvent:
    _, sequence, origin, number, *fields, text = row
    at, cause, msisdn, fetion_number, province, family, name, version = fields
    data = orjson.loads(text) if text else {}
    return StoredEvent(
        at, cause, msisdn, fetion_number, province, family, name, version, data, abs(sequence),
        f"{origin:012x}-{number or sequence}",
    )  # fmt: skip


def _id(event_id: str) -> tuple[int, int]:
    origin, _, number = event_id.partition("-")
    return int(origin, 16), int(number)


def inserting(events: Sequence[StoredEvent], numbers: "EventNumbers") -> Statement:
    """The statement that stores events of a node under the numbers behind those that it has."""
    last, counted, rows = numbers.last, numbers.last_counted, []
    for event in events:
        if event.family == FIGURES:
            counted += 1
            rows.append(_row(event, numbers.node, -counted, (numbers.origin, 0)))
        else:
            last += 1
            rows.append(_row(event, numbers.node, last, (numbers.origin, 0)))
    return _EVENTS, (recordset(rows),)


class EventNumbers:
    """last: the last event of a node that was committed. origin: stands in the ids of those that follow."""

    def __init__(self, db: psycopg.Connection[tuple[Any, ...]], node: int) -> None:
        row = db.execute(_LAST, {"node": node}).fetchone()
        self.last: int = row[0] if row else 0
        row = db.execute(_LAST_COUNTED, {"node": node}).fetchone()
        self.last_counted: int = row[0] if row else 0
        self.origin = secrets.randbits(ORIGIN_BITS)
        self.node = node
        self.unsure = False
        """Events may have been written and nobody heard of it."""

    async def make_sure(self, db: Db) -> None:
        """Ask the server where that is needed."""
        if self.unsure:
            self.last = await one(db, _LAST, {"node": self.node})
            self.last_counted = await one(db, _LAST_COUNTED, {"node": self.node})
            self.unsure = False

    def stored(self, events: Sequence[StoredEvent]) -> None:
        """These are committed."""
        counted = sum(event.family == FIGURES for event in events)
        self.last += len(events) - counted
        self.last_counted += counted


# The family FIGURES


async def counted_after(link: Link, node: int, sequence: int, limit: int) -> list[StoredEvent]:
    """A search of the primary key."""
    return [_event(row) for row in await link.read(_COUNTED, (node, -sequence, limit))]


def _key(node: int, consumer: str) -> str:
    return f"folded {node} {consumer}"


async def folded(db: Db, node: int, consumer: str) -> int:
    """Where a consumer stands."""
    return int(await one(db, _FOLDED, (_key(node, consumer),)))


async def fold(db: Db, node: int, consumer: str, sequence: int) -> None:
    """In the transaction of the caller: its cursor, and the events that it is done with."""
    await db.execute(_GONE_COUNTED, (node, -sequence))
    await db.execute(_SET_FOLDED, (_key(node, consumer), sequence))


async def drop(db: Db, node: int, consumer: str, sequence: int) -> int:
    """In the transaction of the caller: the oldest ones, up to a sequence. Gives how many."""
    gone = (await db.execute(_GONE_COUNTED, (node, -sequence))).rowcount
    if gone:
        await db.execute(_SET_FOLDED, (_key(node, consumer), sequence))
    return gone


class EventCalls:
    """The calls of gateway.storage.contract.EventStore; the rest of the store is PostgresStore."""

    _link: Link
    _events: EventNumbers

    @property
    def last_event(self) -> int:
        """As this gateway numbered them."""
        return self._events.last

    async def events_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """A search of the primary key."""
        return [_event(row) for row in await self._link.read(_AFTER, (self._events.node, sequence, limit))]

    async def cursor(self, name: str) -> Cursor:
        """A row of the table consumer, made where there is none."""
        if rows := await self._link.read(_CURSOR, (self._events.node, name)):
            return Cursor(*rows[0])
        await self.move_cursor(name, 0)
        return Cursor()

    async def move_cursor(
        self, name: str, sequence: int, parked: Sequence[tuple[StoredEvent, str]] = ()
    ) -> int:
        """In a transaction of its own."""

        node = self._events.node

        async def move(db: Db) -> int:
            await db.execute(_NEW_CONSUMER, (node, name))
            new = gone = 0
            if parked:
                rows = [
                    _row(event, node, event.sequence, _id(event.event_id))
                    | {"consumer": name, "reason": reason}
                    for event, reason in parked
                ]
                new = (await db.execute(_PARK, (recordset(rows),))).rowcount
                gone = (await db.execute(_UNPARK, {"node": node, "name": name, "most": PARKED_MOST})).rowcount
            await db.execute(_MOVE, (sequence, new, node, name))
            if gone:
                await db.execute(_COUNT_DROPPED, (gone, node, name))
            return gone

        return await self._link.apart(move)

    async def parked_events(self, name: str, limit: int, after: int = 0) -> list[tuple[StoredEvent, str]]:
        """A search of the primary key."""
        rows = await self._link.read(_PARKED, (self._events.node, name, after, limit))
        return [(_event(row[:-1]), row[-1]) for row in rows]

    async def unpark_events(self, name: str, sequences: Sequence[int]) -> None:
        """In a transaction of its own."""

        async def unpark(db: Db) -> None:
            await db.execute(_TAKEN, (self._events.node, name, list(sequences)))

        await self._link.apart(unpark)

    async def forget_events(self, before: int, most: int, limit: int) -> ForgottenEvents:
        """In a transaction of its own: one step, from the low end of the table."""

        node = self._events.node

        async def forget(db: Db) -> ForgottenEvents:
            parked = await (await db.execute(_OLD_PARKED, (node, before))).fetchall()
            dropped = Counter({str(name): int(count) for name, count in parked})
            if dropped:
                await db.execute(_NO_OLD_PARKED, (node, before))
                for name, count in dropped.items():
                    await db.execute(_COUNT_DROPPED, (count, node, name))
            old = await one(db, _OLD, (node, limit, before))
            passed = await one(db, _PASSED, (node,))
            until = max(passed, self._events.last - most, old)
            ends = await (await db.execute(_RANGE, (node, until, limit))).fetchone()
            if ends is None or ends[1] is None:
                return ForgottenEvents(0, dropped=dropped)
            first, last = ends
            values = {"node": node, "first": first, "last": last}
            late = await (await db.execute(_LATE, values)).fetchall()
            if late:
                await db.execute(_DROP, values)
            gone = (await db.execute(_GONE, values)).rowcount
            dropped.update({str(name): int(count) for name, count in late})
            return ForgottenEvents(gone, last, dropped)

        return await self._link.apart(forget)
