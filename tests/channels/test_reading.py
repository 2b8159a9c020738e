"""PDUs that carry an SMS, as the middle of the gateway sees them."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.contract import Bind
from gateway.channels.smpp.reading import PASSED, Carrier, read, reader_of
from gateway.errors import Refusal, Verdict
from gateway.message import PartHeader
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, TlvValue, decode_tlvs
from tests.support import ALICE, GSM

NOBODY = cast(Bind, None)
CARRIERS: tuple[type[SubmitSm] | type[DeliverSm], ...] = (SubmitSm, DeliverSm)
VENDOR = 0x1401
HEADER = bytes((5, 0, 3, 7, 2, 1))


def carriers(octets: bytes, tlvs: dict[int, TlvValue] | None = None, **more: Any) -> list[Carrier]:
    """The same SMS in each PDU that can carry one."""
    about = {"source_addr": ALICE, "source_addr_ton": 2, "destination_addr": " 161", "data_coding": 8, **more}
    return [
        *(pdu(**about, short_message=octets, tlvs=tlvs or {}) for pdu in CARRIERS),
        DataSm(**about, tlvs={MESSAGE_PAYLOAD: octets, **(tlvs or {})}),
    ]


@given(st.binary(min_size=1, max_size=140))
def test_an_sms_is_the_same_in_each(octets: bytes) -> None:
    """Octets and addresses; nothing of a part."""
    for pdu in carriers(octets):
        inbound = read(NOBODY, GSM, pdu, 1.0)
        assert (inbound.octets, inbound.part, inbound.tlvs) == (octets, None, b"")
        assert (inbound.source, inbound.source_ton, inbound.destination) == (ALICE, 2, "161")


def test_a_part_is_the_same_in_each() -> None:
    """By its user data header, and by TLVs."""
    for pdu in carriers(HEADER + b"text", esm_class=0x40):
        inbound = read(NOBODY, GSM, pdu, 1.0)
        assert (inbound.octets, inbound.part) == (b"text", PartHeader("udh8", 7, 2, 1))
    for pdu in carriers(b"text", {0x020C: 700, 0x020E: 2, 0x020F: 1}):
        inbound = read(NOBODY, GSM, pdu, 1.0)
        assert (inbound.octets, inbound.part) == (b"text", PartHeader("sar", 700, 2, 1))


def test_what_cannot_be_read() -> None:
    """A header that is longer than the SMS, and what is no SMS, are refused in each."""
    for esm_class, verdict in ((0x40, Verdict.UNREADABLE), (0x04, Verdict.NOT_A_MESSAGE)):
        for pdu in carriers(b"\xfftext", esm_class=esm_class):
            with pytest.raises(Refusal) as caught:
                read(NOBODY, GSM, pdu, 1.0)
            assert caught.value.verdict is verdict


@pytest.mark.parametrize(
    ("written", "understood"),
    [("106161", "161"), ("161", "161"), ("106", "106"), (" 106161", "161"), ("10610612520", "10612520")],
)
def test_the_prefix_of_the_peer(written: str, understood: str) -> None:
    """It comes off once, where something stands behind it."""
    reader = reader_of("106", frozenset())
    for pdu in carriers(b"text", destination_addr=written):
        assert reader(NOBODY, GSM, pdu, 1.0).destination == understood


def test_tlvs_that_come_back() -> None:
    """Those that are named, as they came, up to so many octets; nobody pays who wants none."""
    assert reader_of("", frozenset()) is read
    reader = reader_of("", frozenset({VENDOR, 0x1402, 0x1403}))
    came: dict[int, TlvValue] = {VENDOR: b"a", 0x1404: b"no", 0x1403: b""}
    for pdu in carriers(b"text", came):
        passed = reader(NOBODY, GSM, pdu, 1.0).tlvs
        assert decode_tlvs(passed, 0) == ({VENDOR: b"a", 0x1403: b""}, (), "")
    for size in (PASSED - 4, PASSED - 3):
        [pdu, *_] = carriers(b"text", {VENDOR: bytes(size)})
        assert len(reader(NOBODY, GSM, pdu, 1.0).tlvs) == (PASSED if size == PASSED - 4 else 0)
