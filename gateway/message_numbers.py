"""The series of numbers that SMS get (gateway.message)."""

from typing import Final

COUNTER: Final = 1 << 32
"""Numbers of one run."""
RUNS: Final = 1 << 24
RESERVE: Final = 1 << 22
"""With fewer numbers left, another run is asked for: enough for some minutes at any rate."""


class MessageNumbers:
    """The series of SMS numbers of one process: 7 bits node, 24 bits run, 32 bits counter.

    The next run, which the store gives in advance (`wants_run`, `add_run`), follows a run that is used up:
    so no number is drawn twice, whatever later processes draw. counter: numbers of the run already used.
    """

    __slots__ = ("_end", "_next", "_next_run", "_node")

    def __init__(self, node: int, run: int, counter: int = 0) -> None:
        if not 0 <= node < 1 << 7:
            raise ValueError(f"node {node} is not in 0..127")
        self._node = node
        self._next = self._first(run) + counter
        self._end = self._first(run) + COUNTER - 1
        self._next_run: int | None = None

    def draw(self) -> int:
        """Return the next number. Raises NumbersUsedUp at the end of the run if there is no next one."""
        if self._next >= self._end:
            self._go_on()
        self._next += 1
        return self._next

    @property
    def last(self) -> int:
        """The number that was drawn last; before any, the one in front of the first."""
        return self._next

    @property
    def wants_run(self) -> bool:
        """Whether add_run should be called soon."""
        return self._end - self._next < RESERVE and self._next_run is None

    @property
    def used_up(self) -> bool:
        """Whether draw() would raise."""
        return self._next >= self._end and self._next_run is None

    def add_run(self, run: int) -> None:
        """Set the run that follows this one, as the store gave it."""
        self._first(run)
        self._next_run = run

    def _go_on(self) -> None:
        if self._next_run is None:
            raise NumbersUsedUp("the numbers of this run are used up, and the store has given no other")
        self._next = self._first(self._next_run)
        self._end = self._next + COUNTER - 1
        self._next_run = None

    def _first(self, run: int) -> int:
        if not 0 <= run < RUNS:
            raise ValueError(f"run {run} is not in 0..{RUNS - 1}")
        return (self._node << 56) | (run << 32)


class NumbersUsedUp(Exception):
    """No number is left, and the store has not given another run."""
