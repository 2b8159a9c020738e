"""Retransmissions: which SMS may come again, and which are two honest ones. Time is handed in, the store is
real."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.inbound.retransmissions import CERTAIN_AFTER, GRAIN_MS, SETTLE_MS, SPANS
from gateway.message import Commit
from gateway.storage.contract import StoreFault
from tests.processing.known import HOUR, LATE, NO, NOW, ONE, OTHER, YES, Known
from tests.proofs.served import SYSTEM_ID
from tests.support import received


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Known]:
    """A fresh one."""
    known = Known(tmp_path)
    yield known
    await known.store.close()


async def test_two_equal_texts_on_a_healthy_session_are_two(world: Known) -> None:
    """What was answered on a session that lives is certain: the same octets again are another SMS."""
    await world.answer(1)
    await world.settle()
    assert await world.find(YES) is None


async def test_a_retransmission_after_a_loss_is_recognised_once(world: Known) -> None:
    """A session is cut within 60 s after the answer: one retransmission gets the number it had, the next is
    new."""
    await world.answer(1)
    world.now += SETTLE_MS - 1
    await world.lose()
    assert await world.find(NO) is None
    assert [await world.find(YES) for _ in range(2)] == [1, None]


async def test_two_equal_ones_may_both_come_again(world: Known) -> None:
    """Each SMS in doubt is a candidate of its own, the oldest first; of one batch each takes another one."""
    for number in (1, 2):
        await world.answer(number)
    await world.lose()
    found = await world.known.find([YES, YES, YES], world.moment)
    assert [found.take(YES) for _ in range(3)] == [1, 2, None]


async def test_an_old_answer_is_certain(world: Known) -> None:
    """What was answered a minute (and a second) before the loss has arrived; what came later has not."""
    await world.answer(1)
    world.now += SETTLE_MS
    await world.answer(2, NO)
    world.now += GRAIN_MS
    await world.lose()
    assert (await world.find(YES), await world.find(NO)) == (None, 2)


async def test_a_wall_clock_that_is_put_forward_makes_nothing_certain(world: Known) -> None:
    """It jumps by a day right behind the answers: whatever was in doubt stays so for as long as ever."""
    for number, digest in ((1, b"cut"), (2, b"late")):
        await world.answer(number, digest, number)
    await world.answer(3, b"gone", ONE)
    await world.lose(ONE)
    world.known.late(2, SYSTEM_ID, 2, 2, world.moment)
    await world.settle()
    world.jumped += 24 * HOUR
    await world.settle()
    await world.known.forget(world.moment, 100)
    await world.lose(1)
    assert [await world.find(digest) for digest in (b"cut", b"late", b"gone")] == [1, 2, 3]


async def test_an_answer_that_was_read_is_certain(world: Known) -> None:
    """The peer has answered a request that we sent behind an answer, so it has read that; once the session
    has lived on for CERTAIN_AFTER seconds only what was answered later is in doubt."""
    client = world.client(ONE)
    await world.answer(1, b"1")
    client.asked()
    await world.answer(2, b"2")
    client.answers_at(world.moment)
    world.now += int(CERTAIN_AFTER * 1000)
    await world.answer(3, b"3")
    await world.lose()
    assert [await world.find(digest) for digest in (b"1", b"2", b"3")] == [None, 2, 3]


async def test_a_loss_right_after_the_proof_leaves_the_doubt(world: Known) -> None:
    """A peer that goes down a moment after it has read an answer may have lost it."""
    await world.answer(1)
    world.client(ONE).asked()
    world.client(ONE).answers_at(world.moment)
    world.now += int(CERTAIN_AFTER * 1000) - 1
    await world.lose()
    assert await world.find(YES) == 1


async def test_a_proof_lets_the_watermark_move(world: Known) -> None:
    """What was read is certain after a crash too."""
    await world.answer(1)
    world.client(ONE).asked()
    world.client(ONE).answers_at(world.moment)
    world.now += int(CERTAIN_AFTER * 1000)
    await world.settle()
    await world.restart()
    assert await world.find(YES) is None


async def test_another_session_is_not_touched(world: Known) -> None:
    """The loss of one session leaves what was answered on another certain, whatever its numbers."""
    await world.answer(1)
    await world.answer(2, NO, OTHER)
    await world.answer(3)
    await world.lose()
    assert await world.find(NO) is None
    assert len(world.known) == 2


async def test_unbind_leaves_nothing_uncertain(world: Known) -> None:
    """A session that ended politely has no candidates, also of what was answered late or once more on it."""
    await world.answer(1)
    await world.lose()
    assert await world.comes_again(YES, OTHER) == 1
    await world.answer(2, NO, OTHER)
    world.known.late(OTHER, SYSTEM_ID, 2, 2, world.moment)
    await world.settle()
    world.known.ended(OTHER)
    await world.settle()
    assert [await world.find(digest) for digest in (YES, NO)] == [None, None]


async def test_a_late_answer_is_in_doubt_for_a_short_time(world: Known) -> None:
    """Its retransmission may be under way, for two response timers; hours later the same text is an honest
    SMS."""
    for number in (1, 2):
        await world.answer(number)
        world.known.late(ONE, SYSTEM_ID, number, number, world.moment)
    await world.settle()
    world.now += LATE - 1
    assert await world.comes_again(YES, ONE) == 1
    world.now += 1
    assert await world.find(YES) is None


async def test_a_late_answer_on_a_session_that_is_cut(world: Known) -> None:
    """It is in doubt as long as the others then, and one candidate."""
    await world.answer(1)
    world.known.late(ONE, SYSTEM_ID, 1, 1, world.moment)
    await world.settle()
    await world.lose()
    world.now += HOUR - 1
    assert [await world.find(YES) for _ in range(2)] == [1, None]


async def test_an_answer_that_was_never_given(world: Known) -> None:
    """The session was gone when the batch was committed: a candidate for the account's time."""
    await world.store.commit(Commit(messages=[received(1, session=ONE, digest=YES)]))
    world.known.unanswered(ONE, SYSTEM_ID, 1, 1, world.now)
    await world.settle()
    world.now += HOUR - 1
    assert await world.find(YES) == 1


@pytest.mark.parametrize("pause", [0, 2 * GRAIN_MS])
@pytest.mark.parametrize("order", [(6, 8, 5), (5, 6, 8)])
async def test_numbers_may_be_answered_out_of_order(world: Known, order: tuple[int, ...], pause: int) -> None:
    """An SMS that waited for its password's hash is answered behind later ones: it is in doubt like them,
    and the watermark stays below it."""
    for number in order:
        await world.answer(number, b"%d" % number)
        world.now += pause
    assert world.known.settle(world.moment, world.now) == (4, world.now - 1)
    await world.lose()
    assert [await world.find(b"%d" % number) for number in order] == list(order)


async def test_a_retransmission_can_be_lost_again(world: Known) -> None:
    """The answer to a retransmission is as uncertain as the first one was; every loss makes it one
    candidate."""
    await world.answer(1)
    await world.lose()
    for session in (20, 21, 22):
        assert await world.comes_again(YES, session) == 1
        assert await world.find(YES) is None
        world.now += SETTLE_MS - 1
        await world.lose(session)
    assert await world.comes_again(YES, 23) == 1
    world.now += SETTLE_MS + GRAIN_MS
    await world.lose(23)
    assert await world.find(YES) is None


@pytest.mark.parametrize("crash", [False, True], ids=["cut", "crash"])
async def test_a_retransmission_at_the_last_moment(world: Known, *, crash: bool) -> None:
    """The time of the candidate that it used up is over when its session is cut, or the process dies: its
    answer is in doubt all the same."""
    await world.answer(1)
    world.known.late(ONE, SYSTEM_ID, 1, 1, world.moment)
    await world.settle()
    world.now += LATE - 1
    assert await world.comes_again(YES, OTHER) == 1
    world.now += 1
    await world.known.forget(world.moment, 100)
    await (world.restart() if crash else world.lose(OTHER))
    assert len(world.known) == 1
    assert [await world.find(YES) for _ in range(2)] == [1, None]


async def test_a_late_retransmission_is_forgotten_before_its_session_is_cut(world: Known) -> None:
    """It was answered late, so that it was a candidate at once, for a time that is over: it is one again."""
    await world.answer(1)
    world.known.late(ONE, SYSTEM_ID, 1, 1, world.moment)
    await world.settle()
    assert await world.comes_again(YES, OTHER) == 1
    world.known._late_window = SETTLE_MS // 2
    world.known.late_again(SYSTEM_ID, 1, world.moment)
    await world.settle()
    world.now += SETTLE_MS // 2
    await world.known.forget(world.moment, 100)
    await world.lose(OTHER)
    assert [await world.find(YES) for _ in range(2)] == [1, None]


async def test_candidates_have_their_time(world: Known) -> None:
    """A retransmission is looked for during the account's window, and a window of 0 looks for none."""
    await world.answer(1)
    await world.answer(2)
    await world.answer(3, NO, OTHER, "never")
    await world.lose()
    await world.lose(OTHER)
    world.now += HOUR - 1
    assert await world.comes_again(YES, OTHER) == 1
    world.known.ended(OTHER)
    await world.settle()
    world.now += 1
    assert await world.find(YES) is None
    await world.known.forget(world.moment, 100)
    assert len(world.known) == 0
    assert await world.find(NO) is None


async def test_what_is_in_doubt_is_known_before_the_next_batch(world: Known) -> None:
    """From a loss on, until its candidates are there, the account is expecting; no other one is."""
    await world.answer(1)
    world.known.lost(ONE, world.moment)
    assert world.known.expecting == {SYSTEM_ID}
    await world.settle()
    assert world.known.expecting == set()


async def test_a_commit_that_fails_is_made_up_for(world: Known, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store fails nothing is forgotten, and the account waits: range and watermark come again."""
    await world.answer(1)

    async def broken(_: Commit) -> None:
        raise StoreFault("disk")

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "commit", broken)
        world.known.lost(ONE, world.moment)
        commit = Commit()
        with pytest.raises(StoreFault):
            await world.commit(commit)
        world.known.take_back(commit)
        assert (await world.known.expect()).ranges == 0
        assert world.known.expecting == {SYSTEM_ID}
    await world.settle()
    assert await world.store.settled() == (1, world.now - 1)
    assert [await world.find(YES) for _ in range(2)] == [1, None]


async def test_ranges_do_not_grow_with_the_messages(world: Known) -> None:
    """A second of a session is one range while we ask nothing, and there is a bound for whoever we ask
    much."""
    client = world.client(ONE)
    for number in range(1, 2 * SPANS):
        world.known.answered(ONE, SYSTEM_ID, client, number, number, world.moment)
    assert len(world.known._sessions[ONE].spans) == 1
    for number in range(2 * SPANS, 4 * SPANS):
        client.asked()
        world.known.answered(ONE, SYSTEM_ID, client, number, number, world.moment)
    assert len(world.known._sessions[ONE].spans) == SPANS


async def test_the_watermark_waits_for_the_oldest_answer(world: Known) -> None:
    """It stands below the first number that is not certain, moves when that has settled, never goes back,
    and comes once per move."""
    await world.answer(1)
    world.now += 30_000
    await world.answer(2)

    def settles(now: int) -> tuple[int, int] | None:
        world.now = NOW + now
        return world.known.settle(world.moment, world.now)

    assert settles(40_000) is None
    assert settles(61_000) == (1, NOW + 60_999)
    assert settles(62_000) is None
    assert settles(91_000) == (2, NOW + 90_999)


async def test_an_orderly_stop_leaves_nothing_uncertain(world: Known) -> None:
    """All sessions unbound, the last commit written: after the start nothing is a candidate, not even what
    was retransmitted a moment ago; what was cut before and never came again is."""
    await world.answer(1)
    await world.answer(2, NO)
    await world.lose()
    world.now += 5
    assert await world.comes_again(YES, OTHER) == 1
    world.known.ended(OTHER)
    world.now += 5
    await world.settle()
    await world.restart()
    assert (await world.find(YES), await world.find(NO)) == (None, 2)


async def test_a_repeat_of_the_last_moment_is_uncertain_after_a_crash(world: Known) -> None:
    """A retransmission whose answer had not settled when the process died may come once more."""
    await world.answer(1)
    await world.lose()
    world.now += 5
    assert await world.comes_again(YES, OTHER) == 1
    world.now += 5
    await world.restart()
    assert [await world.find(YES) for _ in range(2)] == [1, None]


async def test_a_crash_makes_all_recent_ones_uncertain(world: Known) -> None:
    """After kill -9 what had not settled is a candidate, what had is not; a second crash changes nothing."""
    await world.answer(1, b"old")
    world.now += 70_000
    await world.answer(2)
    world.now += 10_000
    await world.settle()
    for _ in range(2):
        await world.restart()
    assert await world.find(b"old") is None
    assert [await world.find(YES) for _ in range(2)] == [2, None]


async def test_late_and_then_a_polite_end_before_the_commit(world: Known) -> None:
    """An answer is late, and its session ends politely before the store knows: it is certain, and no
    candidate."""
    await world.answer(1)
    world.known.late(ONE, SYSTEM_ID, 1, 1, world.moment)
    world.known.ended(ONE)
    await world.settle()
    assert await world.find(YES) is None


async def test_a_doubt_that_is_not_written_keeps_the_account_waiting(world: Known) -> None:
    """The second answer could not be given and the store fails: no step clears the account before that is
    stored."""
    await world.answer(1)
    await world.lose()
    assert await world.find(YES) == 1
    world.known.unanswered_again(SYSTEM_ID, 1, world.moment)
    await world.known.expect()
    assert world.known.expecting == {SYSTEM_ID}
    await world.settle()
    assert await world.find(YES) == 1
