"""SMS without a receiver here are taken out for another node."""

from tests.peers import Sending
from tests.support import ALICE, BOB, leaving

NORTH = 2


def elsewhere(_: str, msisdn: str) -> int:
    """Only Bob has a receiver, at another node."""
    return NORTH if msisdn == BOB else 0


def test_a_whole_queue_is_taken_out_in_order() -> None:
    """And those of others stay, and leave when a receiver comes."""
    sending = Sending()
    sending.hand_over(*(leaving(number, BOB) for number in (1, 2, 3)), leaving(4, ALICE))
    taken = sending.outbox.take_out(elsewhere, 10)
    assert [sms.number for sms in taken[NORTH]] == [1, 2, 3]
    assert sending.outbox.depth == 1
    assert not sending.outbox.waits_for("smsc", BOB)
    peer = sending.receiver()
    sending.answer(peer)
    assert [text for _, text in peer.texts] == ["text"]


def test_what_is_handed_back_waits_again() -> None:
    """Another node was not live any more."""
    sending = Sending()
    sending.hand_over(leaving(1, BOB), leaving(2, BOB))
    sending.hand_over(*sending.outbox.take_out(elsewhere, 10)[NORTH])
    assert sending.outbox.depth == 2
    peer = sending.receiver()
    sending.answer(peer)
    assert len(sending.commit().closed) == 1


def test_no_queue_is_begun_beyond_the_limit() -> None:
    """The rest is taken out the next time."""
    sending = Sending()
    sending.hand_over(leaving(1, BOB), leaving(2, ALICE))
    assert sum(map(len, sending.outbox.take_out(lambda _, __: NORTH, 1).values())) == 1
    assert sum(map(len, sending.outbox.take_out(lambda _, __: NORTH, 1).values())) == 1
    assert sending.outbox.take_out(lambda _, __: NORTH, 1) == {}


def test_what_is_not_stored_stays() -> None:
    """A lost session is noted with the next commit: the row would be another node's by then."""
    sending = Sending()
    peer = sending.receiver()
    sending.hand_over(leaving(1, BOB), leaving(2, BOB))
    sending.lose(peer)
    assert sending.outbox.take_out(elsewhere, 10) == {}
    sending.commit()
    assert [sms.number for sms in sending.outbox.take_out(elsewhere, 10)[NORTH]] == [1, 2]


def test_nothing_leaves_while_the_lease_is_not_trusted() -> None:
    """It leaves when it is trusted again, at the next tick."""
    sending, trusted = Sending(), False
    sending.outbox.may_send = lambda: trusted
    peer = sending.receiver()
    sending.hand_over(leaving(1, BOB))
    assert sending.outbox.in_flight == 0
    trusted = True
    sending.advance(0.1)
    sending.answer(peer)
    assert len(peer.texts) == 1
