"""The guard: limits per minute, message loops, what is forgotten, and what a restart brings back."""

from collections import deque
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inbound.guard import MINUTE_MS, Guard, Limited, Past
from gateway.testing import running_gateway
from tests.proofs.served import accepted, bind, delivered, rows, serving, sms, text_of, write_config
from tests.support import ALICE, BOB, START_MS, store_of

TEN_MINUTES = 10 * MINUTE_MS
OUTCOMES = "SELECT outcome FROM journal ORDER BY number"


def guard(per_minute: int = 30, same: int = 20, handsets: int = 100) -> Guard:
    """A guard that counts repetitions for ten minutes."""
    return Guard(per_minute, same, TEN_MINUTES, handsets)


def texted(
    guard: Guard, text: str = "CXFX", at: int = START_MS, *, by: str = ALICE, exchange: str = "state"
) -> Limited | None:
    """One SMS to 161; what is admitted is handled."""
    limited = guard.admit(by, text, "161", at)
    if limited is None:
        guard.handled(by, text, "161", exchange, at)
    return limited


def test_so_many_in_a_minute() -> None:
    """The first one too many is told, the next are silent; a handset's minute begins with its first SMS."""
    watched = guard(per_minute=3)
    came = [texted(watched, str(number), START_MS + number) for number in range(6)]
    assert came == [None, None, None, Limited.TELL, Limited.SILENCE, Limited.SILENCE]
    assert texted(watched, by=BOB) is None
    assert texted(watched, "6", START_MS + MINUTE_MS - 1) is Limited.SILENCE
    later = [texted(watched, str(number), START_MS + MINUTE_MS + number) for number in range(4)]
    assert later == [None, None, None, Limited.TELL]


def test_message_loops() -> None:
    """The same text to the same number with the same answer: so often in a row, then silence until the window
    is over. The first SMS of a handset is not counted."""
    watched = guard(same=3)
    came = [texted(watched, at=START_MS + number * 10_000) for number in range(6)]
    assert came == [None, None, None, None, Limited.LOOP, Limited.LOOP]
    assert texted(watched, at=START_MS + 10_000 + TEN_MINUTES) is None


@pytest.mark.parametrize("change", ["text", "number", "answer"])
def test_what_is_no_loop(change: str) -> None:
    """Another text, another number or another answer in between begins anew: greetings go to every buddy."""
    watched = guard(same=2)
    for step in range(10):
        text = f"text {step % 2}" if change == "text" else "text"
        to = f"12520{13_800_000_000 + step % 2}" if change == "number" else "161"
        answer = f"answer {step % 2}" if change == "answer" else "answer"
        assert watched.admit(ALICE, text, to, START_MS + step) is None
        watched.handled(ALICE, text, to, answer, START_MS + step)


def test_given_back() -> None:
    """An SMS whose batch was not stored counts for nothing, so its repetitions are not limited."""
    watched = guard(per_minute=2, same=2)
    for _ in range(10):
        assert texted(watched) is None
        watched.give_back(ALICE)
    watched.give_back(BOB)
    assert [texted(watched), texted(watched), texted(watched)] == [None, None, Limited.TELL]


def test_a_clock_that_goes_back() -> None:
    """An SMS from before the minute began opens one of its own instead of being limited for ever."""
    watched = guard(per_minute=1)
    assert [texted(watched), texted(watched)] == [None, Limited.TELL]
    assert texted(watched, at=START_MS - TEN_MINUTES) is None


def test_no_limit() -> None:
    """0 switches a limit off, past the width of the counter; the other goes on."""
    watched = guard(per_minute=0, same=0)
    assert {texted(watched) for _ in range(70_000)} == {None}
    looping = guard(per_minute=0, same=1)
    assert [texted(looping) for _ in range(4)] == [None, None, Limited.LOOP, Limited.LOOP]
    hasty = guard(per_minute=1, same=0)
    assert [texted(hasty) for _ in range(3)] == [None, Limited.TELL, Limited.SILENCE]


def test_memory_is_bounded() -> None:
    """Of so many handsets at most two generations are remembered; who writes on is not forgotten."""
    watched = guard(per_minute=3, handsets=10)
    for number in range(1000):
        texted(watched, by=str(13_900_000_000 + number))
        if number % 5 == 0:
            assert (texted(watched) is None) == (number <= 10)
    assert len(watched._minutes) + len(watched._old_minutes) <= 20


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30_000),
            st.sampled_from([ALICE, BOB]),
            st.sampled_from("ab"),
            st.sampled_from("xy"),
        ),
        max_size=60,
    )
)
def test_never_more_than_the_limit(steps: list[tuple[int, str, str, str]]) -> None:
    """Whatever is written: at most per_minute SMS pass in a minute of a handset, at most one of its minutes'
    others is told, and what is rebuilt from the journal decides like what was there all along."""
    watched, now = guard(per_minute=4, same=3), START_MS
    journal: list[Past] = []
    started: dict[str, int] = {}
    passed: dict[str, deque[Limited | None]] = {}
    for pause, by, text, exchange in steps:
        now += pause
        rebuilt = guard(per_minute=4, same=3)
        rebuilt.rebuild(journal)
        expected = rebuilt.admit(by, text, "161", now)
        limited = texted(watched, text, now, by=by, exchange=exchange)
        assert limited is expected
        journal.append(Past(now, by, text, "161", exchange if limited is None else None))
        if now - started.get(by, now - MINUTE_MS) >= MINUTE_MS:
            started[by], passed[by] = now, deque()
        passed[by].append(limited)
        assert passed[by].count(None) <= 4
        assert passed[by].count(Limited.TELL) <= 1


async def test_limits_live(tmp_path: Path) -> None:
    """Over the limit an SMS is accepted, answered with one sentence a minute, journaled as `limited`; chat
    counts like everything else."""
    limits = {"instructions_per_minute": 3}
    async with running_gateway(tmp_path, {"limits": limits}) as gateway:
        alice = await gateway.handset(ALICE)
        for to, expected in (
            ("161", "飞信号"),
            ("12520" + BOB, "没有开通"),
            ("161", "已经开通"),
            ("161", "太频繁"),
        ):
            await alice.send("KTFX", to=to)
            await alice.expect(expected)
        await alice.send("KTFX", to="161")
        await alice.expect_nothing()
        await gateway.advance(minutes=1)
        await alice.send("KTFX", to="161")
        await alice.expect("已经开通")
    journal = rows(tmp_path / "fetion.db", "SELECT outcome, detail FROM journal ORDER BY number")
    assert [row["outcome"] for row in journal] == [
        "done",
        "refused",
        "refused",
        "limited",
        "limited",
        "refused",
    ]
    assert '"limited":"tell"' in journal[3]["detail"]
    assert '"limited":"silence"' in journal[4]["detail"]


async def test_no_limits_live(tmp_path: Path) -> None:
    """For a load test both limits go: one handset, one text, a hundred SMS, each answered."""
    limits = {"instructions_per_minute": 0, "same_text": 0}
    async with running_gateway(tmp_path, {"limits": limits}) as gateway:
        alice = await gateway.handset(ALICE)
        for _ in range(100):
            await alice.send("CXFX", to="161")
            await alice.expect("没有开通")


async def test_two_machines_come_to_an_end(tmp_path: Path) -> None:
    """A handset that answers each of our SMS with the same text is answered so many times, then no more."""
    async with running_gateway(tmp_path, {"limits": {"same_text": 5}}) as gateway:
        machine = await gateway.handset(ALICE)
        for _ in range(6):
            await machine.send("CXFX", to="161")
            await machine.expect("没有开通")
            await gateway.advance(seconds=10)
        await machine.send("CXFX", to="161")
        await machine.expect_nothing()
        await machine.send("KTFX", to="161")
        await machine.expect("欢迎")
    (silent,) = rows(tmp_path / "fetion.db", "SELECT detail FROM journal WHERE outcome = 'limited'")
    assert '"limited":"circle"' in silent["detail"]


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    """Killed and started again, the gateway still counts what came before: no fresh start for a flood."""
    config = write_config(tmp_path, limits={"instructions_per_minute": 5})
    async with serving(config) as served:
        esme = await bind(served.port)
        for _ in range(5):
            await accepted(esme, sms(ALICE, "161", "KTFX"))
            await delivered(esme)
        await served.kill()
    async with serving(config) as served:
        esme = await bind(served.port)
        await accepted(esme, sms(ALICE, "161", "CXFX"))
        while "太频繁" not in text_of(await delivered(esme)):
            pass  # what was in flight when it was killed comes again
        await accepted(esme, sms(BOB, "161", "KTFX"))
        assert "欢迎" in text_of(await delivered(esme))
        await served.stop()
    outcomes = [row["outcome"] for row in rows(store_of(tmp_path), OUTCOMES)]
    assert outcomes == ["done", "refused", "refused", "refused", "refused", "limited", "done"]
