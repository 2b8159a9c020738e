"""How often one address may ask."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.console.pace import (
    BURST,
    EACH,
    LEAST,
    LONGEST,
    MOST,
    PER_SECOND,
    SLACK,
    STRANGERS,
    TIMES,
    WHEN_BUSY,
    Pace,
    Turns,
)


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


def test_requests_take_turns() -> None:
    """Some begin at once, the others one after the other; after a quiet time some begin at once again."""
    time = Time()
    turns = Turns(time, lambda: 0.0, lambda: False)
    time.now = 100.0
    waits = [turns.wait() or 0.0 for _ in range(30)]
    assert waits.count(0.0) == round(SLACK / LEAST)
    assert waits == sorted(waits)
    time.now += 1
    assert turns.wait() == 0.0


def test_what_pages_cost_is_waited_for() -> None:
    """For each second of drawing the next ones wait two, and a crowd is refused rather than kept."""
    time, spent = Time(), Time()
    turns = Turns(time, spent, lambda: False)
    time.now = 100.0
    assert turns.wait() == 0.0
    spent.now += 1.0
    wait = turns.wait() or 0.0
    assert TIMES - SLACK <= wait <= TIMES
    spent.now += LONGEST
    assert turns.wait() is None
    time.now += wait + TIMES * LONGEST + 1
    assert turns.wait() == 0.0


def test_fewer_begin_while_the_loop_is_busy() -> None:
    """A request counts as more then, and so does what it costs."""
    time, spent = Time(), Time()
    turns = Turns(time, spent, lambda: True)
    time.now = 100.0
    assert turns.wait() == 0.0
    time.now += SLACK
    assert turns.wait() == 0.0
    assert turns.wait() == pytest.approx(WHEN_BUSY * LEAST)
    spent.now += 0.1
    assert turns.wait() == pytest.approx(WHEN_BUSY * (TIMES * 0.1 + 2 * LEAST))


def test_strangers_leave_places_to_who_is_logged_in() -> None:
    """However many ask: who is logged in begins within seconds."""
    time = Time()
    turns = Turns(time, lambda: 0.0, lambda: True)
    time.now = 100.0
    while turns.wait(stranger=True) is not None:
        pass
    wait = turns.wait()
    assert wait is not None
    assert wait <= STRANGERS + WHEN_BUSY * LEAST
    assert turns.wait(stranger=True) is None


def test_what_a_flood_has_cost_is_forgotten() -> None:
    """An hour of drawing, as where each of ten thousand visitors was told something, is not waited for."""
    time, spent = Time(), Time()
    turns = Turns(time, spent, lambda: True)
    time.now = 100.0
    spent.now = 3_600.0
    assert turns.wait() is None
    time.now += LONGEST
    assert turns.wait() is not None


async def test_one_visitor_who_asks_fast_waits_for_himself() -> None:
    """Others wait behind a few of his requests only, and he has his places again."""
    time = Time()
    turns = Turns(time, lambda: 0.0, lambda: False)
    time.now = 100.0
    at_once = round(SLACK / LEAST)
    asked = [asyncio.ensure_future(turns.turn("", "198.51.100.7")) for _ in range(at_once + EACH + 50)]
    await asyncio.sleep(0)
    assert [each.result() for each in asked if each.done()].count(False) == 50
    assert (turns.wait() or 0.0) <= (EACH + 1) * LEAST + 1e-6
    asked[-60].cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert not turns._waiting
    assert await turns.turn("", "198.51.100.7")
