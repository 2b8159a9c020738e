"""One run: binds, sends at the rate of the plan, gives up overdue messages, and reports the end."""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from gateway.simulator.errors import NotConnectedError
from gateway.simulator.handset import Account
from gateway.simulator.load.link import Link
from gateway.simulator.load.plan import Plan
from gateway.simulator.load.traffic import Traffic

End: TypeAlias = Literal["finished", "interrupted", "lost"]

_SECOND: Final = 1_000_000_000
_LEAST_PAUSE: Final = 0.001  # loops count in milliseconds
_LOOK: Final = 0.1  # seconds, like all below
_CONNECTING: Final = 10.0
_GOODBYE: Final = 5.0
_SHORT_GOODBYE: Final = 1.0  # the gateway owes us answers, and may wait for them before its unbind_resp


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. reason: why the connection was lost."""

    plan: Plan
    traffic: Traffic
    end: End
    reason: str = ""

    @property
    def good(self) -> bool:
        """Whether every message got its answer and its replies."""
        return self.end == "finished" and self.traffic.complete == self.plan.count


async def drive(
    plan: Plan,
    account: Account,
    *,
    show: Callable[[Traffic], None] = lambda _: None,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> Outcome:
    """Run a plan. Cancelling it ends the run early, with what was measured so far.

    show: called every 0.1 s. clock: nanoseconds, monotonic.
    Raises NotConnectedError and BindRefusedError when a bind cannot be made.
    """
    run = _Run(plan, account, show, clock)
    try:
        return await run.perform()
    finally:
        await run.abort()


class _Run:
    """What `drive` does."""

    def __init__(
        self,
        plan: Plan,
        account: Account,
        show: Callable[[Traffic], None],
        clock: Callable[[], int],
    ) -> None:
        self._plan = plan
        self._account = account
        self._show = show
        self._clock = clock
        self._traffic = Traffic(plan)
        self._links: list[Link] = []
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def perform(self) -> Outcome:
        """All of it but what `abort` does."""
        end: End = "finished"
        reason = ""
        try:
            for _ in range(self._plan.binds):
                await self._connect()
            with _no_collector():
                reason = await self._messages()
        except asyncio.CancelledError:
            # Ctrl-C: what was measured until now is still worth a report. Whoever cancels again means it.
            end = "interrupted"
        if reason:
            end = "lost"
        self._stop_timers()
        outcome = Outcome(self._plan, self._traffic, end, reason)
        for link in self._links:
            await link.close(_GOODBYE if outcome.good else _SHORT_GOODBYE)
        return outcome

    async def abort(self) -> None:
        """Drop all connections and stop the timers."""
        self._stop_timers()
        for link in self._links:
            await link.abort()

    async def _connect(self) -> None:
        account = self._account
        link = Link(self._traffic, self._plan.window, self._clock, self._lost, self._look_over)
        self._links.append(link)
        try:
            async with asyncio.timeout(_CONNECTING):
                await self._loop.create_connection(lambda: link, account.host, account.port)
                await link.bind(account)
        except OSError as error:
            if isinstance(error, TimeoutError):
                why = f"no answer within {_CONNECTING:g} s"
            else:
                why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise NotConnectedError(f"cannot reach {account.host}:{account.port}: {why}") from error

    async def _messages(self) -> str:
        """Send until every message is finished. Returns why the connection was lost, or ""."""
        if self._ended.done():
            return self._ended.result()
        self._traffic.begin(self._clock())
        if self._plan.rate:
            self._pace()
        else:
            for link in self._links:
                link.push()
        self._look()
        return await self._ended

    def _pace(self) -> None:
        """Send what is due, spread over the binds, and set a timer for the next message."""
        now = self._clock()
        share = -(-max(self._traffic.allowed(now), 0) // len(self._links))
        for link in self._links:
            link.push(share)
        for link in self._links:  # what the full windows of others left over
            link.push()
        due = self._traffic.next_due()
        if due is not None:
            pause = max((due - self._clock()) / _SECOND, _LEAST_PAUSE)
            self._timers["pace"] = self._loop.call_later(pause, self._pace)

    def _look(self) -> None:
        """Give up overdue messages, and show the progress."""
        self._traffic.expire(self._clock())
        for link in self._links:
            link.push()
        self._show(self._traffic)
        self._timers["look"] = self._loop.call_later(_LOOK, self._look)
        self._look_over()

    def _look_over(self) -> None:
        if self._traffic.over and not self._ended.done():
            self._ended.set_result("")

    def _lost(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


@contextmanager
def _no_collector() -> Iterator[None]:
    """Switch off the garbage collector: messages form no cycles, and a collection takes milliseconds."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
