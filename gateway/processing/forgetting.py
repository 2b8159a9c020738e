"""Decides how many rows a step of forgetting deletes, and when the next step follows."""

from typing import Final

FORGOTTEN: Final = 500
"""Old rows of each kind per step, at first and at least."""
MOST: Final = 10_000
BUDGET: Final = 0.002
"""Seconds that a step may take; the next batch waits meanwhile."""
PAUSE: Final = 0.02
"""Minimum seconds between two steps. 500 to 1,500 rows per step make 25,000 to 75,000 SMS a second."""


class Forgetting:
    """Adapts the size of the steps to their budget. Times are monotonic seconds.

    limit: rows of each kind that the next step may delete. more: whether there is more to delete.
    """

    def __init__(self) -> None:
        self.limit = FORGOTTEN
        self.more = False
        self._ended = 0.0

    def due(self, now: float) -> bool:
        """Return whether a step is due between two batches."""
        return self.more and now - self._ended >= PAUSE

    def made(self, gone: int, begun: float, ended: float) -> None:
        """Note that a step deleted `gone` rows between `begun` and `ended`."""
        took = ended - begun
        self.more = gone >= self.limit
        self._ended = ended
        if took > BUDGET:
            self.limit = max(FORGOTTEN, int(self.limit * BUDGET / took))
        elif self.more and took < BUDGET * 0.8:
            self.limit = min(MOST, self.limit + self.limit // 4)

    def failed(self) -> None:
        """Note that a step failed: the next one waits until somebody asks for it."""
        self.more = False
