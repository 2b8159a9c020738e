"""Cutting a stream into frames."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.errors import FrameError
from gateway.smpp.framing import FrameSplitter

ENQUIRE_LINK = bytes.fromhex("00000010000000150000000000000001")


def frame(length: int) -> bytes:
    """A frame of this length."""
    return length.to_bytes(4, "big") + b"\xaa" * (length - 4)


@given(st.lists(st.integers(16, 60), max_size=6), st.lists(st.integers(0, 200), max_size=8))
def test_any_cut_gives_the_same_frames(lengths: list[int], cuts: list[int]) -> None:
    """However the network cuts the stream, the same frames come out."""
    frames = [frame(length) for length in lengths]
    stream = b"".join(frames)
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    splitter = FrameSplitter()
    found = []
    for start, end in pairwise(places):
        found += splitter.feed(stream[start:end])
    assert found == frames
    assert splitter.pending == 0


def test_octet_by_octet() -> None:
    """A frame that comes octet by octet is held until its last one."""
    splitter = FrameSplitter()
    for number in range(15):
        assert splitter.feed(ENQUIRE_LINK[number : number + 1]) == []
        assert splitter.pending == number + 1
    assert splitter.feed(ENQUIRE_LINK[15:]) == [ENQUIRE_LINK]


@pytest.mark.parametrize("length", [0, 15, 101, 131_072, 0xFFFFFFFF])
def test_wrong_length_is_fatal(length: int) -> None:
    """A length that no PDU has ends the stream as soon as its four octets are there."""
    splitter = FrameSplitter(limit=100)
    with pytest.raises(FrameError) as fatal:
        splitter.feed(ENQUIRE_LINK + length.to_bytes(4, "big"))
    assert fatal.value.frames == (ENQUIRE_LINK,)


def test_memory_is_bounded() -> None:
    """A splitter never holds a whole frame of the limit."""
    splitter = FrameSplitter(limit=1000)
    assert splitter.feed(frame(1000)[:-1]) == []
    assert splitter.pending == 999
    assert splitter.feed(b"\xaa" + ENQUIRE_LINK[:3]) == [frame(1000)]
    assert splitter.pending == 3
