"""What can go wrong in SMPP. Every class says what to answer.

::

    SmppError
    ├── PduError              a PDU of the peer that cannot be accepted: answer it, go on
    ├── FrameError            the stream of octets is lost: nack, close
    ├── EncodeError           a PDU of ours that does not fit its field: our bug
    ├── NotAllowedError       a step that side and state do not allow: our misuse
    └── WindowFullError       as many requests unanswered as the window holds: wait

``command_status`` is the status to answer with.
"""

from collections.abc import Sequence

from gateway.smpp.status import CommandStatus


class SmppError(Exception):
    """Root of everything that this package raises on purpose."""

    command_status: int = CommandStatus.RSYSERR


class PduError(SmppError):
    """A whole frame whose content cannot be accepted (recoverable).

    ``field`` names the place: a field of the PDU, ``tlvs`` or ``command_id``.
    """

    def __init__(
        self, reason: str, *, command_status: int, command_id: int, sequence_number: int, field: str
    ) -> None:
        super().__init__(f"{field}: {reason}")
        self.command_status = command_status
        self.command_id = command_id
        self.sequence_number = sequence_number
        self.field = field


class FrameError(SmppError):
    """A command_length that no PDU can have: where the next PDU begins is unknown (fatal).

    ``frames`` are the whole frames that the same octets held in front of it.
    """

    command_status = CommandStatus.RINVCMDLEN

    def __init__(self, reason: str, *, frames: Sequence[bytes] = ()) -> None:
        super().__init__(reason)
        self.frames = tuple(frames)


class EncodeError(SmppError):
    """A PDU of ours with a value that its field cannot carry; nothing was sent and nothing was cut.

    ``limit`` says what the field can carry.
    """

    def __init__(self, command: str, field: str, limit: str) -> None:
        super().__init__(f"{command}.{field} must be {limit}")
        self.command = command
        self.field = field
        self.limit = limit


class NotAllowedError(SmppError):
    """A step of ours that the operation matrix does not allow; the state is unchanged."""

    command_status = CommandStatus.RINVBNDSTS


class WindowFullError(SmppError):
    """No room in the window of unanswered requests; the request was not sent. Wait for a response."""

    command_status = CommandStatus.RMSGQFUL
