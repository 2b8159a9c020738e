"""The table of transitions, and that a session follows it."""

from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.codec import encode
from gateway.smpp.errors import NotAllowedError, SmppError
from gateway.smpp.operations import Side, State
from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    EnquireLink,
    SubmitSm,
    Unbind,
    UnbindResp,
)
from gateway.smpp.session import Limits, Session, Timers
from gateway.smpp.transitions import NEXT, Happening, next_state
from tests.smpp.sessions import bound_pair, session

BINDS = {
    State.BOUND_RX: BindReceiver(),
    State.BOUND_TX: BindTransmitter(),
    State.BOUND_TRX: BindTransceiver(),
}
BOUND = frozenset(BINDS)

WRITTEN: dict[State, dict[Happening, State]] = {
    State.OPEN: {
        Happening.BOUND_RX: State.BOUND_RX,
        Happening.BOUND_TX: State.BOUND_TX,
        Happening.BOUND_TRX: State.BOUND_TRX,
        Happening.END_WANTED: State.CLOSED,
        Happening.SESSION_INIT: State.CLOSED,
        Happening.PDU_READ: State.CLOSED,
        Happening.STREAM_LOST: State.CLOSED,
        Happening.CONNECTION_LOST: State.CLOSED,
    },
    **{
        state: {
            Happening.END_WANTED: State.UNBOUND,
            Happening.UNBIND_RECEIVED: State.UNBOUND,
            Happening.PDU_READ: State.CLOSED,
            Happening.SILENCE: State.CLOSED,
            Happening.STREAM_LOST: State.CLOSED,
            Happening.CONNECTION_LOST: State.CLOSED,
        }
        for state in BOUND
    },
    State.UNBOUND: {
        Happening.UNBIND_RECEIVED: State.UNBOUND,
        Happening.UNBIND_SERVED: State.CLOSED,
        Happening.UNBIND_ANSWERED: State.CLOSED,
        Happening.PDU_READ: State.CLOSED,
        Happening.SILENCE: State.CLOSED,
        Happening.STREAM_LOST: State.CLOSED,
        Happening.CONNECTION_LOST: State.CLOSED,
    },
    State.CLOSED: {Happening.CONNECTION_LOST: State.CLOSED},
}
"""The table, written a second time and by state."""


def session_in(state: State, side: Side) -> Session:
    """A session of that side that has come into that state."""
    if state is State.OPEN:
        return session(side)
    mc, esme = bound_pair(BINDS.get(state))
    here = mc if side is Side.MC else esme
    if state is State.UNBOUND:
        here.unbind(0.0)
    elif state is State.CLOSED:
        here.lost()
    assert here.state is state
    return here


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happening", Happening)
def test_table(state: State, happening: Happening) -> None:
    """Every state and happening gives the next state that is written here, or raises."""
    after = WRITTEN[state].get(happening)
    if after is None:
        with pytest.raises(NotAllowedError, match=f"{happening.value}: not in state {state.value}"):
            next_state(state, happening)
    else:
        assert next_state(state, happening) is after


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("state", State)
def test_a_step_that_is_not_in_the_table_changes_nothing(state: State, side: Side) -> None:
    """A session raises at it and stands where it stood, with the permissions that it had."""
    here = session_in(state, side)
    for happening in Happening:
        if (state, happening) not in NEXT:
            before = here._sends, here._accepts
            with pytest.raises(NotAllowedError):
                here._step(happening)
            assert here.state is state
            assert (here._sends, here._accepts) == before


@given(st.lists(st.sampled_from(Happening), max_size=30))
def test_any_walk(happenings: list[Happening]) -> None:
    """In whatever order things happen: from OPEN every state but CLOSED can still come to CLOSED, a bound
    session is never OPEN or bound otherwise again, and CLOSED is for ever."""
    state = State.OPEN
    for happening in happenings:
        before = state
        with suppress(NotAllowedError):
            state = next_state(state, happening)
        if before is State.CLOSED:
            assert state is State.CLOSED
        elif before in BOUND:
            assert state in {before, State.UNBOUND, State.CLOSED}
        elif before is State.UNBOUND:
            assert state in {State.UNBOUND, State.CLOSED}
        assert next_state(state, Happening.CONNECTION_LOST) is State.CLOSED


def test_every_state_can_be_reached() -> None:
    """No row is for a state that a session cannot come into."""
    reached, new = {State.OPEN}, {State.OPEN}
    while new:
        new = {after for (before, _), after in NEXT.items() if before in new} - reached
        reached |= new
    assert reached == set(State)


STEPS = st.one_of(
    st.sampled_from(
        [
            BindReceiver(),
            BindTransmitter(),
            BindTransceiver(),
            Unbind(),
            UnbindResp(),
            EnquireLink(),
            SubmitSm(),
        ]
    ),
    st.sampled_from(["unbind", "wait", "lost", "break", "answer", "refuse"]),
)


@given(st.sampled_from(Side), st.lists(st.tuples(STEPS, st.integers(0, 3)), max_size=20))
def test_a_session_goes_only_where_the_table_goes(side: Side, steps: list[tuple[Pdu | str, int]]) -> None:
    """Whatever the peer sends and the owner does, the state changes only along rows of the table, and no step
    is ever tried that it does not have."""
    here = session(side, timers=Timers(inactivity=45.0), limits=Limits(window_in=5, window_out=5))
    ways = {(before, after) for (before, _), after in NEXT.items()}
    ways |= {(before, after) for (before, via), (also, after) in product(ways, ways) if via is also}
    waiting: list[Request] = []
    now = 0.0
    for step, number in steps:
        before = here.state
        if isinstance(step, Pdu):
            step.sequence_number = number
            waiting += [e for e in here.receive(encode(step), now) if isinstance(e, Request)]
        elif step == "unbind":
            here.unbind(now)
        elif step == "wait":
            now += 20.0 * number
            waiting += [e for e in here.tick(now) if isinstance(e, Request)]
            with suppress(SmppError):
                bind: BindRequest | DeliverSm = BindTransceiver() if side is Side.ESME else DeliverSm()
                here.send(bind, None, now)
        elif step == "lost":
            here.lost()
        elif step == "break":
            here.receive(bytes(16), now)
        elif waiting:
            here.refuse(waiting.pop(), 0 if step == "answer" else 8)
        assert here.state is before or (before, here.state) in ways
