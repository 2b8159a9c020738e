"""What a message says, field by field; and that no values of the fields do any harm."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.channels.contract import Bind, Inbound
from gateway.channels.smpp.reading import Carrier, Reader, content, message_type
from gateway.errors import Refusal, Verdict
from gateway.smpp.careful import LAYOUTS
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import UDHI
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import BindTransceiver, DataSm, DeliverSm, EnquireLink, EnquireLinkResp, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.support import BY_GATEWAY, BY_SESSION, RECEIVED
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, TAGS
from gateway.testing import RunningGateway, running_gateway
from tests.peers import Sending
from tests.proofs.served import lines
from tests.smpp.strategies import TLV_MAPS, pdus_of, values
from tests.support import ALICE, GSM, START_MS, Wire

HOUR = "000000010000000R"
MARK = b"\xfe\xff"


@dataclass
class Read:
    """A reader, and what it noted."""

    alphabet: Alphabet = GSM
    notes: list[str] = field(default_factory=list)
    bind: Bind = field(default_factory=lambda: Sending().bind().bind)

    def of(self, pdu: Carrier) -> Inbound:
        """Read a message."""
        return Reader(lambda: START_MS, self._note).read(self.bind, self.alphabet, pdu, 5.0)

    def _note(self, bind: Bind, _: Carrier, reason: str) -> None:
        assert bind is self.bind
        self.notes.append(reason)


@pytest.fixture
def reading() -> Read:
    """With the usual alphabet."""
    return Read()


def message(kind: type[Carrier], **fields: Any) -> Carrier:
    """CXFX to 161, unless told otherwise."""
    usual = {"source_addr": ALICE, "destination_addr": "161", "data_coding": 1, **fields}
    if kind is DataSm:
        return DataSm(**{"tlvs": {MESSAGE_PAYLOAD: b"CXFX"}, **usual})
    return kind(**{"short_message": b"CXFX", **usual})


@pytest.mark.parametrize("kind", [SubmitSm, DeliverSm, DataSm])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source_addr_ton": 1, "source_addr_npi": 1, "dest_addr_ton": 6, "dest_addr_npi": 18},
        {"esm_class": 0x03, "registered_delivery": 0x1F},
        {"esm_class": 0x80, "service_type": "WAP"},
    ],
    ids=["plain", "numbers", "modes", "reply path"],
)
def test_what_is_not_worth_a_note(reading: Read, kind: type[Carrier], fields: dict[str, Any]) -> None:
    """Values that SMPP has are taken as they are."""
    inbound = reading.of(message(kind, **fields))
    assert inbound.octets == b"CXFX"
    assert inbound.registered == fields.get("registered_delivery", 0)
    assert reading.notes == []


def test_several_oddities_are_one_note(reading: Read) -> None:
    """All that is odd about one SMS is said at once."""
    reading.of(message(SubmitSm, source_addr_ton=7, priority_flag=9, short_message=b"CXFX\0"))
    assert reading.notes == ["source_addr_ton 7; priority_flag 9; a NUL at the end of the text"]


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"schedule_delivery_time": HOUR}, Verdict.BAD_SCHEDULE),
        ({"schedule_delivery_time": "later"}, Verdict.BAD_SCHEDULE),
        ({"validity_period": "later"}, Verdict.BAD_VALIDITY),
        ({"replace_if_present_flag": 2}, Verdict.BAD_REPLACE),
        ({"sm_default_msg_id": 255}, Verdict.PREDEFINED),
        ({"sm_default_msg_id": 1, "short_message": b""}, Verdict.PREDEFINED),
        ({"esm_class": 0x08}, Verdict.NOT_A_MESSAGE),
        ({"esm_class": UDHI, "short_message": b"\x05"}, Verdict.UNREADABLE),
    ],
)
def test_wishes_that_are_refused(reading: Read, fields: dict[str, Any], verdict: Verdict) -> None:
    """A submit_sm that, followed, would be another SMS or executed at another time is refused."""
    with pytest.raises(Refusal) as refused:
        reading.of(message(SubmitSm, **fields))
    assert refused.value.verdict is verdict


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"schedule_delivery_time": HOUR}, "schedule_delivery_time"),
        ({"validity_period": "later"}, "validity_period: a time of 5 characters, must be 16"),
        ({"replace_if_present_flag": 2}, "replace_if_present_flag 2"),
        ({"sm_default_msg_id": 255}, "sm_default_msg_id 255"),
        ({"priority_flag": 4}, "priority_flag 4"),
    ],
)
def test_a_centre_is_never_refused_for_them(reading: Read, fields: dict[str, Any], note: str) -> None:
    """SMPP has these fields empty in a deliver_sm: what stands there is noted, and no handset is silenced."""
    inbound = reading.of(message(DeliverSm, **fields))
    assert (inbound.octets, inbound.expires_at) == (b"CXFX", 0)
    assert reading.notes == [note]


def test_the_validity_of_a_centre_counts(reading: Read) -> None:
    """A validity in a deliver_sm that can be read is followed, as that of a submit_sm."""
    for kind in (SubmitSm, DeliverSm):
        assert reading.of(message(kind, validity_period=HOUR)).expires_at == START_MS + 3_600_000
    assert reading.notes == []


@pytest.mark.parametrize(("seconds", "end"), [(60, START_MS + 60_000), (0, 0), (b"\1", 0)])
def test_qos_time_to_live(reading: Read, seconds: Any, end: int) -> None:
    """It counts in data_sm only, and only where it is an integer."""
    tlvs = {TAGS["qos_time_to_live"]: seconds}
    assert reading.of(message(DataSm, tlvs={MESSAGE_PAYLOAD: b"CXFX", **tlvs})).expires_at == end
    assert reading.of(message(SubmitSm, tlvs=tlvs)).expires_at == 0


@pytest.mark.parametrize(
    ("data_coding", "octets", "notes"),
    [
        (0, b"CXFX\0", ["a NUL at the end of the text"]),
        (1, b"CXFX\0\0\0", ["a NUL at the end of the text"]),
        (3, b"CXFX\0", ["a NUL at the end of the text"]),
        (8, "CXFX\0".encode("utf-16-be"), ["a NUL at the end of the text"]),
        (8, MARK + "CXFX".encode("utf-16-be"), ["a byte order mark"]),
        (8, b"\xff\xfe" + "CXFX\0".encode("utf-16-le"), ["a byte order mark; a NUL at the end of the text"]),
        (15, "查询\0".encode("gbk"), ["a NUL at the end of the text"]),
        (8, "统一".encode("utf-16-be"), []),  # ends in 4E 00
        (8, "！".encode("utf-16-be"), []),  # begins with FF
        (4, b"data\0", []),
        (15, "锟斤拷".encode("gbk"), []),
    ],
)
def test_what_the_alphabet_drops_is_noted(
    reading: Read, data_coding: int, octets: bytes, notes: list[str]
) -> None:
    """A byte order mark and NULs at the end are noted, in any alphabet; an octet 00 that belongs to a letter
    is not. The octets stay as they are: they tell retransmissions."""
    for kind in (SubmitSm, DeliverSm):
        reading.notes.clear()
        inbound = reading.of(message(kind, data_coding=data_coding, short_message=octets))
        assert (inbound.octets, reading.notes) == (octets, notes)
        text = inbound.alphabet.decode(octets, data_coding)
        assert not notes or text in ("CXFX", "查询")


@pytest.mark.parametrize(
    ("number", "notes"), [(1, ["a byte order mark"]), (2, []), (3, ["a NUL at the end of the text"])]
)
def test_the_ends_of_a_long_message(reading: Read, number: int, notes: list[str]) -> None:
    """A mark counts in the first part only, a NUL in the last one."""
    octets = bytes((5, 0, 3, 7, 3, number)) + MARK + "好\0".encode("utf-16-be")
    inbound = reading.of(message(SubmitSm, data_coding=8, esm_class=UDHI, short_message=octets))
    assert inbound.part is not None
    assert reading.notes == notes


def test_the_type_and_the_content(reading: Read) -> None:
    """What shows PDUs reads the text of a message that is refused for another field."""
    odd = message(SubmitSm, schedule_delivery_time=HOUR)
    assert content(reading.bind, GSM, odd, 5.0).octets == b"CXFX"
    assert message_type(odd) == 0
    assert message_type(message(DeliverSm, esm_class=0xC7)) == 0x04
    with pytest.raises(Refusal):
        content(reading.bind, GSM, message(DeliverSm, esm_class=0x04), 5.0)


# Whatever the fields hold

DOCUMENTED = {  # but for RSYSERR: nothing is wrong with the store
    CommandStatus.ROK,
    *(status for status, _ in (*BY_SESSION, *BY_GATEWAY) if status is not CommandStatus.RSYSERR),
    *(status for support in RECEIVED.values() for each in support.values() for status, _ in each.refusals),
}


def _fields(kind: type[Pdu]) -> st.SearchStrategy[dict[str, Any]]:
    """Values of the fields, most of them as they should be."""
    usual = {"source_addr": ALICE, "destination_addr": "161", "short_message": b"CXFX"}
    return st.fixed_dictionaries(
        {},
        optional={
            name: st.just(usual[name]) | values(wire) if name in usual else values(wire)
            for name, wire in LAYOUTS[kind]
        },
    )


def messages() -> st.SearchStrategy[Carrier]:
    """Messages of any content."""
    kinds = st.sampled_from([SubmitSm, DataSm])
    return kinds.flatmap(
        lambda kind: st.builds(
            lambda fields, tlvs: message(kind, **fields, **({"tlvs": tlvs} if tlvs else {})),
            _fields(kind),
            TLV_MAPS,
        )
    )


@given(pdus_of(DeliverSm), st.booleans())
def test_any_deliver_sm_is_an_sms_or_is_refused(pdu: DeliverSm, sized: bool) -> None:
    """Nothing but a Refusal is raised, and that for its type or its user data header only."""
    if sized:
        pdu.short_message = b"CXFX"
    verdict = None
    try:
        assert Read().of(pdu).origin is pdu
    except Refusal as refused:
        verdict = refused.verdict
    assert verdict in (None, Verdict.NOT_A_MESSAGE, Verdict.UNREADABLE)
    assert (verdict is Verdict.NOT_A_MESSAGE) == bool(message_type(pdu))


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    """An event loop for all examples."""
    with asyncio.Runner() as runner:
        yield runner


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(messages(), min_size=1, max_size=20))
def test_any_fields_get_a_documented_status(
    loop: asyncio.Runner, live: RunningGateway, sent: list[Carrier]
) -> None:
    """Whatever the fields hold, each message gets one response with a status that the statement names, and
    the gateway answers the next request."""
    loop.run(_answers(live, sent))


async def _answers(live: RunningGateway, sent: list[Carrier]) -> None:
    async with Wire.to(live.account.port) as wire:
        await wire.bind(BindTransceiver(system_id="smsc", password="fetion16", sequence_number=1))
        for number, pdu in enumerate(sent, start=2):
            pdu.sequence_number = number
            wire.send(pdu)
        answers: dict[int, int] = {}
        while len(answers) < len(sent):
            read = await wire.read()
            assert read is not None
            if isinstance(read, DeliverSm):
                wire.send(DeliverSm.response(sequence_number=read.sequence_number))
            else:
                assert read.sequence_number not in answers
                answers[read.sequence_number] = read.command_status
        wire.send(EnquireLink(sequence_number=1))
        while isinstance(read := await wire.read(), DeliverSm):
            wire.send(DeliverSm.response(sequence_number=read.sequence_number))
        assert isinstance(read, EnquireLinkResp)
    assert set(answers.values()) <= DOCUMENTED
    assert [line for line in lines(live.log_file()) if line["level"] == "error"] == []


@pytest.fixture(scope="module")
def live(loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A running gateway for all examples."""
    running = running_gateway(
        Path(tmp_path_factory.mktemp("gateway")), {"limits": {"instructions_per_minute": 10_000}}
    )

    async def enter() -> RunningGateway:
        return await running.__aenter__()

    async def leave() -> None:
        await running.__aexit__(None, None, None)

    yield loop.run(enter())
    loop.run(leave())
