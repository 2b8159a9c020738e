"""The composition root: builds everything, starts and stops it in order. The only place that knows all parts.

Start: tables, key, store, what the last run left, pipeline, listener, control socket.
Stop: listening ends; new messages get RMSGQFUL; the batch is finished and answered; answers to replies
are waited for; binds are unbound; everything closes. All within shutdown.deadline.
"""

import asyncio
import contextlib
import functools
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final, Self
from zoneinfo import ZoneInfo

from commands.model import NO_WORDS, ServiceLimits, Words
from commands.service import Commands
from gateway.clock import Clock, SteadyClock, SystemClock
from gateway.configured import MINUTE_MS, account_of, connection_limits_of, guard_of, timers_of
from gateway.events.contract import Consumer
from gateway.events.relay import WAITS_AT_MOST, Relays
from gateway.inbound.hashing import Hashing
from gateway.inbound.intake import Intake
from gateway.inbound.reassembly import LongMessages
from gateway.inbound.retransmissions import GRAIN_MS, SETTLE_MS, Retransmissions
from gateway.message import MobileTerminated, Numbers
from gateway.net.connection import Connection
from gateway.net.listener import Listener
from gateway.operations.control import Control, socket_path
from gateway.operations.event_log import Reports
from gateway.operations.logs import Log
from gateway.operations.operators import Operators
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Bind, Binds, Claim
from gateway.processing.addressing import Reaching, Replies
from gateway.processing.batch import Batches
from gateway.processing.migration import Migration
from gateway.processing.pipeline import Pipeline
from gateway.processing.recovery import Recovery
from gateway.processing.sensitive_words import WordList
from gateway.secrets import HashCost, Hasher, KeyFile, generate_password
from gateway.settings import Settings
from gateway.smpp.coding import Alphabet
from gateway.smpp.events import Noted, Refused
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import BindRequest, DataSm, SubmitSm
from gateway.storage.contract import StorageError, Store
from gateway.storage.sqlite.store import SqliteStore
from routing.table import Routing
from routing.tablefile import TableError

NODE: Final = 0
TICK: Final = 0.1
UNBINDING: Final = 2.0
"""Seconds of shutdown.deadline that are kept for the unbinds."""
DAY_MS: Final = 86_400_000
TELLING: Final = 1.0
"""Seconds at the stop in which consumers may take the last events."""
LINGERING: Final = 0.5
"""Seconds that the last commit may take before it is said that it lasts."""
FLUSH_EVERY: Final = 0.01
"""Seconds between two hand-overs of log lines at least, beside those of a tick."""
HOUSEKEEPING: Final = 50
"""Ticks between two housekeepings."""
_PREFIXES: Final = {"national": "", "international": "86", "plus": "+86"}

StoreOpener = Callable[[Path], Store]


class Gateway:
    """One running gateway: `async with Gateway(settings, open_log(settings.logging)) as gateway`.

    What it draws from the world can be handed in: clock, random (Fetion numbers, jitter), choice (passwords),
    hash_cost, open_store. new_key: the store's key is lost, and another one is accepted. consumers: who is
    told what happens (docs/events.md); events_backlog events wait for them at most. Entering raises
    TableError, KeyFileError, StorageError or OSError before anything is listened on; leaving stops in order.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        choice: Callable[[str], str] = secrets.choice,
        hash_cost: HashCost | None = None,
        open_store: StoreOpener = SqliteStore.open,
        new_key: bool = False,
        consumers: Sequence[Consumer] = (),
        events_backlog: int = WAITS_AT_MOST,
    ) -> None:
        self.settings = settings
        self.port = 0
        self.stored = True  # after the end: whether everything that had to be is in the store
        self.binds = Binds()
        self._log = log
        self._logger = log.logger
        self._clock = SteadyClock(clock or SystemClock())
        self._random = random or Random()
        self._choice = choice
        self._hash_cost = hash_cost
        self._open_store = open_store
        self._new_key = new_key
        self._consumers = consumers
        self._events_backlog = events_backlog
        self._changed = asyncio.Event()
        self._counter = 0
        self._opened = contextlib.AsyncExitStack()
        self._clock_behind = False
        self._flushed_at = -FLUSH_EVERY
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Build and start."""
        async with contextlib.AsyncExitStack() as opened:
            await self._build(opened)
            await self._recover()
            self._opened = opened.pop_all()
        try:
            await self._start()
        except BaseException:
            await self._end_tasks()
            await self._opened.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop in order, within shutdown.deadline; only a commit that is under way may take longer."""
        self._logger.info("gateway.stopping", binds=len(self.binds.all()), waiting=self.outbox.depth)
        try:
            async with asyncio.timeout(self.settings.shutdown.deadline):
                await self._wind_down()
        except TimeoutError:
            self._logger.warning("gateway.stop_deadline", in_flight=self.outbox.in_flight)
        self.outbox.stopping = True
        for connection in list(self.listener.connections):
            connection.abort("gateway stopped")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._until(lambda: not self.listener.connections)
        await self._end_tasks()
        self.stored = await self.pipeline.close()
        await self._opened.aclose()
        self._logger.info("gateway.stopped", waiting=self.outbox.depth, stored=self.stored)
        self._log.flush()

    async def failed(self) -> None:
        """Wait for a task of the gateway to fail, and raise what it raised. Never returns otherwise."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    # Building

    async def _build(self, opened: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        routing = Routing.load()
        commands = Commands.load(routing)
        self.tables = f"{routing.version}.{commands.version}"
        self._logger.info("tables.loaded", version=self.tables)
        self.reports = Reports(self._log, self._clock, self.tables)
        self.store = self._open_store(settings.storage.path)
        opened.push_async_callback(self.store.close)
        self._clock.not_before(await self.store.last_time())
        self._build_relays(opened)
        await self._open_keys()
        hasher = Hasher(self._hash_cost)
        opened.callback(hasher.close)
        self._build_flow(routing, commands, hasher)
        self.listener = Listener(
            {a.system_id: account_of(a) for a in settings.smpp.accounts},
            self,
            timers_of(settings),
            self._clock.monotonic,
            limits=connection_limits_of(settings),
        )
        operators = Operators(
            self.store, self.outbox, self.binds, self._clock, self._recovery.readable, self._until
        )
        self._control = Control(socket_path(settings.storage.path), operators.commands)

    def _build_relays(self, opened: contextlib.AsyncExitStack) -> None:
        """Who is told what happens."""
        keep_ms = self.settings.storage.retention.journal_days * DAY_MS
        told = self._consumers, self.store, self._clock, self._random, self.reports
        self.events = Relays(*told, keep_ms, self._events_backlog)
        opened.push_async_callback(self.events.close, 0)

    async def _open_keys(self) -> None:
        """The key of the store, or another one where its loss is accepted."""
        known = await self.store.key_check()
        self._keys = KeyFile.open(self.settings.storage.key_file, None if self._new_key else known)
        if self._keys.check != known:
            await self.store.set_key_check(self._keys.check)
            if known is not None:
                self._logger.warning(
                    "key.replaced",
                    file=str(self.settings.storage.key_file),
                    consequence="passwords and parts of long messages that wait are lost",
                )

    def _build_flow(self, routing: Routing, commands: Commands, hasher: Hasher) -> None:
        """What an SMS flows through, from intake to outbox."""
        settings = self.settings
        accounts = settings.smpp.accounts
        self._alphabets = {a.system_id: Alphabet.from_config(a.alphabet, a.latin) for a in accounts}
        windows = {a.system_id: int(a.duplicate * 1000) for a in accounts}
        self._numbers = Numbers(NODE, self.store.run)
        before = self._numbers.draw()
        self._claims_warned: set[tuple[str, str]] = set()
        self.retransmissions = Retransmissions(
            self.store,
            windows,
            max(int(2000 * settings.smpp.timers.response), SETTLE_MS + GRAIN_MS),
            self._clock.now_ms(),
            self._clock.monotonic(),
        )
        self._longs = LongMessages()
        self.outbox = Outbox(self.binds, self._alphabets, self.reports, self._random, self._wake)
        self._recovery = Recovery(
            self.store,
            self.outbox,
            self._keys,
            routing,
            self._alphabets,
            settings.smpp.default_account.system_id,
            before,
            self._clock,
            self.reports,
        )
        intake = Intake(routing, commands.parser, self._alphabets, self._numbers)
        replies = Replies(
            routing=routing,
            commands=commands,
            numbers=self._numbers,
            keys=self._keys,
            reaching={a.system_id: Reaching(_PREFIXES[a.msisdn_format], a.ton, a.npi) for a in accounts},
            default_account=settings.smpp.default_account.system_id,
            migration=Migration(routing, commands) if settings.service.migration == "unified" else None,
        )
        self._build_pipeline(routing, commands, hasher, intake, replies)

    def _build_pipeline(
        self, routing: Routing, commands: Commands, hasher: Hasher, intake: Intake, replies: Replies
    ) -> None:
        """What works batch after batch."""
        settings = self.settings
        limits = ServiceLimits(**settings.limits.model_dump())
        self.guard = guard_of(limits)
        self._batches = Batches(
            routing=routing,
            commands=commands,
            store=self.store,
            retransmissions=self.retransmissions,
            longs=self._longs,
            intake=intake,
            outbox=self.outbox,
            keys=self._keys,
            alphabets=self._alphabets,
            limits=limits,
            zone=ZoneInfo(settings.service.timezone),
            words=self._words(),
            guard=self.guard,
            replies=replies,
            random=self._random,
            tells_events=bool(self._consumers),
        )
        generate = functools.partial(generate_password, self._choice)
        self.pipeline = Pipeline(
            intake=intake,
            batches=self._batches,
            store=self.store,
            retransmissions=self.retransmissions,
            longs=self._longs,
            outbox=self.outbox,
            hashing=functools.partial(Hashing, commands, hasher, generate, self._clock),
            numbers=self._numbers,
            retention_ms=settings.storage.retention.journal_days * DAY_MS,
            clock=self._clock,
            log=self.reports,
            worked=self._worked,
        )

    def _words(self) -> Words:
        """The sensitive words of the configuration. Raises TableError."""
        path = self.settings.service.sensitive_words
        if path is None:
            return NO_WORDS
        words = WordList.load(path)
        self._logger.info("words.loaded", words=words.count, file=str(path))
        return words

    def reload_words(self) -> None:
        """Read the sensitive words again; a file with faults is refused, and the words stay as they are."""
        try:
            self._batches.words = self._words()
        except TableError as error:
            self._logger.error("words.refused", reason=str(error))

    async def _recover(self) -> None:
        """Take up what the last run left."""
        now_ms = self._clock.now_ms()
        if dropped := await self.retransmissions.recover(self._clock.monotonic()):
            self.reports.unrecognised(dropped)
        lost = await self._recovery.parts(self._longs)
        self.pipeline.give_up(lost, [number for each in lost for number in each.numbers])
        await self._recovery.recent(self.guard, now_ms - self.settings.limits.same_text_minutes * MINUTE_MS)
        await self._recovery.waiting()

    # Running

    async def _start(self) -> None:
        self._logger.info("gateway.starting", store=str(self.settings.storage.path), run=self.store.run)
        pipeline = asyncio.create_task(self.pipeline.run(), name="pipeline")
        self._tasks = [pipeline, asyncio.create_task(self._tick(), name="ticks")]
        await self.pipeline.started.wait()
        self.events.start()
        await self._control.start()
        self._opened.callback(self._control.close)
        listen = self.settings.smpp.listen
        await self.listener.start(listen.host, listen.port)
        self._opened.callback(self.listener.close)
        self.port = self.listener.port
        self._logger.info("gateway.ready", host=listen.host, smpp_port=self.port, waiting=self.outbox.depth)
        self._log.flush()

    async def _tick(self) -> None:
        count = 0
        while True:
            await asyncio.sleep(TICK)
            count += 1
            try:
                await self.tick(housekeeping=count % HOUSEKEEPING == 0)
            except Exception as error:  # the boundary for bugs in what is done by the clock
                self.reports.broken("tick", error)

    async def tick(self, *, housekeeping: bool) -> None:
        """Ten times a second: the log is flushed, what is due leaves; now and then more is looked after.
        Whoever moves the clock calls it too."""
        self._log.flush()
        self.pipeline.tick()
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        due = self.outbox.next_retry()
        if housekeeping or (due is not None and due <= now):
            self.outbox.tick(now, now_ms)
        if housekeeping:
            self.pipeline.housekeep()
            self._watch_clock()
            try:
                if self.outbox.depth < self.outbox.limit // 2:
                    await self._recovery.waiting()
            except StorageError as error:
                self._logger.warning("outbox.unread", reason=str(error))

    def _watch_clock(self) -> None:
        """Say when the machine's clock has gone back, and when it is right again."""
        ahead = self._clock.ahead_s
        if (ahead > 1) is not self._clock_behind:
            self._clock_behind = ahead > 1
            self._logger.warning("clock.behind" if ahead > 1 else "clock.caught_up", seconds=round(ahead, 3))

    async def drained(self) -> None:
        """Wait until all that came is worked, and every SMS that could leave has been answered."""
        await self._until(lambda: self.pipeline.idle and not self.outbox.in_flight)

    async def _wind_down(self) -> None:
        self.listener.close()
        self.pipeline.stopping = True
        await self._until(lambda: self.pipeline.idle)
        self.outbox.stopping = True
        # One peer that does not answer must not take the unbind from all others.
        patience = max(0.0, self.settings.shutdown.deadline - UNBINDING)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._until(lambda: not self.outbox.in_flight)
        for connection in list(self.listener.connections):
            connection.unbind()
        await self._until(lambda: not self.listener.connections)
        await self._until(lambda: self.pipeline.idle)
        await self.events.close(TELLING)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _end_tasks(self) -> None:
        """The pipeline ends behind the commit that is under way, however long that takes."""
        if not self._tasks:
            return
        pipeline, ticks = self._tasks
        ticks.cancel()
        self.pipeline.end()
        _, pending = await asyncio.wait((pipeline,), timeout=LINGERING)
        if pending:
            self._logger.warning("gateway.commit_outlasts_deadline")
            self._log.flush()
        await asyncio.gather(pipeline, ticks, return_exceptions=True)

    def _wake(self) -> None:
        self.pipeline.wake()

    def _worked(self) -> None:
        """A batch is done. When nothing else waits, its log lines go to the writer: who looks for one right
        after an answer finds it soon. Under load that is done now and then: each time wakes another
        thread."""
        self._changed.set()
        if self._consumers:
            self.events.wake()
        now = self._clock.monotonic()
        if now - self._flushed_at >= FLUSH_EVERY and self.pipeline.idle:
            self._flushed_at = now
            self._log.flush()

    # What the listener tells (gateway.net.listener.Application)

    def bound(self, connection: Connection, request: BindRequest, account: str) -> Bind:
        """A bind was accepted."""
        self._counter += 1
        claim, fault = None, ""
        try:
            claim = Claim.of(request.address_range)
        except ValueError as error:
            fault = str(error)
        bind = Bind(
            number=self.store.run << 32 | self._counter,
            account=account,
            mode=request.name.removeprefix("bind_"),
            address_range=request.address_range,
            claim=claim,
            link=connection,
            since=self._clock.monotonic(),
            session=connection.session,
        )
        self.binds.add(bind)
        self.reports.bind_accepted(bind)
        if fault and (account, request.address_range) not in self._claims_warned:
            if len(self._claims_warned) < 1000:
                self._claims_warned.add((account, request.address_range))
            self.reports.no_claim(bind, fault)
        return bind

    def ready(self, bind: Bind) -> None:
        """SMS that wait for this account may leave."""
        if bind.receives:
            self.outbox.bind_ready(bind, self._clock.monotonic(), self._clock.now_ms())

    def submitted(self, bind: Bind, request: SubmitSm | DataSm) -> None:
        """An SMS from a handset."""
        self.pipeline.submitted(bind, request)

    def answered(self, bind: Bind, context: object, response: Pdu) -> None:
        """An SMS to a handset was answered."""
        if isinstance(context, MobileTerminated):
            self.outbox.answered(bind, context, response, self._clock.monotonic(), self._clock.now_ms())

    def timed_out(self, bind: Bind, context: object) -> None:
        """An SMS to a handset was not answered in time."""
        if isinstance(context, MobileTerminated):
            self.outbox.timed_out(bind, context, self._clock.monotonic(), self._clock.now_ms())

    def settled(self, bind: Bind) -> None:
        """The window has room."""
        self.outbox.settle(bind, self._clock.monotonic(), self._clock.now_ms())
        self._changed.set()

    def lost(self, bind: Bind, contexts: list[object], reason: str, *, polite: bool) -> None:
        """A bind is gone."""
        self.binds.remove(bind)
        self.reports.bind_closed(bind, reason, len(contexts))
        self.pipeline.lost(bind, polite=polite)
        self.outbox.lost(bind, contexts, self._clock.monotonic(), self._clock.now_ms())

    def disconnected(self) -> None:
        """A connection is gone."""
        self._changed.set()

    def refused_bind(self, peer: str, system_id: str, reason: str, command_status: int) -> None:
        """Somebody was not let in."""
        self.reports.bind_refused(peer, system_id, reason, command_status)

    def turned_away(self, peer: str, reason: str) -> None:
        """A connection was closed before a bind."""
        self.reports.turned_away(peer, reason)

    def accepting(self, error: OSError | None) -> None:
        """No connection can be taken for a while, or they can again."""
        self.reports.accepting(error, len(self.listener.connections))

    def broken(self, error: Exception) -> None:
        """A bug met something that came on a bind."""
        self.reports.broken("bind", error)

    def remarked(self, peer: str, account: str, event: Refused | Noted) -> None:
        """An oddity of a peer."""
        self.reports.remarked(peer, account, event)
