"""Long readings get a share of the processor, and what they saved."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.operations.console.budget import BUSY, OWED, QUIET, Bounds, Budget
from gateway.operations.console.reading import PACED, THREADS, WAITING, Reading


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def is_quiet() -> bool:
    """The event loop is not busy."""
    return False


@pytest.mark.parametrize("bounds", [QUIET, BUSY])
def test_what_is_saved_is_used_at_once_and_then_a_share(bounds: Bounds) -> None:
    """Nobody waits until it is used; then as long as the share takes to pay what is owed."""
    clock = Clock()
    budget = Budget(clock, lambda: bounds is BUSY)
    budget.spend(bounds.saved)
    assert budget.delay() == 0
    budget.spend(0.02)
    assert budget.delay() == pytest.approx(0.02 / bounds.share)
    clock.now += 0.02 / bounds.share + 1e-6
    assert budget.delay() == 0


@pytest.mark.parametrize("bounds", [QUIET, BUSY])
def test_waiting_has_bounds(bounds: Bounds) -> None:
    """No reading waits too long, and soon nothing is owed any more, however much was used."""
    clock = Clock()
    budget = Budget(clock, lambda: bounds is BUSY)
    for _ in range(100):
        budget.spend(10)
    assert budget.delay() == bounds.longest
    clock.now += OWED / bounds.share + 1e-6
    assert budget.delay() == 0


def test_not_more_is_saved_than_that() -> None:
    """After a night as after a minute."""
    clock = Clock()
    budget = Budget(clock, is_quiet)
    clock.now += 86_400
    budget.spend(QUIET.saved + 0.01)
    assert budget.delay() > 0


def test_what_was_saved_is_gone_when_the_loop_gets_busy() -> None:
    """SMS come first from that moment on."""
    busy = False
    budget = Budget(Clock(), lambda: busy)
    assert budget.delay() == 0
    busy = True
    budget.spend(BUSY.saved + 0.01)
    assert budget.delay() > 0


async def test_only_long_readings_wait_and_are_counted() -> None:
    """A short one is read at once while long ones wait; one that is cancelled in its wait frees its place."""
    nothing: Any = SimpleNamespace(close=lambda: None)
    reading = Reading(lambda: nothing, is_quiet, Clock())

    def busy(_: object) -> str:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        return "long"

    assert await reading.read(busy) == "long"
    assert reading._budget.delay() == 0
    reading._budget.spend(QUIET.saved + OWED)
    assert reading._budget.delay() > 0
    waiting = [asyncio.ensure_future(reading.read(busy, paced=True, account=f"ada{n}")) for n in range(PACED)]
    await asyncio.sleep(0)
    assert await reading.read(lambda _: "short") == "short"
    assert not waiting[-1].done()
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    places = [asyncio.ensure_future(reading.read(lambda _: "free")) for _ in range(THREADS + WAITING)]
    assert await asyncio.gather(*places) == ["free"] * len(places)
    reading.close()


async def test_a_long_reading_is_charged() -> None:
    """By the time of the processor that it used."""
    nothing: Any = SimpleNamespace(close=lambda: None)
    reading = Reading(lambda: nothing, is_quiet, Clock())
    reading._budget.spend(QUIET.saved)

    def busy(_: object) -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass

    await reading.read(busy, paced=True)
    assert reading._budget.delay() > 0
    reading.close()
