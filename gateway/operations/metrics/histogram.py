"""Counts values by size, as Prometheus wants it: plain integers, and no call per value."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


class Histogram:
    """bounds: upper bounds, ascending; a value belongs to a bound that it equals.

    cumulative: how many values were at most each bound. count, total: of all values, beyond the last bound
    too.
    """

    __slots__ = ("bounds", "count", "cumulative", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.cumulative = [0] * len(self.bounds)
        self.count = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        cumulative = self.cumulative
        for place in range(bisect_left(self.bounds, value), len(cumulative)):
            cumulative[place] += 1
        self.count += 1
        self.total += value

    def add_all(self, values: Sequence[float]) -> None:
        """Count several values: the cost is one of sorting them, and one step per bound."""
        ordered, cumulative = sorted(values), self.cumulative
        for place, bound in enumerate(self.bounds):
            cumulative[place] += bisect_right(ordered, bound)
        self.count += len(ordered)
        self.total += sum(ordered)

    def state(self) -> tuple[int, ...]:
        """The cumulative counts and the count of all, for `quantile`."""
        return (*self.cumulative, self.count)


def quantile(bounds: Sequence[float], before: Sequence[int], after: Sequence[int], share: float) -> float:
    """The value below which a share (0 to 1) of the values lies that came between two states of a histogram.

    It is exact within one bound: values between two bounds count as evenly spread, and those beyond the last
    bound as equal to it. 0.0 where no value came.
    """
    counts = [late - early for early, late in zip(before, after, strict=True)]
    wanted = share * counts[-1]
    if not counts[-1]:
        return 0.0
    below, floor = 0, 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count >= wanted and count > below:
            return floor + (bound - floor) * (wanted - below) / (count - below)
        below, floor = count, bound
    return floor
