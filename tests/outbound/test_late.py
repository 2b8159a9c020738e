"""Responses that come after the response timer. Sessions in memory, time handed in."""

import pytest

from gateway.message import Answer, Delivery
from gateway.outbound.attempts import LATE, TWICE
from gateway.smpp.status import CommandStatus
from tests.outbound.links import link
from tests.peers import Peer, Sending
from tests.support import ALICE, GSM, leaving

RESPONSE = 60.0
BUSY, UNKNOWN_NUMBER = int(CommandStatus.RMSGQFUL), int(CommandStatus.RINVDSTADR)
LONG = "x" * 400


@pytest.fixture
def sending() -> Sending:
    """An outbox, and nobody bound."""
    return Sending()


def arrived(peer: Peer) -> list[str]:
    """The texts of the PDUs that wait for an answer of the peer."""
    return [GSM.decode(pdu.short_message, 0) for pdu in peer.unanswered]


def test_it_closes_an_sms_that_pauses(sending: Sending) -> None:
    """No repeat leaves, and the follower does; the trace says that the attempt was answered late."""
    peer, sms = sending.bind(), leaving(1, text="a")
    sending.hand_over(sms, leaving(2, text="b"))
    sending.advance(RESPONSE)
    sending.answer(peer)
    assert (sms.state, sms.attempts, sms.remote_id) == (Delivery.SENT, 1, "remote")
    assert arrived(peer) == ["b"]
    assert sending.said[-2:] == [("late", 1), ("sent", 1)]
    noted = sending.unwritten.attempts[-1]
    assert (noted.ordinal, noted.part, noted.result, noted.status) == (1, 1, Answer.OK, LATE)
    sending.advance(10 * RESPONSE)
    assert arrived(peer) == ["b"] * len(arrived(peer))


def test_it_closes_an_sms_that_waits_for_a_receiver(sending: Sending) -> None:
    """Its bind takes no SMS any more, and answers while nobody else is there."""
    peer, sms = sending.bind(link=link()), leaving(1, account="north")
    sending.hand_over(sms)
    sending.advance(RESPONSE)
    peer.bind.ending = True  # it takes no SMS any more
    sending.advance(RESPONSE)
    assert sms.waited.endswith("no receiver")
    sending.answer(peer)
    assert (sms.state, sending.outbox.depth) == (Delivery.SENT, 0)
    assert sending.bind(link=link()).arrived == 0


def test_it_closes_an_sms_that_waits_for_a_window(sending: Sending) -> None:
    """It was to leave on another bind, which is full."""
    one, two = sending.bind(), sending.bind("139*", window=1)
    sending.hand_over(sms := leaving(1, text="a", bind=one.bind.number), leaving(2, "13900139000", "b"))
    sending.lose(two)
    two = sending.bind(ALICE[:3] + "*", window=1)
    sending.advance(1.0)
    sending.hand_over(leaving(3, "13800138009", "c"))
    sending.advance(RESPONSE - 1)
    assert sms.waited.endswith("window full")
    sending.answer(one)
    assert sms.state is Delivery.SENT
    while two.unanswered:
        sending.answer(two)
    assert "a" not in [text for _, text in two.texts]


def test_it_closes_an_sms_that_has_left_again(sending: Sending) -> None:
    """The follower waits until the copy is answered; that answer changes nothing, but the trace says it."""
    one, two = sending.bind(), sending.bind(ALICE[:4] + "*")
    sms = leaving(1, text="a", bind=one.bind.number)
    sending.hand_over(sms, leaving(2, text="b"))
    sending.advance(RESPONSE)
    assert arrived(two) == ["a"]
    sending.answer(one)
    assert (sms.state, sms.session) == (Delivery.SENT, one.bind.number)
    assert ("twice", 1) in sending.said
    assert [each.number for each in sending.commit().closed] == [1]
    assert arrived(two) == ["a"]
    sending.answer(two, BUSY)
    assert arrived(two) == ["b"]
    again = sending.unwritten
    assert (again.closed, again.attempts[-1].status) == ([], f"ESME_RMSGQFUL, {TWICE}")
    assert sending.said.count(("sent", 1)) == 1


@pytest.mark.parametrize("ends", ["answered", "lost", "silent"])
def test_a_second_copy_ends_with_its_bind(sending: Sending, ends: str) -> None:
    """However the copy ends, nothing is in flight then, and nothing leaves a third time."""
    one, two = sending.bind(), sending.bind(ALICE)
    sending.hand_over(sms := leaving(1, bind=one.bind.number))
    sending.advance(RESPONSE)
    sending.answer(one)
    if ends == "lost":
        sending.lose(two)
    elif ends == "answered":
        sending.answer(two)
    else:
        sending.advance(RESPONSE)
    assert (sms.state, sms.parts_done, sms.losses) == (Delivery.SENT, 1, 1)
    assert (sending.outbox.in_flight, sending.outbox.depth) == (0, 0)


def test_of_a_long_sms_only_the_part_that_is_wanted_counts(sending: Sending) -> None:
    """A late response to its first part lets the second one leave; to a part that has been taken since, it
    is noted only."""
    one, two = sending.bind(), sending.bind(ALICE)
    sms = leaving(1, text=LONG, bind=one.bind.number)
    sending.hand_over(sms)
    sending.advance(RESPONSE)
    sending.answer(two)
    assert sms.parts_done == 1
    sending.answer(one)
    assert (sms.parts_done, sms.state) == (1, Delivery.WAITING)
    while one.unanswered or two.unanswered:
        sending.answer(one if one.unanswered else two)
    assert (sms.state, sms.parts_done) == (Delivery.SENT, 3)


def test_a_late_response_to_a_first_part_lets_the_second_leave(sending: Sending) -> None:
    """It paused: now the next part is due."""
    peer, sms = sending.bind(), leaving(1, text=LONG)
    sending.hand_over(sms)
    sending.advance(RESPONSE)
    sending.answer(peer)
    assert (sms.parts_done, sending.outbox.in_flight, sending.outbox.next_retry()) == (1, 1, None)
    assert [pdu.short_message[5] for pdu in peer.unanswered] == [2]


def test_an_ambiguous_part_is_not_guessed(sending: Sending) -> None:
    """Two parts of one SMS timed out on one bind: a response that comes then closes neither."""
    peer, sms = sending.bind(), leaving(1, text=LONG)
    sending.hand_over(sms)
    sending.advance(RESPONSE)
    sending.advance(RESPONSE)  # the first part leaves again
    sending.answer(peer, place=1)
    sending.advance(RESPONSE)  # the second part times out
    assert sms.parts_done == 1
    sending.answer(peer, place=1)
    assert (sms.parts_done, sms.state) == (1, Delivery.WAITING)


@pytest.mark.parametrize(("status", "state"), [(BUSY, Delivery.WAITING), (UNKNOWN_NUMBER, Delivery.FAILED)])
def test_a_late_refusal_is_one(sending: Sending, status: int, state: Delivery) -> None:
    """While it waits, a refusal for good ends it, and another one lets it pause anew."""
    peer, sms = sending.bind(), leaving(1)
    sending.hand_over(sms)
    sending.advance(RESPONSE)
    sending.answer(peer, status)
    assert sms.state is state
    assert (sending.outbox.next_retry() is None) is (state is Delivery.FAILED)
    assert sending.outbox.in_flight == 0


def test_a_late_refusal_of_what_has_left_again_says_nothing(sending: Sending) -> None:
    """The answer to the copy decides."""
    one, two = sending.bind(), sending.bind(ALICE)
    sending.hand_over(sms := leaving(1, bind=one.bind.number))
    sending.advance(RESPONSE)
    sending.answer(one, UNKNOWN_NUMBER)
    assert sending.outbox.depth == 1
    sending.answer(two)
    assert sms.state is Delivery.SENT


def test_a_parked_sms_stays_parked(sending: Sending) -> None:
    """It is said that it arrived, for the operator who decides."""
    peer, sms = sending.bind(), leaving(1)
    sending.hand_over(sms)
    for _ in range(6):
        sending.advance(RESPONSE)
    assert sms.state is Delivery.PARKED
    sending.answer(peer)
    assert (sms.state, sending.said[-1]) == (Delivery.PARKED, ("late", 1))


# unanswered: wait, reconnect


def test_one_that_waits_leaves_once(sending: Sending) -> None:
    """It keeps its place of the window, its follower waits, others leave; the late response closes it."""
    peer = sending.bind(link=link(unanswered="wait"), window=2)
    sms = leaving(1, text="a", account="north")
    sending.hand_over(sms, leaving(2, text="b", account="north"))
    sending.advance(RESPONSE)
    sending.advance(10 * RESPONSE)
    assert (arrived(peer), sending.outbox.in_flight, peer.bind.room) == (["a"], 1, 1)
    sending.answer(peer)
    assert (sms.state, sms.attempts, sms.repeat, peer.bind.held) == (Delivery.SENT, 1, False, 0)
    assert arrived(peer) == ["b"]


def test_each_part_of_one_that_waits_may_be_late(sending: Sending) -> None:
    """What was answered is in doubt no more: the next part is known by its late response too."""
    peer = sending.bind(link=link(unanswered="wait"), window=1)
    sending.hand_over(sms := leaving(1, text=LONG, account="north"))
    for done in (1, 2):
        sending.advance(RESPONSE)
        sending.answer(peer)
        assert (sms.parts_done, sms.state) == (done, Delivery.WAITING)
    sending.advance(RESPONSE)
    sending.answer(peer)
    assert (sms.parts, sms.state, sms.repeat) == (3, Delivery.SENT, False)


def test_a_part_is_in_doubt_as_long_as_a_copy_is_unanswered(sending: Sending) -> None:
    """The second copy of the first part is answered when the second part has timed out: it proves nothing."""
    peer = sending.bind()
    sending.hand_over(sms := leaving(1, text=LONG))
    sending.advance(RESPONSE)
    sending.advance(RESPONSE)  # the first part has left twice
    sending.advance(RESPONSE)
    assert peer.arrived == 2
    sending.answer(peer)
    assert sms.parts_done == 1
    sending.advance(RESPONSE)
    sending.answer(peer)
    assert sms.parts_done == 1


@pytest.mark.parametrize("status", [BUSY, UNKNOWN_NUMBER])
def test_one_that_waits_may_be_refused(sending: Sending, status: int) -> None:
    """As at once."""
    peer = sending.bind(link=link(unanswered="wait"))
    sending.hand_over(sms := leaving(1, account="north"))
    sending.advance(RESPONSE)
    sending.answer(peer, status)
    assert sending.outbox.in_flight == 0
    assert (sms.state is Delivery.FAILED) is (status == UNKNOWN_NUMBER)


def test_one_that_waits_expires(sending: Sending) -> None:
    """Its place of the window is free again, and its follower leaves."""
    peer = sending.bind(link=link(unanswered="wait"), window=1)
    expires = sending.clock.now_ms() + 90_000
    sms, other = leaving(1, account="north", expires_at=expires), leaving(2, account="north", text="b")
    sending.hand_over(sms, other)
    sending.advance(RESPONSE)
    sending.advance(30.0)
    assert (sms.state, sending.outbox.in_flight) == (Delivery.EXPIRED, 1)
    assert arrived(peer) == ["text", "b"]
    sending.answer(peer)
    assert (sms.state, other.state) == (Delivery.EXPIRED, Delivery.WAITING)


def test_one_that_waits_leaves_again_after_a_loss(sending: Sending) -> None:
    """As all that the session left unanswered, the oldest first."""
    peer = sending.bind(link=link(unanswered="wait"))
    sending.hand_over(sms := leaving(1, account="north"))
    sending.advance(RESPONSE)
    sending.lose(peer)
    assert (sms.losses, sms.repeat, sending.outbox.in_flight) == (1, True, 0)
    peer = sending.bind(link=link(unanswered="wait"))
    sending.answer(peer)
    assert (sms.state, sms.attempts) == (Delivery.SENT, 2)


def test_reconnect_ends_the_session(sending: Sending) -> None:
    """All that it left unanswered leaves on the next one at once; only what was passed over counts."""
    peer = sending.bind(link=link(unanswered="reconnect"))
    late, other = leaving(1, account="north"), leaving(2, "13900139000", account="north")
    sending.hand_over(late)
    sending.advance(1.0)
    sending.hand_over(other)
    sending.advance(RESPONSE - 1)
    assert peer.closed
    assert "60 s" in peer.aborted
    assert (late.losses, other.losses) == (1, 0)
    peer = sending.bind(link=link(unanswered="reconnect"))
    assert peer.arrived == 2
