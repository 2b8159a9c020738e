"""SMS that are held: they count, come back in the order of their arrival, and go with a fault."""

from types import SimpleNamespace
from typing import Any, cast

from commands.tables import Tables
from gateway.channels.contract import Inbound
from gateway.inbound.intake import Intake
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.queue import InboundQueue
from gateway.message_numbers import MessageNumbers
from gateway.observer import Observer
from routing.model import Route
from tests.support import ALICE, BOB


def queue() -> InboundQueue:
    """An empty one."""
    nothing: Any = None
    return InboundQueue(
        cast(Intake, nothing),
        MessageNumbers(1, 1),
        Observer(),
        no_room=lambda: None,
        changed=lambda: None,
        touched=lambda _: None,
    )


def sms(number: int, msisdn: str = ALICE, *, closed: bool = False) -> MobileOriginated:
    """One whose bind lives, or not."""
    bind = SimpleNamespace(closed=closed, account="smsc")
    came = cast(Inbound, SimpleNamespace(bind=bind))
    return MobileOriginated(number, f"{number:016x}", came, msisdn, cast(Route, None), cast(Tables, None))


def numbers(those: list[MobileOriginated]) -> list[int]:
    """Theirs."""
    return [m.number for m in those]


def test_they_come_back_first_and_in_order() -> None:
    """Also where the later one was held first."""
    waiting = queue()
    waiting.put(sms(9, BOB))
    waiting.hold([sms(5), sms(7)])
    waiting.hold([sms(4), sms(6, BOB)])
    assert waiting.held_handsets == {ALICE, BOB}
    assert len(waiting) == 5
    assert sorted(m.number for m in waiting) == [4, 5, 6, 7, 9]
    assert numbers(waiting.take(9, ())) == [9]
    waiting.put(sms(10))
    assert waiting.release()
    assert numbers(waiting.take(9, ())) == [4, 5, 6, 7, 10]
    assert not waiting.held_handsets
    assert not waiting.release()


def test_a_fault_takes_them_out_too() -> None:
    """Nothing is left that nobody would answer."""
    waiting = queue()
    waiting.hold([sms(5)])
    assert numbers(waiting.clear()) == [5]
    assert len(waiting) == 0


def test_they_go_with_their_bind() -> None:
    """They were not answered: they may come again."""
    waiting = queue()
    waiting.hold([sms(5, closed=True), sms(6)])
    waiting.release()
    assert numbers(waiting.take(9, ())) == [6]
