"""What one session holds: its limits, the frames behind a bind, the octets to be written."""

from dataclasses import dataclass

from gateway.smpp.codec import encode
from gateway.smpp.framing import DEFAULT_LIMIT
from gateway.smpp.pdu import Request, Response


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may hold.

    ``window_in`` and ``unanswered_octets``: requests of the peer that we have not answered; above either
    the session throttles. They bound the frames behind a bind too. ``window_out``: requests of ours without
    a response. ``max_pdu``: octets of one PDU.
    """

    window_in: int = 1000
    window_out: int = 100
    max_pdu: int = DEFAULT_LIMIT
    unanswered_octets: int = 262_144


class Held:
    """Frames that came behind a bind that is not answered yet, in their order.

    What they mean depends on that answer, so they are not looked at before.
    """

    __slots__ = ("_frames", "_octets")

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._octets = 0

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frame: bytes, limits: Limits) -> bool:
        """Keep a frame; False, and nothing is kept, when that would be more than the limits allow."""
        octets = self._octets + len(frame)
        if len(self._frames) >= limits.window_in or octets > limits.unanswered_octets:
            return False
        self._frames.append(frame)
        self._octets = octets
        return True

    def release(self) -> list[bytes]:
        """Take them all out."""
        frames, self._frames = self._frames, []
        self._octets = 0
        return frames


class Output:
    """Octets that wait to be written. ``octets``: how many."""

    __slots__ = ("_pieces", "octets")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.octets = 0

    def queue(self, pdu: Request | Response) -> None:
        """Add a PDU. Raises EncodeError; then nothing was added."""
        octets = encode(pdu)
        self._pieces.append(octets)
        self.octets += len(octets)

    def take(self) -> bytes:
        """Everything that was queued since the last call."""
        pieces = self._pieces
        octets = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.octets = 0
        return octets
