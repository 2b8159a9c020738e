"""The one connection of a store: whose turn it is, what a lost connection means, and when to try again.

Calls take turns, so no call sees a commit that is under way. A commit is one pipeline from BEGIN to COMMIT:
one round trip. Where the connection is lost during it, nobody knows whether it is stored: until a new
connection has asked the server (gateway.storage.postgresql.owner), the commit does not return and every other
call fails.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from random import Random, SystemRandom
from typing import Any, Final, TypeVar

import psycopg
from psycopg.pq import TransactionStatus as Status

from gateway.message import Watermark
from gateway.storage.contract import StorageError, StoreFault
from gateway.storage.postgresql.owner import CLAIM, Owner, draw, is_taken, leave, retake
from gateway.storage.postgresql.place import BY_INDEX, Again, Place, is_lost, reason_of, typed

PAUSE_FIRST: Final = 0.1
PAUSE_MOST: Final = 5.0
"""Seconds between two attempts to connect: a random time, at most the first, then twice that, and so on."""
TRIES: Final = 5
"""How often a transaction that meets another one is run."""
LOCK_MS: Final = 3000
"""How long a named node waits for what another one has locked: less than the shortest lease, so that it can
still renew its own and take over the work of that other one."""
_LIMITS: Final = f"{BY_INDEX}, set_config('lock_timeout', %s, TRUE)"

T = TypeVar("T")
Db = psycopg.AsyncConnection[tuple[Any, ...]]
Statement = tuple[str, Sequence[Any] | Mapping[str, Any]]
"""SQL and its values."""
Build = Callable[[Db], Awaitable[Sequence[Statement]]]
"""Gives the statements of a commit, in its turn."""


def _is_refused(db: Db, error: psycopg.Error) -> bool:
    """Whether the server has said that a commit is not stored. Whatever is less than that is doubt: psycopg
    may raise that it cannot leave the pipeline, where the end of the connection is still on its way."""
    if db.closed or is_lost(error):
        return False
    if db.info.transaction_status in {Status.INERROR, Status.INTRANS}:  # COMMIT was not executed
        return True
    return db.info.transaction_status is Status.IDLE and error.sqlstate is not None


async def _in_one_round_trip(db: Db, statements: Sequence[Statement]) -> psycopg.Error | None:
    """Run statements as one pipeline. Gives the first error: the pipeline is left in order all the same."""
    first: psycopg.Error | None = None
    try:
        async with db.pipeline():
            try:
                for statement, values in statements:
                    await db.execute(statement, values)
            except psycopg.Error as error:
                first = error
    except psycopg.Error as error:  # of the end of the pipeline: what follows the first one says less
        first = first or error
    return first


class Unreachable(StoreFault):
    """There is no connection."""


class Link:
    """A connection that is made when it is needed. owner: as which the store was taken."""

    def __init__(self, place: Place, owner: Owner, random: Random | None = None) -> None:
        self._place = place
        self.owner = owner
        self._limits = (str(LOCK_MS if owner.shared else 0),)
        self._random = random or SystemRandom()  # jitter: gateways must not come back in step
        self._db: Db | None = None
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._failures = 0
        self._retry_at = 0.0
        self._in_doubt = False

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Db]:
        """The connection, for one call. What goes wrong becomes one of the contract's errors, and nothing of
        it stays behind."""
        self._check_doubt()
        async with self._lock:
            self._check_doubt()
            db = await self._connected()
            try:
                yield db
            except psycopg.Error as error:
                await self._clean(db)
                if is_taken(error):
                    raise self.owner.lost(self._place) from error
                raise typed(error, self._place) from error
            except BaseException:  # cancelled in the middle, or a bug
                await self._clean(db)
                raise

    async def read(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[tuple[Any, ...]]:
        """All rows of a statement that only reads."""
        async with self.turn() as db:
            return await (await db.execute(statement, values)).fetchall()

    async def look(self, statement: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The same of one that must search by an index, however little the planner knows of the table."""
        async with self.turn() as db, db.pipeline(), db.transaction():
            await db.execute(BY_INDEX)
            cursor = await db.execute(statement, values)
            return await cursor.fetchall()

    async def apart(self, work: Callable[[Db], Awaitable[T]], stored: Callable[[T], None] | None = None) -> T:
        """Run it in a transaction of its own, to its end also when the caller is cancelled.

        stored: called before the next turn, if that is stored.
        """

        async def once() -> T:
            async with self.turn() as db:
                asked_at = time.monotonic()
                async with db.transaction():
                    await db.execute(_LIMITS, self._limits)
                    await db.execute(CLAIM, self.owner.claim())
                    result = await work(db)
                self.owner.renewed(asked_at)
                if stored is not None:
                    stored(result)
                return result

        return await self._to_its_end(self._again(once))

    async def commit(
        self, build: Build, stored: Callable[[], None] | None = None, settled: Watermark | None = None
    ) -> None:
        """Run statements as one transaction in one round trip, to its end also when the caller is cancelled.

        Returns when they are on stable storage, and raises when they are not stored. build: gives them, when
        it is this commit's turn. stored: called before the next turn, if they are stored.
        """
        await self._to_its_end(self._again(lambda: self._commit(build, stored, settled)))

    async def close(self) -> None:
        """Wait for what is under way, leave the store, close the connection."""
        while self._running:
            await asyncio.wait(self._running)
        async with self._lock:
            if self._db is None:
                with contextlib.suppress(StorageError):
                    await self._connected()
            if self._db is not None:
                with contextlib.suppress(psycopg.Error):  # then its ownership ends by itself
                    await leave(self._db, self.owner)
                await self._drop()

    def _check_doubt(self) -> None:
        if self._in_doubt:
            raise StoreFault(
                f"{self._place.name}: the connection was lost during a commit, and the server cannot be asked"
                " yet what became of it"
            )

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work, name="commit")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen here: a caller that was cancelled does not look at it any more

    async def _again(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run it again where it met another transaction: the server has rolled it back."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(Again):
                return await work()
        return await work()

    async def _commit(
        self, build: Build, stored: Callable[[], None] | None, settled: Watermark | None
    ) -> None:
        async with self.turn() as db:
            statements = await build(db)
            batch, asked_at = self.owner.batch + 1, time.monotonic()
            begin: list[Statement] = [("BEGIN", ()), (_LIMITS, self._limits)]
            begin.append((CLAIM, self.owner.claim(batch, settled)))
            error = await _in_one_round_trip(db, [*begin, *statements, ("COMMIT", ())])
            if error is None:
                self.owner.renewed(asked_at)
                self._count(batch, stored)
                return
            if _is_refused(db, error):
                raise error
            self._in_doubt = True
            await self._drop()
        await self._find_out(error, batch, stored)

    def _count(self, batch: int, stored: Callable[[], None] | None) -> None:
        self.owner.batch = batch
        if stored is not None:
            stored()

    async def _find_out(self, lost: psycopg.Error, batch: int, stored: Callable[[], None] | None) -> None:
        """Connect until the server has said whether the last commit is stored. Raises StoreFault if not."""
        last: int | None = None
        while last is None:
            async with self._lock:
                with contextlib.suppress(Unreachable):
                    last = await self._connect()
                if last == batch:
                    self._count(batch, stored)
            if last is None:
                await asyncio.sleep(self._retry_at - asyncio.get_running_loop().time())
        if last != batch:
            raise StoreFault(f"{self._place.name}: {reason_of(lost)}: the batch is not stored")

    async def _connected(self) -> Db:
        if self._db is not None and self._db.closed:
            await self._drop()
        if self._db is None:
            if asyncio.get_running_loop().time() < self._retry_at:
                raise Unreachable(
                    f"{self._place.name}: there is no connection; it is tried again in a moment"
                )
            await self._connect()
        assert self._db is not None
        return self._db

    async def _connect(self) -> int:
        """Connect, and go on as the owner. Gives the number of the last commit.

        Raises Unreachable, or what Owner.lost gives where somebody else has its row: nothing is in doubt then
        that this gateway could ever find out.
        """
        db: Db | None = None
        holders = self.owner.holders
        if len(holders) == 1:  # an attempt may have put a new name there without our hearing of it
            holders.append(draw())
        try:
            db = await psycopg.AsyncConnection.connect(self._place.conninfo, autocommit=True)
            stored = await retake(db, self.owner, self._place)
        except BaseException as error:
            if db is not None:
                await db.close()
            self._in_doubt = self._in_doubt and not isinstance(error, StorageError)
            if not isinstance(error, psycopg.Error):
                raise
            self._failures += 1
            longest = min(PAUSE_MOST, PAUSE_FIRST * 2.0 ** min(self._failures - 1, 10))
            pause = self._random.uniform(0, longest)
            self._retry_at = asyncio.get_running_loop().time() + pause
            raise Unreachable(f"{self._place.name}: {reason_of(error)}") from error
        del holders[:-1]
        self._db, self._failures, self._retry_at, self._in_doubt = db, 0, 0.0, False
        return stored

    async def _clean(self, db: Db) -> None:
        """Leave no transaction behind; a connection on which that is not possible is closed."""
        if db.info.transaction_status is Status.INERROR:
            with contextlib.suppress(psycopg.Error):
                await db.rollback()
        if db is self._db and (db.closed or db.info.transaction_status is not Status.IDLE):
            await self._drop()

    async def _drop(self) -> None:
        """Close the connection; the next call makes another one."""
        if self._db is not None:
            db, self._db = self._db, None
            await db.close()
