"""Two sessions that talk to each other in memory, and short names for what they say."""

from gateway.smpp.codec import decode
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdu import Pdu, Response
from gateway.smpp.pdus import BindRequest, BindTransceiver, DataSm, DeliverSm, SubmitSm
from gateway.smpp.session import Event, Limits, Session, Side, Timers

SERVES = frozenset({1, 2, 9, SubmitSm.command_id, DeliverSm.command_id, DataSm.command_id})


def session(
    side: Side, now: float = 0.0, timers: Timers | None = None, limits: Limits | None = None
) -> Session:
    """A session that serves what the gateway serves."""
    return Session(
        side, now=now, serves=SERVES, timers=timers or Timers(), limits=limits or Limits(window_out=10)
    )


def bound_pair(
    bind: BindRequest | None = None,
    now: float = 0.0,
    timers: Timers | None = None,
    limits: Limits | None = None,
) -> tuple[Session, Session]:
    """An MC and an ESME after a bind, as transceiver unless told otherwise."""
    mc, esme = session(Side.MC, now, timers, limits), session(Side.ESME, now, timers, limits)
    bind = bind or BindTransceiver(system_id="smsc")
    esme.send(bind, "bind", now)
    [request] = [each for each in mc.receive(esme.output(), now) if isinstance(each, BindRequest)]
    assert request == bind
    assert isinstance(request, BindRequest)
    response = request.response
    assert response is not None
    mc.answer(request, response())
    esme.receive(mc.output(), now)
    return mc, esme


def pdus(octets: bytes) -> list[Pdu]:
    """The PDUs that a session has put out."""
    return [decode(frame) for frame in FrameSplitter().feed(octets)]


def said(session: Session) -> list[tuple[str, int, int]]:
    """What a session has put out: name, command_status and sequence_number of each PDU."""
    return [(pdu.name, pdu.command_status, pdu.sequence_number) for pdu in pdus(session.output())]


def requests(events: list[Event]) -> list[Event]:
    """The events that are requests to answer."""
    return [event for event in events if isinstance(event, Pdu) and not isinstance(event, Response)]
