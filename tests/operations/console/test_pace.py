"""How often one address may ask."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.console.pace import BURST, MOST, PER_SECOND, Pace


class Time:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_paced() -> None:
    """So many at once, then so many a second; others are not concerned, nor is this machine."""
    time = Time()
    pace = Pace(time)
    assert sum(pace.allows("198.51.100.7") for _ in range(1_000)) == BURST
    assert pace.allows("198.51.100.8")
    assert all(pace.allows("127.0.0.1") for _ in range(1_000))
    assert not pace.allows("198.51.100.7")
    time.now += 1
    assert sum(pace.allows("198.51.100.7") for _ in range(1_000)) == PER_SECOND


def test_one_network_of_ipv6_is_one_address() -> None:
    """A host may use any number of addresses in it."""
    pace = Pace(Time())
    assert sum(pace.allows(f"2001:db8::{n:x}") for n in range(1_000)) == BURST


@given(st.lists(st.floats(0, 2), max_size=500))
def test_never_more_than_said(pauses: list[float]) -> None:
    """Whatever the pauses: no more than the burst and the rate allow."""
    time = Time()
    pace = Pace(time)
    allowed = 0
    for pause in pauses:
        time.now += pause
        allowed += pace.allows("198.51.100.7")
    assert allowed <= BURST + PER_SECOND * time.now + 1


def test_few_are_remembered() -> None:
    """The table does not grow without bound."""
    pace = Pace(Time())
    for n in range(MOST + 100):
        pace.allows(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}")
    assert len(pace._held) == MOST
