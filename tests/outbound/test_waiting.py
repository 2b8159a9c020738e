"""Why an SMS waits, in each of the places where it can."""

from gateway.outbound.outbox import RETRY_FIRST
from gateway.smpp.status import CommandStatus
from tests.peers import Sending
from tests.proofs.served import SYSTEM_ID
from tests.support import ALICE, BOB, leaving

LONG = "x" * 400
RESPONSE = 60.0


def why(sending: Sending, number: int, to: str = ALICE) -> str:
    """The reason."""
    return sending.outbox.wait_of(number, SYSTEM_ID, to, sending.clock.now).reason


def test_each_place() -> None:
    """Nobody is bound, on its way, behind another one, window full, between two parts, unknown."""
    sending = Sending()
    sending.hand_over(leaving(1), leaving(2), leaving(3, BOB))
    assert why(sending, 1) == "no receiver of account smsc is bound"
    assert why(sending, 2).startswith("its turn comes after 0000000000000001")
    peer = sending.bind(window=1)
    assert why(sending, 1) == "it has left: the response is under way"
    assert why(sending, 3, BOB) == "the window of the bind of account smsc is full, or its pace is reached"
    assert why(sending, 9).startswith("its turn comes after 0000000000000001")
    assert "not taken it out of the store" in why(sending, 1, "13700137000")
    sending.answer(peer)
    sending.answer(peer)
    sending.answer(peer)
    long = leaving(4, text=LONG)
    long.parts = 3
    sending.hand_over(long)
    sending.answer(peer)
    assert why(sending, 4) == "1 of 3 parts are acknowledged: the next one has left, or waits for a bind"


def test_pauses_say_when_they_end() -> None:
    """After a refusal, with its status; after a timeout on the only bind; no longer once they are over."""
    sending = Sending()
    peer = sending.bind()
    sending.hand_over(leaving(1))
    sending.answer(peer, int(CommandStatus.RTHROTTLED))
    wait = sending.outbox.wait_of(1, SYSTEM_ID, ALICE, sending.clock.now)
    assert wait.reason == "ESME_RTHROTTLED: next attempt"
    assert 0 < wait.due - sending.clock.now <= RETRY_FIRST
    sending.advance(1)
    assert why(sending, 1) == "it has left: the response is under way"
    sending.advance(RESPONSE)
    wait = sending.outbox.wait_of(1, SYSTEM_ID, ALICE, sending.clock.now)
    assert wait.reason == "no response in time: next attempt"
    assert wait.due - sending.clock.now == RESPONSE
