"""What one session holds: its limits, and the frames behind a bind."""

from dataclasses import dataclass

from gateway.smpp.framing import DEFAULT_LIMIT


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
