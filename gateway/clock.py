"""Time as a value that is handed in: the system's, or one that a test moves."""

import time
from typing import Protocol


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
