"""Counts values by size, as Prometheus wants it: plain integers, and no call per value."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Histogram:
    """bounds: upper bounds, ascending; a value belongs to the first bound that is not below it.

    counts: of values by bound, the last of those beyond all bounds. total: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add_all(self, values: Sequence[float]) -> None:
        """Count several values."""
        counts, bounds = self.counts, self.bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        self.total += sum(values)

    @property
    def cumulative(self) -> list[int]:
        """How many values were at most each bound; the last is the count of all."""
        return list(accumulate(self.counts))


def quantile(bounds: Sequence[float], before: Sequence[int], after: Sequence[int], share: float) -> float:
    """The value below which a share (0 to 1) of the values lies that were counted between two states.

    It is exact within one bound: values between two bounds count as evenly spread, and those beyond the last
    bound as equal to it. 0.0 where no value came.

    Args:
        bounds: of the histogram.
        before: its counts at the first state.
        after: its counts at the second one.
        share: for example 0.99.
    """
    grown = [late - early for early, late in zip(before, after, strict=True)]
    wanted = share * sum(grown)
    if not any(grown):
        return 0.0
    below, floor = 0, 0.0
    for bound, count in zip(bounds, grown, strict=False):
        if count and below + count >= wanted:
            return floor + (bound - floor) * (wanted - below) / count
        below, floor = below + count, bound
    return floor
