"""The slow and exact way through a PDU, for those that the compiled functions give up on.

Requests are judged: the first fault raises PduError, which says what to answer; what does no harm becomes a
note (a NUL behind the last field, a last text without its NUL, a body where none belongs). Responses are
forgiven: what can be read is kept and what was wrong becomes a note, because there is nobody to
answer and an exchange to finish.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final, get_type_hints

from gateway.smpp.errors import EncodeError, PduError
from gateway.smpp.pdu import Pdu, Response
from gateway.smpp.pdus import PDUS
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, NO_TLVS, decode_tlvs, encode_tlvs
from gateway.smpp.wire import (
    HEADER,
    CString,
    DestAddresses,
    FieldError,
    Octet,
    Reader,
    ShortMessage,
    UnsuccessSmes,
    WireType,
    check_c_string,
    check_octet,
    read_dests,
    read_unsuccess,
    write_dests,
    write_unsuccess,
)

_UDHI = 0x40


def _layout(pdu_class: type[Pdu]) -> tuple[tuple[str, WireType], ...]:
    hints = get_type_hints(pdu_class, include_extras=True)
    return tuple(
        (field.name, wire)
        for field in fields(pdu_class)
        for wire in getattr(hints[field.name], "__metadata__", ())
        if isinstance(wire, WireType)
    )


#: The fields of each body in wire order, with what their annotations say about the wire.
LAYOUTS: Final[Mapping[type[Pdu], tuple[tuple[str, WireType], ...]]] = MappingProxyType(
    {pdu_class: _layout(pdu_class) for pdu_class in PDUS}
)


def decode_carefully(pdu_class: type[Pdu], frame: bytes) -> Pdu:
    """The PDU of a frame whose header is sound. Raises PduError, for a request only."""
    _, command_id, command_status, sequence_number = HEADER.unpack_from(frame)
    pdu = pdu_class(command_status=command_status, sequence_number=sequence_number, command_length=len(frame))
    faults = tuple(_read_body(pdu, frame))
    if issubclass(pdu_class, Response):
        bare = command_status and len(frame) == HEADER.size
        pdu.notes += () if bare else tuple(str(fault) for fault in faults)
    elif faults:
        raise PduError(
            faults[0].reason,
            command_status=faults[0].status,
            command_id=command_id,
            sequence_number=sequence_number,
            field=faults[0].field,
        )
    return pdu


def _read_body(pdu: Pdu, frame: bytes) -> Iterator[FieldError]:
    """Fill in body and TLVs as far as they can be read; the faults on the way."""
    reader = Reader(frame)
    layout = LAYOUTS[type(pdu)]
    for place, (name, wire) in enumerate(layout, start=1):
        try:
            setattr(pdu, name, _read(reader, name, wire))
        except FieldError as fault:
            if place == len(layout) and _ends_without_nul(fault, wire):
                pdu.notes += (str(fault),)
            else:
                yield fault
            if fault.value is None:
                return
            setattr(pdu, name, fault.value)
    if reader.position < len(frame):
        broken = _read_optional(pdu, frame, reader.position)
        if broken:
            yield FieldError("tlvs", broken, CommandStatus.RINVTLVSTREAM)
    if not udh_fits(pdu):
        yield FieldError("short_message", "shorter than its user data header", CommandStatus.RINVMSGLEN)


def _ends_without_nul(fault: FieldError, wire: WireType) -> bool:
    """Whether a text lacks nothing but its NUL."""
    return bool(fault.value) and isinstance(wire, CString) and len(fault.value or "") < wire.size


def _read_optional(pdu: Pdu, frame: bytes, position: int) -> str:
    """Fill in the TLVs, behind a NUL that belongs to nothing where there is one; where they break.

    A PDU that has no body may have one all the same: nothing in it says anything.
    """
    pdu.tlvs, notes, broken = decode_tlvs(frame, position)
    if broken and not frame[position]:
        tlvs, its_notes, its_fault = decode_tlvs(frame, position + 1)
        if not its_fault:
            pdu.tlvs, notes, broken = tlvs, (*its_notes, "a NUL behind the last field"), ""
    if broken and not LAYOUTS[type(pdu)]:
        pdu.tlvs, notes, broken = NO_TLVS, ("octets where no body belongs",), ""
    pdu.notes += notes
    return broken


def _read(reader: Reader, name: str, wire: WireType) -> object:
    match wire:
        case Octet():
            return reader.octet(name)
        case CString():
            return reader.c_string(name, wire)
        case ShortMessage():
            return reader.octets(name, reader.octet("sm_length"))
        case DestAddresses():
            return read_dests(reader)
        case UnsuccessSmes():
            return read_unsuccess(reader)


def udh_fits(pdu: Pdu) -> bool:
    """Whether the user data header that esm_class announces lies within the message.

    3GPP 23.040 section 9.2.3.24: its first octet counts the octets that follow it. With no message at
    all there is no header to be wrong.
    """
    if not getattr(pdu, "esm_class", 0) & _UDHI:
        return True
    message = getattr(pdu, "short_message", b"") or pdu.tlvs.get(MESSAGE_PAYLOAD, b"")
    return not (isinstance(message, bytes) and message) or message[0] < len(message)


def explain(pdu: Pdu) -> EncodeError:
    """Why this PDU cannot be encoded: the first field whose value does not fit, and what it must be."""
    try:
        for field in ("command_status", "sequence_number"):
            value = getattr(pdu, field)
            if not isinstance(value, int) or not 0 <= value < 1 << 32:
                raise ValueError(field, "an integer of four octets")
        for field, wire in LAYOUTS[type(pdu)]:
            _check(field, getattr(pdu, field), wire)
        encode_tlvs(pdu.tlvs)
    except ValueError as fault:
        field, limit = fault.args
        return EncodeError(pdu.name, field, limit)
    except (TypeError, AttributeError) as fault:
        return EncodeError(pdu.name, "?", f"of another type: {fault}")
    return EncodeError(pdu.name, "command_length", "of four octets")


def _check(field: str, value: Any, wire: WireType) -> None:
    match wire:
        case Octet():
            check_octet(field, value)
        case CString():
            check_c_string(field, value, wire)
        case ShortMessage():
            if not isinstance(value, bytes) or len(value) > wire.size:
                raise ValueError(field, f"at most {wire.size} octets")
        case DestAddresses():
            write_dests(value)
        case UnsuccessSmes():
            write_unsuccess(value)
