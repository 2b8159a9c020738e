"""How the state of a session changes: a state and what happens give the next state.

SMPP 3.4 section 2.2; the state UNBOUND is SMPP 5.0's (section 2.3). One table for both sides: it does not
matter who dialled or who is the MC. Who may send what in which state stands in ``operations``.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from gateway.smpp.errors import NotAllowedError
from gateway.smpp.operations import State
from gateway.smpp.pdus import BindReceiver, BindTransceiver, BindTransmitter


class Happening(Enum):
    """What can change the state of a session."""

    BOUND_RX = "bind_receiver answered with ESME_ROK"
    BOUND_TX = "bind_transmitter answered with ESME_ROK"
    BOUND_TRX = "bind_transceiver answered with ESME_ROK"
    END_WANTED = "the owner ends the session, or the inactivity timer does"
    UNBIND_RECEIVED = "unbind received"
    UNBIND_SERVED = "unbind of the peer answered"
    UNBIND_ANSWERED = "unbind of ours answered"
    SESSION_INIT = "session_init timer"
    PDU_READ = "pdu_read timer"
    SILENCE = "enquire_link or unbind of ours not answered in time"
    STREAM_LOST = "command_length that no PDU has"
    CONNECTION_LOST = "connection lost"


_BOUND = (State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX)
_ALIVE = (State.OPEN, *_BOUND, State.UNBOUND)

#: What happens: in which states it can, and what the state is then.
_ROWS: Final[tuple[tuple[Happening, tuple[State, ...], State], ...]] = (
    (Happening.BOUND_RX, (State.OPEN,), State.BOUND_RX),
    (Happening.BOUND_TX, (State.OPEN,), State.BOUND_TX),
    (Happening.BOUND_TRX, (State.OPEN,), State.BOUND_TRX),
    (Happening.END_WANTED, (State.OPEN,), State.CLOSED),  # nothing to take back
    (Happening.END_WANTED, _BOUND, State.UNBOUND),
    (Happening.UNBIND_RECEIVED, (*_BOUND, State.UNBOUND), State.UNBOUND),
    (Happening.UNBIND_SERVED, (State.UNBOUND,), State.CLOSED),
    (Happening.UNBIND_ANSWERED, (State.UNBOUND,), State.CLOSED),
    (Happening.SESSION_INIT, (State.OPEN,), State.CLOSED),
    (Happening.PDU_READ, _ALIVE, State.CLOSED),
    (Happening.SILENCE, (*_BOUND, State.UNBOUND), State.CLOSED),
    (Happening.STREAM_LOST, _ALIVE, State.CLOSED),
    (Happening.CONNECTION_LOST, tuple(State), State.CLOSED),
)

#: The next state, by state and what happens. What is absent cannot happen in that state.
NEXT: Final[Mapping[tuple[State, Happening], State]] = MappingProxyType(
    {(state, happening): after for happening, states, after in _ROWS for state in states}
)

#: What a positive bind response makes happen, by its command_id.
BOUND: Final[Mapping[int, Happening]] = MappingProxyType(
    {
        BindReceiver.response.command_id: Happening.BOUND_RX,
        BindTransmitter.response.command_id: Happening.BOUND_TX,
        BindTransceiver.response.command_id: Happening.BOUND_TRX,
    }
)


def next_state(state: State, happening: Happening) -> State:
    """The state after this. Raises NotAllowedError when it cannot happen in this state."""
    try:
        return NEXT[state, happening]
    except KeyError:
        raise NotAllowedError(f"{happening.value}: not in state {state.value}") from None
