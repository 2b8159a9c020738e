"""Two SMPP sessions that are bound to each other, in memory."""

from gateway.smpp.pdus import BindRequest, BindResponse, BindTransceiver, DataSm, DeliverSm, SubmitSm
from gateway.smpp.session import Limits, Session, Side
from gateway.smpp.timers import Timers


def session_pair(
    bind: BindRequest | None = None,
    *,
    now: float = 0.0,
    timers: Timers | None = None,
    limits: Limits | None = None,
) -> tuple[Session, Session]:
    """A message centre and an ESME, bound to each other in memory, as transceiver unless told otherwise.

    What one of them has for the other: `other.receive(one.output(), now)`.
    """
    timers, limits = timers or Timers(), limits or Limits()
    request = bind or BindTransceiver(system_id="esme")
    response = request.response
    assert response is not None
    assert issubclass(response, BindResponse)
    messages = frozenset(each.command_id for each in (SubmitSm, DeliverSm, DataSm))
    centre = Session(Side.MC, now=now, timers=timers, limits=limits, serves=messages | {request.command_id})
    esme = Session(Side.ESME, now=now, timers=timers, limits=limits, serves=messages)
    esme.send(request, None, now)
    for event in centre.receive(esme.output(), now):
        assert isinstance(event, BindRequest)
        centre.answer(event, response(system_id="centre"))
    esme.receive(centre.output(), now)
    return centre, esme
