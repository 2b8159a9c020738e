"""Decode, encode and the log form, over every PDU of the table."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.careful import LAYOUTS, decode_carefully
from gateway.smpp.codec import BY_COMMAND_ID, decode, encode
from gateway.smpp.errors import EncodeError, FrameError, PduError
from gateway.smpp.pdu import Pdu, Request, Response
from gateway.smpp.pdus import (
    PDUS,
    BindTransceiver,
    BindTransceiverResp,
    CancelSmResp,
    DeliverSmResp,
    QuerySmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, TAGS, USER_MESSAGE_REFERENCE, TlvValue
from gateway.smpp.wire import CString, DistributionList, SmeAddress, UnsuccessSme
from tests.smpp.strategies import ANY_PDU, TLV_MAPS, values

WORD = "fetion16"
LONG_WORD = "fetion161"


def sample(pdu_class: type[Pdu]) -> Pdu:
    """A PDU with something in every field."""
    pdu = pdu_class(sequence_number=7)
    for number, (name, _) in enumerate(LAYOUTS[pdu_class]):
        match getattr(pdu, name):
            case int():
                setattr(pdu, name, number + 1)
            case str():
                setattr(pdu, name, f"v{number}")
            case bytes():
                setattr(pdu, name, b"text")
    if isinstance(pdu, SubmitMulti):
        pdu.dest_addresses = (SmeAddress(1, 1, "13800138000"), DistributionList("friends"))
    if isinstance(pdu, SubmitMultiResp):
        pdu.unsuccess_smes = (UnsuccessSme(1, 1, "13800138000", CommandStatus.RINVDSTADR),)
    return pdu


@given(ANY_PDU)
def test_decode_encode_is_identity(pdu: Pdu) -> None:
    """decode(encode(x)) is x for every PDU of the table, whatever its values and TLVs."""
    octets = encode(pdu)
    decoded = decode(octets)
    assert decoded == pdu
    assert decoded.command_length == len(octets)
    assert decoded.notes == ()


@given(ANY_PDU, st.data())
def test_compiled_and_careful_agree(pdu: Pdu, data: st.DataObject) -> None:
    """On any frame, whole or damaged, the compiled decoder and the careful one say the same."""
    octets = bytearray(encode(pdu))
    for place in data.draw(st.lists(st.integers(16, max(16, len(octets) - 1)), max_size=3)):
        if place < len(octets):
            octets[place] = data.draw(st.sampled_from((0, 1, 0x40, 255)))
    assert outcome(decode, bytes(octets)) == outcome(lambda x: decode_carefully(type(pdu), x), bytes(octets))


def outcome(decoder: Callable[[bytes], Pdu], frame: bytes) -> object:
    """The PDU with its notes, or the error with its verdict."""
    try:
        pdu = decoder(frame)
    except PduError as error:
        return str(error), error.command_status, error.command_id, error.sequence_number, error.field
    return pdu, pdu.notes, pdu.command_length


@pytest.mark.parametrize("pdu_class", PDUS)
def test_cut_at_every_byte(pdu_class: type[Pdu]) -> None:
    """A frame that ends too early is answered when it is a request, and forgiven when it is a response, or
    when it ends within the text that is its last field."""
    octets = encode(sample(pdu_class))
    name, wire = LAYOUTS[pdu_class][-1] if LAYOUTS[pdu_class] else ("", None)
    last = len(getattr(sample(pdu_class), name)) if isinstance(wire, CString) else 0
    assert decode(octets) == sample(pdu_class)
    for length in range(16, len(octets)):
        cut = length.to_bytes(4, "big") + octets[4:length]
        if len(octets) - 1 - last < length:
            forgiven = decode(cut)
            assert getattr(sample(pdu_class), name).startswith(getattr(forgiven, name))
            assert forgiven.notes
        elif issubclass(pdu_class, Request):
            with pytest.raises(PduError) as refused:
                decode(cut)
            assert (refused.value.command_id, refused.value.sequence_number) == (pdu_class.command_id, 7)
        else:
            assert decode(cut).notes


@pytest.mark.parametrize("pdu_class", PDUS)
def test_short_frames(pdu_class: type[Pdu]) -> None:
    """Octets that are not one frame, or whose command_length lies, are a FrameError."""
    octets = encode(sample(pdu_class))
    for frame in (b"", octets[:15], octets[:-1] or octets[:15], octets + b"\0"):
        with pytest.raises(FrameError):
            decode(frame)


@given(st.sampled_from(PDUS), st.binary(max_size=120))
def test_any_body_gives_a_pdu_or_a_typed_error(pdu_class: type[Pdu], body: bytes) -> None:
    """No body raises anything but PduError, and no response raises at all."""
    header = [16 + len(body), pdu_class.command_id, 0, 9]
    frame = b"".join(number.to_bytes(4, "big") for number in header) + body
    try:
        pdu = decode(frame)
    except PduError:
        assert issubclass(pdu_class, Request)
    else:
        assert type(pdu) is pdu_class


def test_every_pdu_has_its_own_id_and_name() -> None:
    """command_id and name are unique, a response has its request's id with the first bit set."""
    assert len(BY_COMMAND_ID) == len(PDUS) == len({pdu.name for pdu in PDUS})
    for pdu_class in PDUS:
        if issubclass(pdu_class, Request) and pdu_class.response is not None:
            assert pdu_class.response.command_id == pdu_class.command_id | 0x80000000
            assert pdu_class.response.name == pdu_class.name + "_resp"


def test_unknown_command_id() -> None:
    """A command_id of no table is refused with RINVCMDID and the sequence_number that came."""
    with pytest.raises(PduError) as refused:
        decode(bytes.fromhex("00000010000000aa0000000080000001"))
    assert refused.value.command_status == CommandStatus.RINVCMDID
    assert refused.value.sequence_number == 0x80000001
    assert refused.value.field == "command_id"


@pytest.mark.parametrize(
    ("pdu", "octets"),
    [
        (SubmitSmResp(command_status=0x58), 16),
        (SubmitSmResp(command_status=0x58, message_id="1"), 18),
        (SubmitSmResp(command_status=0x58, tlvs={TAGS["congestion_state"]: 99}), 22),
        (SubmitSmResp(), 17),
        (BindTransceiverResp(command_status=0x0E), 16),
        (CancelSmResp(command_status=0x11), 16),
        (DeliverSmResp(command_status=0x64), 17),
        (QuerySmResp(command_status=0x67), 20),
    ],
)
def test_body_of_an_error_response(pdu: Response, octets: int) -> None:
    """A response with an error status and nothing to say has no body, where the specification says so."""
    assert len(encode(pdu)) == octets


@pytest.mark.parametrize(
    ("pdu", "field"),
    [
        (SubmitSm(source_addr="1" * 21), "source_addr"),
        (SubmitSm(source_addr="飞信"), "source_addr"),
        (SubmitSm(destination_addr="1\0"), "destination_addr"),
        (SubmitSm(esm_class=256), "esm_class"),
        (SubmitSm(esm_class=-1), "esm_class"),
        (SubmitSm(short_message=b"x" * 256), "short_message"),
        (SubmitSm(command_status=-1), "command_status"),
        (SubmitSm(sequence_number=1 << 32), "sequence_number"),
        (SubmitSm(tlvs={USER_MESSAGE_REFERENCE: 65536}), "TLV user_message_reference"),
        (SubmitSm(tlvs={USER_MESSAGE_REFERENCE: "1"}), "TLV user_message_reference"),
        (SubmitSm(tlvs={MESSAGE_PAYLOAD: b"x" * 65536}), "TLV message_payload"),
        (SubmitSm(tlvs={TAGS["receipted_message_id"]: "x" * 65}), "TLV receipted_message_id"),
        (SubmitSm(tlvs={TAGS["receipted_message_id"]: "信"}), "TLV receipted_message_id"),
        (SubmitSm(tlvs={0x1400: 1}), "TLV 0x1400"),
        (SubmitSm(tlvs={65536: b""}), "TLV 65536"),
        (BindTransceiver(password=LONG_WORD), "password"),
        (SubmitMulti(dest_addresses=(SmeAddress(0, 0, "1" * 21),)), "destination_addr"),
        (SubmitMulti(dest_addresses=(DistributionList("1" * 21),)), "dl_name"),
        (SubmitMulti(dest_addresses=(SmeAddress(),) * 256), "dest_addresses"),
        (SubmitMultiResp(unsuccess_smes=(UnsuccessSme(0, 0, "", -1),)), "error_status_code"),
    ],
)
def test_encode_names_what_does_not_fit(pdu: Pdu, field: str) -> None:
    """A value that its field cannot carry is an error with the field and its limit, never a shorter value."""
    with pytest.raises(EncodeError) as bug:
        encode(pdu)
    assert bug.value.field == field
    assert bug.value.limit


@pytest.mark.parametrize("pdu_class", [pdu for pdu in PDUS if LAYOUTS[pdu]])
@pytest.mark.parametrize("wrong", [None, 1.5, "x", b"x", 7, ["x"]])
def test_values_of_another_type(pdu_class: type[Pdu], wrong: object) -> None:
    """A value of a type that its field does not have is an EncodeError, whatever the field."""
    for name, _ in LAYOUTS[pdu_class]:
        pdu = sample(pdu_class)
        if type(getattr(pdu, name)) is type(wrong):
            continue
        setattr(pdu, name, wrong)
        with pytest.raises(EncodeError):
            encode(pdu)


@given(st.sampled_from(PDUS), TLV_MAPS, st.data())
def test_encode_raises_nothing_untyped(
    pdu_class: type[Pdu], tlvs: dict[int, TlvValue], data: st.DataObject
) -> None:
    """Values from the wrong field, number or kind encode or raise EncodeError."""
    wires = [wire for each in PDUS for _, wire in LAYOUTS[each]]
    pdu = pdu_class(sequence_number=1)
    for name, _ in LAYOUTS[pdu_class]:
        setattr(pdu, name, data.draw(values(data.draw(st.sampled_from(wires)))))
    pdu.tlvs = dict(zip(reversed(tlvs), tlvs.values(), strict=True))
    with suppress(EncodeError):
        assert encode(pdu)


def test_repr_shows_the_header_only() -> None:
    """A repr ends up in logs and tracebacks, so it holds no field of the body."""
    shown = repr(BindTransceiver(system_id="smsc", password=WORD, sequence_number=3))
    assert WORD not in shown
    assert "bind_transceiver 3" in shown
