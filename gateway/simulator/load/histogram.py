"""A histogram of bounded size whose bars are as exact for microseconds as for minutes."""

from typing import Final

_BITS: Final = 7
"""A bar is at most 1/128 of its values wide, so the middle of a bar is at most 0.4 % off."""

_WHOLE: Final = 1 << (_BITS + 1)
"""Values below it have a bar each."""

_BARS: Final = (63 - _BITS << _BITS) + (1 << _BITS)
"""For every value below 2 ** 63 ns, which is 292 years."""


class Histogram:
    """Counts times in nanoseconds; its size does not depend on how many there are.

    count, total: of the times that were recorded. greatest: exact.
    """

    __slots__ = ("_bars", "count", "greatest", "least", "total")

    def __init__(self) -> None:
        self._bars = [0] * _BARS
        self.count = 0
        self.total = 0
        self.least = 0
        self.greatest = 0

    def record(self, time: int) -> None:
        """Count one time. One below zero counts as zero (times are rounded to whole nanoseconds)."""
        shift = time.bit_length() - _BITS - 1
        if shift > 0 and time > 0:
            self._bars[(shift << _BITS) + (time >> shift)] += 1
        else:
            time = max(time, 0)
            self._bars[min(time, _WHOLE - 1)] += 1
        if time > self.greatest:
            self.greatest = time
        if time < self.least or not self.count:
            self.least = time
        self.count += 1
        self.total += time

    def percentile(self, tenths: int) -> int:
        """Return a percentile in nanoseconds, less than 1 % off; 0 without times. tenths: 990 is p99."""
        if not self.count:
            return 0
        rank = max(1, -(-self.count * tenths // 1000))
        if rank == self.count:
            return self.greatest
        seen = 0
        for bar, number in enumerate(self._bars):
            seen += number
            if seen >= rank:
                return min(max(_middle(bar), self.least), self.greatest)
        raise AssertionError("a rank is never above the count")


def _middle(bar: int) -> int:
    """Return the middle of a bar."""
    if bar < _WHOLE:
        return bar
    shift = (bar >> _BITS) - 1
    return ((bar - (shift << _BITS)) << shift) + (1 << shift >> 1)
