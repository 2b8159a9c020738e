"""Text coding: which text the octets of a message are under their data_coding, and the way back.

SMPP leaves data_coding 0 to the message centre and does not know GBK, so each account has an `Alphabet`
of its own: the usual map below, changed where the account says so. The map alone decides; nothing is
guessed from the octets.
"""

import codecs
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from types import MappingProxyType
from typing import Final, Protocol, Self, TypeAlias

from gateway.smpp import gsm

LATIN: Final = 0
"""data_coding of outgoing text that GSM 7-bit (or ASCII, as the account says) can write."""
UCS2: Final = 8
"""data_coding of all other outgoing text."""

_Utf16: TypeAlias = Callable[[bytes, str], tuple[str, int]]
_LatinEncoder: TypeAlias = Callable[[str], bytes | None]
_WideEncoder: TypeAlias = Callable[[str], tuple[bytes, int]]

_BYTE_ORDER_MARK: Final = "\ufeff"
_SWAPPED_MARK: Final = "\ufffe"
"""What the mark is in the wrong byte order; no character otherwise."""
_REPLACEMENT: Final = "\ufffd"


class _Decoder(Protocol):
    """Octets to text; whether a byte-order mark may stand in front, and NULs that are no text at the end."""

    def __call__(self, octets: bytes, marked: bool = True, padded: bool = True, /) -> str: ...


def _gsm(octets: bytes, _marked: bool = True, padded: bool = True) -> str:
    """One NUL goes before decoding, which makes the letter @ of it. No mark exists in this alphabet."""
    if padded and octets and not octets[-1]:
        octets = octets[:-1]
    return gsm.decode(octets)


def _gsm_packed(octets: bytes, _marked: bool = True, padded: bool = True) -> str:
    return gsm.decode(gsm.unpack(gsm.without_nul(octets) if padded else octets))


def _by(decode: Callable[[bytes], str]) -> _Decoder:
    """A codec whose NULs are no letters: they go after decoding, as many as there are."""

    def decoder(octets: bytes, marked: bool = True, padded: bool = True) -> str:
        text = decode(octets)
        if padded:
            text = text.rstrip("\0")
        return text.removeprefix(_BYTE_ORDER_MARK) if marked else text

    return decoder


def _utf16(usual: _Utf16, other: _Utf16) -> _Decoder:
    """UTF-16 in the usual byte order, or in the other one where a mark in front says so.

    What is cut at the end is dropped, if it is a single octet; a high surrogate (with a single octet behind
    it, three octets) counts as an undecodable character.
    """

    def decoder(octets: bytes, marked: bool = True, padded: bool = True) -> str:
        text, used = usual(octets, "replace")
        if marked and text and text[0] >= _BYTE_ORDER_MARK:
            if text[0] == _SWAPPED_MARK:
                octets = octets[2:]
                text, used = other(octets, "replace")
            else:
                text = text.removeprefix(_BYTE_ORDER_MARK)
        if len(octets) - used >= 2:
            return text + _REPLACEMENT
        return text.rstrip("\0") if padded else text

    return decoder


def _decode_gbk(octets: bytes) -> str:
    """GBK, and GB 18030 of which it is a part; the first octet of a cut pair at the end is dropped."""
    try:
        return octets.decode("gb18030")
    except UnicodeDecodeError as error:
        if error.start == len(octets) - 1 and 0x81 <= octets[-1] <= 0xFE:
            return octets[:-1].decode("gb18030")
        return octets.decode("gb18030", "replace")


_DECODERS: Final[Mapping[str, _Decoder]] = MappingProxyType(
    {
        "gsm": _gsm,
        "gsm-packed": _gsm_packed,
        "ascii": _by(lambda octets: octets.decode("ascii", "replace")),
        "latin-1": _by(lambda octets: octets.decode("latin-1")),
        "ucs2": _utf16(codecs.utf_16_be_decode, codecs.utf_16_le_decode),
        "ucs2-le": _utf16(codecs.utf_16_le_decode, codecs.utf_16_be_decode),
        "gbk": _by(_decode_gbk),
        "utf-8": _by(lambda octets: octets.decode("utf-8", "replace")),
        # No text at all. A text with U+FFFD is never an instruction, so data cannot become one.
        "binary": _by(lambda octets: _REPLACEMENT * len(octets)),
    }
)

_LATIN_ENCODERS: Final[Mapping[str, _LatinEncoder]] = MappingProxyType(
    {
        "gsm": gsm.encode,
        "ascii": lambda text: text.encode("ascii") if text.isascii() else None,
    }
)

_WIDE_ENCODERS: Final[Mapping[str, _WideEncoder]] = MappingProxyType(
    {"ucs2": codecs.utf_16_be_encode, "ucs2-le": codecs.utf_16_le_encode}
)

# (first, last, codec), later rows over earlier ones. 0x00-0x0F is SMPP's own list (SMPP 3.4 section
# 5.2.19; 15 is GBK in Chinese practice), the rest are the groups of 3GPP TS 23.038 section 4.
_DEFAULT_CODECS: Final[tuple[tuple[int, int, str], ...]] = (
    (0x01, 0x01, "ascii"),
    (0x02, 0x02, "binary"),
    (0x03, 0x03, "latin-1"),
    (0x04, 0x04, "binary"),
    (0x08, 0x08, "ucs2"),
    (0x0F, 0x0F, "gbk"),
    (0x10, 0x13, "gsm"),  # message class 0-3, alphabet in bits 2-3
    (0x14, 0x17, "binary"),
    (0x18, 0x1B, "ucs2"),
    (0x20, 0x3F, "binary"),  # compressed text: octets to us
    (0xC0, 0xDF, "gsm"),  # message waiting
    (0xE0, 0xEF, "ucs2"),
    (0xF0, 0xF3, "gsm"),  # message class 0-3, bit 2: 8-bit data
    (0xF4, 0xF7, "binary"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Alphabet:
    """The text coding of one account. Immutable; make one with `from_config` and keep it."""

    codec_of: Mapping[int, str]
    """data_coding -> name of its codec, for each data_coding that is known."""
    latin: str
    """What data_coding 0 means in outgoing text: `gsm` or `ascii`."""
    _decoders: tuple[_Decoder, ...] = field(repr=False)
    """By data_coding, 0 to 255."""
    _encode_latin: _LatinEncoder = field(repr=False)
    _encode_wide: _WideEncoder = field(repr=False)

    @classmethod
    def from_config(cls, overrides: Mapping[int, str], latin: str) -> Self:
        """The usual map, changed by `overrides` (data_coding -> name of a codec).

        `latin` is `gsm`, or `ascii` for a peer that shows data_coding 0 as ASCII: the two differ in
        ``@ $ _ [ ] { } ~ ^ | \\`` and the backquote. Incoming data_coding 0 means the same, unless
        overridden. Codecs: gsm, gsm-packed, ascii, latin-1, ucs2, ucs2-le, gbk, utf-8, binary.

        Raises ValueError for an unknown codec, a data_coding outside 0-255, a `latin` that is neither
        of the two, and a data_coding 8 that is not ucs2 or ucs2-le, because outgoing text needs it.
        """
        if latin not in _LATIN_ENCODERS:
            raise ValueError(f"unknown outgoing codec {latin!r} (known: {_names(_LATIN_ENCODERS)})")
        for data_coding, name in overrides.items():
            _check(data_coding, name)
        names = {code: name for first, last, name in _DEFAULT_CODECS for code in range(first, last + 1)}
        names = {**names, LATIN: latin, **overrides}
        return cls(
            codec_of=MappingProxyType(names),
            latin=latin,
            _decoders=tuple(_DECODERS[names.get(code, names[LATIN])] for code in range(0x100)),
            _encode_latin=_LATIN_ENCODERS[latin],
            _encode_wide=_WIDE_ENCODERS[names[UCS2]],
        )

    def decode(self, octets: bytes, data_coding: int) -> str:
        """The text of a whole message as it comes from a message centre; never raises.

        What is no character becomes U+FFFD, and so does each octet of binary data. A cut double byte at
        the end is dropped. UCS-2 is read as UTF-16. A data_coding that `codec_of` does not have is read as
        data_coding 0. A byte-order mark in front is dropped, and of UCS-2 it says the byte order. NULs at
        the end are padding and dropped; in GSM 7-bit, where 0x00 is `@`, exactly one is.
        """
        return self._decoders[data_coding](octets)

    def decode_piece(self, octets: bytes, data_coding: int, *, marked: bool, padded: bool) -> str:
        """`decode` for what is no whole message, or was written by `encode`, which neither marks nor pads.

        marked: a byte-order mark may stand in front. padded: NULs that are no text may stand at the end.
        """
        return self._decoders[data_coding](octets, marked, padded)

    def join(self, parts: Sequence[tuple[bytes, int]], *, padded: bool = True) -> str:
        """The text of a long message, of the octets and data_coding of its parts in their order.

        padded: as for decode_piece; False for what our own side encoded.

        Octets are joined before they are decoded, as far as neighbours have the same data_coding, so a
        character cut between two parts comes out whole. Packed septets (codec gsm-packed) have fill bits
        after each header and cannot be joined like this: they are right in single messages only.

        A byte-order mark counts at the front of the first part only, for all parts that are joined with it;
        padding at the end of the last part only.
        """
        runs = [
            (data_coding, b"".join(octets for octets, _ in run))
            for data_coding, run in groupby(parts, key=lambda part: part[1])
        ]
        last = len(runs) - 1
        return "".join(
            self.decode_piece(octets, data_coding, marked=place == 0, padded=padded and place == last)
            for place, (data_coding, octets) in enumerate(runs)
        )

    def in_doubt(self, octets: bytes, data_coding: int) -> bool:
        """Whether the octets end in a 0x00 that may be padding as well as `@`."""
        name = self.codec_of.get(data_coding) or self.codec_of[LATIN]
        if name == "gsm-packed":
            return gsm.septets_of(octets).endswith(b"\0")
        return name == "gsm" and octets.endswith(b"\0")

    def encode(self, text: str) -> tuple[int, bytes]:
        """data_coding and octets of a text: 0 when every character allows it, else 8 (UTF-16).

        Raises UnicodeEncodeError for a lone surrogate, which no decoded text has.
        """
        octets = self._encode_latin(text)
        if octets is not None:
            return LATIN, octets
        return UCS2, self._encode_wide(text)[0]

    def boundary(self, octets: bytes, data_coding: int, end: int) -> int:
        """The largest index up to `end` (2 to len(octets)) where octets from `encode` may be cut.

        A cut splits neither an escape pair nor a surrogate pair.
        """
        if data_coding == LATIN:
            return end - 1 if octets[end - 1] == gsm.ESCAPE else end
        end -= end % 2
        high_octet = octets[end - 2] if self.codec_of[UCS2] == "ucs2" else octets[end - 1]
        return end - 2 if 0xD8 <= high_octet <= 0xDB else end


def _check(data_coding: int, name: str) -> None:
    if not 0 <= data_coding <= 0xFF:
        raise ValueError(f"data_coding {data_coding} is outside 0-255")
    if name not in _DECODERS:
        raise ValueError(f"data_coding {data_coding}: unknown codec {name!r} (known: {_names(_DECODERS)})")
    if data_coding == UCS2 and name not in _WIDE_ENCODERS:
        raise ValueError(f"data_coding {UCS2} carries outgoing text: {_names(_WIDE_ENCODERS)}, not {name!r}")


def _names(codecs_by_name: Mapping[str, object]) -> str:
    return ", ".join(sorted(codecs_by_name))
