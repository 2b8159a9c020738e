"""The ledger objects to whatever does not agree."""

from collections.abc import Callable

import pytest

from gateway.message import Delivery, message_id
from tests.crash.evidence import Executed, Stored
from tests.crash.ledger import Ledger
from tests.crash.load import Kind, Message

TO, SMS_SOURCE, TEXT = "13800000002", "1252013800000001", "message 1."
NUMBER = 1 << 32 | 7


def chat() -> Message:
    """The one message of these tests."""
    return Message(1, Kind.CHAT, "13800000001", "12520" + TO, TEXT)


def stored() -> Stored:
    """What a store holds when all went well."""
    row = Executed("chat", "chat", "13800000001", "12520" + TO, TEXT)
    return Stored({NUMBER: row}, [(NUMBER, (TO, SMS_SOURCE, TEXT), Delivery.SENT)], {}, set())


def kept() -> Ledger:
    """What a centre notes when all went well."""
    ledger, message = Ledger(), chat()
    ledger.sent(message)
    ledger.answered(message, 0, message_id(NUMBER))
    ledger.delivered(TO, SMS_SOURCE, TEXT)
    return ledger


def test_agreement() -> None:
    """Submitted, executed, answered, delivered, each once: nothing to object to."""
    assert kept().faults(stored()) == []


def test_a_repeat_needs_a_kill() -> None:
    """What was in flight at a kill may arrive once more, and no more than once."""
    ledger = kept()
    ledger.killed({(TO, SMS_SOURCE, TEXT)})
    ledger.delivered(TO, SMS_SOURCE, TEXT)
    assert ledger.faults(stored()) == []
    ledger.delivered(TO, SMS_SOURCE, TEXT)
    assert ledger.faults(stored()) != []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _, store: store.journal.clear(),
        lambda _, store: store.journal.update({NUMBER + 1: store.journal[NUMBER]}),
        lambda _, store: store.outbox.clear(),
        lambda _, store: store.outbox.append(store.outbox[0]),
        lambda _, store: store.outbox.__setitem__(0, (NUMBER, (TO, SMS_SOURCE, TEXT), Delivery.WAITING)),
        lambda _, store: store.outbox.__setitem__(0, (NUMBER + 1, (TO, SMS_SOURCE, TEXT), Delivery.SENT)),
        lambda ledger, _: ledger.received.clear(),
        lambda ledger, _: ledger.delivered(TO, SMS_SOURCE, TEXT),
        lambda ledger, _: ledger.delivered(TO, SMS_SOURCE, "message 2."),
        lambda ledger, _: ledger.sent(chat()),
        lambda ledger, _: ledger.answered(chat_sent(ledger), 8, ""),
        lambda ledger, _: ledger.answered(chat_sent(ledger), 0, message_id(NUMBER)),
    ],
    ids=[
        *("lost", "twice", "no reply", "two replies", "reply not closed", "reply without cause"),
        *("never delivered", "delivered twice", "delivered from nowhere"),
        *("never answered", "refused", "answered with another's id"),
    ],
)
def test_disagreement(spoil: Callable[[Ledger, Stored], None]) -> None:
    """Each of these is found."""
    ledger, store = kept(), stored()
    spoil(ledger, store)
    assert ledger.faults(store) != []


def chat_sent(ledger: Ledger) -> Message:
    """Another message on its way."""
    message = chat()
    ledger.sent(message)
    return message
