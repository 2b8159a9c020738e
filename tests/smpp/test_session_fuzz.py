"""Any octets, in any cut, at any time: events or typed errors, never anything else."""

from contextlib import suppress
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.smpp.codec import encode
from gateway.smpp.errors import SmppError
from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import BindReceiver, BindTransceiver, BindTransmitter, DeliverSm, SubmitSm
from gateway.smpp.session import Closing, Limits, Session, Side, State
from tests.smpp.sessions import bound_pair, session
from tests.smpp.strategies import ANY_PDU

LIMITS = Limits(window_in=3, window_out=3, max_pdu=2000, unanswered_octets=600)


def sessions(side: Side, bind: BindReceiver | None) -> Session:
    """A session of this side, bound or not."""
    if bind is None:
        return session(side, limits=LIMITS)
    mc, esme = bound_pair(bind, limits=LIMITS)
    return mc if side is Side.MC else esme


SESSIONS = st.builds(
    sessions,
    st.sampled_from(Side),
    st.sampled_from([None, BindReceiver(), BindTransmitter(), BindTransceiver()]),
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """PDUs with some octets damaged, or plain noise."""
    octets = bytearray()
    for pdu in draw(st.lists(ANY_PDU, max_size=5)):
        pdu.sequence_number = draw(st.integers(0, 6))
        octets += encode(pdu)
    octets += draw(st.binary(max_size=30))
    for place, octet in draw(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4)):
        if octets:
            octets[place % len(octets)] = octet
    return bytes(octets)


@settings(max_examples=150)
@given(SESSIONS, streams(), st.lists(st.integers(1, 400), max_size=6), st.randoms(use_true_random=False))
def test_any_octets_in_any_cut(here: Session, stream: bytes, cuts: list[int], random: Random) -> None:
    """A session survives everything or closes; it keeps its bounds, and its owner may do as it likes."""
    now = 0.0
    over = False
    while stream and not over:
        size = cuts.pop() if cuts else len(stream)
        now += random.choice((0.0, 0.5, 40.0))
        events = [*here.receive(stream[:size], now), *here.tick(now)]
        stream = stream[size:]
        assert (here.state is State.CLOSED) is any(isinstance(event, Closing) for event in events)
        assert all(not isinstance(event, Closing) for event in events[:-1])
        for event in events:
            if isinstance(event, Request) and random.random() < 0.7:
                here.refuse(event, random.choice((0, 8)))
        with suppress(SmppError):
            here.send(random.choice((SubmitSm(), DeliverSm(), BindTransceiver())), now, now)
        here.tick(now)
        over = here.state is State.CLOSED
        assert here.deadline() > now  # whoever sleeps until then does not spin
        assert here.owed <= LIMITS.window_in
        assert 0 <= here.window_free <= LIMITS.window_out
        assert here.pending_output == len(here.output())
    here.lost()
    assert here.window_free == LIMITS.window_out


@given(SESSIONS, ANY_PDU)
def test_any_pdu_is_answered_or_reported(here: Session, pdu: Pdu) -> None:
    """No PDU vanishes: each one gives octets, an event, or both."""
    events = here.receive(encode(pdu), 1.0)
    assert events or here.output()
