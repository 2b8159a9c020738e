"""The GSM 7-bit default alphabet with its extension table (3GPP TS 23.038 section 6.2.1).

A *septet* here is one octet below 0x80: SMPP carries the alphabet unpacked, one septet in an octet.
`pack` and `unpack` are for the message centres that send eight septets in seven octets.
"""

import codecs
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ESCAPE: Final = 0x1B
"""The septet that says: the next one is a code of the extension table."""

# One row for each high digit. The escape stands at its own place, 0x1B.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)

_EXTENSION: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x0A: "\f",
        0x14: "^",
        0x28: "{",
        0x29: "}",
        0x2F: "\\",
        0x3C: "[",
        0x3D: "~",
        0x3E: "]",
        0x40: "|",
        0x65: "€",
    }
)

# Decoding: octets above 0x7F are no septets.
_CHARACTERS: Final = _BASIC + "\ufffd" * 128
_ESCAPED: Final = re.compile("\x1b(.?)", re.DOTALL)
# Keyed by the character that the second septet has in the basic table. A lone escape at the end and
# a doubled one (reserved for a further table) are shown as a space.
_AFTER_ESCAPE: Final[Mapping[str, str]] = MappingProxyType(
    {_BASIC[code]: character for code, character in _EXTENSION.items()} | {"": " ", "\x1b": " "}
)

# Encoding: what each character becomes, written as Latin-1 characters of the same value.
_SEPTETS: Final[Mapping[int, str]] = MappingProxyType(
    {ord(character): chr(code) for code, character in enumerate(_BASIC) if code != ESCAPE}
    | {ord(character): chr(ESCAPE) + chr(code) for code, character in _EXTENSION.items()}
)
_ENCODABLE: Final = re.compile(f"[{re.escape(''.join(map(chr, _SEPTETS)))}]*")
_NOT_ONE_SEPTET: Final = 0xFF
_FROM_ASCII: Final = bytes(
    ord(septets) if len(septets := _SEPTETS.get(code, "")) == 1 else _NOT_ONE_SEPTET for code in range(256)
)


def encode(text: str) -> bytes | None:
    """The unpacked septets of `text`, or None when a character is in neither table.

    None and not an exception: it is the everyday answer for Chinese text. A character of the extension
    table takes two septets.
    """
    if text.isascii():
        octets = text.encode("ascii").translate(_FROM_ASCII)
        if _NOT_ONE_SEPTET not in octets:
            return octets
    if _ENCODABLE.fullmatch(text) is None:
        return None
    return text.translate(_SEPTETS).encode("latin-1")


def decode(octets: bytes) -> str:
    """The text of unpacked septets; never raises.

    A code that the extension table does not have shows the character of the basic table, a lone
    escape at the end a space (3GPP TS 23.038 section 6.2.1), an octet above 0x7F U+FFFD.
    """
    text, _ = codecs.charmap_decode(octets, "strict", _CHARACTERS)
    if ESCAPE not in octets:
        return text
    return _ESCAPED.sub(_escaped_character, text)


def _escaped_character(match: re.Match[str]) -> str:
    second = match[1]
    return _AFTER_ESCAPE.get(second, second)


def pack(septets: bytes) -> bytes:
    """Eight septets into seven octets, the first in the low bits (3GPP TS 23.038 section 6.1.2).

    Seven spare bits at the end are filled with CR, since zeros would read as one more `@`.
    """
    if len(septets) % 8 == 7:
        septets += b"\r"
    packed = bytearray()
    for start in range(0, len(septets), 8):
        block = septets[start : start + 8]
        bits = sum(septet << 7 * place for place, septet in enumerate(block))
        packed += bits.to_bytes((7 * len(block) + 7) // 8, "little")
    return bytes(packed)


def septets_of(octets: bytes) -> bytes:
    """Every septet that packed octets hold, fill included: eight of seven octets."""
    found = bytearray()
    for start in range(0, len(octets), 7):
        block = octets[start : start + 7]
        bits = int.from_bytes(block, "little")
        found += bytes(bits >> shift & 0x7F for shift in range(0, 8 * len(block) - 6, 7))
    return bytes(found)


def unpack(octets: bytes) -> bytes:
    """Seven octets into eight septets; never raises.

    The count of septets does not travel in SMPP. So a CR or `@` that ends on an octet boundary is
    taken as fill and dropped, as TS 23.038 section 6.1.2.3.1 has it for CR.
    """
    found = septets_of(octets)
    return found[:-1] if len(found) % 8 == 0 and found.endswith((b"\r", b"\0")) else found


def without_nul(octets: bytes) -> bytes:
    """Packed octets without one octet 0x00 at the end, if nothing but `@` would go with it.

    The high bits of a septet may be zeros: 0x00 is no NUL while it holds the rest of another character.
    """
    shorter = octets[:-1]
    if octets.endswith(b"\0") and not any(septets_of(octets)[len(septets_of(shorter)) :]):
        return shorter
    return octets
