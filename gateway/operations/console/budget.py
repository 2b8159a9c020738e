"""How much time long readings may take: what they compute, they take from the loop in which SMS pass."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final, NamedTuple


class Bounds(NamedTuple):
    """share: seconds of the processor in each second, in the long run. saved: seconds that may be used at
    once by who comes after a while. longest: seconds that a reading waits for its turn at most, once it is
    the first that waits."""

    share: float
    saved: float
    longest: float


QUIET: Final = Bounds(share=0.25, saved=0.5, longest=0.3)
BUSY: Final = Bounds(share=0.03, saved=0.05, longest=3.0)
"""While the event loop is busy: SMS come first."""
OWED: Final = 1.0
"""Seconds that are owed at most."""


class Budget:
    """Seconds that are saved and used. now: seconds. busy: whether the event loop is. Readings wait one after
    the other."""

    def __init__(self, now: Callable[[], float], busy: Callable[[], bool]) -> None:
        self._now = now
        self._busy = busy
        self._left = QUIET.saved
        self._at = now()
        self._lock = threading.Lock()
        self._turn = asyncio.Lock()

    def spend(self, seconds: float) -> None:
        """A reading has used so many. In any thread."""
        with self._lock:
            self._left = max(-OWED, self._saved() - seconds)

    def delay(self) -> float:
        """Seconds until the next reading may begin. In any thread."""
        with self._lock:
            bounds = self._bounds
            return min(bounds.longest, max(0.0, -self._saved() / bounds.share))

    async def turn(self) -> None:
        """Wait until a reading may begin."""
        async with self._turn:
            if delay := self.delay():
                await asyncio.sleep(delay)

    @property
    def _bounds(self) -> Bounds:
        return BUSY if self._busy() else QUIET

    def _saved(self) -> float:
        now, bounds = self._now(), self._bounds
        self._left = min(bounds.saved, self._left + bounds.share * (now - self._at))
        self._at = now
        return self._left
