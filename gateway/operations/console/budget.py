"""How much time long readings may take: what they compute, they take from the loop in which SMS pass."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

SHARE: Final = 0.1
"""Seconds of the processor in each second, in the long run."""
SAVED: Final = 2.0
"""Seconds that may be used at once by who comes after a while: some tens of pages."""
OWED: Final = 1.0
"""Seconds that are owed at most."""
LONGEST: Final = 1.0
"""Seconds that one reading waits for its turn at most, once it is the first that waits."""


class Budget:
    """Seconds that are saved and used. now: seconds. Readings wait one after the other."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._left = SAVED
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
            return min(LONGEST, max(0.0, -self._saved() / SHARE))

    async def turn(self) -> None:
        """Wait until a reading may begin."""
        async with self._turn:
            if delay := self.delay():
                await asyncio.sleep(delay)

    def _saved(self) -> float:
        now = self._now()
        self._left = min(SAVED, self._left + SHARE * (now - self._at))
        self._at = now
        return self._left
