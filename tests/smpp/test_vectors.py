"""Octets of our own and of public test suites behave as their verdict says."""

import pytest

from gateway.smpp.codec import decode, encode
from gateway.smpp.errors import EncodeError, FrameError, PduError
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdu import Pdu
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import BY_TAG
from tests.smpp.vectors import OWN, PUBLIC, Vector, as_expected, expected_tlvs, load

OWN_VECTORS = load(OWN, "own_*.jsonl")
PUBLIC_VECTORS = load(PUBLIC, "public_*.jsonl")
WITHOUT_PUBLIC = pytest.param(
    None, marks=pytest.mark.skip(reason="the public vectors lie outside the project and are not there")
)
VECTORS = [pytest.param(vector, id=vector.name) for vector in OWN_VECTORS + PUBLIC_VECTORS]
DECODABLE = [
    pytest.param(vector, id=vector.name)
    for vector in OWN_VECTORS + PUBLIC_VECTORS
    if vector.verdict in ("ok", "warn")
]
if not PUBLIC_VECTORS:
    VECTORS.append(WITHOUT_PUBLIC)


FORGIVEN = {"pub-053", "pub-161", "pub-162", "pub-169", "pub-228"}
"""Requests that other libraries send, and that their verdict refuses: a NUL behind short_message, octets in a
PDU without a body. They do no harm, so a note is made of that."""


def first_pdu(vector: Vector) -> Pdu:
    """What lies in front: octets behind the first command_length are the next PDU's."""
    length = int.from_bytes(vector.octets[:4], "big")
    return decode(FrameSplitter().feed(vector.octets[:length])[0])


@pytest.mark.parametrize("vector", VECTORS)
def test_verdict(vector: Vector) -> None:
    """A vector decodes, waits, is answered or ends the stream, as its verdict says."""
    if vector.verdict == "fatal":
        with pytest.raises(FrameError) as fatal:
            FrameSplitter().feed(vector.octets)
        assert fatal.value.command_status == CommandStatus.RINVCMDLEN
    elif vector.verdict == "incomplete":
        assert FrameSplitter().feed(vector.octets) == []
    elif vector.name in FORGIVEN:
        pdu = first_pdu(vector)
        assert as_expected(pdu, set(vector.expected["fields"])) == vector.expected["fields"]
        assert pdu.notes
    elif vector.verdict == "respond_error":
        with pytest.raises(PduError) as refused:
            first_pdu(vector)
        assert refused.value.sequence_number == vector.expected["sequence_number"]
        assert refused.value.command_id == vector.expected["command_id"]
        assert refused.value.command_status != CommandStatus.ROK
    else:
        check_decoded(vector)


def check_decoded(vector: Vector) -> None:
    """ok and warn: header, fields and TLVs are the expected ones; warn leaves a note, ok leaves none
    but for a TLV whose length does not fit."""
    pdu = first_pdu(vector)
    expected = vector.expected
    assert pdu.name == expected["command"]
    assert pdu.command_id == expected["command_id"]
    assert pdu.command_status == expected["command_status"]
    assert pdu.sequence_number == expected["sequence_number"]
    assert as_expected(pdu, set(expected["fields"])) == expected["fields"]
    assert dict(pdu.tlvs) == expected_tlvs(expected["tlvs"])
    odd_tlvs = [
        tlv
        for tlv in expected["tlvs"]
        if (row := BY_TAG.get(tlv["tag"])) and not row.least <= tlv["length"] <= row.most
    ]
    assert bool(pdu.notes) == (vector.verdict == "warn" or bool(odd_tlvs))


@pytest.mark.parametrize("vector", DECODABLE)
def test_decode_encode_decode_is_fixed(vector: Vector) -> None:
    """What was decoded can be encoded, and decodes to the same again, now without a note on its form."""
    pdu = first_pdu(vector)
    if vector.name == "pub-047":  # a final_date of 20 characters is forgiven, never sent
        with pytest.raises(EncodeError):
            encode(pdu)
        return
    assert decode(encode(pdu)) == pdu


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("own-284", CommandStatus.RINVCMDLEN),
        ("own-286", CommandStatus.RINVCMDLEN),
        ("own-292", CommandStatus.RINVMSGLEN),
        ("own-297", CommandStatus.RINVMSGLEN),
        ("own-310", CommandStatus.RINVTLVSTREAM),
        ("own-311", CommandStatus.RINVMSGLEN),
        ("own-317", CommandStatus.RINVTLVSTREAM),
        ("own-320", CommandStatus.RINVSRCADR),
        ("own-338", CommandStatus.RINVCMDLEN),
        ("own-340", CommandStatus.RINVPASWD),
        ("own-342", CommandStatus.RINVSYSID),
        ("own-347", CommandStatus.RINVDESTFLAG),
        ("own-349", CommandStatus.RINVCMDID),
        ("own-351", CommandStatus.RINVCMDID),
    ],
)
def test_status_names_the_fault(name: str, status: CommandStatus) -> None:
    """The status that answers a malformed request is the one that SMPP has for that fault."""
    [vector] = [vector for vector in OWN_VECTORS if vector.name == name]
    with pytest.raises(PduError) as refused:
        first_pdu(vector)
    assert refused.value.command_status == status
