"""The place of a time among numbers."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from gateway.storage.bisection import first_behind

HIGH = 1 << 63


@given(
    numbers=st.sets(st.integers(0, HIGH - 1), max_size=30).map(sorted),
    steps=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    at=st.integers(0, 100),
)
def test_it_is_found_as_by_looking_at_all(numbers: list[int], steps: list[int], at: int) -> None:
    """All numbers below it are earlier, all others are not; with one probe for each bit."""
    times = [sum(steps[: n + 1]) for n in range(len(numbers))]
    probes = []

    def probe(number: int) -> tuple[int, int] | None:
        probes.append(number)
        place = bisect_left(numbers, number)
        return (numbers[place], times[place]) if place < len(numbers) else None

    found = first_behind(probe, 0, HIGH, at)
    assert all((time < at) == (number < found) for number, time in zip(numbers, times, strict=True))
    assert len(probes) <= 64
