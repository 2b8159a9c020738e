"""routing.sources: the address that an SMS is sent from."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing.model import Accepts
from routing.numbers import FetionNumber, Mobile
from routing.table import Routing
from routing.tablefile import TableError
from tests.routing.conftest import Break


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("161", "161"),
        ("12520", "12520"),
        ("8612520", "12520"),
        ("10086", "10086"),
        ("125862", "125862"),
        ("12520050", "12520"),
        ("16103312345", "161"),
        ("100861912345", "10086"),
        ("161471", "161"),
    ],
)
def test_a_reply_leaves_from_the_access_code(tables: Routing, destination: str, source: str) -> None:
    """A reply is sent from the access code in use, without sub-code and country code."""
    assert tables.reply_from(tables.resolve(destination)) == source


@pytest.mark.parametrize(
    ("destination", "source"),
    [("161", "161034"), ("12520", "12520034"), ("10086", "12520034"), ("1008619", "12520034")],
)
def test_the_result_of_an_opening(tables: Routing, destination: str, source: str) -> None:
    """Access code + 034; for an opening at the hot line 12520034."""
    assert tables.opening_from(tables.resolve(destination)) == source


@pytest.mark.parametrize(
    ("destination", "source"),
    [("161", "1252003300042"), ("12520", "1252003300042"), ("10086", "100861900042")],
)
def test_a_question_and_the_way_back(tables: Routing, destination: str, source: str) -> None:
    """12520033 + serial, at the hot line 1008619 + serial; an answer to it is routed as an answer."""
    assert tables.question_from(tables.resolve(destination), "00042") == source
    back = tables.resolve(source)
    assert (back.accepts, back.tail) == (Accepts.ANSWER, "00042")


@pytest.mark.parametrize("serial", ["", "42", "000042", "0004x", "０００４２"])
def test_a_serial_that_could_not_be_answered(tables: Routing, serial: str) -> None:
    """A serial must have five digits, else ValueError."""
    with pytest.raises(ValueError, match="an answer to 12520033 wants 5 digits"):
        tables.question_from(tables.resolve("12520"), serial)


def test_notices_and_chats(tables: Routing) -> None:
    """Notices are sent from 12520; chat from an address with the mobile or the Fetion number."""
    assert tables.notice_from() == "12520"
    assert tables.chat_from(Mobile("13900000001")) == "1252013900000001"
    assert tables.chat_from(FetionNumber("471234567")) == "12520471234567"


def test_nothing_leaves_for_a_refused_route(tables: Routing) -> None:
    """A refused route has no reply address, and the voice number no question address."""
    with pytest.raises(ValueError, match="nothing of this kind leaves from"):
        tables.reply_from(tables.resolve("125200330001"))
    with pytest.raises(ValueError, match="a refused address"):
        tables.reply_from(tables.resolve("1"))
    with pytest.raises(ValueError, match="nothing of this kind leaves from 125862"):
        tables.question_from(tables.resolve("125862"), "00042")


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        (
            '"{access_code}034"',
            '"{access_code}03412"',
            "sources.opening.address",
            "nobody could write back to",
        ),
        ('"{access_code}034"', '"{code}034"', "sources.opening.address", "is not written as"),
        ('"{access_code}034"', '"034{serial}"', "sources.opening.address", "is not written as"),
        ('"12520033{serial}"', '"12520033"', "sources.question.address", "is not written as"),
        ('"12520033{serial}"', '"12520034{serial}"', "sources.question.address", "accepts answer"),
        ('"12520033{serial}"', '"999{serial}"', "sources.question.address", "accepts answer"),
        ('"1008619{serial}"', '"1008618{serial}"', "sources.question.at.10086", "accepts answer"),
        (
            '"10086": {value: "1008619',
            '"10087": {value: "1008619',
            "sources.question.at.10087",
            "no access code",
        ),
        ('notice: {value: "12520"', 'notice: {value: "1252047"', "sources.notice", "nobody could write back"),
        ('notice: {value: "12520"', 'notice: {value: "{access_code}"', "sources.notice", "is not written as"),
        ('"12520{number}"', '"125200{number}"', "sources.chat", "accepts base, not chat"),
        ('"12520{number}"', '"10086{number}"', "sources.chat", "nobody could write back to"),
    ],
)
def test_an_address_that_cannot_be_answered_is_refused_at_load(
    folder: Path, change: Break, old: str, new: str, key: str, reason: str
) -> None:
    """Every source address is checked against the rows; a fault has line and key."""
    line = change("appendix7.yaml", old, new)
    with pytest.raises(TableError) as caught:
        Routing.load(folder)
    fault = caught.value.faults[0]
    assert (fault.file, fault.line, fault.key) == (str(folder / "appendix7.yaml"), line, key)
    assert reason in fault.reason
