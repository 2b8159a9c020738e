"""Histograms and quantiles, against counts by hand."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.metrics.histogram import Histogram, quantile

BOUNDS = (0.001, 0.01, 0.1, 1.0)
values = st.lists(st.floats(0, 5, allow_nan=False) | st.sampled_from(BOUNDS), max_size=50)
shares = st.floats(0.01, 1)


@given(values, values)
def test_counts(first: list[float], second: list[float]) -> None:
    """One by one or all at once: a bucket has the values that are at most its bound, as Prometheus has it."""
    histogram = Histogram(BOUNDS)
    for value in first:
        histogram.add(value)
    histogram.add_all(second)
    every = first + second
    assert histogram.cumulative == [*(sum(v <= bound for v in every) for bound in BOUNDS), len(every)]
    assert abs(histogram.total - sum(every)) < 1e-6


@given(values, values, shares)
def test_quantile(before: list[float], after: list[float], share: float) -> None:
    """It lies within the bucket of the value of that rank among those that came between the states."""
    histogram = Histogram(BOUNDS)
    histogram.add_all(before)
    earlier = tuple(histogram.counts)
    histogram.add_all(after)
    found = quantile(BOUNDS, earlier, histogram.counts, share)
    if not after:
        assert found == 0.0
        return
    ordered = sorted(after)
    rank = next(n for n in range(1, len(ordered) + 1) if n >= share * len(ordered) - 1e-9)
    exact = ordered[rank - 1]
    upper = next((bound for bound in BOUNDS if exact <= bound), BOUNDS[-1])
    lower = max((bound for bound in BOUNDS if bound < exact), default=0.0)
    assert min(lower, BOUNDS[-1]) - 1e-9 <= found <= upper + 1e-9
