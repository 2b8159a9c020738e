"""Every Store: which SMS may come again because their answers are in doubt."""

from pathlib import Path

import pytest

from gateway.message import Certain, Commit, Doubted, Retransmission, Uncertain, Watermark
from gateway.storage.contract import Conflict, Store
from tests.contracts.engines import Engine, opening, put
from tests.support import SESSIONS, START_MS, received

LATER = START_MS + 1000
ONE, OTHER = SESSIONS + 1, SESSIONS + 2


async def journaled(store: Store, *sessions: int) -> list[bytes]:
    """SMS 11, 12, ... of these sessions are in the journal; their digests."""
    messages = [
        received(number, session=session, digest=b"%d" % number)
        for number, session in enumerate(sessions, 11)
    ]
    await put(store, Commit(messages=messages))
    return [m.digest for m in messages]


async def expected(store: Store, digests: list[bytes], now: int = START_MS) -> list[int]:
    """The numbers of the SMS that may come again."""
    return sorted(number for _, number in await store.candidates(digests, now))


async def test_a_range_becomes_candidates_step_by_step(store: Store) -> None:
    """The SMS of a range that are of its session are candidates once enough steps were made, and until their
    time is over; the steps end."""
    digests = await journaled(store, ONE, OTHER, ONE, ONE, ONE)
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 14, LATER)]))
    assert await expected(store, digests) == []
    found = await store.expect(2)
    assert (found.ranges, found.candidates) == (1, 1)
    assert await expected(store, digests) == [11]
    while found.ranges:
        found = await store.expect(2)
    assert found.candidates == 3
    assert await expected(store, digests) == [11, 13, 14]
    assert await expected(store, digests, LATER - 1) == [11, 13, 14]
    assert await expected(store, digests, LATER) == []


async def test_steps_go_on_after_a_restart(engine: Engine, tmp_path: Path) -> None:
    """Ranges that were not worked off when the process ended are worked off by the next one."""
    async with opening(engine, tmp_path) as opened:
        digests = await journaled(opened, ONE, ONE, ONE)
        await put(opened, Commit(uncertain=[Uncertain(ONE, 11, 13, LATER)]))
        await opened.expect(1)
    async with opening(engine, tmp_path) as again:
        while (await again.expect(1)).ranges:
            pass
        assert await expected(again, digests) == [11, 12, 13]


async def test_an_sms_in_doubt_twice_is_one_candidate(store: Store) -> None:
    """Two ranges that meet make one candidate of an SMS, until the later of their times."""
    digests = await journaled(store, ONE, ONE)
    spans = [Uncertain(ONE, 11, 12, LATER), Uncertain(ONE, 12, 12, LATER + 5)]
    await put(store, Commit(uncertain=spans))
    while (found := await store.expect(10)).ranges:
        pass
    assert found.candidates == 2
    assert await expected(store, digests, LATER) == [12]


async def test_a_candidate_is_used_up_once(store: Store) -> None:
    """A retransmission uses up its candidate; when its answer is in doubt too the SMS is one again; when that
    is certain, or its session ends politely, it is none for good."""
    digests = await journaled(store, ONE, ONE, ONE)
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 13, LATER)]))
    await store.expect(10)
    await put(
        store,
        Commit(repeats=[Retransmission(11, OTHER, START_MS + 1), Retransmission(12, OTHER, START_MS + 2)]),
    )
    assert await expected(store, digests) == [13]
    await put(store, Commit(doubted=[Doubted(LATER + 9, 12)]))
    assert await expected(store, digests, LATER) == [12]
    await put(store, Commit(certain=[Certain(OTHER, 11, 13)]))
    assert await expected(store, digests) == [13]


async def test_a_crash_puts_in_doubt_what_was_not_certain(store: Store) -> None:
    """At a start everything above the watermark is a candidate, and so is what was answered once more later
    than it; what was answered once more before is none, whatever ranges say."""
    digests = await journaled(store, ONE, ONE, ONE, ONE)
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 12, LATER)]))
    await store.expect(10)
    await put(
        store,
        Commit(repeats=[Retransmission(11, OTHER, START_MS + 1), Retransmission(12, OTHER, START_MS + 3)]),
    )
    await put(store, Commit(settled=Watermark(12, START_MS + 2)))
    await store.recover(LATER)
    while (await store.expect(1)).ranges:
        pass
    assert await expected(store, digests) == [12, 13, 14]


async def test_candidates_are_forgotten_in_time(store: Store) -> None:
    """Candidates whose time is over are dropped, a few at a time, and only those."""
    await journaled(store, ONE, ONE, ONE)
    spans = [Uncertain(ONE, number, number, LATER + number) for number in (11, 12, 13)]
    await put(store, Commit(uncertain=spans))
    while (await store.expect(10)).ranges:
        pass
    assert await store.forget_candidates(LATER + 10, 10) == 3
    assert await store.forget_candidates(LATER + 12, 1) == 2
    assert await store.forget_candidates(LATER + 12, 10) == 1
    assert await store.forget_candidates(LATER + 13, 10) == 0


async def test_a_failed_commit_changes_no_candidate(store: Store) -> None:
    """A commit that is refused uses nothing up, and the count of candidates stays right."""
    digests = await journaled(store, ONE)
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 11, LATER)]))
    await store.expect(10)
    with pytest.raises(Conflict):
        await put(
            store,
            Commit(
                messages=[received(11)],
                repeats=[Retransmission(11, OTHER, 1)],
                certain=[Certain(ONE, 11, 11)],
            ),
        )
    assert await expected(store, digests) == [11]
    assert await store.forget_candidates(START_MS, 10) == 1


async def test_what_came_again_and_was_heard_of_is_no_candidate(store: Store) -> None:
    """An SMS that was answered once more, certainly, is none after a crash, though the watermark is still
    below it."""
    digests = await journaled(store, ONE, ONE)
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 12, LATER)]))
    await store.expect(10)
    await put(store, Commit(repeats=[Retransmission(11, OTHER, START_MS + 1)]))
    await put(store, Commit(certain=[Certain(OTHER, 11, 11)], settled=Watermark(10, START_MS + 2)))
    await store.recover(LATER)
    while (await store.expect(10)).ranges:
        pass
    assert await expected(store, digests) == [12]


async def test_what_has_become_certain_is_not_expected_later(store: Store) -> None:
    """A range that is certain before it was worked off is forgotten, in the same commit too."""
    digests = await journaled(store, ONE, ONE)
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 12, LATER)], certain=[Certain(ONE, 11, 12)]))
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 12, LATER)]))
    await put(store, Commit(certain=[Certain(ONE, 11, 12)]))
    assert (await store.expect(10)).candidates == 0
    assert await expected(store, digests) == []


async def test_a_doubt_after_the_time_of_its_candidate(store: Store) -> None:
    """The time of a used candidate is over when its answer turns out to be in doubt: it is one again."""
    digests = await journaled(store, ONE)
    await put(store, Commit(uncertain=[Uncertain(ONE, 11, 11, LATER)]))
    await store.expect(10)
    await put(store, Commit(repeats=[Retransmission(11, OTHER, START_MS + 1)]))
    await store.forget_candidates(LATER, 10)
    await put(store, Commit(doubted=[Doubted(LATER + 9, 11)]))
    assert await expected(store, digests, LATER) == [11]
