"""What is read of the running gateway when somebody asks: no cost while nobody does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.clock import SteadyClock
from gateway.inbound.queue import QUEUE
from gateway.operations.load import Load
from gateway.operations.loop_time import LoopTime
from gateway.operations.status import Status, Watched, faults_of
from gateway.settings import PHONES_ACCOUNT

STANDSTILL: Final = 30.0
"""Seconds after which a step of the pipeline counts as standing still: a store that does not return."""


@dataclass(slots=True)
class Window:
    """PDUs that wait for an answer on the binds of an account, and how many may."""

    used_in: int = 0
    limit_in: int = 0
    used_out: int = 0
    limit_out: int = 0


@dataclass(slots=True)
class Binds:
    """Live binds by account, those that take SMS of customers and all others, and windows by account."""

    by_account: dict[str, int] = field(default_factory=dict)
    receiving: int = 0
    other: int = 0
    windows: dict[str, Window] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Now:
    """The gateway at this moment. status: of gateway.operations.status. faults: why it is not ready, empty:
    it is. standing: whether the pipeline stands still. load: 0 idle, 1 congested. loop: part of its time that
    the event loop computes. uncounted: commits that are in no figure yet. ahead_s: seconds by which the
    gateway's clock is ahead of the machine's, which has gone back."""

    status: Mapping[str, Any]
    faults: list[str]
    standing: bool
    binds: Binds
    queue: int
    queue_limit: int
    load: float
    loop: float
    uncounted: int
    ahead_s: float
    lost: int


class Gauges:
    """Reads the parts of one gateway. Nothing waits for the store."""

    def __init__(
        self,
        parts: Watched,
        status: Status,
        load: Load,
        loop_time: LoopTime,
        uncounted: Callable[[], int],
        clock: SteadyClock,
    ) -> None:
        self._parts = parts
        self._status = status
        self._load = load
        self._loop_time = loop_time
        self._uncounted = uncounted
        self._clock = clock

    @property
    def standing(self) -> bool:
        """Whether the pipeline stands still: SMS wait, and none has been answered for long."""
        return self._parts.pipeline.lasts_s >= STANDSTILL

    async def read(self) -> Now:
        """All of it."""
        status = await self._status.report()
        return Now(
            status,
            faults_of(status),
            self.standing,
            self._binds(),
            len(self._parts.queue),
            QUEUE,
            self._load.percent / 100,
            self._loop_time.ratio,
            self._uncounted(),
            max(0.0, self._clock.ahead_s),
            self._parts.log.lost,
        )

    async def faults(self) -> list[str]:
        """Why the gateway is not ready; empty: it is."""
        return faults_of(await self._status.report())

    def _binds(self) -> Binds:
        found, now = Binds(), self._clock.monotonic()
        for bind in self._parts.binds.all():
            found.by_account[bind.account] = found.by_account.get(bind.account, 0) + 1
            if bind.receives and bind.account != PHONES_ACCOUNT:  # no SMS to a customer leaves there
                found.receiving += 1
            else:
                found.other += 1
            shown = bind.describe(now)
            window = found.windows.setdefault(bind.account, Window())
            window.used_in += _number(shown, "window_in")
            window.limit_in += _number(shown, "window_in_limit")
            window.used_out += _number(shown, "window_out")
            window.limit_out += _number(shown, "window_out_limit")
        return found


def _number(shown: Mapping[str, object], key: str) -> int:
    """A number of what a bind shows of itself; 0 where its channel has none."""
    value = shown.get(key, 0)
    return value if isinstance(value, int) else 0
