"""Time as a value that is handed in: the system's, or one that a test moves."""

import time
from collections.abc import Callable
from typing import Protocol

_CATCHING_UP = 0.5
"""How fast a SteadyClock runs while it is ahead of the clock below it."""


MILLISECOND = 0.001


class Clock(Protocol):
    """Two readings of one time."""

    def monotonic(self) -> float:
        """Seconds on a scale that never goes back: ages, deadlines, latencies."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC: what is stored."""


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
    """A clock whose now_ms never goes back: stored deadlines fall due although the machine's clock is set
    back.

    While the clock below shows an earlier time than was told already, this one runs at half the speed until
    the other has caught up. A clock that is put forward is followed at once: the machine may have slept.
    """

    __slots__ = ("_clock", "_last", "_read_at", "_shown", "monotonic")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.monotonic: Callable[[], float] = clock.monotonic  # as it is: a call more costs every SMS
        self._read_at = clock.monotonic()
        self._last = float(clock.now_ms())
        self._shown = int(self._last)

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC; never less than at the call before. It is asked for every SMS,
        so the clock below is read once a millisecond."""
        now = self.monotonic()
        passed = now - self._read_at
        if passed >= MILLISECOND:
            self._read_at = now
            earliest = self._last + passed * 1000 * _CATCHING_UP
            self._last = max(earliest, float(self._clock.now_ms()))
            self._shown = int(self._last)
        return self._shown

    def not_before(self, now_ms: int) -> None:
        """That time was told already, by an earlier process."""
        self._last = max(self._last, float(now_ms))
        self._shown = int(self._last)

    @property
    def ahead_s(self) -> float:
        """Seconds that it shows more than the clock below."""
        return (self.now_ms() - self._clock.now_ms()) / 1000
