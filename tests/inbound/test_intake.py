"""From a request to an SMS, or to a refusal."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from commands.model import Chat, Instruction, Misunderstood, Understood
from commands.service import Commands
from commands.tables import InForce, Tables
from gateway.channels.contract import Bind
from gateway.channels.smpp.reading import Carrier, Reader
from gateway.channels.smpp.verdicts import STATUS
from gateway.errors import Refusal
from gateway.inbound.intake import Intake
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import PartHeader
from gateway.message_numbers import MessageNumbers
from gateway.smpp.coding import Alphabet
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, USER_MESSAGE_REFERENCE
from routing.model import Route
from routing.table import Routing
from tests.peers import Peer, Sending
from tests.support import ALICE, MAIN, REFUSED_SECOND, SECOND, operators_tables, part_of_many, routing


@dataclass
class IntakeUnderTest:
    """An Intake, a bind, and what the parser was asked."""

    peer: Peer
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)
    intake: Intake = field(init=False)

    alphabet: Alphabet = field(default_factory=lambda: Alphabet.from_config({8: "ucs2-le"}, "ascii"))
    routing: Routing = field(default_factory=routing)

    def __post_init__(self) -> None:
        commands = cast(Commands, SimpleNamespace(parser=self, version=""))
        self.intake = Intake(InForce(Tables(self.routing, commands)), MessageNumbers(1, 2))

    def parse(self, text: str, route: Route, sender: str) -> Understood:
        """Understands nothing, and remembers."""
        self.asked.append((text, route.address, sender))
        return Misunderstood("misunderstood", sender, route, text, "misunderstood")

    def password_in_doubt(self, route: Route, sender: str) -> Understood:
        """The same, of a password whose end is in doubt."""
        return self.parse("(in doubt)", route, sender)

    def take(self, request: SubmitSm | DataSm) -> MobileOriginated:
        """A request arrives on the bind."""
        reader = Reader(lambda: 0, self._note)
        return self.intake.read(reader.read(self.peer.bind, self.alphabet, request, 5.0))

    def _note(self, _bind: Bind, _request: Carrier, reason: str) -> None:
        self.noted.append(reason)

    def refusal(self, request: SubmitSm | DataSm) -> Refusal:
        """The one that it gets."""
        with pytest.raises(Refusal) as caught:
            self.take(request)
        return caught.value


@pytest.fixture
def tested() -> IntakeUnderTest:
    """With one bind."""
    return IntakeUnderTest(Sending().bind())


def submit(**fields: Any) -> SubmitSm:
    """KTFX to 161, unless told otherwise."""
    return SubmitSm(**{"source_addr": ALICE, "destination_addr": "161", "short_message": b"KTFX", **fields})


def test_what_is_taken(tested: IntakeUnderTest) -> None:
    """Addresses, alphabet and text come out as they were sent; the sender as a plain mobile besides."""
    request = submit(
        source_addr="8613800138000",
        source_addr_ton=1,
        source_addr_npi=1,
        sequence_number=77,
        data_coding=8,
        short_message="飞信".encode("utf-16-le"),
    )
    m = tested.take(request)
    assert (m.came.source, m.came.source_ton, m.came.source_npi, m.msisdn) == ("8613800138000", 1, 1, ALICE)
    assert (m.came.destination, m.route.access_code, m.came.data_coding, m.came.esm_class) == (
        "161",
        "161",
        8,
        0,
    )
    assert (m.came.bind.account, m.came.bind.number, m.came.sequence, m.came.arrived) == (
        "smsc",
        tested.peer.bind.number,
        77,
        5.0,
    )
    assert (m.number, m.message_id) == (1 << 56 | 2 << 32 | 1, "0100000200000001")
    assert tested.asked == [("飞信", "161", ALICE)]


def test_numbers_are_given_once(tested: IntakeUnderTest) -> None:
    """Every SMS has the next number; a refused one uses none up."""
    first = tested.take(submit()).number
    tested.refusal(submit(source_addr=""))
    assert tested.take(submit()).number == first + 1


def test_data_sm_is_an_sms_too(tested: IntakeUnderTest) -> None:
    """The text of a data_sm is its message_payload; without one it is empty."""
    request = DataSm(source_addr=ALICE, destination_addr="161", tlvs={MESSAGE_PAYLOAD: b"CXFX"})
    assert tested.take(request).came.octets == b"CXFX"
    assert tested.take(DataSm(source_addr=ALICE, destination_addr="161")).came.octets == b""
    assert [text for text, _, _ in tested.asked] == ["CXFX", ""]


def test_message_payload_stands_for_the_text(tested: IntakeUnderTest) -> None:
    """A submit_sm may carry its text in message_payload."""
    m = tested.take(submit(short_message=b"", tlvs={MESSAGE_PAYLOAD: b"x" * 1000}))
    assert m.came.octets == b"x" * 1000
    assert m.came.part is None


def test_user_message_reference_is_kept(tested: IntakeUnderTest) -> None:
    """It tells two equal texts apart."""
    assert tested.take(submit(tlvs={USER_MESSAGE_REFERENCE: 9})).came.reference == 9
    assert tested.take(submit()).came.reference is None


def test_a_part_has_no_text_of_its_own(tested: IntakeUnderTest) -> None:
    """A part of a long message is taken without its header, and not parsed before the others have come."""
    m = tested.take(part_of_many(9, 2, 1, b"KT"))
    assert (m.came.part, m.came.octets, m.understood) == (PartHeader("udh8", 9, 2, 1), b"KT", None)
    assert tested.asked == []
    tested.intake.understand(m, "KTFX")
    assert tested.asked == [("KTFX", "161", ALICE)]


@pytest.mark.parametrize(
    "sender",
    [
        "10086",
        "Fetion",
        "1380013800",
        "23800138000",
        "471234567",
        "16103300001",
        "8616103300001",
        "+13800138000",
    ],
)
def test_a_sender_that_is_no_mobile_is_refused(tested: IntakeUnderTest, sender: str) -> None:
    """Nobody could be answered there: the SMS is not acknowledged, and the reason names no number."""
    refusal = tested.refusal(submit(source_addr=sender))
    assert STATUS[refusal.verdict] == CommandStatus.RINVSRCADR
    assert refusal.reason == "the sender is no mobile number"
    assert tested.asked == []


@pytest.mark.parametrize(
    "spelling",
    ["013800138000", "1259313800138000", "8613800138000", "+86 138-0013-8000", "(+86)138.0013.8000"],
)
def test_a_sender_in_another_spelling(tested: IntakeUnderTest, spelling: str) -> None:
    """He is the same customer, and his spelling stays that of the replies."""
    m = tested.take(submit(source_addr=spelling))
    assert (m.msisdn, m.came.source) == (ALICE, spelling)


@pytest.mark.parametrize("blanks", ["{} ", " {}", "  {}   "])
def test_blanks_around_addresses_are_padding(tested: IntakeUnderTest, blanks: str) -> None:
    """A centre that fills its fields up means the address without the blanks; replies go there."""
    request = submit(source_addr=blanks.format("86" + ALICE), destination_addr=blanks.format("161"))
    m = tested.take(request)
    assert (m.msisdn, m.came.source, m.came.destination, m.route.address) == (
        ALICE,
        "86" + ALICE,
        "161",
        "161",
    )


@pytest.mark.parametrize("to", ["+161", "+86161", "0086161"])
def test_a_destination_in_another_spelling(tested: IntakeUnderTest, to: str) -> None:
    """Country codes and a + before our number come off."""
    assert tested.take(submit(destination_addr=to)).route.address == "161"


@pytest.fixture
def operators(tmp_path: Path) -> Routing:
    """The tables of an operator with second numbers."""
    return operators_tables(tmp_path / "tables")


def test_a_second_number_counts_for_its_main_number(operators: Routing) -> None:
    """The customer is the main number, the replies go to the second one, as it was written."""
    tested = IntakeUnderTest(Sending().bind(), routing=operators)
    m = tested.take(submit(source_addr="86" + SECOND))
    assert (m.msisdn, m.came.source) == (MAIN, "86" + SECOND)
    assert tested.asked == [("KTFX", "161", MAIN)]
    assert tested.take(submit(source_addr=MAIN)).msisdn == MAIN
    assert tested.take(submit(source_addr=ALICE)).msisdn == ALICE


def test_a_second_number_that_is_refused(operators: Routing) -> None:
    """Appendix 6 says so, and the reason too."""
    tested = IntakeUnderTest(Sending().bind(), routing=operators)
    refusal = tested.refusal(submit(source_addr=REFUSED_SECOND))
    assert STATUS[refusal.verdict] == CommandStatus.RINVSRCADR
    assert refusal.reason == "a second number, which appendix 6 keeps from the service"
    assert tested.asked == []


def test_a_chat_with_a_second_number_is_one_with_its_owner(operators: Routing) -> None:
    """So are arguments; a failure is told from the number that was dialled."""
    parser = Commands.load(operators).parser
    route = operators.resolve(f"12520{SECOND}")
    chat = parser.parse("你好", route, ALICE)
    assert isinstance(chat, Chat)
    assert (chat.to, chat.route.address) == (MAIN, f"12520{SECOND}")
    for text in (f"HY#{SECOND}", f"HY#12520{SECOND}", f"HY {SECOND[:3]} {SECOND[3:7]} {SECOND[7:]}"):
        added = parser.parse(text, operators.resolve("161"), ALICE)
        assert isinstance(added, Instruction)
        assert added.arguments == {"number": MAIN}


GSM = Alphabet.from_config({}, "gsm")


@pytest.mark.parametrize("data_coding", [0, 0x10, 0x13, 0xC0, 0xDF, 0xF0, 0xF3])
def test_a_nul_behind_gsm_text(data_coding: int) -> None:
    """It is no @: the instruction is read; at the password number nothing is guessed and nothing kept."""
    tested = IntakeUnderTest(Sending().bind(), alphabet=GSM)
    tested.take(submit(short_message=b"KTFX\0", data_coding=data_coding))
    tested.take(submit(short_message=b"secret7\0", data_coding=data_coding, destination_addr="12520050"))
    tested.take(submit(short_message=b"secret7", data_coding=data_coding, destination_addr="12520050"))
    assert [text for text, _, _ in tested.asked] == ["KTFX", "(in doubt)", "secret7"]


@pytest.mark.parametrize(
    ("data_coding", "octets"), [(1, b"secret7@\0"), (8, "secret7@\0".encode("utf-16-be"))]
)
def test_a_nul_in_another_alphabet_is_in_no_doubt(data_coding: int, octets: bytes) -> None:
    """There a NUL is no letter, so it goes and the password stays whole."""
    tested = IntakeUnderTest(Sending().bind(), alphabet=GSM)
    tested.take(submit(short_message=octets, data_coding=data_coding, destination_addr="12520050"))
    assert [text for text, _, _ in tested.asked] == ["secret7@"]


def test_text_in_the_other_byte_order(tested: IntakeUnderTest) -> None:
    """A mark in front says how UCS-2 is read, whatever the account says."""
    for octets in (
        b"\xfe\xff" + "开通飞信".encode("utf-16-be"),
        b"\xff\xfe" + "开通飞信".encode("utf-16-le"),
    ):
        tested.take(submit(short_message=octets, data_coding=8))
    assert [text for text, _, _ in tested.asked] == ["开通飞信", "开通飞信"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"source_addr": ""}, CommandStatus.RINVSRCADR),
        ({"destination_addr": "99999"}, CommandStatus.RINVDSTADR),
        ({"destination_addr": ""}, CommandStatus.RINVDSTADR),
        ({"esm_class": 0x40, "short_message": b""}, CommandStatus.RINVMSGLEN),
        ({"esm_class": 0x40, "short_message": b"\x20\x00\x03"}, CommandStatus.RINVMSGLEN),
        ({"destination_addr": "99999", "source_addr": ""}, CommandStatus.RINVSRCADR),
        ({"source_addr": "  "}, CommandStatus.RINVSRCADR),
        ({"destination_addr": "  "}, CommandStatus.RINVDSTADR),
    ],
)
def test_what_is_refused(tested: IntakeUnderTest, fields: dict[str, Any], status: int) -> None:
    """What cannot be read or is for nobody is refused with the status that says why."""
    refusal = tested.refusal(submit(**fields))
    assert STATUS[refusal.verdict] == status
    assert refusal.reason
    assert tested.asked == []


@pytest.mark.parametrize("esm_class", [0x04, 0x08, 0x10, 0x18, 0x20, 0x44])
def test_only_plain_messages_are_texts(tested: IntakeUnderTest, esm_class: int) -> None:
    """Receipts, acknowledgements and notifications are never parsed as texts."""
    refusal = tested.refusal(submit(esm_class=esm_class))
    assert STATUS[refusal.verdict] == CommandStatus.RINVESMCLASS


@pytest.mark.parametrize("esm_class", [0x00, 0x01, 0x02, 0x03, 0x80])
def test_modes_and_reply_path_do_not_matter(tested: IntakeUnderTest, esm_class: int) -> None:
    """The messaging mode and the reply path leave a message what it is."""
    assert tested.take(submit(esm_class=esm_class)).came.octets == b"KTFX"


@pytest.mark.parametrize("to", ["12520050", "161050"])
def test_a_password_comes_in_one_sms(tested: IntakeUnderTest, to: str) -> None:
    """Parts to the password number are refused: none of a password is ever kept."""
    assert STATUS[tested.refusal(part_of_many(9, 2, 1, b"secr", to=to)).verdict] == CommandStatus.RINVMSGLEN
    assert tested.take(submit(destination_addr=to, short_message=b"secret77")).came.part is None
