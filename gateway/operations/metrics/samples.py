"""The last minutes, second by second: what rates and curves are made of. And how late the event loop is."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from gateway.operations.metrics.histogram import Histogram, quantile
from gateway.operations.metrics.tally import SECONDS, Key, Tally

KEPT: Final = 300
"""Samples of totals, one a second."""
EVERY: Final = 1.0
DETAIL_EVERY: Final = 5
"""Samples between two in which all counters are kept; so many of those span a minute."""
DETAILS: Final = 13
LAGS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """Totals at a time (monotonic seconds). waits: counts of the histogram of round trips."""

    at: float
    came: int
    left: int
    waits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Between two samples: SMS a second from and to handsets; round trips in seconds, 0.0: none came."""

    came: float
    left: float
    median: float
    p99: float


class Samples:
    """Keeps the last KEPT samples. lag: by how many seconds ticks came late. worst_lag: the longest of those
    between the last two samples."""

    def __init__(self, tally: Tally, monotonic: Callable[[], float]) -> None:
        self.lag = Histogram(LAGS)
        self.worst_lag = 0.0
        self._tally = tally
        self._monotonic = monotonic
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._details: deque[tuple[float, dict[Key, int], dict[Key, int]]] = deque(maxlen=DETAILS)
        self._count = 0
        self._late = 0.0
        self.take()

    def ticked(self, late: float) -> None:
        """Note by how much a tick of the event loop came late, in seconds."""
        self.lag.add(max(0.0, late))
        self._late = max(self._late, late)

    def take(self) -> None:
        """Take a sample where the last one is EVERY old. Called ten times a second: it costs nothing then."""
        now, tally, samples = self._monotonic(), self._tally, self._samples
        if samples and now - samples[-1].at < EVERY:
            return
        samples.append(Sample(now, tally.total_came, tally.total_left, tuple(tally.round_trip.counts)))
        self.worst_lag, self._late = self._late, 0.0
        if self._count % DETAIL_EVERY == 0:
            self._details.append((now, dict(tally.came), dict(tally.left)))
        self._count += 1

    def last(self, seconds: float) -> Interval:
        """What was in the last so many seconds, or since the start."""
        samples = self._samples
        now = Sample(
            self._monotonic(),
            self._tally.total_came,
            self._tally.total_left,
            tuple(self._tally.round_trip.counts),
        )
        since = next((each for each in samples if each.at >= now.at - seconds), samples[-1])
        return _between(since, now)

    def curve(self, points: int) -> list[Interval]:
        """The samples as at most so many intervals of equal numbers of samples, the oldest first."""
        samples = list(self._samples)
        step = max(1, KEPT // points)
        ends = samples[::-1][::step][::-1]
        return [_between(before, after) for before, after in pairwise(ends)]

    def recent(self) -> tuple[float, dict[Key, int], dict[Key, int]]:
        """Over how many seconds, about a minute or since the start, which SMS came and left."""
        at, came, left = self._details[0]
        tally = self._tally
        return self._monotonic() - at, _grown(came, tally.came), _grown(left, tally.left)


def _between(before: Sample, after: Sample) -> Interval:
    seconds = after.at - before.at
    if seconds <= 0:
        return Interval(0.0, 0.0, 0.0, 0.0)
    return Interval(
        (after.came - before.came) / seconds,
        (after.left - before.left) / seconds,
        quantile(SECONDS, before.waits, after.waits, 0.5),
        quantile(SECONDS, before.waits, after.waits, 0.99),
    )


def _grown(before: dict[Key, int], now: dict[Key, int]) -> dict[Key, int]:
    return {key: count - before.get(key, 0) for key, count in now.items() if count > before.get(key, 0)}
