"""The one connection of a store: whose turn it is, what a lost connection means, and when to try again.

Calls take turns, so no call sees a commit that is under way. A commit is one pipeline from BEGIN to COMMIT:
one round trip. Where the connection is lost during it, nobody knows whether it is stored: until a new
connection has asked the server (gateway.storage.postgresql.owner), the commit does not return and every other
call fails.

A server that stands still while its machine answers keeps the connection. So a call has a time limit, after
which the connection is cut here: it is lost then like any other. No statement is cancelled at the server: a
COMMIT that waits for a synchronous standby would end as a success, without the standby.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from random import Random, SystemRandom
from typing import Any, Final, TypeVar

import psycopg
from psycopg.errors import Diagnostic
from psycopg.pq import TransactionStatus as Status

from gateway.message import Watermark
from gateway.storage.contract import InDoubt, StorageError, StoreFault
from gateway.storage.postgresql.migration import REFUSED
from gateway.storage.postgresql.owner import CLAIM, Owner, draw, is_taken, leave, retake
from gateway.storage.postgresql.place import BY_INDEX, SESSION, Again, Place, is_lost, reason_of, typed

PAUSE_FIRST: Final = 0.1
PAUSE_MOST: Final = 5.0
"""Seconds between two attempts to connect: a random time, at most the first, then twice that, and so on."""
TRIES: Final = 5
"""How often a transaction that meets another one is run."""
LIMIT: Final = 15.0
"""Seconds that the server may take for a call. Longer than it waits for a lock (SESSION), so that a lock is a
refusal and leaves nothing in doubt; shorter than the usual smpp.timers.response (60 s), so that the gateway
refuses SMS before the centre stops waiting."""
LONG: Final = 600.0
"""The same for what goes through a whole table, at the start."""
LEAVING: Final = 5.0
"""The same at a stop, where a commit is in doubt."""
LOCK_MS: Final = 3000
"""How long a named node waits for what another one has locked: less than the shortest lease, so that it can
still renew its own and take over the work of that other one."""
_LIMITS: Final = (
    f"{BY_INDEX}, set_config('lock_timeout', coalesce(%s::text, current_setting('lock_timeout')), TRUE)"
)

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


def _cut(db: Db) -> None:
    """End the connection on this side. libpq finds it lost, whatever it waits for."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(db.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


async def _check_settings(db: Db) -> None:
    """Raises psycopg.OperationalError for a server, perhaps the new primary, that loses what it commits."""
    for name, value, remedy in REFUSED:
        row = await (await db.execute("SELECT current_setting(%s)", (name,))).fetchone()
        if row == (value,):
            raise psycopg.OperationalError(f"{name} of the server is {value}: {remedy}")


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
        self._limits = (str(LOCK_MS) if owner.shared else None,)
        self._random = random or SystemRandom()  # jitter: gateways must not come back in step
        self._db: Db | None = None
        self._lock = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._failures = 0
        self._retry_at = 0.0
        self._in_doubt = False
        self._gives_up = asyncio.Event()
        self._limit = LIMIT
        self._silent = 0.0  # the limit after which this side has cut the connection
        self._unsure = ""  # what the server has said of a commit that it calls done

    @contextlib.asynccontextmanager
    async def turn(self, limit: float | None = None) -> AsyncIterator[Db]:
        """The connection, for one call of at most so many seconds (LIMIT). What goes wrong becomes one of the
        contract's errors, and nothing of it stays behind."""
        self._check_doubt()
        async with self._lock:
            self._check_doubt()
            db = await self._connected()
            try:
                with self._limited(db, limit or self._limit):
                    yield db
            except psycopg.Error as error:
                await self._clean(db)
                if self._silent:
                    raise StoreFault(self._reason(error)) from error
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

    async def apart(
        self,
        work: Callable[[Db], Awaitable[T]],
        stored: Callable[[T], None] | None = None,
        limit: float | None = None,
    ) -> T:
        """Run it in a transaction of its own, to its end also when the caller is cancelled.

        stored: called before the next turn, if that is stored. limit: seconds that it may take (LIMIT).
        """

        async def once() -> T:
            async with self.turn(limit) as db:
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

        Returns when they are on stable storage, and raises when they are not stored; InDoubt when nobody
        knows. build: gives them, when it is this commit's turn. stored: called before the next turn, if they
        are stored.
        """
        await self._to_its_end(self._again(lambda: self._commit(build, stored, settled)))

    def give_up(self) -> None:
        """Ask the server once more what became of a commit that is in doubt, or comes to be, and no
        longer."""
        self._gives_up.set()
        self._limit = min(self._limit, LEAVING)

    async def close(self) -> None:
        """Wait for what is under way, leave the store, close the connection."""
        self.give_up()
        while self._running:
            await asyncio.wait(self._running)
        async with self._lock:
            if self._db is None and not self._in_doubt:
                with contextlib.suppress(StorageError):
                    await self._connected()
            if self._db is not None:
                with contextlib.suppress(psycopg.Error), self._limited(self._db, self._limit):
                    await leave(self._db, self.owner)
                await self._drop()  # where that failed its ownership ends by itself

    @contextlib.contextmanager
    def _limited(self, db: Db, seconds: float) -> Iterator[None]:
        """Cut the connection where the server takes longer."""

        def cut() -> None:
            self._silent = seconds
            _cut(db)

        self._silent = 0.0
        timer = asyncio.get_running_loop().call_later(seconds, cut)
        try:
            yield
        finally:
            timer.cancel()

    def _reason(self, error: psycopg.Error) -> str:
        """What has become of a call, with the place."""
        if self._silent:
            return f"{self._place.name}: the server has not answered for {self._silent:g} s"
        return f"{self._place.name}: {reason_of(error)}"

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
            self._unsure = ""
            begin: list[Statement] = [("BEGIN", ()), (_LIMITS, self._limits)]
            begin.append((CLAIM, self.owner.claim(batch, settled)))
            error = await _in_one_round_trip(db, [*begin, *statements, ("COMMIT", ())])
            if error is None and not self._unsure:
                self.owner.renewed(asked_at)
                self._count(batch, stored)
                return
            if error is not None and _is_refused(db, error):
                raise error
            lost = f"{self._place.name}: {self._unsure}" if error is None else self._reason(error)
            self._in_doubt = True
            await self._drop()
        await self._find_out(lost, batch, stored)

    def _count(self, batch: int, stored: Callable[[], None] | None) -> None:
        self.owner.batch = batch
        if stored is not None:
            stored()

    async def _find_out(self, lost: str, batch: int, stored: Callable[[], None] | None) -> None:
        """Connect until the server has said whether the last commit is stored. Raises StoreFault if not,
        InDoubt where it is given up or the store has another owner, Fenced."""
        known: int | None = None
        while known is None:
            last = self._gives_up.is_set()
            async with self._lock:
                try:
                    known = await self._connect()
                except Unreachable as error:
                    if last:
                        raise InDoubt(f"{lost}, during a commit; then {error}") from error
                except StoreFault as error:
                    raise InDoubt(f"{lost}, during a commit; then {error}") from error
                if known == batch:
                    self._count(batch, stored)
            if known is None:
                pause = self._retry_at - asyncio.get_running_loop().time()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._gives_up.wait(), pause)
        if known != batch:
            raise StoreFault(f"{lost}: the batch is not stored")

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
        self._silent = 0.0
        holders = self.owner.holders
        if len(holders) == 1:  # an attempt may have put a new name there without our hearing of it
            holders.append(draw())
        try:
            db = await psycopg.AsyncConnection.connect(self._place.conninfo, autocommit=True)
            db.add_notice_handler(self._noticed)
            self._unsure = ""
            with self._limited(db, self._limit):
                await db.execute(SESSION)
                await _check_settings(db)
                stored = await retake(db, self.owner, self._place)
            if self._unsure:
                raise psycopg.OperationalError(self._unsure)
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
            raise Unreachable(self._reason(error)) from error
        del holders[:-1]
        self._db, self._failures, self._retry_at, self._in_doubt = db, 0, 0.0, False
        return stored

    def _noticed(self, said: Diagnostic) -> None:
        """Note a warning. COMMIT has one where somebody (pg_cancel_backend) has ended its wait for a
        synchronous standby. The row of the owner, written on another connection, waits for the standby
        again."""
        if said.severity_nonlocalized == "WARNING":
            self._unsure = said.message_primary or "the server has warned"

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
