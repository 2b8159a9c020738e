"""A stream of octets to whole frames (SMPP 3.4 section 3.2: command_length counts itself)."""

from struct import Struct
from typing import Final

from gateway.smpp.errors import FrameError
from gateway.smpp.wire import HEADER_LENGTH

DEFAULT_LIMIT: Final = 70_000  #: octets of a PDU: room for a message_payload of 64 KiB

_LENGTH = Struct(">I")
_LENGTH_OCTETS: Final = _LENGTH.size
_unpack_length = _LENGTH.unpack_from


class FrameSplitter:
    """Cuts a stream into frames, however the network cut it; holds less than one of ``limit`` octets."""

    __slots__ = ("_needed", "_rest", "limit")

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self.limit = limit
        self._rest = bytearray()  # the beginning of a frame
        self._needed = _LENGTH_OCTETS  # octets that it takes to go on with it

    @property
    def pending(self) -> int:
        """Octets of a frame that has begun and is not whole."""
        return len(self._rest)

    @property
    def begun(self) -> bytes:
        """The octets of that frame."""
        return bytes(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that are whole now.

        Raises FrameError at a command_length below 16 or above the limit. The error has the frames in
        front of it; nothing behind it can be read, so the splitter is not to be fed again.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        frames: list[bytes] = []
        limit, start, end = self.limit, 0, len(data)
        needed = _LENGTH_OCTETS
        while end - start >= _LENGTH_OCTETS:
            (needed,) = _unpack_length(data, start)
            if needed < HEADER_LENGTH or needed > limit:
                reason = f"command_length {needed} is not within {HEADER_LENGTH} to {limit}"
                raise FrameError(reason, frames=frames)
            behind = start + needed
            if behind > end:
                break
            frames.append(data[start:behind])
            start, needed = behind, _LENGTH_OCTETS
        if start < end:
            self._rest += data[start:]
            self._needed = needed
        return frames
