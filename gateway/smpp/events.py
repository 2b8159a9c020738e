"""What a session tells its owner. A request that the owner must answer is an event itself."""

from dataclasses import dataclass

from gateway.smpp.pdu import Pdu, Request, Response


@dataclass(slots=True)
class Answered:
    """The response to a request of ours: its own one or generic_nack, positive or not."""

    context: object
    response: Response


@dataclass(slots=True)
class TimedOut:
    """A request of ours without a response in time, of a peer that answered a later one. The peer may have
    acted on it."""

    context: object


@dataclass(slots=True)
class Late:
    """The response to a request that was told as TimedOut, positive or not."""

    context: object
    response: Response


@dataclass(slots=True)
class Congested:
    """A response said how busy the peer is: 0 to 100 (congestion_state, SMPP 5.0 section 4.8.4.18)."""

    state: int


@dataclass(slots=True)
class Refused:
    """A request of the peer that the session has answered itself, with this status."""

    command: str
    command_status: int
    sequence_number: int
    reason: str


@dataclass(slots=True)
class Noted:
    """Something for the log that asks for nothing; ``pdu`` is what it is about, where there is one."""

    reason: str
    pdu: Pdu | None = None


@dataclass(slots=True)
class Closing:
    """The session is over: write what output() still has, then close the transport. Always the last event.

    ``polite``: the peer has read our answers: it answered our unbind, or sent its own when we owed it none.
    """

    reason: str
    polite: bool = False


Event = Request | Answered | TimedOut | Late | Congested | Refused | Noted | Closing
