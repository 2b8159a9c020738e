"""Our codec beside smpplib 2.2.4: the same PDU has the same octets, and each reads the other's."""

from dataclasses import dataclass
from typing import Any

import pytest
from smpplib import smpp

from gateway.smpp.careful import LAYOUTS
from gateway.smpp.codec import decode, encode
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.tlvs import TAGS, TlvValue, name_of

BIND: dict[str, Any] = {
    "system_id": "smsc",
    "password": "fetion16",
    "system_type": "fetion",
    "addr_ton": 1,
    "addr_npi": 1,
    "address_range": "^12520",
}
PARTIES: dict[str, Any] = {
    "service_type": "CMT",
    "source_addr_ton": 1,
    "source_addr_npi": 1,
    "source_addr": "8613800138000",
    "dest_addr_ton": 2,
    "dest_addr_npi": 8,
    "destination_addr": "12520050",
}
MESSAGE: dict[str, Any] = {
    **PARTIES,
    "esm_class": 0x03,
    "protocol_id": 0x41,
    "priority_flag": 3,
    "schedule_delivery_time": "070315120000032+",
    "validity_period": "000002000000000R",
    "registered_delivery": 1,
    "replace_if_present_flag": 1,
    "data_coding": 8,
    "sm_default_msg_id": 7,
    "short_message": "开通飞信".encode("utf-16-be"),
}
Tlvs = dict[int, TlvValue]

SEGMENT: Tlvs = {TAGS["sar_msg_ref_num"]: 513, TAGS["sar_total_segments"]: 3, TAGS["sar_segment_seqnum"]: 2}
PAYLOAD: Tlvs = {TAGS["user_message_reference"]: 7, TAGS["message_payload"]: b"x" * 300}
RECEIPT: Tlvs = {TAGS["message_state"]: 2, TAGS["receipted_message_id"]: "0123456789"}

# smpplib writes TLVs in an order of its own; these stand in it. It has no responses without a body.
PDUS: list[Pdu] = [
    BindReceiver(**BIND),
    BindTransmitter(**BIND),
    BindTransceiver(**BIND),
    BindTransceiver(),
    BindReceiverResp(system_id="fetion"),
    BindTransmitterResp(system_id="fetion"),
    BindTransceiverResp(system_id="fetion", tlvs={TAGS["sc_interface_version"]: 0x34}),
    SubmitSm(**MESSAGE),
    SubmitSm(**PARTIES),
    SubmitSm(**MESSAGE, tlvs={TAGS["user_message_reference"]: 7} | SEGMENT),
    SubmitSm(**PARTIES, tlvs=PAYLOAD),
    SubmitSmResp(message_id="0123456789abcdef"),
    DeliverSm(**MESSAGE),
    DeliverSm(**PARTIES, esm_class=4, tlvs=RECEIPT),
    DeliverSmResp(),
    DataSm(**PARTIES, esm_class=1, registered_delivery=1, data_coding=8),
    DataSm(**PARTIES, tlvs=SEGMENT | {TAGS["message_payload"]: b"KTFX"}),
    DataSmResp(message_id="0123456789abcdef"),
    EnquireLink(),
    EnquireLinkResp(),
    Unbind(),
    UnbindResp(),
    GenericNack(command_status=3),
]


@dataclass
class Numbers:
    """What smpplib needs to make a PDU: something that gives sequence numbers."""

    sequence: int

    def next_sequence(self) -> int:
        """The number that every PDU gets."""
        return self.sequence


def fields(pdu: Pdu) -> dict[str, Any]:
    """Fields and TLVs by name: smpplib keeps both in one place."""
    body = {name: getattr(pdu, name) for name, _ in LAYOUTS[type(pdu)]}
    return body | {name_of(tag): value for tag, value in pdu.tlvs.items()}


@pytest.fixture(params=PDUS, ids=[f"{number}-{pdu.name}" for number, pdu in enumerate(PDUS)])
def pdu(request: pytest.FixtureRequest) -> Pdu:
    """One of the PDUs, with a number."""
    each: Pdu = request.param
    each.sequence_number = 0x01020304
    return each


@pytest.fixture
def theirs(pdu: Pdu) -> bytes:
    """The octets that smpplib makes of the same fields."""
    made = smpp.make_pdu(pdu.name, client=Numbers(pdu.sequence_number), **fields(pdu))
    made.sequence = pdu.sequence_number  # responses have no other way
    made.status = pdu.command_status
    octets: bytes = made.generate()
    return octets


def test_same_octets(pdu: Pdu, theirs: bytes) -> None:
    """Ours and theirs are the same octets."""
    assert encode(pdu) == theirs


def test_we_read_theirs(pdu: Pdu, theirs: bytes) -> None:
    """Their octets decode to our PDU, without a note."""
    decoded = decode(theirs)
    assert decoded == pdu
    assert decoded.notes == ()


def test_they_read_ours(pdu: Pdu) -> None:
    """Our octets give smpplib the same fields; its strings are bytes, and nothing is None."""
    parsed = smpp.parse_pdu(encode(pdu), client=Numbers(0))
    assert (parsed.command, parsed.status, parsed.sequence) == (
        pdu.name,
        pdu.command_status,
        pdu.sequence_number,
    )
    for name, value in fields(pdu).items():
        expected = value.encode("latin-1") if isinstance(value, str) else value
        assert (getattr(parsed, name) or b"") == (expected or b""), name
