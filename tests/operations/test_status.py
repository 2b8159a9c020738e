"""Rates over the last minute, and what makes a gateway unhealthy."""

from typing import Any

import pytest

from gateway.operations.status import LEAST_FREE, RECENT, SPAN, Rates, faults_of
from tests.support import HandClock


class Counted:
    """Totals that a test sets, and a clock."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.came = self.left = 0
        self.rates = Rates(lambda: (self.came, self.left), self.clock.monotonic)

    def passes(self, seconds: int, came: int, left: int) -> None:
        """So many SMS a second, sampled every five seconds."""
        for second in range(seconds):
            self.clock.now += 1
            self.came += came
            self.left += left
            if second % 5 == 4:
                self.rates.sample()


def test_rates_of_the_last_minute() -> None:
    """What was longer ago does not count; between two samples the totals of now do."""
    counted = Counted()
    counted.passes(300, 50, 5)
    counted.passes(60, 10, 20)
    assert counted.rates.report() == {"in_per_s": 10.0, "out_per_s": 20.0, "over_s": SPAN}
    counted.passes(3, 31, 41)
    assert counted.rates.report() == {"in_per_s": 11.0, "out_per_s": 21.0, "over_s": 63.0}


def test_rates_of_a_gateway_that_has_just_started() -> None:
    """Over the time since the start; nothing at the first moment."""
    counted = Counted()
    assert counted.rates.report() == {"in_per_s": 0.0, "out_per_s": 0.0, "over_s": 0.0}
    counted.passes(10, 3, 1)
    assert counted.rates.report() == {"in_per_s": 3.0, "out_per_s": 1.0, "over_s": 10.0}


def test_few_samples_are_kept() -> None:
    """However long it runs."""
    counted = Counted()
    counted.passes(10_000, 1, 1)
    assert len(counted.rates._samples) <= SPAN / 5 + 2


def report(**more: Any) -> dict[str, Any]:
    """A gateway to which nobody is bound."""
    healthy: dict[str, Any] = {
        "store": {"failures": 0, "failing_s": 0.0, "last_failure_s": 0.0, "free": LEAST_FREE},
        "outbox": {"full": False, "depth": 0},
        "stopping": False,
        "binds": {"smsc": {}},
    }
    for key, value in more.items():
        healthy[key] = {**healthy[key], **value} if isinstance(value, dict) else value
    return healthy


def test_nobody_bound_is_healthy() -> None:
    """A listener has nothing to do until a centre binds."""
    assert faults_of(report()) == []
    assert faults_of(report(store={"free": None})) == []


def test_a_failure_of_long_ago_is_no_fault() -> None:
    """Nobody has tried the store since: a centre that waits for a healthy gateway must not wait for ever."""
    assert faults_of(report(store={"failures": 3, "failing_s": 90.0, "last_failure_s": RECENT})) == []
    assert faults_of(report(store={"failures": 3, "failing_s": 90.0, "last_failure_s": RECENT - 1})) != []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"store": {"failures": 2, "failing_s": 4.0}}, "for 4 s the store has failed"),
        ({"store": {"free": LEAST_FREE - 1}}, "less than 64 MiB are free"),
        ({"outbox": {"full": True, "depth": 7}}, "7 SMS wait in the outbox"),
        ({"stopping": True}, "it is stopping"),
    ],
)
def test_what_is_not_healthy(more: dict[str, Any], says: str) -> None:
    """Each says what it is, and what helps."""
    (fault,) = faults_of(report(**more))
    assert fault.startswith(says)
