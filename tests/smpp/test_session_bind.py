"""What comes behind a bind, in one segment with it or before its answer: served in order, behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.codec import encode
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    EnquireLink,
    SubmitSm,
    SubmitSmResp,
    Unbind,
)
from gateway.smpp.session import BEHIND_BIND, Closing, Event, Limits, Noted, Refused, Session, Side, State
from gateway.smpp.status import CommandStatus
from tests.smpp.sessions import said, session

ROK, RINVPASWD, RINVBNDSTS = 0, int(CommandStatus.RINVPASWD), int(CommandStatus.RINVBNDSTS)


def stream(*requests: Request) -> bytes:
    """Requests with the sequence numbers 1, 2, ..."""
    for number, request in enumerate(requests, 1):
        request.sequence_number = number
    return b"".join(map(encode, requests))


def bind_of(events: list[Event]) -> BindRequest:
    """The bind among the events; of what came behind it there is one note."""
    bind, *noted = events
    assert isinstance(bind, BindRequest)
    assert noted in ([], [Noted(BEHIND_BIND)])
    return bind


def taken(mc: Session, events: list[Event]) -> list[int]:
    """The owner answers what he gets; gives the sequence numbers."""
    numbers = []
    for event in events:
        if isinstance(event, SubmitSm):
            numbers.append(event.sequence_number)
            mc.answer(event, SubmitSmResp())
    return numbers


@pytest.mark.parametrize("wake", ["tick", "receive"])
def test_requests_in_one_segment_with_the_bind(wake: str) -> None:
    """They wait until the bind is answered, and are served then, in order and behind that answer."""
    mc = session(Side.MC)
    bind = bind_of(mc.receive(stream(BindTransceiver(), SubmitSm(), EnquireLink(), SubmitSm()), 1.0))
    assert (mc.output(), mc.deadline()) == (b"", 30.0)
    mc.refuse(bind, ROK)
    assert mc.deadline() <= 1.0
    late = encode(SubmitSm(sequence_number=9))
    events = mc.tick(1.0) if wake == "tick" else mc.receive(late, 1.0)
    assert taken(mc, events) == ([2, 4] if wake == "tick" else [2, 4, 9])
    assert [(name, status, number) for name, status, number in said(mc) if number < 9] == [
        ("bind_transceiver_resp", ROK, 1),
        ("enquire_link_resp", ROK, 3),
        ("submit_sm_resp", ROK, 2),
        ("submit_sm_resp", ROK, 4),
    ]
    assert mc.deadline() > 1.0


def test_requests_behind_a_bind_that_is_refused() -> None:
    """Refused later: what came behind it is answered RINVBNDSTS, behind the answer to the bind; a bind among
    it is a bind like any other."""
    mc = session(Side.MC)
    first = bind_of(mc.receive(stream(BindReceiver(), SubmitSm(), BindTransceiver(), SubmitSm()), 1.0))
    assert mc.tick(3.0) == []
    mc.refuse(first, RINVPASWD)
    refused, second, _ = mc.tick(3.0)
    assert isinstance(refused, Refused)
    mc.answer(bind_of([second]), BindTransceiver.response())
    assert taken(mc, mc.tick(3.0)) == [4]
    assert said(mc) == [
        ("bind_receiver_resp", RINVPASWD, 1),
        ("submit_sm_resp", RINVBNDSTS, 2),
        ("bind_transceiver_resp", ROK, 3),
        ("submit_sm_resp", ROK, 4),
    ]


def test_unbind_behind_a_bind() -> None:
    """All in one segment, to the unbind: each is served, the session ends."""
    mc = session(Side.MC)
    bind = bind_of(mc.receive(stream(BindTransceiver(), SubmitSm(), Unbind()), 1.0))
    mc.refuse(bind, ROK)
    assert taken(mc, mc.tick(1.0)) == [2]
    assert [name for name, _, _ in said(mc)] == ["bind_transceiver_resp", "submit_sm_resp", "unbind_resp"]
    assert isinstance(mc.tick(1.0)[-1], Closing)
    assert mc.state is State.CLOSED


@pytest.mark.parametrize(
    "limits", [Limits(window_in=2), Limits(unanswered_octets=2 * len(encode(SubmitSm())))]
)
def test_what_waits_is_bounded(limits: Limits) -> None:
    """Beyond the limits a request behind a bind is throttled at once; the others are still served."""
    mc = session(Side.MC, limits=limits)
    bind, _, refused = mc.receive(stream(BindTransceiver(), SubmitSm(), SubmitSm(), SubmitSm()), 1.0)
    assert isinstance(refused, Refused)
    assert said(mc) == [("submit_sm_resp", CommandStatus.RTHROTTLED, 4)]
    mc.answer(bind_of([bind]), BindTransceiver.response())
    assert taken(mc, mc.tick(1.0)) == [2, 3]


def test_the_end_forgets_what_waits() -> None:
    """A session that is lost, or that timed out, serves nothing any more."""
    mc = session(Side.MC)
    mc.receive(stream(BindTransceiver(), SubmitSm()), 1.0)
    assert isinstance(mc.tick(31.0)[-1], Closing)
    mc.lost()
    assert mc.tick(32.0) == []
    assert mc.output() == b""


@given(st.lists(st.integers(1, 200), max_size=12), st.integers(0, 12), st.booleans())
def test_however_the_octets_come(cuts: list[int], answered_at: int, good: bool) -> None:
    """In whatever pieces the octets come and whenever the bind is answered, the peer gets the same answers in
    the same order."""
    mc, octets = session(Side.MC), stream(BindTransceiver(), SubmitSm(), EnquireLink(), SubmitSm())
    bind: BindRequest | None = None
    pieces = []
    for cut in cuts:
        pieces.append(octets[:cut])
        octets = octets[cut:]
    answers = []

    def look(events: list[Event]) -> None:
        nonlocal bind
        for event in events:
            if isinstance(event, BindRequest):
                bind = event
        for number in taken(mc, events):
            assert good
            assert number in (2, 4)
        answers.extend(said(mc))

    for place, piece in enumerate([*pieces, octets]):
        look(mc.receive(piece, 1.0))
        if bind is not None and place >= answered_at:
            mc.refuse(bind, ROK if good else RINVPASWD)
            bind = None
            look(mc.tick(1.0))
    if bind is not None:
        mc.refuse(bind, ROK if good else RINVPASWD)
    look(mc.tick(1.0))
    wanted = ROK if good else RINVBNDSTS
    assert answers[0] == ("bind_transceiver_resp", ROK if good else RINVPASWD, 1)
    assert sorted(answers[1:]) == [
        ("enquire_link_resp", ROK, 3),
        ("submit_sm_resp", wanted, 2),
        ("submit_sm_resp", wanted, 4),
    ]
