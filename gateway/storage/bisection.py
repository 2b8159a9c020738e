"""Finds the place of a time among the numbers of SMS, in a store that has an index on numbers only. Pure."""

from collections.abc import Callable

Probe = Callable[[int], tuple[int, int] | None]
"""Gives number and time (ms) of the first SMS with that number or a higher one; None: there is none."""


def first_behind(probe: Probe, low: int, high: int, at: int) -> int:
    """Return a number from which on no SMS is earlier than `at`, the lowest one where times grow with
    numbers.

    low, high: numbers between which it lies. One probe for each bit of their distance.
    """
    while low < high:
        middle = (low + high) // 2
        found = probe(middle)
        if found is None or found[1] >= at:
            high = middle
        else:
            low = found[0] + 1
    return high
