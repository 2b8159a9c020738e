"""SMS whose response does not come: what counts against them, when they leave again, that nothing heads the
queue of a handset for ever. Sessions in memory, time handed in."""

import pytest

from gateway.message import Delivery, Kind, MobileTerminated
from gateway.outbound.outbox import LOSSES
from gateway.smpp.pdus import DeliverSm
from gateway.smpp.status import CommandStatus
from tests.peers import Peer, Sending
from tests.support import ALICE, BOB, GSM, leaving

BUSY = int(CommandStatus.RMSGQFUL)
LONG = "x" * 400
RESPONSE = 60.0
"""The response timer of the sessions in memory."""


@pytest.fixture
def sending() -> Sending:
    """An outbox, and nobody bound."""
    return Sending()


def arrived(peer: Peer) -> list[str]:
    """The texts of the PDUs that came to a peer, in order, answered or not."""
    return [GSM.decode(pdu.short_message, 0) for pdu in peer.unanswered]


def part_numbers(pdus: list[DeliverSm]) -> list[int]:
    """The places of parts in their SMS."""
    return [pdu.short_message[5] for pdu in pdus]


def test_one_lost_response_silences_no_handset(sending: Sending) -> None:
    """One bind, one response that never comes: after the response timer it waits as long again, leaves again
    on that bind, is answered, and what follows to the handset leaves."""
    peer, sms = sending.bind(), leaving(1, text="a")
    sending.hand_over(sms, leaving(2, text="b"))
    sending.advance(RESPONSE)
    assert (sms.losses, sms.repeat, sending.outbox.in_flight) == (1, True, 0)
    assert sending.outbox.next_retry() == sending.clock.now + RESPONSE
    sending.advance(RESPONSE - 0.1)
    assert arrived(peer) == ["a"]
    sending.advance(0.1)
    assert arrived(peer) == ["a", "a"]
    sending.answer(peer, place=1)
    assert (sms.state, sms.attempts) == (Delivery.SENT, 2)
    assert arrived(peer) == ["a", "b"]


def test_the_third_timeout_parks_it(sending: Sending) -> None:
    """The pause doubles; unanswered for the third time it is parked, noted for the next commit, and its
    follower leaves."""
    peer, sms = sending.bind(), leaving(1, text="a")
    sending.hand_over(sms, leaving(2, text="b"))
    for pause in (RESPONSE, 2 * RESPONSE):
        sending.advance(RESPONSE)
        assert sending.outbox.next_retry() == sending.clock.now + pause
        sending.advance(pause)
    sending.advance(RESPONSE)
    assert (sms.state, sms.losses, sms.attempts) == (Delivery.PARKED, LOSSES, LOSSES)
    assert sending.unwritten.changed[-1] is sms
    assert arrived(peer) == ["a", "a", "a", "b"]


def test_after_a_timeout_another_bind_has_it_at_once(sending: Sending) -> None:
    """A bind that may have it and has not left it unanswered takes it without a pause; one that has may take
    it again when no other is left."""
    one, two = sending.bind(), sending.bind()
    sms = leaving(1, text="a", bind=one.bind.number)
    sending.hand_over(sms)
    counts = []
    for _ in range(LOSSES):
        counts.append((len(one.unanswered), len(two.unanswered)))
        sending.advance(RESPONSE)
    assert counts == [(1, 0), (1, 1), (2, 1)]
    assert sms.state is Delivery.PARKED


def test_a_new_bind_ends_no_pause_but_has_it_then(sending: Sending) -> None:
    """Who binds while it pauses has it when the pause is over: he has not left it unanswered."""
    first = sending.bind()
    sending.hand_over(leaving(1, text="a"))
    sending.advance(RESPONSE)
    second = sending.bind(ALICE)
    sending.advance(RESPONSE)
    assert (arrived(first), arrived(second)) == (["a"], ["a"])


def test_a_silent_peer_counts_for_nothing(sending: Sending) -> None:
    """A peer that answers nothing for two response timers loses its session, as often as it likes: nothing
    counts against what it left unanswered, and that leaves on the next bind."""
    first, second = leaving(1, text="a"), leaving(2, to=BOB, text="b")
    sending.hand_over(first, second)
    for _ in range(LOSSES + 2):
        peer = sending.bind()
        peer.mute = True
        assert arrived(peer) == ["a", "b"]
        sending.advance(RESPONSE)
        assert not peer.closed
        sending.advance(RESPONSE)
        assert peer.closed
    assert (first.losses, second.losses, first.state) == (0, 0, Delivery.WAITING)
    peer = sending.bind()
    sending.answer(peer)
    assert (first.state, first.attempts) == (Delivery.SENT, LOSSES + 3)


def test_a_loss_counts_for_the_oldest_only(sending: Sending) -> None:
    """Of what a lost session left unanswered the oldest may be what broke it; the others are not blamed."""
    oldest, other = leaving(1, text="a"), leaving(2, to=BOB, text="b")
    sending.hand_over(oldest, other)
    for _ in range(LOSSES):
        sending.lose(sending.bind())
    assert (oldest.losses, oldest.state) == (LOSSES, Delivery.PARKED)
    assert (other.losses, other.state) == (0, Delivery.WAITING)
    peer = sending.bind()
    assert arrived(peer) == ["b"]


def test_what_breaks_a_session_is_found_wherever_it_stands(sending: Sending) -> None:
    """A peer that breaks off at one SMS, whatever else is in flight with it: the healthy ones before it are
    answered, so in the end it is the oldest, and is parked; all others arrive."""
    poison = leaving(5, to="13800138005", text="poison")
    healthy = [leaving(n, to=f"1380013800{n}", text=str(n)) for n in range(5)]
    sending.hand_over(*healthy, poison)
    for _ in range(20):
        peer = sending.bind()
        while peer.unanswered and arrived(peer)[0] != "poison":
            sending.answer(peer)
        if not peer.unanswered:
            break
        sending.lose(peer)
    assert poison.state is Delivery.PARKED
    assert {sms.state for sms in healthy} == {Delivery.SENT}


def test_timeouts_and_losses_are_one_count(sending: Sending) -> None:
    """A timeout, a loss and a timeout park it."""
    sms = leaving(1)
    peer = sending.bind()
    sending.hand_over(sms)
    sending.advance(RESPONSE)
    sending.advance(RESPONSE)
    sending.lose(peer)
    sending.bind()
    sending.advance(RESPONSE)
    assert sms.state is Delivery.PARKED


def test_nothing_counts_and_nothing_leaves_when_we_stop(sending: Sending) -> None:
    """While we stop nothing leaves, whatever frees a window or makes a follower the first; and what we end
    ourselves counts against nobody."""
    peer = sending.bind(window=1)
    first, second = leaving(1, text="a"), leaving(2, to=BOB, text="b")
    sending.hand_over(first, second, leaving(3, text="c"))
    sending.outbox.stopping = True
    sending.answer(peer)
    assert first.state is Delivery.SENT
    sending.advance(RESPONSE)
    assert arrived(peer) == []
    sending = Sending()
    peers = [sending.bind(), sending.bind()]
    first = leaving(1, bind=peers[0].bind.number)
    second = leaving(2, to=BOB, bind=peers[1].bind.number)
    sending.hand_over(first, second)
    sending.outbox.stopping = True
    sending.lose(peers[0])
    sending.advance(RESPONSE)
    assert (first.losses, second.losses) == (0, 0)
    assert sending.outbox.in_flight == 0
    assert set(sending.unwritten.changed) == {first, second}
    assert len(peers[1].unanswered) == 1


def test_what_waited_for_the_window_beyond_its_expiry_is_not_sent(sending: Sending) -> None:
    """The window has room again when its time is over: closed as expired, and the SMS behind it to the same
    handset leaves."""
    peer = sending.bind(window=1)
    late = leaving(2, to=BOB, text="late", expires_at=sending.clock.now_ms() + 10_000)
    sending.hand_over(leaving(1, text="a"), late, leaving(3, to=BOB, text="next"))
    sending.clock.now += 10
    sending.answer(peer)
    assert (late.state, late.attempts) == (Delivery.EXPIRED, 0)
    assert arrived(peer) == ["next"]


def test_it_expires_while_it_waits_for_the_window(sending: Sending) -> None:
    """Nobody answers, nobody is lost: at its expiry it is closed all the same."""
    peer = sending.bind(window=1)
    late = leaving(2, to=BOB, expires_at=sending.clock.now_ms() + 10_000)
    sending.hand_over(leaving(1, text="a"), late)
    sending.advance(10)
    assert late.state is Delivery.EXPIRED
    assert arrived(peer) == ["a"]


@pytest.mark.parametrize("state", ["refused", "unanswered"])
def test_it_expires_while_it_pauses(sending: Sending, state: str) -> None:
    """A pause ends at the expiry, and the SMS behind it leaves then, not minutes later."""
    peer = sending.bind()
    late = leaving(1, text="late", expires_at=sending.clock.now_ms() + 70_000)
    sending.hand_over(late, leaving(2, text="next"))
    if state == "refused":
        for _ in range(8):
            sending.answer(peer, BUSY)
            due = sending.outbox.next_retry()
            assert due is not None
            if due - sending.clock.now >= 70 - (sending.clock.now - 1):
                break
            sending.advance(due - sending.clock.now)
    else:
        sending.advance(RESPONSE)
    sending.advance(71.01 - sending.clock.now)
    assert late.state is Delivery.EXPIRED
    assert arrived(peer)[-1] == "next"


def test_a_bind_that_ends_holds_nothing_back(sending: Sending) -> None:
    """What waits for the window of a bind that unbinds, and does not end, leaves on another one."""
    ending = sending.bind(ALICE[:3] + "*", window=1)
    other = sending.bind()
    sending.hand_over(leaving(1, text="a"), leaving(2, to="13800138001", text="b"))
    ending.unbind()
    sending.advance(1)
    assert (arrived(ending), arrived(other)) == (["a"], ["b"])


def test_a_bug_in_composing_fails_one_sms(sending: Sending) -> None:
    """What raises where an SMS is cut and put together fails that SMS alone: its follower leaves, the others
    of the same commit too."""
    peer, broken = sending.bind(), leaving(1)
    broken.segments, broken.parts_done = ("made",), 1
    sending.hand_over(broken, leaving(2, text="b"), leaving(3, to=BOB, text="c"))
    assert (broken.state, broken.error, broken.attempts) == (Delivery.FAILED, "IndexError", 0)
    assert sorted(arrived(peer)) == ["b", "c"]


def test_a_clock_that_is_put_back_delays_no_retry(sending: Sending) -> None:
    """Pauses run on a clock that never goes back: an hour off the time of day changes none of them."""
    peer, sms = sending.bind(), leaving(1, text="a")
    sending.hand_over(sms)
    sending.answer(peer, BUSY)
    sending.clock.wall = -3600
    sending.advance(1)
    assert arrived(peer) == ["a"]
    sending.advance(RESPONSE)
    sending.clock.wall = -7200
    sending.advance(RESPONSE)
    assert arrived(peer) == ["a", "a"]


def test_acknowledged_parts_are_noted_and_not_sent_again(sending: Sending) -> None:
    """Each acknowledged part of several is noted for the next commit. An SMS that an earlier run left begins
    behind them, if its text still gives as many parts; else at the first."""
    peer, sms = sending.bind(), leaving(1, text=LONG)
    sms.parts = 3
    sending.hand_over(sms)
    woken = sending.woken
    sending.answer(peer)
    assert (sending.unwritten.changed, sms.parts_done) == ([sms], 1)
    assert sending.woken > woken
    sending.lose(peer)

    def again(number: int, parts: int, done: int) -> MobileTerminated:
        found = leaving(number, to=f"1380013800{number}", text=LONG)
        found.parts, found.parts_done, found.repeat = parts, done, True
        return found

    later = Sending()
    peer = later.bind()
    later.hand_over(again(1, 3, 2), again(2, 3, 0), again(3, 4, 2), again(4, 3, 3))
    assert part_numbers(peer.unanswered) == [3, 1, 1, 1]
    later.answer(peer)
    assert len(later.unwritten.closed) == 1


def test_attempts_tell_how_often_it_left(sending: Sending) -> None:
    """One however many its parts; one more after a refusal, a timeout, a loss; none for what never left."""
    peer, sms = sending.bind(), leaving(1, text=LONG)
    sms.parts = 3
    sending.hand_over(sms)
    seen = [sms.attempts]
    sending.answer(peer)
    seen.append(sms.attempts)
    sending.answer(peer, BUSY)
    sending.advance(1)
    seen.append(sms.attempts)
    sending.advance(RESPONSE)
    sending.advance(RESPONSE)
    seen.append(sms.attempts)
    sending.lose(peer)
    peer = sending.bind()
    seen.append(sms.attempts)
    sending.answer(peer)
    sending.answer(peer)
    assert ([*seen, sms.attempts], sms.state, sms.error) == ([1, 1, 2, 3, 4, 4], Delivery.SENT, "")
    never = leaving(2, expires_at=sending.clock.now_ms())
    sending.hand_over(never)
    assert (never.state, never.attempts) == (Delivery.EXPIRED, 0)


def test_it_knows_what_it_holds(sending: Sending) -> None:
    """A row that is read from the store while its SMS waits here already, as one that an operator retried, is
    known by its number until it is over."""
    peer = sending.bind()
    retried = leaving(2, text="b")
    sending.outbox.retry(retried)
    sending.commit()
    assert sending.outbox.holds(leaving(2))
    assert not sending.outbox.holds(leaving(3))
    sending.answer(peer)
    assert not sending.outbox.holds(leaving(2))


def test_what_changed_stays_bounded(sending: Sending) -> None:
    """While the store takes nothing, each SMS stands among the changes a bounded number of times."""
    sending = Sending(limit=5)
    peer = sending.bind()
    sending.hand_over(leaving(1))
    for _ in range(50):
        sending.answer(peer, BUSY)
        sending.advance(300)
    assert len(sending.unwritten.changed) <= 2 * sending.outbox.limit + 1


@pytest.mark.parametrize("reference", [0xFE, 0xFF, 0x100, 0xFFFE, 0xFFFF])
def test_references_at_their_end(sending: Sending, reference: int) -> None:
    """The reference of one octet that all parts carry is the end of the stored one, and differs from that of
    the next SMS, where it begins again too."""
    peer = sending.bind()
    sending.hand_over(leaving(reference, text=LONG), leaving(reference + 1, text=LONG, to=BOB))
    [one, two] = [pdu.short_message[3] for pdu in peer.unanswered]
    assert (one, two) == (reference & 0xFF, (reference + 1) & 0xFF)


def test_a_receipt_that_nobody_answers_fails(sending: Sending) -> None:
    """It is parked for no operator: after three sessions that were lost with it, it has failed."""
    receipt = leaving(1, to="", text="id:1 stat:DELIVRD")
    receipt.kind = Kind.RECEIPT
    sending.hand_over(receipt)
    for _ in range(LOSSES):
        sending.lose(sending.bind())
    assert (receipt.state, receipt.losses) == (Delivery.FAILED, LOSSES)
