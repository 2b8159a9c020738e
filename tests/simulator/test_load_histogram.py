"""The histogram of the load generator: bounded, and within 1 % of the exact percentile."""

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.simulator.load.histogram import Histogram

TIMES = st.one_of(
    st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(0, 2**40).map(lambda time: time | 2**30)
)


def exact(times: list[int], tenths: int) -> int:
    """The percentile by its definition: the least time that so many tenths of a per cent do not exceed."""
    ordered = sorted(times)
    return next(time for rank, time in enumerate(ordered, 1) if rank * 1000 >= len(ordered) * tenths)


def recorded(times: list[int]) -> Histogram:
    """A histogram of these."""
    histogram = Histogram()
    for time in times:
        histogram.record(time)
    return histogram


@given(st.lists(TIMES, min_size=1, max_size=300), st.integers(1, 1000))
@example([255, 256, 257, 511, 512], 500)
@example([2**63 - 1], 500)
@example([0], 1)
def test_percentiles_are_within_one_per_cent(times: list[int], tenths: int) -> None:
    """For any times and any percentile, the histogram is less than 1 % off the exact one."""
    expected = exact(times, tenths)
    assert abs(recorded(times).percentile(tenths) - expected) <= expected * 0.01


@given(st.lists(TIMES, min_size=1, max_size=300))
def test_the_rest_is_exact(times: list[int]) -> None:
    """Count, sum, least and greatest are exact, and no percentile is outside of them."""
    histogram = recorded(times)
    assert (histogram.count, histogram.total) == (len(times), sum(times))
    assert (histogram.least, histogram.greatest) == (min(times), max(times))
    assert histogram.percentile(1000) == max(times)
    assert all(min(times) <= histogram.percentile(tenths) <= max(times) for tenths in (1, 500, 990))


@given(st.lists(TIMES, min_size=1, max_size=100))
def test_percentiles_grow(times: list[int]) -> None:
    """A higher percentile is never a shorter time."""
    histogram = recorded(times)
    found = [histogram.percentile(tenths) for tenths in range(1, 1001, 37)]
    assert found == sorted(found)


def test_nothing_recorded() -> None:
    """Without times every percentile is 0."""
    assert Histogram().percentile(990) == 0


def test_below_zero_is_zero() -> None:
    """A time that rounding has put below zero counts as zero."""
    histogram = recorded([-1, -1_000_000, 5])
    assert (histogram.least, histogram.percentile(500), histogram.total) == (0, 0, 5)
