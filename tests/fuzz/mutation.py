"""Inputs for the target: a corpus, and what becomes of it by chance."""

from pathlib import Path
from random import Random
from typing import Final

CORPUS: Final = Path(__file__).with_name("corpus.hex")
"""One input a line, in hexadecimal digits; behind # what it is."""
LONGEST: Final = 4096
"""Octets of a mutated input."""

_HEADER: Final = 16
_HOW: Final = 2  # octets before the stream, see tests.fuzz.target
_NUMBERS: Final = (0, 1, 2, 15, 16, 17, 127, 128, 254, 255, 256, 70_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_COMMANDS: Final = (*range(1, 12), 0x15, 0x21, 0x102, 0x103, 0x111, 0x112, 0x113)


def corpus() -> list[bytes]:
    """All inputs of the corpus."""
    lines = (line.partition("#")[0].strip() for line in CORPUS.read_text("ascii").splitlines())
    return [bytes.fromhex(line) for line in lines if line]


def frames_of(stream: bytes) -> list[bytes]:
    """Cut a stream where its PDUs end; what has no length at its end stays one piece."""
    found, start = [], 0
    while start < len(stream):
        length = int.from_bytes(stream[start : start + 4], "big")
        end = start + length if _HEADER <= length <= len(stream) - start else len(stream)
        found.append(stream[start:end])
        start = end
    return found


def mutated(data: bytes, other: bytes, random: Random) -> bytes:
    """Change an input in one to four ways. other: another input, from which PDUs may come."""
    how, frames = bytearray(data[:_HOW].ljust(_HOW, b"\0")), frames_of(data[_HOW:])
    for _ in range(random.choice((1, 1, 2, 3, 4))):
        change = random.choice(_CHANGES)
        if frames:
            change(frames, random)
        elif foreign := frames_of(other[_HOW:]):
            frames.append(random.choice(foreign))
    if random.random() < 0.2 and (foreign := frames_of(other[_HOW:])):
        frames.insert(random.randint(0, len(frames)), random.choice(foreign))
    if random.random() < 0.3:
        how[1] = random.randrange(256)
    return bytes(how) + b"".join(frames)[:LONGEST]


def _flip(frames: list[bytes], random: Random) -> None:
    place, frame = _pick(frames, random)
    octets = bytearray(frame)
    for _ in range(random.choice((1, 1, 2, 8))):
        octets[random.randrange(len(octets))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    frames[place] = bytes(octets)


def _header(frames: list[bytes], random: Random) -> None:
    """One of the four numbers of a header."""
    place, frame = _pick(frames, random)
    field = 4 * random.randrange(4)
    number = random.choice(_COMMANDS) | random.choice((0, 1 << 31)) if field == 4 else random.choice(_NUMBERS)
    frames[place] = frame[:field] + number.to_bytes(4, "big") + frame[field + 4 :]


def _sequence(frames: list[bytes], random: Random) -> None:
    """A small sequence_number, which a request of ours may have."""
    place, frame = _pick(frames, random)
    frames[place] = frame[:12] + random.randrange(8).to_bytes(4, "big") + frame[16:]


def _resize(frames: list[bytes], random: Random) -> None:
    """Octets out of the body or into it, with the right command_length."""
    place, frame = _pick(frames, random)
    at = random.randint(min(_HEADER, len(frame)), len(frame))
    if random.random() < 0.5:
        body = frame[4:at] + frame[at + random.randint(1, 16) :]
    else:
        body = frame[4:at] + random.randbytes(random.choice((1, 2, 4, 16, 300))) + frame[at:]
    frames[place] = (len(body) + 4).to_bytes(4, "big") + body


def _tlv(frames: list[bytes], random: Random) -> None:
    """One more TLV at the end, whose length may be wrong."""
    place, frame = _pick(frames, random)
    tag = random.choice((0x0204, 0x020C, 0x020E, 0x020F, 0x0424, 0x001E, 0x0427, 0x1401, 0x0428))
    value = random.randbytes(random.choice((0, 1, 2, 4, 65)))
    length = len(value) if random.random() < 0.7 else random.choice((0, 1, 2, 0xFFFF))
    body = frame[4:] + tag.to_bytes(2, "big") + length.to_bytes(2, "big") + value
    frames[place] = (len(body) + 4).to_bytes(4, "big") + body


def _repeat(frames: list[bytes], random: Random) -> None:
    place, frame = _pick(frames, random)
    frames[place:place] = [frame] * random.choice((1, 1, 2, 6))


def _drop(frames: list[bytes], random: Random) -> None:
    frames.pop(random.randrange(len(frames)))


def _swap(frames: list[bytes], random: Random) -> None:
    a, b = random.randrange(len(frames)), random.randrange(len(frames))
    frames[a], frames[b] = frames[b], frames[a]


def _cut(frames: list[bytes], random: Random) -> None:
    """The stream ends inside a PDU."""
    place, frame = _pick(frames, random)
    frames[place:] = [frame[: random.randint(1, len(frame))]]


def _pick(frames: list[bytes], random: Random) -> tuple[int, bytes]:
    place = random.randrange(len(frames))
    return place, frames[place]


_CHANGES: Final = (_flip, _flip, _header, _sequence, _resize, _tlv, _repeat, _drop, _swap, _cut)
