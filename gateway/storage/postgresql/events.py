"""The events of a store on PostgreSQL: written with the commit that caused them, read by relays, deleted.

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

from gateway.message import StoredEvent
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
_NEW_CONSUMER: Final = "INSERT INTO consumer (node, name) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_CURSOR: Final = "SELECT cursor, parked, dropped FROM consumer WHERE node = %s AND name = %s"
_MOVE: Final = """
UPDATE consumer SET cursor = greatest(cursor, %s), parked = parked + %s WHERE node = %s AND name = %s
"""
_OLD: Final = """
SELECT coalesce(max(sequence), 0) FROM (
    SELECT sequence, at FROM event WHERE node = %s ORDER BY sequence LIMIT %s) x
WHERE at < %s
"""
_PASSED: Final = "SELECT coalesce(min(cursor), 0) FROM consumer WHERE node = %s"
# The last event of those up to a number, so many at most.
_RANGE: Final = """
SELECT max(sequence) FROM (
    SELECT sequence FROM event WHERE node = %s AND sequence <= %s ORDER BY sequence LIMIT %s) x
"""
# Of those that go, what a consumer would have been told: those of FIGURES go to who counts alone.
_THEIRS: Final = """
(SELECT count(*) FROM event e WHERE e.node = %(node)s AND e.sequence > c.cursor
    AND e.sequence <= %(last)s AND (e.family = 'figures') = (c.name = 'figures'))
"""
_LATE: Final = f"""
SELECT name, {_THEIRS} FROM consumer c WHERE node = %(node)s AND cursor < %(last)s
"""  # noqa: S608
_DROP: Final = f"""
UPDATE consumer c SET dropped = dropped + {_THEIRS}, cursor = %(last)s
WHERE node = %(node)s AND cursor < %(last)s
"""  # noqa: S608
_COUNTED: Final = """
DELETE FROM event WHERE node = %s AND sequence > %s AND sequence <= %s AND family = 'figures'
"""
_GONE: Final = "DELETE FROM event WHERE node = %(node)s AND sequence <= %(last)s"


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
        at, cause, msisdn, fetion_number, province, family, name, version, data, sequence,
        f"{origin:012x}-{number or sequence}",
    )  # fmt: skip


def _id(event_id: str) -> tuple[int, int]:
    origin, _, number = event_id.partition("-")
    return int(origin, 16), int(number)


def inserting(events: Sequence[StoredEvent], node: int, first: int, origin: int) -> Statement:
    """The statement that stores events of a node under the numbers from `first` on."""
    rows = [_row(event, node, number, (origin, 0)) for number, event in enumerate(events, first)]
    return _EVENTS, (recordset(rows),)


class EventNumbers:
    """last: the last event of a node that was committed. origin: stands in the ids of those that follow."""

    def __init__(self, db: psycopg.Connection[tuple[Any, ...]], node: int) -> None:
        row = db.execute(_LAST, {"node": node}).fetchone()
        self.last: int = row[0] if row else 0
        self.origin = secrets.randbits(ORIGIN_BITS)
        self.node = node
        self.unsure = False
        """Events may have been written and nobody heard of it."""

    async def make_sure(self, db: Db) -> None:
        """Ask the server where that is needed."""
        if self.unsure:
            self.last = await one(db, _LAST, {"node": self.node})
            self.unsure = False


async def counted(db: Db, node: int, name: str, cursor: int, sequence: int) -> None:
    """What the events of FIGURES behind a cursor say is in the figures: they go, and the cursor moves, in the
    transaction of the caller."""
    await db.execute(_COUNTED, (node, cursor, sequence))
    await db.execute(_NEW_CONSUMER, (node, name))
    await db.execute(_MOVE, (sequence, 0, node, name))


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
            last = await one(db, _RANGE, (node, until, limit))
            if last is None:
                return ForgottenEvents(0, dropped=dropped)
            values = {"node": node, "last": last}
            late = await (await db.execute(_LATE, values)).fetchall()
            if late:
                await db.execute(_DROP, values)
            gone = (await db.execute(_GONE, values)).rowcount
            dropped.update({str(name): int(count) for name, count in late})
            return ForgottenEvents(gone, last, +dropped)

        return await self._link.apart(forget)
