"""Who may send which PDU in which state (SMPP 3.4 sections 2.2 and 2.3, SMPP 5.0 section 2.4).

One matrix for both sides: what a side may receive is what its peer may send. A response may be sent
where its request may be received; while a session ends, what was asked before is still answered.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    BroadcastSm,
    CancelBroadcastSm,
    CancelSm,
    DataSm,
    DeliverSm,
    EnquireLink,
    GenericNack,
    Outbind,
    QueryBroadcastSm,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    Unbind,
)


class Side(Enum):
    """The two ends of a session. MC is the one that is bound to, whoever dialled."""

    MC = "MC"
    ESME = "ESME"

    @property
    def peer(self) -> "Side":
        """The other side."""
        return Side.ESME if self is Side.MC else Side.MC


class State(Enum):
    """Where a session stands."""

    OPEN = "open"  #: connected, not bound
    BOUND_TX = "bound as transmitter"
    BOUND_RX = "bound as receiver"
    BOUND_TRX = "bound as transceiver"
    UNBOUND = "unbound"  #: unbind is being exchanged, or was
    CLOSED = "closed"  #: nothing is sent or read any more


_OPEN = frozenset({State.OPEN})
_TX = frozenset({State.BOUND_TX, State.BOUND_TRX})
_RX = frozenset({State.BOUND_RX, State.BOUND_TRX})
_BOUND = _TX | _RX
_ALIVE = _BOUND | {State.OPEN, State.UNBOUND}
_NEVER: Final[frozenset[State]] = frozenset()

#: Request: the states in which the ESME may send it, those in which the MC may.
_MATRIX: Final[tuple[tuple[type[Request], frozenset[State], frozenset[State]], ...]] = (
    (BindReceiver, _OPEN, _NEVER),
    (BindTransmitter, _OPEN, _NEVER),
    (BindTransceiver, _OPEN, _NEVER),
    (Outbind, _NEVER, _OPEN),
    (Unbind, _BOUND, _BOUND),
    (EnquireLink, _ALIVE, _ALIVE),  # before the bind too: 5.0, and peers in the field
    (SubmitSm, _TX, _NEVER),
    (SubmitMulti, _TX, _NEVER),
    (DeliverSm, _NEVER, _RX),
    (DataSm, _TX, _RX),
    (QuerySm, _TX, _NEVER),
    (CancelSm, _TX, _NEVER),
    (ReplaceSm, _TX, _NEVER),  # 3.4 has transmitters only; 5.0 transceivers too
    (AlertNotification, _NEVER, _RX),
    (BroadcastSm, _TX, _NEVER),
    (QueryBroadcastSm, _TX, _NEVER),
    (CancelBroadcastSm, _TX, _NEVER),
)


def _may_send(side: Side, state: State) -> frozenset[int]:
    allowed = {GenericNack.command_id} if state in _ALIVE else set()
    for request, esme, mc in _MATRIX:
        ours, theirs = (esme, mc) if side is Side.ESME else (mc, esme)
        if state in ours:
            allowed.add(request.command_id)
        answers = theirs | {State.UNBOUND} if theirs & _BOUND else theirs
        if request.response is not None and state in answers:
            allowed.add(request.response.command_id)
    return frozenset(allowed)


#: The command_ids that a side may send, by side and state.
MAY_SEND: Final[Mapping[Side, Mapping[State, frozenset[int]]]] = MappingProxyType(
    {side: MappingProxyType({state: _may_send(side, state) for state in State}) for side in Side}
)


def may_receive(side: Side, state: State, command_id: int) -> bool:
    """Whether this PDU may come to this side in this state: its peer may send it."""
    return command_id in MAY_SEND[side.peer][state]
