"""Time and the ways in which a session ends."""

from math import inf

import pytest

from gateway.smpp.codec import encode
from gateway.smpp.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from gateway.smpp.session import (
    Answered,
    Closing,
    Congested,
    Late,
    Limits,
    Noted,
    Refused,
    Session,
    Side,
    State,
    TimedOut,
    Timers,
)
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import CONGESTION_STATE
from gateway.smpp.window import MAX_SEQUENCE
from tests.smpp.sessions import bound_pair, said, session

QUIET = Timers(enquire_link=0)
"""No question but those about late requests."""


def closed(here: Session, events: list[object]) -> bool:
    """Whether the last event ends a session that is closed now and has nothing more to say."""
    return bool(events) and isinstance(events[-1], Closing) and here.state is State.CLOSED


def test_session_init() -> None:
    """An MC closes a connection without a bind; an ESME, which is to bind itself, does not."""
    mc, esme = session(Side.MC, now=100.0), session(Side.ESME, now=100.0)
    assert (mc.deadline(), esme.deadline()) == (130.0, inf)
    assert mc.tick(129.9) == []
    assert closed(mc, [*mc.tick(130.0)])
    assert mc.deadline() == inf
    assert mc.tick(131.0) == []


def test_refused_binds_do_not_extend_session_init() -> None:
    """The timer runs from the connection until a bind is accepted."""
    mc = session(Side.MC)
    [bind] = mc.receive(encode(BindTransceiver()), 20.0)
    assert isinstance(bind, BindTransceiver)
    mc.refuse(bind, CommandStatus.RINVPASWD)
    assert mc.deadline() == 30.0
    [bind] = mc.receive(encode(BindTransceiver()), 29.0)
    assert isinstance(bind, BindTransceiver)
    mc.answer(bind, BindTransceiverResp())
    assert mc.deadline() == 59.0


def test_enquire_link_after_silence() -> None:
    """After enquire_link seconds without an octet the peer is asked; its answer starts the time anew."""
    mc, esme = bound_pair()
    mc.receive(encode(SubmitSm()), 12.0)
    assert mc.deadline() == 42.0
    assert mc.tick(41.0) == []
    assert mc.tick(42.0) == []
    assert mc.window_free == 10
    esme.receive(mc.output(), 42.5)
    assert said(esme) == [("enquire_link_resp", 0, 1)]
    mc.receive(encode(EnquireLinkResp(sequence_number=1)), 43.0)
    assert mc.deadline() == 73.0
    assert mc.last_received == 43.0


def test_silent_peer() -> None:
    """A peer that does not answer enquire_link loses the session, whatever else it sends."""
    mc, _ = bound_pair()
    mc.tick(30.0)
    assert mc.deadline() == 90.0
    mc.receive(encode(SubmitSm()), 60.0)
    assert mc.deadline() == 90.0
    events = mc.tick(90.0)
    assert events == [Closing("enquire_link not answered")]
    assert mc.silent


def test_enquire_link_is_answered_before_the_bind() -> None:
    """Peers in the field ask before they bind."""
    mc = session(Side.MC)
    assert mc.receive(encode(EnquireLink(sequence_number=4)), 1.0) == []
    assert said(mc) == [("enquire_link_resp", 0, 4)]


def test_response_timer() -> None:
    """A request without a response that the peer has passed over times out with its context, when its time is
    over; a nack later than that is for the log."""
    mc, _ = bound_pair()
    first = mc.send(DeliverSm(), "first", 5.0)
    second = mc.send(DeliverSm(), "second", 6.0)
    third = mc.send(DeliverSm(), "third", 7.0)
    mc.receive(encode(GenericNack(sequence_number=third)), 40.0)
    assert mc.deadline() == 65.0
    assert mc.tick(64.9) == []
    assert mc.tick(65.0) == [TimedOut("first")]
    assert mc.window_free == 9
    [noted] = mc.receive(encode(GenericNack(sequence_number=first)), 65.5)
    assert isinstance(noted, Noted)
    assert mc.receive(encode(GenericNack(command_status=3, sequence_number=second)), 65.6)[0] == Answered(
        "second", GenericNack(command_status=3, sequence_number=second)
    )
    assert (mc.tick(66.0), mc.state, mc.window_free) == ([], State.BOUND_TRX, 10)


def test_a_late_response_is_told_once() -> None:
    """A response after the response timer comes with the context of its request; again, or of another
    command, it is for the log."""
    mc, _ = bound_pair()
    first = mc.send(DeliverSm(), "first", 5.0)
    second = mc.send(DeliverSm(), "second", 7.0)
    mc.receive(encode(DeliverSmResp(sequence_number=second)), 40.0)
    assert mc.tick(65.0) == [TimedOut("first")]
    [noted] = mc.receive(encode(DataSmResp(sequence_number=first)), 65.5)
    assert isinstance(noted, Noted)
    busy = DeliverSmResp(sequence_number=first, command_status=CommandStatus.RMSGQFUL)
    assert mc.receive(encode(busy), 66.0) == [Late("first", busy)]
    [noted] = mc.receive(encode(busy), 66.5)
    assert isinstance(noted, Noted)


def test_a_response_says_how_busy_its_peer_is() -> None:
    """congestion_state in any response is told, before what the response answers."""
    mc, _ = bound_pair()
    sequence = mc.send(DeliverSm(), "sms", 5.0)
    busy = DeliverSmResp(sequence_number=sequence, tlvs={CONGESTION_STATE: 93})
    told = mc.receive(encode(busy), 6.0)
    assert told[0] == Congested(93)
    assert isinstance(told[1], Answered)


def asked(here: Session) -> int:
    """The session asks whether its peer lives, and says nothing else; gives the number of its question."""
    [(name, _, sequence)] = said(here)
    assert name == "enquire_link"
    return sequence


def test_a_silent_peer_is_asked_before_a_request_times_out() -> None:
    """Nothing that was sent later has been answered: the peer is asked, once. Its response lets those time
    out that were sent before the question, each at its time, once."""
    mc, _ = bound_pair(timers=QUIET)
    for number, sent in enumerate((0.0, 1.0, 30.0, 60.0)):
        mc.send(DeliverSm(), number, sent)
    mc.output()
    assert mc.tick(60.0) == []
    question = asked(mc)
    assert mc.deadline() == 120.0
    assert mc.tick(61.5) == []
    assert (mc.output(), mc.asking) == (b"", True)
    answer = encode(EnquireLinkResp(sequence_number=question))
    assert mc.receive(answer, 62.0) == [TimedOut(0), TimedOut(1)]
    assert (mc.asking, mc.silent, mc.window_free) == (False, False, 8)
    assert mc.deadline() == 90.0
    assert mc.tick(90.0) == [TimedOut(2)]
    assert mc.tick(120.0) == [TimedOut(3)]
    assert mc.output() == b""


def test_while_the_peer_is_asked_late_responses_count() -> None:
    """The request that was late is answered late: nothing times out, and the question is still answered."""
    mc, _ = bound_pair(timers=QUIET)
    sequence = mc.send(DeliverSm(), "late", 0.0)
    mc.output()
    mc.tick(60.0)
    nack = GenericNack(command_status=3, sequence_number=sequence)
    assert mc.receive(encode(nack), 61.0) == [Answered("late", nack)]
    assert mc.receive(encode(EnquireLinkResp(sequence_number=asked(mc))), 62.0) == []
    assert mc.deadline() == inf


def test_a_peer_that_answers_nothing_loses_its_session() -> None:
    """Two response timers without a response: the session is over and silent, and what was unanswered comes
    back from lost(), nothing as timed out. It may write to us as it likes meanwhile."""
    mc, _ = bound_pair(timers=QUIET)
    for number in range(3):
        mc.send(DeliverSm(), number, float(number))
    assert mc.tick(60.0) == mc.tick(62.0) == []
    mc.receive(encode(SubmitSm()), 119.0)
    assert mc.deadline() == 120.0
    assert mc.tick(120.0) == [Closing("enquire_link not answered")]
    assert mc.silent
    assert mc.lost() == [0, 1, 2]


def test_an_enquire_link_under_way_is_the_question() -> None:
    """The session's own enquire_link behind a request asks already: no second one is sent."""
    mc, _ = bound_pair()
    mc.send(DeliverSm(), "sms", 1.0)
    mc.output()
    mc.tick(30.0)
    question = asked(mc)
    assert mc.tick(61.0) == []
    assert mc.output() == b""
    assert mc.receive(encode(EnquireLinkResp(sequence_number=question)), 62.0) == [TimedOut("sms")]


def test_a_question_at_the_end_of_the_window() -> None:
    """A full window keeps nobody from asking, and has room again when the late ones have timed out."""
    mc, _ = bound_pair(timers=QUIET, limits=Limits(window_out=2))
    for number in range(2):
        mc.send(DeliverSm(), number, 0.0)
    mc.output()
    mc.tick(60.0)
    assert mc.window_free == 0
    mc.receive(encode(EnquireLinkResp(sequence_number=asked(mc))), 60.0)
    assert mc.window_free == 2


def test_a_question_behind_the_last_sequence_number() -> None:
    """Passing over is judged by the order of sending, where the numbers begin again too."""
    mc, _ = bound_pair(timers=QUIET)
    mc._window.sequence = MAX_SEQUENCE - 1
    assert mc.send(DeliverSm(), "last", 0.0) == MAX_SEQUENCE
    one = mc.send(DeliverSm(), "one", 1.0)
    mc.output()
    assert mc.receive(encode(GenericNack(sequence_number=one)), 2.0)
    assert mc.tick(60.0) == [TimedOut("last")]
    assert mc.output() == b""


def test_a_bind_that_is_not_answered_times_out() -> None:
    """Before the bind an ESME asks nothing: the bind itself times out."""
    esme = session(Side.ESME)
    esme.send(BindTransceiver(), "bind", 0.0)
    esme.output()
    assert esme.tick(60.0) == [TimedOut("bind")]
    assert esme.output() == b""


def test_a_tick_that_comes_late_asks_first() -> None:
    """After a long standstill of ours nobody is blamed: the peer is asked, once, then all time out, once."""
    mc, _ = bound_pair()
    for number in range(3):
        mc.send(DeliverSm(), number, float(number))
    mc.output()
    assert mc.tick(1000.0) == []
    answer = encode(EnquireLinkResp(sequence_number=asked(mc)))
    assert mc.receive(answer, 1000.0) == [TimedOut(0), TimedOut(1), TimedOut(2)]
    assert mc.tick(1000.0) == []


def test_pdu_read() -> None:
    """A PDU that stays unfinished ends the session; one that goes on in time does not."""
    mc, _ = bound_pair()
    octets = encode(SubmitSm())
    mc.receive(octets[:10], 1.0)
    mc.receive(octets[10:20], 8.0)
    assert mc.deadline() == 11.0
    mc.receive(octets[20:] + octets[:1], 10.0)
    assert mc.deadline() == 20.0
    assert mc.tick(20.0) == [Closing("pdu_read timer")]


def test_inactivity() -> None:
    """Without a message for that long we unbind; enquire_link is no message."""
    mc, esme = bound_pair(timers=Timers(inactivity=100.0))
    mc.receive(encode(SubmitSm()), 10.0)
    for now in (40.0, 80.0):
        mc.receive(encode(EnquireLink()), now)
    assert mc.deadline() == 110.0
    assert mc.tick(109.0) == []
    assert mc.tick(110.0)[0] == Noted("inactivity")
    assert mc.state is State.UNBOUND
    assert esme.state is State.BOUND_TRX


def test_timers_of_zero_never_end() -> None:
    """With all timers at 0 there is no deadline."""
    mc, _ = bound_pair(timers=Timers(0, 0, 0, 0, 0))
    mc.send(DeliverSm(), None, 1.0)
    mc.receive(b"\0", 1.0)
    assert mc.deadline() == inf
    assert mc.tick(1e9) == []


def test_unbind_of_the_peer_waits_for_our_answers() -> None:
    """What we owe is answered first, then the unbind, then we close; new requests are refused.

    Whether the peer has read those last answers nobody knows: the end is not polite.
    """
    mc, _ = bound_pair()
    stream = encode(SubmitSm(sequence_number=1)) + encode(Unbind(sequence_number=2))
    [request] = mc.receive(stream, 1.0)
    assert isinstance(request, SubmitSm)
    assert mc.state is State.UNBOUND
    [refused] = mc.receive(encode(SubmitSm(sequence_number=3)), 1.0)
    assert isinstance(refused, Refused)
    mc.answer(request, SubmitSmResp())
    assert said(mc) == [
        ("submit_sm_resp", CommandStatus.RINVBNDSTS, 3),
        ("submit_sm_resp", 0, 1),
        ("unbind_resp", 0, 2),
    ]
    assert mc.deadline() <= 1.0
    assert mc.tick(1.0) == [Closing("unbound by peer", polite=False)]
    assert mc.deadline() == inf


def test_unbind_of_the_peer_with_nothing_owed() -> None:
    """The unbind is answered at once, and what comes behind it is not read."""
    mc, _ = bound_pair()
    events = mc.receive(encode(Unbind(sequence_number=9)) + encode(SubmitSm()), 1.0)
    assert events == [Closing("unbound by peer", polite=True)]
    assert said(mc) == [("unbind_resp", 0, 9)]


def test_our_unbind() -> None:
    """Unbind goes out, what is in flight is still answered, unbind_resp ends the session."""
    mc, esme = bound_pair()
    sequence = mc.send(DeliverSm(), "sms", 1.0)
    mc.unbind(1.0)
    assert said(mc) == [("deliver_sm", 0, sequence), ("unbind", 0, sequence + 1)]
    assert mc.state is State.UNBOUND
    nack = GenericNack(command_status=3, sequence_number=sequence)
    assert mc.receive(encode(nack), 2.0) == [Answered("sms", nack)]
    assert mc.receive(encode(UnbindResp(sequence_number=sequence + 1)), 2.0) == [
        Closing("unbound", polite=True)
    ]
    assert esme.state is State.BOUND_TRX


@pytest.mark.parametrize("pdu", [DeliverSm(sequence_number=5), DataSm(sequence_number=5)])
def test_what_crosses_our_unbind(pdu: DeliverSm | DataSm) -> None:
    """An SMS of a centre that we are leaving may come again later; no centre takes that as final."""
    _, esme = bound_pair()
    esme.unbind(1.0)
    esme.output()
    [refused] = esme.receive(encode(pdu), 2.0)
    assert isinstance(refused, Refused)
    assert refused.command_status == CommandStatus.RX_T_APPN
    assert said(esme) == [(f"{pdu.name}_resp", CommandStatus.RX_T_APPN, 5)]


def test_our_unbind_waits_for_what_we_owe() -> None:
    """We do not take the session back while the peer waits for an answer of ours."""
    mc, _ = bound_pair()
    [request] = mc.receive(encode(SubmitSm(sequence_number=1)), 1.0)
    assert isinstance(request, SubmitSm)
    mc.unbind(2.0)
    mc.unbind(2.0)
    assert mc.output() == b""
    mc.answer(request, SubmitSmResp())
    assert said(mc) == [("submit_sm_resp", 0, 1), ("unbind", 0, 1)]
    assert mc.deadline() == 31.0
    assert mc.tick(62.0) == [Closing("unbind not answered")]


def test_both_sides_unbind_at_once() -> None:
    """Two unbinds that cross are both answered, and both sides close."""
    mc, esme = bound_pair()
    mc.unbind(1.0)
    esme.unbind(1.0)
    to_esme, to_mc = mc.output(), esme.output()
    assert closed(mc, [*mc.receive(to_mc, 1.0)])
    assert closed(esme, [*esme.receive(to_esme, 1.0)])
    assert said(mc)[0][0] == said(esme)[0][0] == "unbind_resp"


def test_unbind_before_a_bind() -> None:
    """Without a bind there is nothing to take back: the session is over."""
    mc = session(Side.MC)
    mc.unbind(3.0)
    assert mc.deadline() == 3.0
    assert mc.tick(3.0) == [Closing("ended before a bind")]
    assert mc.output() == b""


def test_lost_gives_the_uncertain_requests_once() -> None:
    """A lost connection hands back what was in flight, oldest first, without the session's own requests."""
    mc, _ = bound_pair()
    for number in range(3):
        mc.send(DeliverSm(), number, 1.0)
    mc.receive(encode(GenericNack(sequence_number=2)), 1.0)
    mc.tick(31.0)
    assert mc.lost() == [0, 2]
    assert mc.lost() == []
    assert (mc.state, mc.deadline(), mc.owed) == (State.CLOSED, inf, 0)
    assert mc.window_free == 10


def test_answers_after_the_end_go_nowhere() -> None:
    """A batch that was committed while its connection went may be answered without a check."""
    mc, _ = bound_pair()
    [request] = mc.receive(encode(SubmitSm()), 1.0)
    assert isinstance(request, SubmitSm)
    mc.lost()
    mc.answer(request, SubmitSmResp())
    mc.refuse(request, CommandStatus.RSYSERR)
    mc.unbind(1.0)
    assert mc.output() == b""
    assert mc.receive(encode(SubmitSm()), 1.0) == []


@pytest.mark.parametrize("side", list(Side))
def test_deadline_is_never_passed_in_silence(side: Side) -> None:
    """After tick(deadline()) the deadline has moved: an owner that sleeps until it never spins."""
    mc, esme = bound_pair(now=0.1, timers=Timers(inactivity=70.3))
    here = mc if side is Side.MC else esme
    here.send(DeliverSm() if side is Side.MC else SubmitSm(), None, 0.7)
    for _ in range(20):
        at = here.deadline()
        if at == inf:
            break
        here.tick(at)
        assert here.deadline() > at
    assert here.state is State.CLOSED
