"""A clock that never goes back, and what runs on it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import MILLISECOND, SteadyClock
from tests.processing.machine_service import LiveGateway, live_gateway
from tests.proofs.served import accepted, bind, delivered, lines, sms, text_of
from tests.support import ALICE, START_MS, HandClock, MovedClock

HOUR = 3600.0


def test_it_shows_the_time_while_all_is_well() -> None:
    """A clock that goes as it should is shown as it is, and so is one that is put forward."""
    below = HandClock()
    clock = SteadyClock(below)
    for seconds in (0.0, 0.25, 100.0):
        below.now += seconds
        assert clock.now_ms() == below.now_ms()
    below.wall = HOUR
    below.now += MILLISECOND
    assert clock.now_ms() == below.now_ms()
    assert clock.ahead_s == 0


def test_it_waits_for_a_clock_that_went_back() -> None:
    """It goes on at half the speed until the other one has caught up, twice the time by which that went
    back."""
    below = HandClock()
    clock = SteadyClock(below)
    before = clock.now_ms()
    below.wall = -HOUR
    assert clock.now_ms() == before
    assert clock.ahead_s == pytest.approx(HOUR)
    below.now += HOUR
    assert clock.now_ms() == before + HOUR * 500
    below.now += HOUR
    assert clock.now_ms() == below.now_ms()


def test_it_begins_where_the_last_process_ended() -> None:
    """What was stored before counts, also when the machine's clock was set back between two runs."""
    below = HandClock()
    clock = SteadyClock(below)
    later = below.now_ms() + 1000
    clock.not_before(later)
    assert clock.now_ms() == later
    below.now += 4
    assert clock.now_ms() == below.now_ms()


@given(
    st.lists(
        st.tuples(st.floats(0, 10_000), st.floats(-100_000, 100_000)),
        max_size=30,
    )
)
def test_it_never_goes_back_and_never_stands(steps: list[tuple[float, float]]) -> None:
    """Whatever is done to the time of day, half of what passes is shown at least, and never less than
    before."""
    below = HandClock()
    clock = SteadyClock(below)
    for passes, wall in steps:
        before = clock.now_ms()
        below.now += passes
        below.wall = wall
        assert clock.now_ms() - before >= int(passes * 500) - 1


def test_reading_it_often_does_not_stop_it() -> None:
    """It catches up also where it is read every tenth of a millisecond."""
    below = HandClock()
    clock = SteadyClock(below)
    below.wall = -1.0
    for _ in range(30_000):
        below.now += 0.0001
        clock.now_ms()
    assert 0 <= below.now_ms() - clock.now_ms() <= 1
    assert below.now_ms() > START_MS


async def help_comes(live: LiveGateway) -> bool:
    """Whether BZ is answered: the same handset gets help once within limits.help_period."""
    async with await bind(live.port) as esme:
        await accepted(esme, sms(ALICE, "161", "BZ"))
        await accepted(esme, sms(ALICE, "161", "CXFX"))
        return "KTFX开通" in text_of(await delivered(esme))


LIMITS = {"help_period": 60}


async def test_help_comes_again_though_the_clock_went_back(tmp_path: Path) -> None:
    """The time of day is set back by an hour while the gateway runs: help is silent for its period, twice
    that at most, and not for an hour; the log says that the clock is behind, and when it has caught up."""
    async with live_gateway(tmp_path, limits=LIMITS) as live:
        assert await help_comes(live)
        live.clock.wall = -HOUR
        await live.gateway.tick(housekeeping=True)
        assert not await help_comes(live)
        live.clock.ahead += 121
        assert await help_comes(live)
        live.clock.ahead += 2 * HOUR
        await live.gateway.tick(housekeeping=True)
    said = [line["event"] for line in lines(tmp_path / "gateway.log") if line["event"].startswith("clock.")]
    assert said == ["clock.behind", "clock.caught_up"]


async def test_help_comes_again_after_a_restart_with_an_earlier_clock(tmp_path: Path) -> None:
    """The time of day is an hour earlier at the next start: what was stored with a later time is over all the
    same."""
    clock = MovedClock()
    async with live_gateway(tmp_path, clock, limits=LIMITS) as live:
        assert await help_comes(live)
    clock.wall = -HOUR
    async with live_gateway(tmp_path, clock, limits=LIMITS) as live:
        assert not await help_comes(live)
        clock.ahead += 121
        assert await help_comes(live)
