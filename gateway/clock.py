"""Clocks that are passed to whoever needs the time: the system's, or one that a test moves."""

import time
from collections.abc import Callable
from typing import Protocol

_CATCHING_UP = 0.5
"""Speed of a SteadyClock while it is ahead of the clock below it."""


MILLISECOND = 0.001


class Clock(Protocol):
    """Two ways to read the time."""

    def monotonic(self) -> float:
        """Return seconds on a scale that never goes back: for ages, deadlines, latencies."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC: for what is stored."""


class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    def monotonic(self) -> float:
        """time.monotonic."""
        return time.monotonic()

    def now_ms(self) -> int:
        """time.time in milliseconds."""
        return time.time_ns() // 1_000_000


class SteadyClock:
    """A clock whose now_ms never goes back, so that stored deadlines fall due in any case.

    While the clock below shows an earlier time than was read already, this one runs at half speed until the
    other has caught up. It follows a clock that is put forward at once: the machine may have slept.
    """

    __slots__ = ("_clock", "_last", "_read_at", "_shown", "monotonic")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.monotonic: Callable[[], float] = clock.monotonic  # as it is: a call more costs every SMS
        self._read_at = clock.monotonic()
        self._last = float(clock.now_ms())
        self._shown = int(self._last)

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC; never less than at the call before.

        Called for each SMS, so it reads the clock below at most once a millisecond.
        """
        now = self.monotonic()
        passed = now - self._read_at
        if passed >= MILLISECOND:
            self._read_at = now
            earliest = self._last + passed * 1000 * _CATCHING_UP
            self._last = max(earliest, float(self._clock.now_ms()))
            self._shown = int(self._last)
        return self._shown

    def not_before(self, now_ms: int) -> None:
        """Start no earlier than this time, which an earlier process has read."""
        self._last = max(self._last, float(now_ms))
        self._shown = int(self._last)

    @property
    def ahead_s(self) -> float:
        """Seconds by which it is ahead of the clock below."""
        return (self.now_ms() - self._clock.now_ms()) / 1000
