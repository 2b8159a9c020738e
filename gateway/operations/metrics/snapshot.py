"""The gateway as it is at one moment, for pages: made at most once a second, however many look, and not at
all while nobody does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.operations.metrics.gauges import Gauges, Now
from gateway.operations.metrics.histogram import quantile
from gateway.operations.metrics.latest import Alarm, Latest, Refused
from gateway.operations.metrics.samples import Interval, Samples
from gateway.operations.metrics.tally import SECONDS, Key, Tally

FRESH: Final = 0.9
"""Seconds for which a snapshot serves everybody."""
RECENT: Final = 10.0
"""Seconds over which rates and round trips of a snapshot are told."""
POINTS: Final = 60
"""Of a curve over the last minutes."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """at_ms: when it was made. recent: the last RECENT seconds. curve: the last minutes, the oldest first.

    over_s: over how many seconds came and left count SMS from and to handsets, about a minute. commit_p99:
    since the start, in seconds. worst_lag: of the event loop, in the last second. refusals, alarms: the
    latest first.
    """

    at_ms: int
    now: Now
    recent: Interval
    curve: Sequence[Interval]
    over_s: float
    came: dict[Key, int]
    left: dict[Key, int]
    commit_p99: float
    worst_lag: float
    refusals: Sequence[Refused]
    alarms: Sequence[Alarm]


class Snapshots:
    """Makes snapshots."""

    def __init__(self, tally: Tally, latest: Latest, samples: Samples, clock: Clock) -> None:
        self.made = 0  # how many, since the start
        self._tally = tally
        self._latest = latest
        self._samples = samples
        self._clock = clock
        self._last: Snapshot | None = None
        self._last_at = 0.0

    async def take(self, gauges: Gauges) -> Snapshot:
        """The last one if it is fresh, else a new one."""
        now = self._clock.monotonic()
        if self._last is None or now - self._last_at >= FRESH:
            self._last, self._last_at = await self._make(gauges), now
        return self._last

    async def _make(self, gauges: Gauges) -> Snapshot:
        self.made += 1
        samples, commit = self._samples, self._tally.commit
        over_s, came, left = samples.recent()
        return Snapshot(
            self._clock.now_ms(),
            await gauges.read(),
            samples.last(RECENT),
            samples.curve(POINTS),
            over_s,
            came,
            left,
            quantile(SECONDS, [0] * len(commit.counts), commit.counts, 0.99),
            samples.worst_lag,
            [*self._latest.refusals][::-1],
            [*self._latest.alarms][::-1],
        )
