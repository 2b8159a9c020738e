"""Samples of the last minutes: bounded, and right."""

from gateway.message import Commit
from gateway.operations.metrics.samples import DETAILS, KEPT, Samples
from gateway.operations.metrics.snapshot import POINTS
from gateway.operations.metrics.tally import Tally
from tests.support import HandClock, received


def test_rates_and_curve() -> None:
    """Ten SMS a second for ten minutes: the rate of any span, a curve of POINTS, a minute of details."""
    clock = HandClock()
    tally = Tally(str)
    samples = Samples(tally, clock.monotonic)
    for _ in range(600):
        tally.committed(Commit(messages=[received(1)] * 10), ["base"] * 10, [0.015] * 10, 0.001)
        clock.now += 1
        samples.take()
        samples.take()
    recent = samples.last(10)
    assert (recent.came, recent.left) == (10, 0)
    assert 0.01 <= recent.median <= recent.p99 <= 0.02
    curve = samples.curve(POINTS)
    assert POINTS - 1 <= len(curve) <= POINTS
    assert {each.came for each in curve} == {10}
    seconds, came, left = samples.recent()
    assert 55 <= seconds <= 65
    assert sum(came.values()) == 10 * seconds
    assert not left
    assert len(samples._samples) == KEPT
    assert len(samples._details) == DETAILS


def test_nothing_yet() -> None:
    """At the start, and where the clock stands: zeros."""
    samples = Samples(Tally(str), HandClock().monotonic)
    assert samples.last(10).came == 0
    assert samples.curve(POINTS) == []
    assert samples.recent() == (0, {}, {})


def test_lag() -> None:
    """The worst lag is that between the last two samples; a tick that comes early counts as in time."""
    clock = HandClock()
    samples = Samples(Tally(str), clock.monotonic)
    samples.ticked(0.3)
    samples.ticked(-0.001)
    clock.now += 1
    samples.take()
    assert samples.worst_lag == 0.3
    clock.now += 1
    samples.take()
    assert samples.worst_lag == 0
    assert samples.lag.cumulative[-1] == 2
