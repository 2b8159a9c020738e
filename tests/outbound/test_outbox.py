"""What leaves: order, retries, losses, expiry. Sessions in memory, time handed in."""

import pytest

from gateway.message import Delivery, MobileTerminated
from gateway.outbound.outbox import LOSSES, RETRY_FIRST, RETRY_MOST
from gateway.smpp.long import UDHI
from gateway.smpp.pdus import BindTransmitter, DeliverSm
from gateway.smpp.status import CommandStatus
from tests.peers import Peer, Sending
from tests.support import ALICE, BOB, GSM, START_MS, leaving

LONG = "x" * 400
PARTS = 3
BUSY, REFUSED = int(CommandStatus.RMSGQFUL), int(CommandStatus.RINVDSTADR)


@pytest.fixture
def sending() -> Sending:
    """An outbox, and nobody bound."""
    return Sending()


def texts(peer: Peer) -> list[tuple[str, str]]:
    """What is on its way to a peer: handset and text."""
    return [(pdu.destination_addr, GSM.decode(pdu.short_message, 0)) for pdu in peer.unanswered]


def places(pdus: list[DeliverSm]) -> list[tuple[int, int, int]]:
    """(reference, total, place) of parts."""
    assert all(pdu.esm_class & UDHI for pdu in pdus)
    return [(octets[3], octets[4], octets[5]) for octets in (pdu.short_message for pdu in pdus)]


def state(sending: Sending, sms: MobileTerminated) -> tuple[Delivery, int]:
    """How it stands, and how often it was closed."""
    return sms.state, sending.unwritten.closed.count(sms)


def test_an_sms_leaves_and_is_closed(sending: Sending) -> None:
    """It leaves at once with the stored numbers; the response closes it for the next commit, and says so."""
    peer, sms = sending.bind(), leaving(1, text="hello")
    sms.ton = 1
    sending.hand_over(sms)
    [pdu] = peer.unanswered
    assert (pdu.source_addr, pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == (
        "161",
        ALICE,
        1,
        1,
    )
    assert sending.outbox.in_flight == sending.outbox.depth == 1
    assert sending.woken == 0
    sending.clock.now = 5
    sending.answer(peer)
    assert state(sending, sms) == (Delivery.SENT, 1)
    assert (sms.parts_done, sms.attempts, sms.remote_id, sms.closed_at) == (1, 1, "remote", START_MS + 5000)
    assert sending.outbox.in_flight == sending.outbox.depth == 0
    assert sending.woken > 0
    assert sending.said == [("sent", 1)]


def test_one_unanswered_pdu_per_handset(sending: Sending) -> None:
    """SMS to one handset leave one after the other, in the order of their commits; others do not wait."""
    peer = sending.bind()
    sending.hand_over(leaving(1, text="a"), leaving(2, text="b"), leaving(3, to=BOB, text="c"))
    assert texts(peer) == [(ALICE, "a"), (BOB, "c")]
    sending.answer(peer, place=1)
    assert texts(peer) == [(ALICE, "a")]
    sending.answer(peer)
    assert texts(peer) == [(ALICE, "b")]


def test_one_handset_two_binds(sending: Sending) -> None:
    """The order of a handset holds over the binds of an account; what leaves through another account
    does not wait for it."""
    one, two, other = sending.bind(), sending.bind("139*"), sending.bind(account="other")
    sending.hand_over(leaving(1, text="a", bind=one.bind.number), leaving(2, text="b", bind=two.bind.number))
    sending.hand_over(leaving(3, text="c", account="other"))
    assert (texts(one), texts(two), texts(other)) == ([(ALICE, "a")], [], [(ALICE, "c")])
    sending.answer(one)
    assert texts(two) == [(ALICE, "b")]


def test_three_losses_park_it(sending: Sending) -> None:
    """In flight at three session losses it may be what breaks them: parked, noted for the next commit, and
    its follower leaves. A loss at which it was not in flight does not count."""
    sms = leaving(1, text="a")
    sending.hand_over(sms, leaving(2, text="b"))
    for _ in range(LOSSES):
        sending.lose(sending.bind("139*"))
        sending.lose(sending.bind())
    assert sms.state is Delivery.PARKED
    assert sending.unwritten.changed[-1] is sms
    assert sending.unwritten.closed == []
    assert ("parked", 1) in sending.said
    assert texts(sending.bind()) == [(ALICE, "b")]


def test_an_operator_decides_about_a_parked_sms(sending: Sending) -> None:
    """Retried, it leaves once that is committed; dropped, it is closed as failed and never leaves."""
    peer, retried, dropped = sending.bind(), leaving(1, text="a"), leaving(2, to=BOB)
    for sms in (retried, dropped):
        sms.state = Delivery.PARKED
    sending.outbox.retry(retried)
    sending.outbox.drop(dropped, "dropped", START_MS)
    assert texts(peer) == []
    assert (sending.unwritten.changed, sending.unwritten.closed) == ([retried], [dropped])
    sending.commit()
    assert texts(peer) == [(ALICE, "a")]
    assert (dropped.state, sending.outbox.depth) == (Delivery.FAILED, 1)


def test_parts_leave_in_sequence(sending: Sending) -> None:
    """A long SMS leaves part by part, each behind the answer to the last, under the stored reference."""
    peer, sms = sending.bind(), leaving(0x1234, text=LONG)
    sending.hand_over(sms, leaving(5))
    for place in range(1, PARTS + 1):
        assert places(peer.unanswered) == [(0x34, PARTS, place)]
        sending.answer(peer)
    assert state(sending, sms) == (Delivery.SENT, 1)
    assert (sms.parts_done, sms.attempts) == (PARTS, 1)
    assert texts(peer) == [(ALICE, "text")]


def test_a_temporary_failure_holds_followers_only(sending: Sending) -> None:
    """Refused for a while: that SMS waits, with it what follows to the same handset; others leave."""
    peer, sms = sending.bind(), leaving(1, text="a")
    sending.hand_over(sms, leaving(2, text="b"))
    sending.answer(peer, BUSY)
    assert texts(peer) == []
    sending.hand_over(leaving(3, text="c"), leaving(4, to=BOB, text="d"))
    assert texts(peer) == [(BOB, "d")]
    sending.advance(1)
    assert texts(peer) == [(BOB, "d"), (ALICE, "a")]
    sending.answer(peer, place=1)
    assert (sms.state, sms.attempts) == (Delivery.SENT, 2)
    assert texts(peer)[1:] == [(ALICE, "b")]


def test_the_pause_grows(sending: Sending) -> None:
    """1 s, doubling to 5 min, with jitter down to a half; a part that was taken begins anew."""
    peer, sms = sending.bind(), leaving(1, text=LONG)
    sending.hand_over(sms)
    for refusal in range(12):
        sending.answer(peer, BUSY)
        most = min(RETRY_FIRST * 2**refusal, RETRY_MOST)
        due = sending.outbox.next_retry()
        assert due is not None
        assert most / 2 <= due - sending.clock.now <= most
        sending.clock.now = due
        sending.advance(0)
    assert sms.attempts == 13
    sending.answer(peer)
    sending.answer(peer, BUSY)
    due = sending.outbox.next_retry()
    assert due is not None
    assert due - sending.clock.now <= RETRY_FIRST


def test_a_permanent_failure_drops_the_other_parts(sending: Sending) -> None:
    """Refused for good: closed with the status, its other parts never leave, the follower does."""
    peer, sms = sending.bind(), leaving(1, text=LONG)
    sending.hand_over(sms, leaving(2, text="next"))
    sending.answer(peer)
    sending.answer(peer, REFUSED)
    assert (sms.state, sms.parts_done, sms.error) == (Delivery.FAILED, 1, "ESME_RINVDSTADR")
    assert texts(peer) == [(ALICE, "next")]


def test_without_a_receiver_sms_wait(sending: Sending) -> None:
    """Nobody takes it: it waits, said once per account, and leaves at the next bind that receives."""
    sending.bind(request=BindTransmitter)
    sending.hand_over(leaving(1, text="a"), leaving(2, to=BOB, text="b"), leaving(3, text="c"))
    sending.hand_over(leaving(4, to="13700137000", account="other"))
    assert sending.said == [("no receiver", 1), ("no receiver", 4)]
    assert sending.outbox.depth == 4
    peer = sending.receiver()
    assert texts(peer) == [(ALICE, "a"), (BOB, "b")]
    sending.answer(peer)
    assert texts(peer) == [(BOB, "b"), (ALICE, "c")]


def test_a_new_bind_takes_what_it_claims(sending: Sending) -> None:
    """What waits because nobody claims it goes on waiting until somebody does."""
    sending.bind("139*")
    sending.hand_over(leaving(1, text="a"))
    assert texts(sending.bind("137*")) == []
    assert texts(sending.bind(ALICE)) == [(ALICE, "a")]


def test_an_sms_expires(sending: Sending) -> None:
    """At its time it is closed as expired, waiting for a receiver or for a retry; its followers leave."""
    soon = sending.clock.now_ms() + 10_000
    first, second = leaving(1, expires_at=soon), leaving(2, to=BOB, expires_at=soon)
    sending.hand_over(first, leaving(3, text="later"))
    sending.advance(9.999)
    assert state(sending, first) == (Delivery.WAITING, 0)
    sending.advance(0.001)
    assert state(sending, first) == (Delivery.EXPIRED, 1)
    assert first.error == "expired"
    peer = sending.bind()
    assert texts(peer) == [(ALICE, "later")]
    second.expires_at = sending.clock.now_ms() + 100
    sending.hand_over(second)
    sending.answer(peer, BUSY, place=1)
    sending.advance(1)
    assert state(sending, second) == (Delivery.EXPIRED, 1)


def test_after_a_loss_it_leaves_again(sending: Sending) -> None:
    """Unanswered when its session is cut: marked as a repeat, sent elsewhere at once or to the next bind,
    each time another attempt."""
    first, second, sms = sending.bind(), sending.bind(), leaving(1, text="a")
    sms.bind = first.bind.number
    sending.hand_over(sms)
    assert not sms.repeat
    sending.lose(first)
    assert texts(second) == [(ALICE, "a")]
    sending.lose(second)
    assert sending.outbox.in_flight == 0
    third = sending.bind()
    assert texts(third) == [(ALICE, "a")]
    sending.answer(third)
    assert (sms.state, sms.repeat, sms.attempts) == (Delivery.SENT, True, 3)


def test_a_loss_repeats_only_the_part_in_flight(sending: Sending) -> None:
    """Parts that were answered are not sent again; the rest carries the same reference."""
    first = sending.bind()
    sending.hand_over(leaving(7, text=LONG))
    sending.answer(first)
    sending.lose(first)
    second = sending.bind()
    for _ in range(2):
        sending.answer(second)
    assert places(first.taken + second.taken) == [(7, PARTS, 1), (7, PARTS, 2), (7, PARTS, 3)]


def test_the_next_part_may_use_a_bind_that_timed_out(sending: Sending) -> None:
    """A session left one PDU unanswered: once that is taken elsewhere, the others may go there again."""
    first, second = sending.bind(ALICE), sending.bind()
    sending.hand_over(leaving(1, text=LONG))
    sending.advance(60)
    sending.answer(second)
    assert places(first.unanswered) == [(1, PARTS, 1), (1, PARTS, 2)]


def test_the_window_is_kept(sending: Sending) -> None:
    """No more PDUs are unanswered than the window holds; what waits for it leaves in order as answers come,
    on other binds after a loss."""
    peer = sending.bind(ALICE[:8] + "*", window=2)
    sending.hand_over(*(leaving(n, to=f"1380013800{n}", text=f"{n}") for n in range(6)))
    assert [text for _, text in texts(peer)] == ["0", "1"]
    sending.answer(peer, place=1)
    sending.answer(peer)
    assert [text for _, text in texts(peer)] == ["2", "3"]
    other = sending.bind()
    sending.lose(peer)
    assert sorted(text for _, text in texts(other)) == ["2", "3", "4", "5"]


def test_retries_wait_for_the_window_too(sending: Sending) -> None:
    """A retry that is due while the window is full takes its place in the line."""
    peer = sending.bind(window=1)
    sending.hand_over(
        leaving(1, text="a"), leaving(2, to=BOB, text="b"), leaving(3, to="13700137000", text="c")
    )
    sending.answer(peer, BUSY)
    sending.advance(1)
    for expected in ("b", "c", "a"):
        assert [text for _, text in texts(peer)] == [expected]
        sending.answer(peer)


@pytest.mark.parametrize("ours", [True, False], ids=["we unbind", "the peer unbinds"])
def test_unbinding_loses_nothing(sending: Sending, *, ours: bool) -> None:
    """While a session ends nothing is put on it and nothing fails: SMS leave elsewhere, or wait."""
    peer = sending.bind(window=1)
    sending.hand_over(leaving(1, text="a"), leaving(2, to=BOB, text="b"))
    if ours:
        peer.unbind()
    else:
        peer.far.unbind(0.0)
        peer.session.receive(peer.far.output(), 0.0)
    sending.hand_over(leaving(3, to="13700137000", text="c"))
    sending.outbox.settle(peer.bind, 0.0, START_MS)
    assert sending.unwritten.closed == []
    other = sending.bind()
    sending.lose(peer)
    assert sorted(text for _, text in texts(other)) == ["a", "b", "c"]


def test_what_cannot_be_sent_fails_alone(sending: Sending) -> None:
    """A row that fits no PDU is closed with the reason; its followers leave."""
    peer, broken = sending.bind(), leaving(1)
    broken.destination = "9" * 30
    sending.hand_over(broken, leaving(2, text="b"))
    assert state(sending, broken) == (Delivery.FAILED, 1)
    assert "destination_addr" in broken.error
    assert texts(peer) == [(ALICE, "b")]


def test_full(sending: Sending) -> None:
    """At its limit it is full, until something is closed."""
    sending = Sending(limit=2)
    peer, full = sending.bind(), []
    for number in (1, 2):
        sending.hand_over(leaving(number))
        full.append(sending.outbox.full)
    sending.answer(peer)
    assert [*full, sending.outbox.full] == [False, True, False]
