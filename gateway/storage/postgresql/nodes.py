"""The calls of gateway.storage.nodes.SharedStore: what a store on PostgreSQL does for several nodes."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from gateway.message import MobileTerminated
from gateway.storage.contract import StoreFault
from gateway.storage.nodes import Equal, NodeState, TakenOver
from gateway.storage.postgresql import answered
from gateway.storage.postgresql.candidates import Candidates, one
from gateway.storage.postgresql.events import EventNumbers
from gateway.storage.postgresql.link import Db, Link, Unreachable
from gateway.storage.postgresql.owner import LIVE
from gateway.storage.postgresql.rows import kept, text_of, waiting_sms
from gateway.storage.postgresql.takeover import TakeOver, over

LEAVING: Final = """
number, cause, msisdn, account, source, destination, ton, npi, text, sealed, secret, reference, at,
    expires_at, parts, parts_done, attempts, losses, source_ton, source_npi, repeat, node, kind,
    tlvs
"""
_NOW: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_NODES: Final = f"""
SELECT number, name, {LIVE}, greatest(extract(epoch FROM until - clock_timestamp()), 0)::float, batch,
    receivers
FROM node n ORDER BY number
"""  # noqa: S608
_RECEIVERS: Final = "UPDATE node SET receivers = %s WHERE number = %s"
_TAKE_IN: Final = f"""
WITH taken AS (
    UPDATE outbox SET moved = FALSE
    WHERE node = %(node)s AND number IN (
        (SELECT number FROM outbox WHERE node = %(node)s AND moved ORDER BY number LIMIT %(limit)s)
        UNION SELECT unnest(%(unheard)s::bigint[]))
    RETURNING {LEAVING}, state)
SELECT {LEAVING} FROM taken WHERE state = 0 ORDER BY number
"""  # noqa: S608
# Nobody has heard whether these were taken in.
_MOVED_STILL: Final = "UPDATE outbox SET moved = TRUE WHERE number = ANY(%s) AND node = %s AND state = 0"
_MOVED: Final = "SELECT FROM outbox WHERE node = %s AND moved LIMIT 1"
_GIVE: Final = f"""
UPDATE outbox SET node = %(node)s, moved = TRUE
WHERE number = ANY(%(numbers)s) AND node = %(me)s AND state = 0
    AND EXISTS (SELECT FROM node n WHERE n.number = %(node)s AND {LIVE})
"""  # noqa: S608
_MOVED_AWAY: Final = "SELECT number FROM outbox WHERE number = ANY(%s) AND node != %s ORDER BY number"
_HOLDER: Final = f"""
SELECT n.number, {LIVE} FROM holding h JOIN node n ON n.number = h.node WHERE h.name = %s
"""  # noqa: S608
_HELD_BY: Final = "SELECT node FROM holding WHERE name = %s FOR UPDATE"
# No row: it is locked, so its gateway is at work.
_IS_OVER: Final = f"""
SELECT NOT ({LIVE}) FROM node n WHERE n.number = %s FOR SHARE SKIP LOCKED
"""  # noqa: S608
# An operator has deleted it.
_IS_GONE: Final = "SELECT NOT EXISTS (SELECT FROM node n WHERE n.number = %s)"
_HOLD: Final = """
INSERT INTO holding (name, node) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET node = excluded.node
"""
_FREE: Final = "INSERT INTO holding (name, node) VALUES (%s, %s) ON CONFLICT DO NOTHING"


class NodeCalls:
    """The calls of SharedStore beside those of Store; the rest of the store is PostgresStore."""

    _link: Link
    _events: EventNumbers
    _candidates: Candidates
    # What a transaction did of which nobody heard whether it is stored: it is given by the next call.
    _taken_in: list[int]
    _taken_over: list[TakenOver]

    @property
    def trusted_until(self) -> float:
        """As the last answer of the server allows it."""
        return self._link.owner.trusted_until

    async def now(self) -> int:
        """One round trip."""
        return int((await self._link.read(_NOW))[0][0])

    async def nodes(self) -> list[NodeState]:
        """All rows of a small table."""
        return [
            NodeState(number, name, live, left, batch, orjson.loads(text_of(receivers)))
            for number, name, live, left, batch, receivers in await self._link.read(_NODES)
        ]

    async def tell_receivers(self, receivers: Mapping[str, Sequence[str]]) -> None:
        """A column of the row of this node."""
        document = kept(orjson.dumps({name: list(ranges) for name, ranges in receivers.items()}).decode())

        async def tell(db: Db) -> None:
            await db.execute(_RECEIVERS, (document, self._link.owner.node))

        await self._link.apart(tell)

    async def answered(self, digests: Sequence[bytes]) -> list[Equal]:
        """One search of an index for all digests."""
        return await answered.equal(self._link, digests)

    async def take_over(self, until: int, limit: int) -> list[TakenOver]:
        """A look that writes nothing, then see gateway.storage.postgresql.takeover."""
        there_is = await over(self._link)
        unheard = self._taken_over
        if not there_is:
            self._taken_over = []
            return unheard
        work = TakeOver(self._link.owner.node, self._candidates, self._events)

        async def take(db: Db) -> tuple[list[TakenOver], int]:
            taken, last = await work.run(db, until, limit)
            self._taken_over = [*unheard, *taken]
            return self._taken_over, last

        def stored(result: tuple[list[TakenOver], int]) -> None:
            self._events.last, self._events.unsure = result[1], False
            self._events.last_counted = work.counted
            self._taken_over = []

        taken, _ = await self._link.apart(take, stored)
        return taken

    async def take_in(self, limit: int) -> list[MobileTerminated]:
        """A look that writes nothing, then a search of the index of what was moved."""
        node = self._link.owner.node
        if not self._taken_in and not await self._link.look(_MOVED, (node,)):
            return []

        async def take(db: Db) -> list[MobileTerminated]:
            values = {"node": node, "limit": limit, "unheard": self._taken_in}
            found = [waiting_sms(row) for row in await (await db.execute(_TAKE_IN, values)).fetchall()]
            self._taken_in = [sms.number for sms in found]
            return found

        def stored(_: list[MobileTerminated]) -> None:
            self._taken_in = []

        return await self._link.apart(take, stored)

    async def give(self, numbers: Sequence[int], node: int) -> list[int]:
        """So many searches of the primary key."""
        values = {"numbers": list(numbers), "node": node, "me": self._link.owner.node}

        async def move(db: Db) -> list[int]:
            await db.execute(_GIVE, values)
            away = await db.execute(_MOVED_AWAY, (list(numbers), self._link.owner.node))
            return [number for (number,) in await away.fetchall()]

        try:
            return await self._link.apart(move)
        except Unreachable:  # it has not begun
            raise
        except StoreFault:  # whoever still took them for his own would send them beside the other node
            found = await self._link.learn(_MOVED_AWAY, (list(numbers), self._link.owner.node))
            if not found:
                raise
            return [number for (number,) in found]

    async def hold(self, name: str) -> bool:
        """A row, held by the node that it names as long as that one lives: mostly a look."""
        me = self._link.owner.node
        for holder, live in await self._link.read(_HOLDER, (name,)):
            if live:
                return bool(holder == me)

        async def hold(db: Db) -> bool:
            await db.execute(_FREE, (name, me))
            holder = await one(db, _HELD_BY, (name,))
            if holder == me:
                return True
            if not await one(db, _IS_OVER, (holder,)) and not await one(db, _IS_GONE, (holder,)):
                return False
            await db.execute(_HOLD, (name, me))
            return True

        return await self._link.apart(hold)
