"""Takes over the work of nodes whose lease is over or given back (SharedStore.take_over).

One transaction holds the row of such a node, so nobody else takes from it meanwhile, and the node itself
either has renewed its lease before, or finds no holder afterwards. Every search is one of an index.
"""

from typing import Any, Final

from gateway.message import Watermark
from gateway.storage.nodes import TakenOver
from gateway.storage.postgresql.candidates import Candidates, one, recover
from gateway.storage.postgresql.events import EventNumbers
from gateway.storage.postgresql.link import Db, Link
from gateway.storage.postgresql.owner import FIRST_OF, LAST_OF, LIVE

# A connection that stands still in the middle of a transaction keeps what it has locked for ever.
_END_STANDING: Final = """
SELECT pg_terminate_backend(a.pid) FROM node n JOIN pg_stat_activity a
    ON a.pid = n.pid AND a.backend_start = n.started
WHERE n.number != %s AND n.until < clock_timestamp() AND n.holder != ''
    AND a.xact_start < clock_timestamp() - interval '1 s'
    AND pg_has_role(a.usesysid, 'MEMBER')
"""
_WORK: Final = f"""
SELECT number, name, holder != '', settled, settled_at FROM node n
WHERE n.number != %s AND NOT ({LIVE}) AND (holder != ''
    OR EXISTS (SELECT FROM outbox o WHERE o.node = n.number AND o.state IN (0, 4))
    OR EXISTS (SELECT FROM part p WHERE p.node = n.number)
    OR EXISTS (SELECT FROM event e WHERE e.node = n.number)
    OR EXISTS (SELECT FROM parked_event p WHERE p.node = n.number)
    OR EXISTS (SELECT FROM uncertain u WHERE u.node = n.number)
    OR settled < (SELECT max(j.number) FROM journal j WHERE j.number BETWEEN {FIRST_OF} AND {LAST_OF}))
"""  # noqa: S608
# A row that is locked is one whose gateway commits, or one from which somebody else takes. A row is looked at
# again when the lock is had.
_OVER: Final = f"{_WORK} ORDER BY number FOR UPDATE OF n SKIP LOCKED"
_END: Final = "UPDATE node SET holder = '', receivers = '{}' WHERE number = %s"
_SETTLED: Final = "UPDATE node SET settled = greatest(settled, %s) WHERE number = %s"
_SMS: Final = """
UPDATE outbox SET node = %(me)s, moved = (state = 0), repeat = repeat OR NOT moved
WHERE number IN (
    SELECT number FROM outbox WHERE node = %(node)s AND state IN (0, 4) ORDER BY number LIMIT %(limit)s)
"""
_PARTS: Final = """
UPDATE part SET node = %(me)s
WHERE number IN (SELECT number FROM part WHERE node = %(node)s ORDER BY number LIMIT %(limit)s)
"""
_TOLD: Final = """
DELETE FROM event WHERE node = %(node)s AND sequence > 0
    AND sequence <= (SELECT min(cursor) FROM consumer WHERE node = %(node)s)
"""
_REACH: Final = """
SELECT coalesce(max(sequence), 0) FROM (
    SELECT sequence FROM event WHERE node = %(node)s AND sequence > 0 ORDER BY sequence LIMIT %(limit)s) x
"""
_FIELDS: Final = "origin, at, cause, msisdn, fetion_number, province, family, name, version, data"
# In the order in which they happened. One that was refused is told once more.
_EVENTS: Final = f"""
WITH parked AS (
    DELETE FROM parked_event WHERE node = %(node)s AND (consumer, sequence) IN (
        SELECT consumer, sequence FROM parked_event WHERE node = %(node)s ORDER BY sequence LIMIT %(limit)s)
    RETURNING sequence, {_FIELDS}, number
), untold AS (
    DELETE FROM event WHERE node = %(node)s AND sequence BETWEEN 1 AND %(reach)s
    RETURNING sequence, {_FIELDS}, number
), every AS (
    SELECT DISTINCT ON (sequence) * FROM (SELECT * FROM parked UNION ALL SELECT * FROM untold) x
    ORDER BY sequence
)
INSERT INTO event (node, sequence, {_FIELDS}, number)
SELECT %(me)s, %(last)s + row_number() OVER (ORDER BY sequence), {_FIELDS},
    CASE WHEN number = 0 THEN sequence ELSE number END
FROM every
"""  # noqa: S608
# What a commit adds to the figures (gateway.storage.postgresql.events).
_COUNTED: Final = f"""
WITH theirs AS (
    DELETE FROM event WHERE node = %(node)s AND sequence IN (
        SELECT sequence FROM event WHERE node = %(node)s AND sequence < 0
        ORDER BY sequence DESC LIMIT %(limit)s)
    RETURNING sequence, {_FIELDS}, number
)
INSERT INTO event (node, sequence, {_FIELDS}, number)
SELECT %(me)s, -%(counted)s - row_number() OVER (ORDER BY sequence DESC), {_FIELDS}, number FROM theirs
"""  # noqa: S608
# The sequence of the node goes on behind what is deleted here.
_CURSORS: Final = "UPDATE consumer SET cursor = greatest(cursor, %(reach)s) WHERE node = %(node)s"


async def over(link: Link) -> bool:
    """Whether there may be something to take over: a look that writes nothing."""
    return bool(await link.look(_WORK, (link.owner.node,)))


class TakeOver:
    """One taking over, inside a transaction of the caller. events: of the node that takes."""

    def __init__(self, node: int, candidates: Candidates, events: EventNumbers) -> None:
        self._node = node
        self._candidates = candidates
        self._events = events
        self.counted = 0  # the last event of the family FIGURES, when it has run

    async def run(self, db: Db, until: int, limit: int) -> tuple[list[TakenOver], int]:
        """See SharedStore.take_over. Gives also the number of the last event."""
        await db.execute(_END_STANDING, (self._node,))
        await self._events.make_sure(db)
        self._events.unsure = True  # until it is known that this is stored
        last, counted, taken = self._events.last, self._events.last_counted, list[TakenOver]()
        for row in await (await db.execute(_OVER, (self._node,))).fetchall():
            each = await self._take(db, row, until, {"limit": limit, "last": last})
            last += each.events
            counted += await self._take_counted(db, each.number, counted, limit)
            if each.sms or each.parts or each.events or each.candidates:
                taken.append(each)
        self.counted = counted
        return taken, last

    async def _take(self, db: Db, row: tuple[Any, ...], until: int, values: dict[str, int]) -> TakenOver:
        node, name, holds, number, at = row
        values |= {"me": self._node, "node": node}
        if holds:
            await db.execute(_END, (node,))
        last = await recover(db, node, Watermark(number, at), until)
        await db.execute(_SETTLED, (last, node))
        return TakenOver(
            node,
            name,
            sms=(await db.execute(_SMS, values)).rowcount,
            parts=(await db.execute(_PARTS, values)).rowcount,
            events=await self._take_events(db, values),
            candidates=await self._candidates.expect_of(db, node, values["limit"]),
        )

    async def _take_counted(self, db: Db, node: int, counted: int, limit: int) -> int:
        """What commits of a node add to the figures. Gives how many events that were."""
        values = {"me": self._node, "node": node, "counted": counted, "limit": limit}
        return (await db.execute(_COUNTED, values)).rowcount

    async def _take_events(self, db: Db, values: dict[str, int]) -> int:
        await db.execute(_TOLD, values)
        values["reach"] = await one(db, _REACH, values)
        taken = (await db.execute(_EVENTS, values)).rowcount
        await db.execute(_CURSORS, values)
        return taken
