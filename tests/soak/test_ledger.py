"""The ledger of the soak objects to whatever does not agree."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gateway.message import Delivery, message_id
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Segment, segments
from gateway.smpp.pdus import DeliverSm
from tests.soak.ledger import Ledger
from tests.soak.load import Kind, Message, Piece

ONE, OTHER = "13800000001", "13900000001"
FIRST, SECOND = 1 << 32 | 7, 1 << 32 | 9
TEXTS = ("message 1.", "message 2.")
ONE_MORE = """
INSERT INTO journal SELECT 5, instruction, outcome, source, destination, text, parts FROM journal LIMIT 1
"""

Spoil = Callable[[Ledger, sqlite3.Connection], object]


def made(path: Path) -> sqlite3.Connection:
    """The columns that the ledger looks at, of two chats that went well."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE journal (number, instruction, outcome, source, destination, text, parts)")
    db.execute(
        "CREATE TABLE outbox (number, cause, destination, source, text, secret, reference, parts, state,"
        " losses, error)"
    )
    for number, text in zip((FIRST, SECOND), TEXTS, strict=True):
        row = (number, "chat", "chat", ONE, "12520" + OTHER, text, 1)
        db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        sms = (number + 1, number, OTHER, "12520" + ONE, text, 0, 0, 1, Delivery.SENT, 0, "")
        db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", sms)
    return db


def arrive(ledger: Ledger, text: str) -> None:
    """A chat is delivered and answered."""
    key = ledger.delivered(
        DeliverSm(source_addr="12520" + ONE, destination_addr=OTHER, short_message=text.encode("ascii"))
    )
    ledger.answered_well[key] += 1


def kept(*texts: str) -> Ledger:
    """What a centre notes of them, delivered in this order."""
    ledger = Ledger()
    for order, (number, text) in enumerate(zip((FIRST, SECOND), TEXTS, strict=True)):
        message = Message(order, Kind.CHAT, ONE, "12520" + OTHER, text, [""])
        piece = Piece(message, 0, Segment(text.encode("ascii"), 0))
        ledger.sent(piece)
        ledger.acknowledged(piece, message_id(number))
    for text in texts:
        arrive(ledger, text)
    return ledger


def test_agreement(tmp_path: Path) -> None:
    """Acknowledged, executed and delivered, once each and in order; once more does no harm."""
    made_at = tmp_path / "store.db"
    with closing(made(made_at)) as db:
        db.commit()
        assert kept(*TEXTS).faults(made_at) == []
        assert kept(*TEXTS, TEXTS[0]).faults(made_at) == []


def run(statement: str, *values: object) -> Spoil:
    """Change the store."""
    return lambda _, db: db.execute(statement, values)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (run("DELETE FROM journal WHERE number = ?", FIRST), "lost"),
        (run(ONE_MORE), "twice"),
        (run("UPDATE journal SET text = 'message 3.'"), "executed otherwise"),
        (run("UPDATE journal SET source = '13800000002'"), "executed otherwise"),
        (run("DELETE FROM outbox"), "0 replies"),
        (run("UPDATE outbox SET destination = '13800000002'"), "1 replies"),
        (run("UPDATE outbox SET cause = 5"), "2 SMS without a cause"),
        (run("UPDATE outbox SET state = ?", Delivery.WAITING), "WAITING"),
        (run("UPDATE outbox SET state = ?", Delivery.EXPIRED), "EXPIRED"),
        (run("UPDATE outbox SET state = ?", Delivery.FAILED), "FAILED"),
        (run("UPDATE outbox SET state = ?, losses = 3", Delivery.PARKED), "PARKED"),
        (lambda ledger, _: arrive(ledger, "message 3."), "from nowhere"),
        (lambda ledger, _: ledger.first.popitem(), "SENT"),
        (lambda ledger, _: ledger.messages[0].ids.__setitem__(0, ""), "never acknowledged"),
        (lambda ledger, _: ledger.messages[0].ids.__setitem__(0, message_id(SECOND)), "lost"),
    ],
)
def test_disagreement(spoil: Spoil, told: str, tmp_path: Path) -> None:
    """Each of these is found, and told of by its name."""
    ledger = kept(*TEXTS)
    with closing(made(tmp_path / "store.db")) as db:
        spoil(ledger, db)
        db.commit()
        assert any(fault.startswith(told) for fault in ledger.faults(tmp_path / "store.db"))


def test_disorder(tmp_path: Path) -> None:
    """The second one arrives before the first."""
    with closing(made(tmp_path / "store.db")) as db:
        db.commit()
        [fault] = kept(*reversed(TEXTS)).faults(tmp_path / "store.db")
    assert "arrived before" in fault


def test_two_ids(tmp_path: Path) -> None:
    """One SMS is acknowledged with two message ids."""
    ledger = kept(*TEXTS)
    piece = Piece(ledger.messages[0], 0, Segment(b"", 0))
    ledger.acknowledged(piece, message_id(5))
    with closing(made(tmp_path / "store.db")) as db:
        db.commit()
        assert any(fault.startswith("two: ") for fault in ledger.faults(tmp_path / "store.db"))


def test_a_part_that_came_again_is_of_no_later_message() -> None:
    """The references of a handset's long SMS come round: after 256 of them, one part is met by another."""
    ledger = Ledger()
    alphabet = Alphabet.from_config({}, "gsm")
    texts = ["message 1. " * 16, "message 2. " * 16]
    early, late = (segments(text, alphabet, 7, "udh8") for text in texts)
    for part in (*early, early[1], *late):
        ledger.delivered(
            DeliverSm(
                source_addr="12520" + ONE,
                destination_addr=OTHER,
                esm_class=part.esm_class,
                data_coding=part.data_coding,
                short_message=part.octets,
            )
        )
    assert [text for _, _, text in ledger.first] == texts
