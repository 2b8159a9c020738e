"""A session: binds, requests and responses, refusals and windows."""

import pytest

from gateway.smpp.codec import encode
from gateway.smpp.errors import EncodeError, NotAllowedError, WindowFullError
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    Outbind,
    QuerySm,
    SubmitSm,
    SubmitSmResp,
    Unbind,
)
from gateway.smpp.plain import DELIVERED
from gateway.smpp.session import BEHIND_BIND, Answered, Closing, Limits, Noted, Refused, Session, Side, State
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import SC_INTERFACE_VERSION
from gateway.smpp.window import MAX_SEQUENCE
from tests.smpp.sessions import bound_pair, pdus, said, session


@pytest.mark.parametrize(
    ("bind", "state"),
    [
        (BindReceiver(), State.BOUND_RX),
        (BindTransmitter(), State.BOUND_TX),
        (BindTransceiver(interface_version=0x50), State.BOUND_TRX),
    ],
)
def test_positive_bind_answer_moves_both_sides(
    bind: BindReceiver | BindTransmitter | BindTransceiver, state: State
) -> None:
    """After a positive bind response both sides are bound."""
    mc, esme = bound_pair(bind)
    assert (mc.state, esme.state) == (state, state)


def test_negative_bind_answer_leaves_it_open() -> None:
    """A refused bind leaves the session open for another one."""
    mc, esme = session(Side.MC), session(Side.ESME)
    for status in (CommandStatus.RINVPASWD, CommandStatus.ROK):
        esme.send(BindTransceiver(), status, 0.0)
        [request] = mc.receive(esme.output(), 0.0)
        assert isinstance(request, BindTransceiver)
        mc.answer(request, BindTransceiverResp(command_status=status, tlvs={SC_INTERFACE_VERSION: 0x50}))
        [answered] = esme.receive(mc.output(), 0.0)
        assert isinstance(answered, Answered)
        assert (answered.context, answered.response.command_status) == (status, status)
    assert (mc.state, esme.state) == (State.BOUND_TRX, State.BOUND_TRX)


def test_second_bind() -> None:
    """A bind on a bound session is RALYBND, one that came behind the first bind as well."""
    mc = session(Side.MC)
    octets = encode(BindReceiver(sequence_number=1)) + encode(BindReceiver(sequence_number=2))
    first, noted = mc.receive(octets, 0.0)
    assert isinstance(first, BindReceiver)
    assert noted == Noted(BEHIND_BIND)
    mc.refuse(first, CommandStatus.ROK)
    [second] = mc.receive(encode(BindTransceiver(sequence_number=3)), 0.0)[:1]
    assert isinstance(second, Refused)
    assert second.command_status == CommandStatus.RALYBND
    ralybnd = int(CommandStatus.RALYBND)
    assert said(mc) == [
        ("bind_receiver_resp", 0, 1),
        ("bind_receiver_resp", ralybnd, 2),
        ("bind_transceiver_resp", ralybnd, 3),
    ]


def test_requests_and_responses_meet() -> None:
    """Responses in any order come back with the context of their request."""
    mc, esme = bound_pair()
    for number in range(3):
        esme.send(SubmitSm(short_message=b"KTFX"), f"sms {number}", 1.0)
    assert esme.window_free == 7
    events = mc.receive(esme.output(), 1.0)
    assert mc.owed == 3
    for number, event in reversed(list(enumerate(events))):
        assert isinstance(event, SubmitSm)
        mc.answer(event, SubmitSmResp(message_id=str(number)))
    assert (mc.owed, esme.window_free) == (0, 7)
    answered = esme.receive(mc.output(), 1.0)
    assert answered == [
        Answered(f"sms {number}", SubmitSmResp(message_id=str(number), sequence_number=number + 2))
        for number in (2, 1, 0)
    ]
    assert esme.window_free == 10


def test_both_directions_of_a_transceiver() -> None:
    """Each side numbers its own requests; equal numbers do not meet."""
    mc, esme = bound_pair()
    up, down = esme.send(DataSm(), "up", 1.0), mc.send(DeliverSm(), "down", 1.0)
    assert (up, down) == (2, 1)
    [data] = mc.receive(esme.output(), 1.0)
    [deliver] = esme.receive(mc.output(), 1.0)
    assert isinstance(data, DataSm)
    assert isinstance(deliver, DeliverSm)
    mc.answer(data, DataSmResp(message_id="1"))
    esme.answer(deliver, DeliverSmResp())
    assert esme.receive(mc.output(), 1.0) == [Answered("up", DataSmResp(message_id="1", sequence_number=up))]
    assert mc.receive(esme.output(), 1.0) == [Answered("down", DELIVERED)]


def test_generic_nack_answers_a_request() -> None:
    """generic_nack with a number in flight is that request's response."""
    mc, esme = bound_pair()
    sequence = esme.send(SubmitSm(), "sms", 1.0)
    nack = GenericNack(command_status=3, sequence_number=sequence)
    assert esme.receive(encode(nack), 1.0) == [Answered("sms", nack)]
    assert esme.window_free == 10
    assert mc.owed == 0


def test_a_generic_nack_without_an_error_accepts_nothing() -> None:
    """It is no positive response: what it answers has failed, for an unknown reason."""
    _, esme = bound_pair()
    sequence = esme.send(SubmitSm(), "sms", 1.0)
    noted, answered = esme.receive(encode(GenericNack(sequence_number=sequence)), 1.0)
    assert isinstance(noted, Noted)
    assert noted.reason == "generic_nack without an error status"
    assert isinstance(answered, Answered)
    assert (answered.context, answered.response.command_status) == ("sms", CommandStatus.RUNKNOWNERR)


def test_response_to_no_request_is_noted() -> None:
    """A response with another number, or of another command, is for the log and leaves the window alone."""
    _, esme = bound_pair()
    sequence = esme.send(SubmitSm(), "sms", 1.0)
    for stranger in (SubmitSmResp(sequence_number=99), DataSmResp(sequence_number=sequence), GenericNack()):
        [noted] = esme.receive(encode(stranger), 1.0)
        assert isinstance(noted, Noted)
        assert noted.pdu == stranger
    assert esme.window_free == 9


@pytest.mark.parametrize("sequence", [0, 0x80000000, 0xFFFFFFFF])
def test_odd_sequence_numbers_are_echoed(sequence: int) -> None:
    """A sequence_number that the specification does not allow comes back unchanged."""
    mc, _ = bound_pair()
    [request] = mc.receive(encode(SubmitSm(sequence_number=sequence)), 1.0)
    assert isinstance(request, SubmitSm)
    mc.answer(request, SubmitSmResp())
    mc.receive(encode(EnquireLink(sequence_number=sequence)), 1.0)
    assert said(mc) == [("submit_sm_resp", 0, sequence), ("enquire_link_resp", 0, sequence)]


def test_same_number_twice() -> None:
    """Two requests with one sequence_number are two requests and get two answers."""
    mc, _ = bound_pair()
    first, second = mc.receive(encode(SubmitSm(sequence_number=5)) * 2, 1.0)
    assert isinstance(first, SubmitSm)
    assert isinstance(second, SubmitSm)
    mc.answer(second, SubmitSmResp(message_id="2"))
    mc.answer(first, SubmitSmResp(message_id="1"))
    assert said(mc) == [("submit_sm_resp", 0, 5)] * 2


@pytest.mark.parametrize(
    ("bind", "side", "request_", "status"),
    [
        (None, Side.MC, SubmitSm(), CommandStatus.RINVBNDSTS),
        (None, Side.MC, Unbind(), CommandStatus.RINVBNDSTS),
        (BindReceiver(), Side.MC, SubmitSm(), CommandStatus.RINVBNDSTS),
        (BindTransceiver(), Side.MC, DeliverSm(), CommandStatus.RINVBNDSTS),
        (BindTransceiver(), Side.ESME, SubmitSm(), CommandStatus.RINVBNDSTS),
        (BindTransceiver(), Side.ESME, BindTransceiver(), CommandStatus.RINVBNDSTS),
        (BindTransceiver(), Side.MC, QuerySm(message_id="1"), CommandStatus.RINVCMDID),
        (BindTransmitter(), Side.ESME, DataSm(), CommandStatus.RINVBNDSTS),
    ],
)
def test_refused_by_state_role_or_service(
    bind: BindReceiver | None, side: Side, request_: Request, status: CommandStatus
) -> None:
    """A request out of place is answered at once in its own response; the session goes on."""
    if bind is None:
        here = session(side)
    else:
        mc, esme = bound_pair(bind)
        here = mc if side is Side.MC else esme
    state = here.state
    request_.sequence_number = 42
    [refused] = here.receive(encode(request_), 1.0)
    assert isinstance(refused, Refused)
    assert (refused.command, refused.command_status) == (request_.name, status)
    assert said(here) == [(f"{request_.name}_resp", status, 42)]
    assert (here.state, here.owed) == (state, 0)


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        ("00000010000000aa0000000000000007", ("generic_nack", CommandStatus.RINVCMDID, 7)),
        ("00000010000000040000000000000007", ("submit_sm_resp", CommandStatus.RINVCMDLEN, 7)),
        ("000000100000000b0000000000000007", ("generic_nack", CommandStatus.RINVCMDLEN, 7)),
    ],
)
def test_malformed_requests(octets: str, answer: tuple[str, int, int]) -> None:
    """A malformed request is answered with the status that names the fault; the session goes on."""
    mc, _ = bound_pair()
    [refused] = mc.receive(bytes.fromhex(octets), 1.0)
    assert isinstance(refused, Refused)
    assert said(mc) == [answer]
    assert mc.state is State.BOUND_TRX


SUBMIT = encode(SubmitSm(sequence_number=7, short_message=b"KTFX"))[4:]
"""Without its command_length."""


@pytest.mark.parametrize(
    ("octets", "note"),
    [
        (bytes.fromhex("000000150000000000000007ff"), "octets where no body belongs"),
        (bytes.fromhex("000000150000000000000007") + b"HELLO", "octets where no body belongs"),
        (SUBMIT + b"\0", "a NUL behind the last field"),
        (SUBMIT + b"\0\2\4\0\2\0\7", "a NUL behind the last field"),
    ],
    ids=["enquire_link", "enquire_link with a text", "submit_sm", "submit_sm with a TLV"],
)
def test_what_does_no_harm_is_noted(octets: bytes, note: str) -> None:
    """What senders get wrong without harm is taken, and noted."""
    mc, _ = bound_pair()
    noted, *submitted = mc.receive((len(octets) + 4).to_bytes(4, "big") + octets, 1.0)
    assert isinstance(noted, Noted)
    assert noted.reason == note
    for request_ in submitted:
        assert isinstance(request_, SubmitSm)
        assert request_.short_message == b"KTFX"
        mc.refuse(request_, CommandStatus.ROK)
    assert [(status, sequence) for _, status, sequence in said(mc)] == [(CommandStatus.ROK, 7)]


@pytest.mark.parametrize("pdu", [AlertNotification(), Outbind()])
def test_requests_that_nothing_answers(pdu: Request) -> None:
    """alert_notification and outbind are for the log, wherever they come from."""
    for here in bound_pair():
        [noted] = here.receive(encode(pdu), 1.0)
        assert noted == Noted(f"{pdu.name} received", pdu)
        assert here.output() == b""


def test_unknown_response_is_noted() -> None:
    """A response of no known command is for the log: an answer to an answer helps nobody."""
    mc, _ = bound_pair()
    [noted] = mc.receive(bytes.fromhex("0000001080000fff0000000000000007"), 1.0)
    assert isinstance(noted, Noted)
    assert mc.output() == b""


def test_irregular_pdu_is_noted_and_handed_over() -> None:
    """What was forgiven on a PDU is told in front of it."""
    mc, _ = bound_pair()
    noted, request = mc.receive(encode(SubmitSm(tlvs={0x0204: b"1"})), 1.0)
    assert isinstance(noted, Noted)
    assert "user_message_reference" in noted.reason
    assert noted.pdu is request


def test_lost_stream() -> None:
    """A length that no PDU has: what stood in front is handed over, then generic_nack, then the end."""
    mc, _ = bound_pair()
    request, closing = mc.receive(encode(SubmitSm()) + bytes(16) + encode(SubmitSm()), 1.0)
    assert request == SubmitSm()
    assert isinstance(closing, Closing)
    assert said(mc) == [("generic_nack", CommandStatus.RINVCMDLEN, 0)]
    assert mc.state is State.CLOSED
    assert mc.receive(encode(SubmitSm()), 1.0) == []


def test_window_in() -> None:
    """Above window_in a request is throttled at once; an answer makes room again."""
    mc, _ = bound_pair(limits=Limits(window_in=2))
    stream = b"".join(encode(SubmitSm(sequence_number=number)) for number in (1, 2, 3))
    first, _, third = mc.receive(stream, 1.0)
    assert third == Refused("submit_sm", CommandStatus.RTHROTTLED, 3, "window exceeded")
    assert said(mc) == [("submit_sm_resp", CommandStatus.RTHROTTLED, 3)]
    assert isinstance(first, SubmitSm)
    mc.answer(first, SubmitSmResp())
    assert mc.receive(encode(SubmitSm(sequence_number=4)), 1.0) == [SubmitSm(sequence_number=4)]


def test_unanswered_octets() -> None:
    """The octets of unanswered requests are bounded as well as their number."""
    request = SubmitSm(short_message=b"x" * 100)
    mc, _ = bound_pair(limits=Limits(unanswered_octets=2 * len(encode(request))))
    events = mc.receive(encode(request) * 3, 1.0)
    assert [type(event) for event in events] == [SubmitSm, SubmitSm, Refused]
    mc.refuse(events[0], CommandStatus.RSYSERR) if isinstance(events[0], SubmitSm) else None
    assert mc.receive(encode(request), 1.0) == [request]


def test_window_out() -> None:
    """A full window takes no request, and nothing is sent; new limits count from then on."""
    mc, _ = bound_pair(limits=Limits(window_out=1))
    mc.send(DeliverSm(), 1, 1.0)
    queued = mc.pending_output
    with pytest.raises(WindowFullError):
        mc.send(DeliverSm(), 2, 1.0)
    assert (mc.window_free, mc.pending_output) == (0, queued)
    mc.limits = Limits(window_out=3)
    mc.send(DeliverSm(), 2, 1.0)
    assert mc.window_free == 1
    assert len(pdus(mc.output())) == 2
    assert mc.pending_output == 0


def test_max_pdu_follows_the_limits() -> None:
    """The length limit of a PDU is that of the present limits."""
    mc, _ = bound_pair()
    mc.limits = Limits(max_pdu=20)
    assert isinstance(mc.receive(encode(SubmitSm()), 1.0)[-1], Closing)


@pytest.mark.parametrize("request_", [SubmitSm(), Unbind(), EnquireLink(), BindTransceiver()])
def test_send_out_of_place(request_: Request) -> None:
    """What side and state do not allow, and what is the session's own, raises and changes nothing."""
    mc, _ = bound_pair()
    with pytest.raises(NotAllowedError):
        mc.send(request_, None, 1.0)
    assert (mc.state, mc.output(), mc.window_free) == (State.BOUND_TRX, b"", 10)


def test_request_that_cannot_be_encoded() -> None:
    """An EncodeError leaves window and output as they were."""
    mc, _ = bound_pair()
    with pytest.raises(EncodeError):
        mc.send(DeliverSm(source_addr="1" * 30), None, 1.0)
    assert (mc.window_free, mc.output()) == (10, b"")


def test_answer_out_of_place() -> None:
    """A second answer, one of another command and one that cannot be encoded are refused."""
    mc, _ = bound_pair()
    [request] = mc.receive(encode(SubmitSm()), 1.0)
    assert isinstance(request, SubmitSm)
    with pytest.raises(NotAllowedError):
        mc.answer(request, DeliverSmResp())
    with pytest.raises(EncodeError):
        mc.answer(request, SubmitSmResp(message_id="x" * 65))
    assert mc.owed == 1
    mc.answer(request, SubmitSmResp())
    with pytest.raises(NotAllowedError):
        mc.answer(request, SubmitSmResp())
    assert said(mc) == [("submit_sm_resp", 0, 0)]


def test_numbers_go_round() -> None:
    """A session that has used the last sequence_number goes on with 1."""
    mc, _ = bound_pair()
    mc._window.sequence = MAX_SEQUENCE - 1
    assert [mc.send(DeliverSm(), None, 1.0) for _ in range(2)] == [MAX_SEQUENCE, 1]


def test_ten_thousand_round_trips_leave_nothing_behind() -> None:
    """Windows are empty after as many answers as requests."""
    mc, esme = bound_pair(limits=Limits(window_out=100))

    def burst(client: Session, server: Session) -> None:
        for number in range(100):
            client.send(SubmitSm(), number, 1.0)
        for event in server.receive(client.output(), 1.0):
            assert isinstance(event, SubmitSm)
            server.answer(event, SubmitSmResp())
        assert len(client.receive(server.output(), 1.0)) == 100

    for _ in range(100):
        burst(esme, mc)
    assert (mc.owed, esme.window_free) == (0, 100)
    assert esme.lost() == []


def test_an_owner_may_enquire() -> None:
    """An enquire_link of the owner's takes a place in the window; its response comes behind what was sent
    before it."""
    mc, esme = bound_pair(limits=Limits(window_out=1))
    mc.send(DeliverSm(), "delivery", 1.0)
    esme.enquire("round trip", 1.0)
    with pytest.raises(WindowFullError):
        esme.enquire("another", 1.0)
    assert not esme.asking
    mc.receive(esme.output(), 1.0)
    delivery, answered = esme.receive(mc.output(), 1.0)
    assert isinstance(delivery, DeliverSm)
    assert isinstance(answered, Answered)
    assert (answered.context, esme.window_free) == ("round trip", 1)


def test_nobody_enquires_after_the_end() -> None:
    """On a session that is over an enquire_link is refused to its owner."""
    mc, _ = bound_pair()
    mc.lost()
    with pytest.raises(NotAllowedError, match="after the end"):
        mc.enquire(None, 1.0)


def test_a_session_tells_that_it_asks() -> None:
    """From its own enquire_link to the response to it a session is asking."""
    mc, esme = bound_pair()
    told = [mc.asking]
    mc.tick(mc.timers.enquire_link)
    told.append(mc.asking)
    esme.receive(mc.output(), mc.timers.enquire_link)
    mc.receive(esme.output(), mc.timers.enquire_link)
    assert [*told, mc.asking] == [False, True, False]
