"""What is kept of attempts: nothing of an SMS that goes as nearly all do, each attempt of the others."""

import pytest

from gateway.message import FIRST_KEPT, LAST_KEPT, Answer, Attempt
from gateway.outbound.waiting import NO_RECEIVER, RETRIED
from gateway.smpp.status import CommandStatus
from tests.peers import Sending
from tests.support import ALICE, BOB, START_MS, leaving

BUSY = int(CommandStatus.RMSGQFUL)
LONG = "x" * 400
RESPONSE = 60.0


@pytest.fixture
def sending() -> Sending:
    """An outbox, and nobody bound."""
    return Sending()


def ends(sending: Sending) -> list[tuple[int, int, Answer]]:
    """SMS, ordinal and answer of every attempt that is kept."""
    return [(each.number, each.ordinal, each.result) for each in sending.unwritten.attempts]


def test_nothing_of_a_clean_one(sending: Sending) -> None:
    """Sent at the first attempt, also one of several parts, and one that waited for the window: only the
    session is noted, that of the bind which answered."""
    peer = sending.bind(window=1)
    clean, long, waited = leaving(1), leaving(2, BOB, LONG), leaving(3, "13700137000")
    long.parts = 3
    sending.hand_over(clean, long, waited)
    for _ in range(5):
        sending.answer(peer)
    assert len(sending.unwritten.closed) == 3
    assert ends(sending) == []
    assert {sms.session for sms in (clean, long, waited)} == {peer.bind.number}


def test_every_attempt_of_the_others(sending: Sending) -> None:
    """Refused, unanswered, lost, accepted: each with its time, bind, part and reason, and one more for each
    that left."""
    peer, sms = sending.bind(), leaving(1, text=LONG)
    sms.parts = 3
    sending.hand_over(sms)
    sending.answer(peer)
    sending.answer(peer, BUSY)
    sending.advance(1)
    sending.advance(RESPONSE)
    sending.advance(RESPONSE)
    sending.lose(peer)
    other = sending.bind()
    sending.answer(other)
    sending.answer(other)
    refused, unanswered, lost, ok = sending.unwritten.attempts
    number, address = peer.bind.number, peer.bind.peer
    at = START_MS + 1000
    assert refused == Attempt(1, 1, 2, at, at, number, address, Answer.REFUSED, "ESME_RMSGQFUL")
    assert unanswered[:6] == (1, 2, 2, at + 1000, at + 61_000, number)
    assert unanswered.result is Answer.TIMEOUT
    assert (lost.ordinal, lost.left_at, lost.result, lost.status) == (3, at + 121_000, Answer.LOST, "cut")
    assert (ok.ordinal, ok.part, ok.session, ok.result) == (4, 3, other.bind.number, Answer.OK)
    assert ok.waited == NO_RECEIVER
    assert sms.attempts == ok.ordinal


def test_what_it_waited_for(sending: Sending) -> None:
    """An SMS that found no receiver, and one that an operator retried, say so although their only attempt
    was accepted."""
    first, second = leaving(1), leaving(2, BOB)
    sending.hand_over(first)
    sending.outbox.retry(second)
    sending.commit()
    sending.clock.now += 100
    peer = sending.bind()
    sending.answer(peer)
    sending.answer(peer)
    waited = {each.number: each.waited for each in sending.unwritten.attempts}
    assert waited == {1: NO_RECEIVER, 2: f"{RETRIED}, {NO_RECEIVER}"}
    assert {each.left_at for each in sending.unwritten.attempts} == {sending.clock.now_ms()}


def test_a_refusal_for_good(sending: Sending) -> None:
    """It is one attempt, and the session stands with the SMS too."""
    peer, sms = sending.bind(), leaving(1)
    sending.hand_over(sms)
    sending.answer(peer, int(CommandStatus.RINVDSTADR))
    assert ends(sending) == [(1, 1, Answer.REFUSED)]
    assert sms.session == peer.bind.number


def test_what_a_failed_commit_had_comes_again(sending: Sending) -> None:
    """In order, before what came meanwhile."""
    peer = sending.bind()
    sending.hand_over(leaving(1))
    sending.answer(peer, BUSY)
    failed = sending.commit()
    sending.advance(1)
    sending.answer(peer, BUSY)
    sending.outbox.take_back(failed)
    assert ends(sending) == [(1, 1, Answer.REFUSED), (1, 2, Answer.REFUSED)]


def test_they_stay_bounded() -> None:
    """While the store takes nothing, the oldest go."""
    sending = Sending(limit=5)
    peer = sending.bind()
    sending.hand_over(leaving(1, ALICE))
    for _ in range(50):
        sending.answer(peer, BUSY)
        sending.advance(300)
    kept = ends(sending)
    assert len(kept) <= 2 * sending.outbox.limit
    assert kept[-1] == (1, 50, Answer.REFUSED)


def test_places() -> None:
    """The first ones have places of their own; behind them the places are used in turn."""
    places = [
        Attempt(1, n, 1, 0, 0, 0, "", Answer.LOST).place for n in range(1, FIRST_KEPT + 2 * LAST_KEPT + 1)
    ]
    assert places[: FIRST_KEPT + LAST_KEPT] == list(range(1, FIRST_KEPT + LAST_KEPT + 1))
    assert places[FIRST_KEPT + LAST_KEPT :] == places[FIRST_KEPT : FIRST_KEPT + LAST_KEPT]
