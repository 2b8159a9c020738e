"""Long messages: a text cut into segments, and segments joined again.

Three ways to number the segments of one message are in use: a concatenation element in the user data
header with an 8-bit or a 16-bit reference (3GPP TS 23.040 sections 9.2.3.24.1 and 9.2.3.24.8), or the
three SAR TLVs (SMPP 3.4 sections 5.3.2.22 to 5.3.2.24). A fourth way is not to cut: message_payload
(SMPP 3.4 section 5.3.2.32).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from gateway.smpp.coding import LATIN, Alphabet
from gateway.smpp.tlvs import MESSAGE_PAYLOAD as MESSAGE_PAYLOAD
from gateway.smpp.tlvs import NO_TLVS, TlvValue
from gateway.smpp.tlvs import SAR_MSG_REF_NUM as SAR_MSG_REF_NUM
from gateway.smpp.tlvs import SAR_SEGMENT_SEQNUM as SAR_SEGMENT_SEQNUM
from gateway.smpp.tlvs import SAR_TOTAL_SEGMENTS as SAR_TOTAL_SEGMENTS

Kind: TypeAlias = Literal["udh8", "udh16", "sar"]
Method: TypeAlias = Literal["udh8", "udh16", "sar", "payload"]
Tlvs: TypeAlias = Mapping[int, object]

UDHI: Final = 0x40
"""The bit of esm_class that says: a user data header stands before the text (SMPP 3.4 section 5.2.12)."""

MAX_SEGMENTS: Final = 255
MAX_PAYLOAD: Final = 0xFFFF
"""Octets of a message_payload."""

_USER_DATA: Final = 140
"""Octets that one SMS has on the air for header and text."""
_CONCATENATION_8: Final = 0x00
_CONCATENATION_16: Final = 0x08

# Octets of the user data header on the air. The message centre makes one out of the SAR TLVs, whose
# reference has 16 bits.
_HEADER_OCTETS: Final[Mapping[Kind, int]] = MappingProxyType({"udh8": 6, "udh16": 7, "sar": 7})


class MessageTooLongError(ValueError):
    """A text needs more segments than 255 or than asked for, or more than 65,535 octets of
    message_payload."""

    def __init__(self, needed: int, limit: int, unit: str) -> None:
        super().__init__(f"the text needs {needed} {unit}, the limit is {limit}")


class BrokenUdhError(ValueError):
    """esm_class announces a user data header that is longer than the message."""


@dataclass(slots=True)
class Segment:
    """One outgoing SMS: the fields it has in a submit_sm or deliver_sm."""

    octets: bytes
    """short_message, with the user data header if esm_class has UDHI."""
    data_coding: int
    esm_class: int = 0
    tlvs: Mapping[int, TlvValue] = field(default_factory=lambda: NO_TLVS)


@dataclass(frozen=True, slots=True)
class PartHeader:
    """Where an incoming part belongs. Parts with equal kind, reference and total are of one message."""

    kind: Kind
    reference: int
    total: int
    number: int
    """1 to total."""


def segments(
    text: str, alphabet: Alphabet, reference: int, method: Method, most: int = MAX_SEGMENTS
) -> list[Segment]:
    """The SMS that carry a text, at most so many; a text that fits into one SMS becomes a plain one.

    One SMS holds 160 septets (octets of data_coding 0) or 70 UTF-16 units; one of several 153 or 67
    with an 8-bit reference, 152 or 66 with a 16-bit one. An escape pair or a surrogate pair is never cut.
    `reference` is taken modulo 256 or 65,536, as TS 23.040 counts it.

    Raises MessageTooLongError, and UnicodeEncodeError for a lone surrogate.
    """
    data_coding, octets = alphabet.encode(text)
    if len(octets) <= _room(data_coding, 0):
        return [Segment(octets, data_coding, 0, NO_TLVS)]
    if method == "payload":
        if most < MAX_SEGMENTS:  # as many are on the air: the message centre cuts it
            _cut(octets, data_coding, alphabet, "udh8", most)
        return [Segment(b"", data_coding, 0, {MESSAGE_PAYLOAD: _payload(octets)})]
    pieces = _cut(octets, data_coding, alphabet, method, most)
    if method == "sar":
        return [
            Segment(piece, data_coding, 0, _sar_tlvs(reference, len(pieces), number))
            for number, piece in enumerate(pieces, start=1)
        ]
    udh = _udh_start(method, reference, len(pieces))
    return [
        Segment(udh + bytes((number,)) + piece, data_coding, UDHI)
        for number, piece in enumerate(pieces, start=1)
    ]


def _room(data_coding: int, header_octets: int) -> int:
    """How many octets of short_message are left for text, with unpacked septets for data_coding 0."""
    octets = _USER_DATA - header_octets
    return octets * 8 // 7 if data_coding == LATIN else octets


def _payload(octets: bytes) -> bytes:
    if len(octets) > MAX_PAYLOAD:
        raise MessageTooLongError(len(octets), MAX_PAYLOAD, "octets")
    return octets


def _cut(octets: bytes, data_coding: int, alphabet: Alphabet, kind: Kind, most: int) -> list[bytes]:
    room = _room(data_coding, _HEADER_OCTETS[kind])
    pieces = []
    start = 0
    while len(octets) - start > room:
        end = alphabet.boundary(octets, data_coding, start + room)
        pieces.append(octets[start:end])
        start = end
    pieces.append(octets[start:])
    if len(pieces) > most:
        raise MessageTooLongError(len(pieces), most, "segments")
    return pieces


def _sar_tlvs(reference: int, total: int, number: int) -> dict[int, TlvValue]:
    return {
        SAR_MSG_REF_NUM: reference % 0x10000,
        SAR_TOTAL_SEGMENTS: total,
        SAR_SEGMENT_SEQNUM: number,
    }


def _udh_start(kind: Literal["udh8", "udh16"], reference: int, total: int) -> bytes:
    """The user data header of all segments up to the segment's number, which is its last octet."""
    if kind == "udh8":
        return bytes((5, _CONCATENATION_8, 3, reference % 0x100, total))
    return bytes((6, _CONCATENATION_16, 4, *divmod(reference % 0x10000, 0x100), total))


def needs_tlvs(segment: Segment) -> bool:
    """Whether a TLV holds the text of an outgoing SMS, or its place in a long one."""
    return MESSAGE_PAYLOAD in segment.tlvs or SAR_MSG_REF_NUM in segment.tlvs


def part_of(octets: bytes, esm_class: int, tlvs: Tlvs) -> tuple[PartHeader | None, bytes]:
    """Whether an incoming message is a part of a longer one, and its text octets without the header.

    `octets` is the short_message. message_payload takes its place when it is there and has octets, so
    that it wins when both do. A concatenation element of the user data header wins over SAR TLVs; the
    last one counts if there are several, other elements are ignored (3GPP TS 23.040 section 9.2.3.24).

    The header is None for a message that is complete: without numbering, with one that makes no sense
    (number 0 or above total, total 0) or is incomplete (SAR), or with total 1. A user data header whose
    elements do not fill it exactly is cut off and otherwise ignored, as the same section demands.

    Raises BrokenUdhError when the header is longer than the message.
    """
    if not tlvs and not esm_class & UDHI:
        return None, octets
    payload = tlvs.get(MESSAGE_PAYLOAD)
    if isinstance(payload, bytes) and payload:
        octets = payload
    header = None
    if esm_class & UDHI:
        udh, octets = _cut_udh(octets)
        header = _udh_header(udh)
    return header or _sar_header(tlvs), octets


def _cut_udh(octets: bytes) -> tuple[bytes, bytes]:
    if not octets:
        raise BrokenUdhError("esm_class announces a user data header and the message is empty")
    end = octets[0] + 1
    if end > len(octets):
        raise BrokenUdhError(f"a user data header of {end} octets in a message of {len(octets)}")
    return octets[1:end], octets[end:]


def _udh_header(udh: bytes) -> PartHeader | None:
    header = None
    start = 0
    while start < len(udh):
        element = udh[start : start + 2]
        end = start + 2 + element[-1]
        if end > len(udh):  # as it is, too, when a single octet is left over
            return None
        value = udh[start + 2 : end]
        if element == bytes((_CONCATENATION_8, 3)):
            header = _header("udh8", value[0], value[1], value[2])
        elif element == bytes((_CONCATENATION_16, 4)):
            header = _header("udh16", value[0] << 8 | value[1], value[2], value[3])
        start = end
    return header


def _sar_header(tlvs: Tlvs) -> PartHeader | None:
    reference = tlvs.get(SAR_MSG_REF_NUM)
    total = tlvs.get(SAR_TOTAL_SEGMENTS)
    number = tlvs.get(SAR_SEGMENT_SEQNUM)
    # Octets instead of an int are a TLV of the wrong length.
    if isinstance(reference, int) and isinstance(total, int) and isinstance(number, int):
        return _header("sar", reference, total, number)
    return None


def _header(kind: Kind, reference: int, total: int, number: int) -> PartHeader | None:
    if 1 < total <= MAX_SEGMENTS and 1 <= number <= total:
        return PartHeader(kind, reference, total, number)
    return None


class Added(Enum):
    """What a part was to its set."""

    NEW = "new"
    """Kept; others are missing."""
    COMPLETE = "complete"
    """Kept; it was the last one missing."""
    REPEAT = "repeat"
    """Equal to the one that is there; nothing changed."""
    CONFLICT = "conflict"
    """Not equal to the one that is there; nothing changed. It begins another message with the same
    reference: close this set and start a new one with the part."""


class PartSet:
    """The parts of one long message that have come so far, in any order.

    Who the parts belong together with (account, addresses, kind, reference, total), how many sets there
    are and for how long is the caller's; `size` is for its limit.
    """

    __slots__ = ("_parts", "size", "total")

    def __init__(self, total: int) -> None:
        """Raises ValueError for a total outside 1 to 255."""
        if not 1 <= total <= MAX_SEGMENTS:
            raise ValueError(f"a message of {total} parts, allowed are 1 to {MAX_SEGMENTS}")
        self.total = total
        self.size = 0
        self._parts: dict[int, tuple[bytes, int]] = {}

    def add(self, number: int, octets: bytes, data_coding: int) -> Added:
        """Put one part (without its header) in place. Raises ValueError for a number outside 1 to total."""
        if not 1 <= number <= self.total:
            raise ValueError(f"part {number} of a message of {self.total} parts")
        part = (octets, data_coding)
        kept = self._parts.setdefault(number, part)
        if kept is not part:
            return Added.REPEAT if kept == part else Added.CONFLICT
        self.size += len(octets)
        return Added.COMPLETE if len(self._parts) == self.total else Added.NEW

    def text(self, alphabet: Alphabet, *, padded: bool = True) -> str:
        """The text of the message (Alphabet.join). Raises ValueError while parts are missing."""
        return alphabet.join(self._in_order(), padded=padded)

    def _in_order(self) -> list[tuple[bytes, int]]:
        missing = [number for number in range(1, self.total + 1) if number not in self._parts]
        if missing:
            raise ValueError(f"parts {', '.join(map(str, missing))} of {self.total} are missing")
        return [self._parts[number] for number in range(1, self.total + 1)]
