"""A search for a secret in everything that a program has written, in every form that it may have there.

Forms: the text as typed, half-width, in capitals and in small letters; each in UTF-8, UTF-16, GBK and the GSM
alphabet, unpacked and packed at every phase; each of those as it is, in hexadecimal, in base64 at every
alignment, and as JSON or Python write octets and characters that they escape.
"""

import base64
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gateway.smpp import gsm

LEAST = 4
"""Octets that a form must have: a shorter one is found by chance."""

Snapshot = Mapping[str, bytes]
"""The content of files, by name."""


def snapshot(folder: Path) -> Snapshot:
    """Every file below a folder, as it is now; sockets have no content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def found(canaries: Iterable[str], files: Snapshot) -> list[str]:
    """Where a canary stands in clear: `name: canary as form` for each."""
    return [
        f"{name}: {canary} as {form}"
        for canary in canaries
        for octets, form in forms(canary).items()
        for name, content in files.items()
        if octets in content
    ]


def forms(text: str) -> dict[bytes, str]:
    """The octet strings that a text may stand as, with a name for each."""
    named: dict[bytes, str] = {}
    for codec, octets in encodings(text):
        for way, written in writings(octets):
            if len(written) >= LEAST:
                named.setdefault(written, f"{codec}, {way}")
    return named


def encodings(text: str) -> Iterator[tuple[str, bytes]]:
    """The text in every alphabet that has it, as the handset sent it and as the parser folds it."""
    half = unicodedata.normalize("NFKC", text)
    for spelling in (text, half, half.upper(), half.lower()):
        for codec in ("utf-8", "utf-16-be", "utf-16-le", "gb18030"):
            yield codec, spelling.encode(codec)
        yield "JSON", json.dumps(spelling)[1:-1].encode()
        septets = gsm.encode(spelling)
        if septets is not None:
            yield "GSM", septets
            for phase in range(8):
                yield f"GSM packed, phase {phase}", packed(septets, phase)


def packed(septets: bytes, phase: int) -> bytes:
    """The octets that hold nothing but these septets, when `phase` others stand before them (3GPP 23.038)."""
    number = sum(septet << 7 * (phase + place) for place, septet in enumerate(septets))
    first, end = 7 * phase, 7 * (phase + len(septets))
    return number.to_bytes(end // 8 + 1, "little")[-(-first // 8) : end // 8]


def writings(octets: bytes) -> Iterator[tuple[str, bytes]]:
    """Octets as they are, and as programs write them down."""
    yield "as it is", octets
    yield "hex", octets.hex().encode()
    yield "HEX", octets.hex().upper().encode()
    yield "repr", repr(octets)[2:-1].encode()
    yield "JSON of Latin-1", json.dumps(octets.decode("latin-1"))[1:-1].encode()
    for before in range(3):
        # The characters that hold bits of nothing else, whatever stands before and behind.
        first, end = -(-8 * before // 6), 8 * (before + len(octets)) // 6
        for way, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            yield f"{way} behind {before}", encode(bytes(before) + octets + bytes(3))[first:end]
