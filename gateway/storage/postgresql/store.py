"""The store on PostgreSQL: one connection, one round trip a commit, one owner of each node at a time."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Self, TypeVar

import orjson
import psycopg

from commands.model import LoadKeys, Result, World
from gateway.message import OPERATOR, Commit, Expected, MobileTerminated, StoredPart, Watermark
from gateway.message_numbers import RUNS
from gateway.storage.contract import Candidate, RecentSms, StorageError, StoreUnusable
from gateway.storage.folding import Cache
from gateway.storage.postgresql import customers
from gateway.storage.postgresql.accounts import AccountCalls
from gateway.storage.postgresql.actions import ActionCalls
from gateway.storage.postgresql.candidates import Candidates, find, recover
from gateway.storage.postgresql.enquiries import EnquiryCalls
from gateway.storage.postgresql.events import EventCalls, EventNumbers
from gateway.storage.postgresql.figures import FigureCalls
from gateway.storage.postgresql.link import LONG, Db, Link, Statement
from gateway.storage.postgresql.migration import check_server, migrate
from gateway.storage.postgresql.nodes import LEAVING, NodeCalls
from gateway.storage.postgresql.owner import range_of, take
from gateway.storage.postgresql.place import SESSION, Place, unusable
from gateway.storage.postgresql.provinces import ProvinceCalls
from gateway.storage.postgresql.receipts import ReceiptCalls
from gateway.storage.postgresql.retention import forget
from gateway.storage.postgresql.rows import stored_part, text_of, waiting_sms
from gateway.storage.postgresql.writing import SET_KEY_CHECK, statements

T = TypeVar("T")

_DRAW_RUN: Final = """
INSERT INTO meta VALUES ('run', 1) ON CONFLICT (key) DO UPDATE SET value = meta.value + 1
WHERE meta.value + 1 < %s RETURNING value
"""
_META: Final = "SELECT value FROM meta WHERE key = %s"
_SETTLED: Final = "SELECT settled, settled_at FROM node WHERE number = %s"
_LAST_TIME: Final = """
SELECT greatest((SELECT settled_at FROM node WHERE number = %s),
    (SELECT at FROM journal WHERE number BETWEEN %s AND %s ORDER BY number DESC LIMIT 1))
"""
_MATCHING_ENDS: Final = "SELECT min(msisdn), max(msisdn) FROM customer WHERE matching = 1"
_MATCHING: Final = "SELECT msisdn FROM customer WHERE matching = 1 AND msisdn >= %s ORDER BY msisdn LIMIT %s"
# Backwards from the end of the journal of this node: its numbers grow with time, and `at` has no index.
_RECENT: Final = f"""
SELECT at, msisdn, text, destination, outcome, detail FROM journal
WHERE number > coalesce((
        SELECT number FROM journal WHERE number BETWEEN %(first)s AND %(last)s AND at < %(since)s
        ORDER BY number DESC LIMIT 1), %(first)s - 1)
    AND number <= %(last)s AND instruction != '' AND account != '{OPERATOR}'
ORDER BY number DESC LIMIT %(limit)s
"""  # noqa: S608
_WAITING: Final = f"""
SELECT {LEAVING} FROM outbox WHERE node = %s AND state = 0 AND number > %s AND NOT moved
ORDER BY number LIMIT %s
"""  # noqa: S608
_PARKED: Final = f"SELECT {LEAVING} FROM outbox WHERE state = 4 AND number = %s"  # noqa: S608
_PARTS: Final = """
SELECT number, account, source, destination, kind, reference, total, place, data_coding, octets, deadline,
    msisdn, ton, npi, at, digest, complete, registered
FROM part WHERE node = %s ORDER BY number
"""
_LEFT: Final = """
UPDATE outbox SET repeat = TRUE WHERE node = %s AND state = 0 AND NOT repeat AND NOT moved
"""
_RECOVERED: Final = "UPDATE node SET recovered = TRUE WHERE number = %s"


class PostgresStore(
    EventCalls,
    FigureCalls,
    NodeCalls,
    ProvinceCalls,
    ReceiptCalls,
    EnquiryCalls,
    AccountCalls,
    ActionCalls,
):
    """Store in one schema of a database: gateway.storage.contract and gateway.storage.nodes say what each
    call promises."""

    def __init__(self, place: Place, link: Link, events: EventNumbers, run: int) -> None:
        self._place = place
        self._link = link
        self._events = events
        self._candidates = Candidates(link.owner)
        self._known_active = Cache()
        self._taken_in, self._taken_over = [], []
        self.run = run
        self.node = link.owner.node

    @classmethod
    def open(cls, url: str, node: str = "", lease: int = 7) -> Self:
        """Open or create the store, as the node of that name, or alone.

        lease: seconds for which a named node owns its row after its last transaction. Raises StoreInUse or
        StoreUnusable, naming the place and the remedy.
        """
        place = Place.of(url)
        try:
            with psycopg.connect(place.conninfo, autocommit=True) as db:
                db.execute(SESSION)
                check_server(db, place)
                migrate(db, place)
                owner = take(db, place, node, lease)
                row = db.execute(_DRAW_RUN, (RUNS,)).fetchone()
                return cls(place, Link(place, owner), EventNumbers(db, owner.node), _run_of(row, place))
        except psycopg.Error as error:
            raise unusable(error, place) from error

    async def key_check(self) -> int | None:
        """A row of meta."""
        rows = await self._link.read(_META, ("key_check",))
        return rows[0][0] if rows else None

    async def set_key_check(self, check: int, known: int | None) -> None:
        """The same row, in a commit of its own."""

        async def write(_: Db) -> list[Statement]:
            return [(SET_KEY_CHECK, (check, known))]

        await self._link.commit(write)

    async def next_run(self) -> int:
        """Another row of meta."""

        async def draw(db: Db) -> int:
            return _run_of(await (await db.execute(_DRAW_RUN, (RUNS,))).fetchone(), self._place)

        return await self._link.apart(draw)

    async def last_time(self) -> int:
        """Of the last SMS, or of the watermark, which moves without one."""
        return int((await self._link.read(_LAST_TIME, (self.node, *range_of(self.node))))[0][0])

    async def load(self, keys: LoadKeys, world: World) -> None:
        """See gateway.storage.postgresql.customers."""
        async with self._link.turn() as db:
            await customers.load(db, keys, world, shared=self._link.owner.shared)

    async def commit(self, commit: Commit) -> None:
        """See gateway.storage.postgresql.writing and link."""
        if commit.doubted or commit.certain:
            self._candidates.reload()
        events, owner = self._events, self._link.owner

        async def write(db: Db) -> list[Statement]:
            await events.make_sure(db)
            return list(statements(commit, owner, events))

        def stored() -> None:
            events.stored(commit.events)

        await self._link.commit(write, stored, commit.settled)

    async def matching(self, place: float, limit: int) -> list[str]:
        """One search of the index, a second one from its beginning when the end was reached."""
        [(lowest, highest)] = await self._link.read(_MATCHING_ENDS)
        if lowest is None:
            return []
        start = lowest + round(place * (highest - lowest))
        found = [row[0] for row in await self._link.read(_MATCHING, (start, limit))]
        if len(found) < limit:
            more = await self._link.read(_MATCHING, (0, limit - len(found)))
            found += [row[0] for row in more if row[0] < start]
        return [str(msisdn) for msisdn in found]

    async def recent(self, since: int, limit: int) -> list[RecentSms]:
        """A search of the primary key from its end."""
        first, last = range_of(self.node)
        values = {"first": first, "last": last, "since": since, "limit": limit}
        return [_recent(*row) for row in reversed(await self._link.look(_RECENT, values))]

    async def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        """A search of the index of what waits, as the next one."""
        return [_left(row) for row in await self._link.look(_WAITING, (self.node, after, limit))]

    async def parked(self, number: int) -> MobileTerminated | None:
        """One row, of any node."""
        rows = await self._link.read(_PARKED, (number,))
        return _left(rows[0]) if rows else None

    async def parts(self) -> list[StoredPart]:
        """All rows of this node, oldest first."""
        return [stored_part(row) for row in await self._link.read(_PARTS, (self.node,))]

    async def settled(self) -> Watermark:
        """In the row of this node."""
        return Watermark(*(await self._link.read(_SETTLED, (self.node,)))[0])

    async def recover(self, until: int) -> None:
        """See gateway.storage.postgresql.candidates, like the next three."""

        async def work(db: Db) -> None:
            found = await (await db.execute(_SETTLED, (self.node,))).fetchall()
            await recover(db, self.node, Watermark(*found[0]), until)
            await db.execute(_LEFT, (self.node,))
            await db.execute(_RECOVERED, (self.node,))

        self._candidates.reload()
        await self._link.apart(work, limit=LONG)

    async def expect(self, limit: int) -> Expected:
        """One step."""
        return await self._counting(lambda db: self._candidates.expect(db, limit))

    async def candidates(self, digests: Iterable[bytes], now: int) -> list[Candidate]:
        """One search of an index for all digests."""
        return await find(self._link, digests, now)

    async def forget_candidates(self, now: int, limit: int) -> int:
        """One step."""
        return await self._counting(lambda db: self._candidates.forget(db, now, limit))

    async def forget(self, before: int, limit: int) -> int:
        """One step; see gateway.storage.postgresql.retention."""
        return await self._link.apart(lambda db: forget(db, self.node, before, limit))

    def give_up(self) -> None:
        """See gateway.storage.postgresql.link."""
        self._link.give_up()

    async def close(self) -> None:
        """When no commit is under way: leave the store to others, and close the connection."""
        await self._link.close()

    async def _counting(self, work: Callable[[Db], Awaitable[T]]) -> T:
        """A transaction that counts candidates: if it fails they are counted again."""
        try:
            return await self._link.apart(work)
        except StorageError:
            self._candidates.reload()
            raise


def _run_of(row: tuple[Any, ...] | None, place: Place) -> int:
    """Raises StoreUnusable at the end of the series."""
    if row is None:
        raise StoreUnusable(
            f"{place.name}: its {RUNS} runs are used up, no number for another SMS is left:"
            " set storage.url to a new store"
        )
    return int(row[0])


def _left(row: tuple[Any, ...]) -> MobileTerminated:
    """An SMS of an earlier run: it may have left already."""
    sms = waiting_sms(row)
    sms.repeat = True
    return sms


def _recent(at: int, msisdn: str, text: str, destination: str, outcome: str, detail: str | None) -> RecentSms:
    replies = orjson.loads(detail).get("replies", ()) if detail else ()
    sentence = None if outcome == Result.LIMITED else next(iter(replies), "")
    return RecentSms(at, msisdn, text_of(text), destination, sentence)
