"""From a request to an SMS, or to a refusal."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from commands.model import Misunderstood, Understood
from gateway.errors import Refusal
from gateway.intake import Intake
from gateway.model import MobileOriginated, Numbers
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import PartHeader
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, USER_MESSAGE_REFERENCE
from routing.model import Route
from tests.gateway.support import ALICE, Peer, Sending, part_of_many, routing


@dataclass
class Desk:
    """An Intake, a bind, and what the parser was asked."""

    peer: Peer
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        alphabets = {"smsc": Alphabet.from_config({8: "ucs2-le"}, "ascii")}
        self.intake = Intake(routing(), self.parse, alphabets, Numbers(1, 2))

    def parse(self, text: str, route: Route, sender: str) -> Understood:
        """Understands nothing, and remembers."""
        self.asked.append((text, route.address, sender))
        return Misunderstood("misunderstood", sender, route, text, "misunderstood")

    def take(self, request: SubmitSm | DataSm) -> MobileOriginated:
        """A request arrives on the bind."""
        return self.intake.take(self.peer.bind, request, 5.0)

    def refusal(self, request: SubmitSm | DataSm) -> Refusal:
        """The one that it gets."""
        with pytest.raises(Refusal) as caught:
            self.take(request)
        return caught.value


@pytest.fixture
def desk() -> Desk:
    """With one bind."""
    return Desk(Sending().bind())


def submit(**fields: Any) -> SubmitSm:
    """KTFX to 161, unless told otherwise."""
    return SubmitSm(**{"source_addr": ALICE, "destination_addr": "161", "short_message": b"KTFX", **fields})


def test_what_is_taken(desk: Desk) -> None:
    """Addresses, alphabet and text come out as they were sent; the sender as a plain mobile besides."""
    request = submit(
        source_addr="8613800138000",
        source_addr_ton=1,
        source_addr_npi=1,
        sequence_number=77,
        data_coding=8,
        short_message="飞信".encode("utf-16-le"),
    )
    m = desk.take(request)
    assert (m.source, m.source_ton, m.source_npi, m.msisdn) == ("8613800138000", 1, 1, ALICE)
    assert (m.destination, m.route.access_code, m.data_coding, m.esm_class) == ("161", "161", 8, 0)
    assert (m.account, m.session, m.sequence, m.arrived) == ("smsc", desk.peer.bind.number, 77, 5.0)
    assert (m.number, m.message_id) == (1 << 56 | 2 << 32 | 1, "0100000200000001")
    assert desk.asked == [("飞信", "161", ALICE)]


def test_numbers_are_given_once(desk: Desk) -> None:
    """Every SMS has the next number; a refused one uses none up."""
    first = desk.take(submit()).number
    desk.refusal(submit(source_addr=""))
    assert desk.take(submit()).number == first + 1


def test_data_sm_is_an_sms_too(desk: Desk) -> None:
    """The text of a data_sm is its message_payload; without one it is empty."""
    request = DataSm(source_addr=ALICE, destination_addr="161", tlvs={MESSAGE_PAYLOAD: b"CXFX"})
    assert desk.take(request).octets == b"CXFX"
    assert desk.take(DataSm(source_addr=ALICE, destination_addr="161")).octets == b""
    assert [text for text, _, _ in desk.asked] == ["CXFX", ""]


def test_message_payload_stands_for_the_text(desk: Desk) -> None:
    """A submit_sm may carry its text in message_payload."""
    m = desk.take(submit(short_message=b"", tlvs={MESSAGE_PAYLOAD: b"x" * 1000}))
    assert m.octets == b"x" * 1000
    assert m.part is None


def test_user_message_reference_is_kept(desk: Desk) -> None:
    """It tells two equal texts apart."""
    assert desk.take(submit(tlvs={USER_MESSAGE_REFERENCE: 9})).reference == 9
    assert desk.take(submit()).reference is None


def test_a_part_has_no_text_of_its_own(desk: Desk) -> None:
    """A part of a long message is taken without its header, and not parsed before the others have come."""
    m = desk.take(part_of_many(9, 2, 1, b"KT"))
    assert (m.part, m.octets, m.understood) == (PartHeader("udh8", 9, 2, 1), b"KT", None)
    assert desk.asked == []
    desk.intake.understand(m, "KTFX")
    assert desk.asked == [("KTFX", "161", ALICE)]


@pytest.mark.parametrize("sender", ["10086", "Fetion", "1380013800", "23800138000"])
def test_a_sender_that_is_no_mobile(desk: Desk, sender: str) -> None:
    """It is taken and not understood: machines are not talked to."""
    m = desk.take(submit(source_addr=sender))
    assert (m.source, m.msisdn, m.understood) == (sender, "", None)
    assert desk.asked == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"source_addr": ""}, CommandStatus.RINVSRCADR),
        ({"destination_addr": "99999"}, CommandStatus.RINVDSTADR),
        ({"destination_addr": ""}, CommandStatus.RINVDSTADR),
        ({"esm_class": 0x40, "short_message": b""}, CommandStatus.RINVMSGLEN),
        ({"esm_class": 0x40, "short_message": b"\x20\x00\x03"}, CommandStatus.RINVMSGLEN),
        ({"destination_addr": "99999", "source_addr": ""}, CommandStatus.RINVSRCADR),
    ],
)
def test_what_is_refused(desk: Desk, fields: dict[str, Any], status: int) -> None:
    """What cannot be read or is for nobody is refused with the status that says why."""
    refusal = desk.refusal(submit(**fields))
    assert refusal.command_status == status
    assert refusal.reason
    assert desk.asked == []


@pytest.mark.parametrize("esm_class", [0x04, 0x08, 0x10, 0x18, 0x20, 0x44])
def test_only_plain_messages_are_texts(desk: Desk, esm_class: int) -> None:
    """Receipts, acknowledgements and notifications are never parsed as texts."""
    refusal = desk.refusal(submit(esm_class=esm_class))
    assert refusal.command_status == CommandStatus.RINVESMCLASS


@pytest.mark.parametrize("esm_class", [0x00, 0x01, 0x02, 0x03, 0x80])
def test_modes_and_reply_path_do_not_matter(desk: Desk, esm_class: int) -> None:
    """The messaging mode and the reply path leave a message what it is."""
    assert desk.take(submit(esm_class=esm_class)).octets == b"KTFX"


@pytest.mark.parametrize("to", ["12520050", "161050"])
def test_a_password_comes_in_one_sms(desk: Desk, to: str) -> None:
    """Parts to the password number are refused: none of a password is ever kept."""
    assert desk.refusal(part_of_many(9, 2, 1, b"secr", to=to)).command_status == CommandStatus.RINVMSGLEN
    assert desk.take(submit(destination_addr=to, short_message=b"secret77")).part is None
