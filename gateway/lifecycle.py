"""In which order a gateway starts and stops, and what its clock brings about.

Start: the tasks, the control socket, the channels. Stop: channels take no new connection; new messages are
refused; the batch is finished and answered; answers to replies are waited for; binds are unbound; everything
closes. All within shutdown.deadline.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from gateway.channels.contract import Channel
from gateway.clock import SteadyClock
from gateway.events.relay import Relays
from gateway.inbound.queue import InboundQueue
from gateway.observer import Observer
from gateway.operations.console.server import ConsoleServer
from gateway.operations.control import Control
from gateway.operations.figures.building import FigureParts
from gateway.operations.load import Load
from gateway.operations.logs import Log
from gateway.operations.loop_time import LoopTime
from gateway.operations.metrics.samples import Samples
from gateway.operations.status import Rates
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.processing.nodes import Nodes
from gateway.processing.pipeline import Pipeline
from gateway.processing.recovery import Recovery
from gateway.storage.contract import StorageError

TICK: Final = 0.1
"""Seconds between two ticks."""
HOUSEKEEPING: Final = 50
"""Ticks between two housekeepings."""
UNBINDING: Final = 2.0
"""Seconds of shutdown.deadline that are kept for the unbinds."""
ABORTING: Final = 1.0
"""Seconds that aborted connections have to say that they are gone."""
TELLING: Final = 1.0
"""Seconds at the stop in which consumers may take the last events."""
LINGERING: Final = 0.5
"""Seconds that the last commit may take before it is said that it lasts."""
RECOGNISED: Final = (
    "nobody answered them: the centre sends them again, and the next start recognises those that are stored"
)
JUMP: Final = 60.0
"""Seconds by which the time of day runs ahead between two housekeepings before that is said."""
FLUSH_EVERY: Final = 0.01
"""Seconds between two hand-overs of log lines at least, beside those of a tick."""


class Starts(Protocol):
    """What has tasks of its own."""

    def start(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""


class Follows(Protocol):
    """What follows files that others may replace, such as certificates."""

    def follow(self, now_ms: int, *, again: bool = False) -> None:
        """Read those that have changed. again: an operator asks for it, whether they look changed or not."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs. subscriptions: None where nothing is received over MQTT. console: None: none is set.
    samples, loop_time: of the metrics. figures: None: nothing is counted."""

    binds: Binds
    queue: InboundQueue
    outbox: Outbox
    pipeline: Pipeline
    recovery: Recovery
    channels: Sequence[Channel]
    events: Relays
    control: Control
    rates: Rates
    enquiries: Starts
    load: Load
    nodes: Nodes | None = None
    subscriptions: Starts | None = None
    following: Sequence[Follows] = ()
    console: ConsoleServer | None = None
    samples: Samples | None = None
    loop_time: LoopTime | None = None
    figures: FigureParts | None = None


class Changes:
    """Tells whoever waits for a condition when to look again."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()


class Flushing:
    """Hands log lines to their writer. A line is found soon after an answer; under load that is done now and
    then, for each time wakes another thread."""

    def __init__(self, log: Log, monotonic: Callable[[], float]) -> None:
        self._log = log
        self._monotonic = monotonic
        self._flushed_at = -FLUSH_EVERY

    def worked(self, *, idle: bool) -> None:
        """A batch is done. idle: nothing else waits."""
        now = self._monotonic()
        if now - self._flushed_at >= FLUSH_EVERY and idle:
            self._flushed_at = now
            self._log.flush()


class Lifecycle:
    """Starts, ticks and stops the parts of one gateway. deadline: seconds for a stop."""

    def __init__(
        self,
        parts: Parts,
        changes: Changes,
        log: Log,
        clock: SteadyClock,
        observer: Observer,
        deadline: float,
    ) -> None:
        self._parts = parts
        self._until = changes.until
        self._log = log
        self._logger = log.logger
        self._clock = clock
        self._observer = observer
        self._deadline = deadline
        self._clock_behind = False
        self._clock_offset = inf
        self._tasks: list[asyncio.Task[None]] = []

    # Start

    async def start(self, opened: contextlib.AsyncExitStack) -> dict[str, object]:
        """Start; what has to be closed is put into `opened`. What gateway.ready says. Raises OSError."""
        parts = self._parts
        pipeline = asyncio.create_task(parts.pipeline.run(), name="pipeline")
        self._tasks = [pipeline, asyncio.create_task(self._tick(), name="ticks")]
        await parts.pipeline.started.wait()
        parts.enquiries.start()
        parts.events.start()
        if parts.figures is not None:
            parts.figures.start()
            opened.push_async_callback(parts.figures.close)
        await parts.control.start()
        opened.callback(parts.control.close)
        said: dict[str, object] = {}
        for channel in parts.channels:
            said |= await channel.start()
            opened.callback(channel.close)
        if parts.console is not None:
            said |= await parts.console.start()
            opened.push_async_callback(parts.console.close)
        if parts.subscriptions is not None:
            parts.subscriptions.start()
            opened.push_async_callback(parts.subscriptions.close)
        self._logger.info("gateway.ready", **said, waiting=parts.outbox.depth)
        self._log.flush()
        return said

    async def failed(self) -> None:
        """Wait for a task to fail, and raise what it raised. Never returns otherwise."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    # Ticks

    async def _tick(self) -> None:
        count, loop = 0, asyncio.get_running_loop()
        samples, loop_time = self._parts.samples, self._parts.loop_time
        while True:
            began = loop.time()
            await asyncio.sleep(TICK)
            if samples is not None:
                samples.ticked(loop.time() - began - TICK)
            if loop_time is not None:
                loop_time.tick()
            count += 1
            try:
                await self.tick(housekeeping=count % HOUSEKEEPING == 0)
            except Exception as error:  # the boundary for bugs in what is done by the clock
                self._observer.broken("tick", error)

    async def tick(self, *, housekeeping: bool) -> None:
        """Flush the log and send what is due, ten times a second; `housekeeping` looks after the rest.
        Whoever moves the clock calls it too."""
        parts = self._parts
        self._log.flush()
        parts.pipeline.tick()
        parts.load.tick()
        if parts.samples is not None:
            parts.samples.take()
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        due = parts.outbox.next_retry()
        if housekeeping or (due is not None and due <= now):
            parts.outbox.tick(now, now_ms)
        if housekeeping:
            parts.pipeline.housekeep()
            parts.rates.sample()
            for each in parts.following:
                each.follow(now_ms)
            self._watch_clock()
            try:
                if parts.outbox.depth < parts.outbox.limit // 2:
                    await parts.recovery.waiting()
            except StorageError as error:
                self._logger.warning("outbox.unread", reason=str(error))

    def _watch_clock(self) -> None:
        """Say when the machine's clock was put forward or has gone back, and when it is right again."""
        offset = self._clock.now_ms() / 1000 - self._clock.monotonic()
        if (jumped := offset - self._clock_offset) > JUMP:
            self._logger.warning("clock.jumped", seconds=round(jumped, 3))
        self._clock_offset = offset
        ahead = self._clock.ahead_s
        if (ahead > 1) is not self._clock_behind:
            self._clock_behind = ahead > 1
            self._logger.warning("clock.behind" if ahead > 1 else "clock.caught_up", seconds=round(ahead, 3))

    async def drained(self) -> None:
        """Wait until all that came is worked, and every SMS that could leave has been answered."""
        pipeline, outbox = self._parts.pipeline, self._parts.outbox
        await self._until(lambda: pipeline.idle and not outbox.in_flight)

    # Stop

    async def stop(self) -> None:
        """Stop in order, within the deadline; only a commit that is under way may take longer, and one that
        is in doubt only for a bounded time (Store.give_up)."""
        parts = self._parts
        self._logger.info("gateway.stopping", binds=len(parts.binds.all()), waiting=parts.outbox.depth)
        try:
            async with asyncio.timeout(self._deadline):
                await self._wind_down()
        except TimeoutError:
            self._logger.warning("gateway.stop_deadline", in_flight=parts.outbox.in_flight)
        parts.outbox.stopping = True
        for channel in parts.channels:
            channel.abort("gateway stopped")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABORTING):
                await self._until(lambda: not self._connections())
        await self.end()

    async def abandon(self, reason: str) -> None:
        """End at once: nothing is answered any more, and nothing stored. reason: why the connections end."""
        parts = self._parts
        parts.queue.stopping = parts.outbox.stopping = True
        for channel in parts.channels:
            channel.close()
            channel.abort(reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABORTING):
                await self._until(lambda: not self._connections())
        await self.end()

    def _connections(self) -> int:
        return sum(channel.connections for channel in self._parts.channels)

    async def _wind_down(self) -> None:
        parts = self._parts
        pipeline, outbox = parts.pipeline, parts.outbox
        for channel in parts.channels:
            channel.close()
        if parts.subscriptions is not None:
            await parts.subscriptions.close()
        parts.queue.stopping = True
        # What waits leaves from another node at once; without one, what is answered now is sent first.
        outbox.stopping = parts.nodes is not None and parts.nodes.accompanied
        await self._until(lambda: pipeline.idle)
        outbox.stopping = True
        await parts.enquiries.close()  # what is owed an answer keeps a session from its unbind
        # One peer that does not answer must not take the unbind from all others.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._deadline - UNBINDING)):
                await self._until(lambda: not outbox.in_flight)
        for channel in parts.channels:
            channel.unbind()
        await self._until(lambda: not self._connections())
        await self._until(lambda: pipeline.idle)
        await parts.events.close(TELLING)
        if parts.figures is not None:
            await parts.figures.close(TELLING)

    async def end(self) -> None:
        """End the tasks; the pipeline's behind the commit that is under way, however long the engine works at
        it."""
        if not self._tasks:
            return
        pipeline, ticks = self._tasks
        ticks.cancel()
        await self._parts.enquiries.close()
        self._parts.pipeline.end()
        _, pending = await asyncio.wait((pipeline,), timeout=LINGERING)
        if pending:
            self._logger.warning("gateway.commit_outlasts_deadline")
            self._log.flush()
            self._parts.pipeline.give_up()
        await asyncio.gather(pipeline, ticks, return_exceptions=True)
        if unknown := self._parts.pipeline.in_doubt:
            self._logger.error("storage.in_doubt", sms=unknown, consequence=RECOGNISED)
