"""How much of its time the event loop computes. Where that is much, what is not an SMS gives way."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

TICKS: Final = 4
"""Ticks that are looked back on: 0.3 s, where one comes ten times a second."""
BUSY: Final = 0.5
"""Part of its time from which on the loop counts as busy."""


class LoopTime:
    """Measures the thread that it is used in. now: seconds. used: seconds that this thread has computed."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.thread_time
    ) -> None:
        self._now = now
        self._used = used
        self._seen = deque([(now(), used())], maxlen=TICKS)

    def tick(self) -> None:
        """To be called ten times a second."""
        self._seen.append((self._now(), self._used()))

    @property
    def ratio(self) -> float:
        """The part of its time that it computed, at the last ticks: 0.0 to 1.0."""
        (began, before), (ended, after) = self._seen[0], self._seen[-1]
        return min(1.0, (after - before) / (ended - began)) if ended > began else 0.0

    @property
    def busy(self) -> bool:
        """Whether that is so much that SMS may wait for it."""
        return self.ratio >= BUSY
