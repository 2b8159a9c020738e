"""No more SMS leave than a kill may send again, however long the store takes."""

from gateway.outbound.outbox import AHEAD
from tests.peers import Peer, Sending
from tests.proofs.served import SYSTEM_ID
from tests.support import leaving

WINDOW = 10


def fill(sending: Sending, count: int) -> None:
    """So many SMS, each to a handset of its own."""
    sending.hand_over(*(leaving(n, str(13_800_000_000 + n)) for n in range(1, count + 1)))


def answer_all(sending: Sending, peer: Peer) -> None:
    """Answer until nothing is in flight."""
    while sending.outbox.in_flight:
        sending.answer(peer)


def test_a_store_that_takes_long_holds_the_others_back() -> None:
    """The peer answers everything while nothing is stored: a batch and two windows at most have left. The
    commit lets as many leave again, until everything has."""
    sending = Sending()
    peer = sending.bind(window=WINDOW)
    total = 2 * AHEAD
    fill(sending, total)
    answer_all(sending, peer)
    left = total - sending.outbox.depth
    assert AHEAD <= left <= AHEAD + 2 * WINDOW
    why = sending.outbox.wait_of(total, SYSTEM_ID, str(13_800_000_000 + total), sending.clock.now).reason
    assert why == "the store is slow or fails: many SMS that have left are not stored yet"
    sending.commit()
    assert sending.outbox.in_flight == WINDOW
    answer_all(sending, peer)
    sending.commit()
    answer_all(sending, peer)
    assert sending.outbox.depth == 0


def test_what_a_commit_under_way_holds_counts() -> None:
    """Closed SMS that are being stored are not stored: they count until the commit is done, or has failed, as
    those do that were closed meanwhile."""
    sending = Sending()
    peer = sending.bind(window=WINDOW)
    total = 4 * AHEAD
    fill(sending, total)
    for _ in range(AHEAD // 2):
        sending.answer(peer)
    under_way = sending.hand_in()
    answer_all(sending, peer)
    assert total - sending.outbox.depth <= AHEAD + 2 * WINDOW
    sending.outbox.take_back(under_way)
    sending.advance(1)
    assert sending.outbox.in_flight == 0
    sending.commit()
    assert sending.outbox.in_flight == WINDOW
