"""Time that stands still until a test moves it."""

from typing import Final

NOON: Final = 1_180_670_400_000
"""Where a FakeClock begins: noon of 1 June 2007 in Shanghai, in milliseconds since the epoch."""


class FakeClock:
    """A clock that stands still until a test moves it (gateway.clock.Clock); both readings show one time.

    The event loop's own timers stay real: a wait in the code under test takes as long as ever.
    """

    def __init__(self, start_ms: int = NOON) -> None:
        self._start_ms = start_ms
        self._now_ms = start_ms

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return (self._now_ms - self._start_ms) / 1000

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        return self._now_ms

    def move_to(self, now_ms: int) -> None:
        """Put the clock forward. Raises ValueError for an earlier time."""
        if now_ms < self._now_ms:
            raise ValueError(f"the clock is {self._now_ms - now_ms} ms beyond that time")
        self._now_ms = now_ms
