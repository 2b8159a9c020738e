"""The plain cases in octets: the same ones as the checked way writes, the same errors, the same events."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.codec import encode
from gateway.smpp.errors import EncodeError, NotAllowedError, WindowFullError
from gateway.smpp.pdus import (
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    SubmitSm,
    SubmitSmResp,
    Unbind,
)
from gateway.smpp.plain import (
    DELIVERED,
    Always,
    DeliverSmTemplate,
    SubmitSmTemplate,
    Template,
    acknowledgement,
)
from gateway.smpp.session import Answered, Closing, Limits, Noted, Session, State, Timers
from gateway.smpp.status import CommandStatus
from tests.smpp.sessions import bound_pair, pdus, said
from tests.smpp.strategies import OCTETS, WORDS

TEXT = "您已开通飞信".encode("utf-16-be")
FROM_SERVICE = DeliverSmTemplate(0, 1, "12520", 0, 1)

VALIDITIES = st.sampled_from(["", "000000010000000R", "a year", "longer than a time", "飞"])
some_texts = st.one_of(
    st.text("0123456789abcdef", max_size=66),
    st.text(st.characters(max_codepoint=0x17F), max_size=66),
    st.text(max_size=25),
)
any_octet = st.one_of(OCTETS, st.integers(-2, 300))


def outcome(write: Callable[[], bytes]) -> tuple[str, Any]:
    """The octets, or what was said when there are none."""
    try:
        return "octets", write()
    except EncodeError as error:
        return "error", (error.command, error.field, error.limit)


@given(st.sampled_from([SubmitSm, DataSm]), st.one_of(WORDS, st.integers(-1, 1 << 33)), some_texts)
def test_an_acknowledgement_is_what_the_codec_writes(
    request: type[SubmitSm | DataSm], sequence: int, message_id: str
) -> None:
    """For any message_id, number and command: equal octets to the encoded response, or the same error."""
    response = SubmitSmResp if request is SubmitSm else DataSmResp
    pdu = response(sequence_number=sequence, message_id=message_id)
    written = outcome(lambda: acknowledgement(request(sequence_number=sequence), message_id))
    assert written == outcome(lambda: encode(pdu))


@given(
    st.sampled_from([DeliverSmTemplate, SubmitSmTemplate]),
    st.tuples(any_octet, any_octet, some_texts, any_octet, any_octet),
    st.builds(Always, st.sampled_from(["", "FT", "six___"]), any_octet, VALIDITIES, any_octet),
    st.one_of(WORDS, st.integers(-1, 1 << 33)),
    some_texts,
    any_octet,
    any_octet,
    st.one_of(st.binary(max_size=260), st.integers(250, 260).map(bytes)),
)
def test_a_template_writes_what_the_codec_writes(
    template: type[Template],
    addresses: tuple[int, int, str, int, int],
    always: Always,
    sequence: int,
    destination: str,
    esm_class: int,
    data_coding: int,
    message: bytes,
) -> None:
    """For any values: equal octets to the encoded deliver_sm or submit_sm, or the same error; a source, or
    what all have, that does not fit is refused when the template is made."""
    names = ("source_addr_ton", "source_addr_npi", "source_addr", "dest_addr_ton", "dest_addr_npi")
    fixed: dict[str, Any] = dict(zip(names, addresses, strict=True)) | always._asdict()
    pdu = template.pdu(
        sequence_number=sequence,
        destination_addr=destination,
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=message,
        **fixed,
    )

    def write() -> bytes:
        made = template(*addresses, always)
        return made.octets(sequence, destination, esm_class, data_coding, message)

    if outcome(lambda: encode(template.pdu(**fixed)))[0] == "error":
        assert outcome(write) == outcome(lambda: encode(template.pdu(**fixed)))
    else:
        assert outcome(write) == outcome(lambda: encode(pdu))


@pytest.mark.parametrize(
    ("destination", "message"), [(None, b""), ("1", "text"), (b"1", b""), ("1", None), (1, b"")]
)
def test_values_of_another_type(destination: Any, message: Any) -> None:
    """What is no text or no octets is an EncodeError too, and nothing else."""
    with pytest.raises(EncodeError):
        FROM_SERVICE.octets(1, destination, 0, 0, message)


def deliver(session: Session, context: object, now: float = 1.0, destination: str = "13800138000") -> int:
    """An SMS of the service."""
    return session.deliver(FROM_SERVICE, destination, 0, 8, TEXT, context, now)


def test_deliver_is_send() -> None:
    """The session sends the same octets under the same numbers, and keeps the same window and times."""
    timers = Timers(inactivity=50.0)
    one, _ = bound_pair(timers=timers)
    other, _ = bound_pair(timers=timers)
    for number in range(3):
        pdu = DeliverSm(
            source_addr_npi=1,
            source_addr="12520",
            dest_addr_npi=1,
            destination_addr="13800138000",
            data_coding=8,
            short_message=TEXT,
        )
        assert deliver(one, number, 1.0 + number) == other.send(pdu, number, 1.0 + number)
    assert one.output() == other.output()
    for asked in ("window_free", "sent_sequence"):
        assert getattr(one, asked) == getattr(other, asked)
    assert one.deadline() == other.deadline()
    assert one.lost() == other.lost() == [0, 1, 2]


def test_a_link_sends_by_template() -> None:
    """An ESME sends submit_sm so, and its response is awaited; deliver_sm it may not send."""
    _, esme = bound_pair()
    template = SubmitSmTemplate(0, 1, "12520", 0, 1, Always("FT", 1, "", 1))
    sequence = esme.deliver(template, "13800138000", 0, 8, TEXT, "sms", 1.0)
    [pdu] = pdus(esme.output())
    assert isinstance(pdu, SubmitSm)
    assert (pdu.service_type, pdu.priority_flag, pdu.registered_delivery) == ("FT", 1, 1)
    [event] = esme.receive(encode(SubmitSmResp(sequence_number=sequence, message_id="7")), 2.0)
    assert isinstance(event, Answered)
    assert event.context == "sms"
    with pytest.raises(NotAllowedError):
        deliver(esme, None)


def test_deliver_out_of_place() -> None:
    """A state that does not allow it, a full window and a number that is too long raise as in send(), and
    nothing is queued."""
    mc, esme = bound_pair(BindTransmitter())
    for here in (mc, esme):
        with pytest.raises(NotAllowedError, match="deliver_sm in state"):
            deliver(here, None)
    full, _ = bound_pair(limits=Limits(window_out=1))
    with pytest.raises(EncodeError, match="destination_addr"):
        deliver(full, None, destination="1" * 21)
    assert (full.window_free, full.output()) == (1, b"")
    deliver(full, "first")
    queued = full.pending_output
    with pytest.raises(WindowFullError):
        deliver(full, "second")
    assert full.pending_output == queued
    assert full.lost() == ["first"]


@pytest.mark.parametrize("request_", [SubmitSm(sequence_number=7), DataSm(sequence_number=7)])
def test_acknowledge_is_answer(request_: SubmitSm | DataSm) -> None:
    """A request that was acknowledged is answered: once, and not owed any more."""
    mc, _ = bound_pair()
    [came] = mc.receive(encode(request_), 1.0)
    assert isinstance(came, SubmitSm | DataSm)
    mc.acknowledge(came, "00000000000000ff")
    assert mc.owed == 0
    assert mc.output() == encode(came.response(sequence_number=7, message_id="00000000000000ff"))
    with pytest.raises(NotAllowedError, match="does not wait"):
        mc.acknowledge(came, "1")
    with pytest.raises(NotAllowedError, match="does not wait"):
        mc.refuse(came, CommandStatus.RSYSERR)
    assert mc.output() == b""


@pytest.mark.parametrize("message_id", ["x" * 65, "a\0b", "飞信"])
def test_a_message_id_that_does_not_fit(message_id: str) -> None:
    """It raises, and the request still waits."""
    mc, _ = bound_pair()
    [came] = mc.receive(encode(SubmitSm()), 1.0)
    assert isinstance(came, SubmitSm)
    with pytest.raises(EncodeError, match="message_id"):
        mc.acknowledge(came, message_id)
    assert (mc.owed, mc.output()) == (1, b"")
    mc.acknowledge(came, "x" * 64)
    assert mc.owed == 0


def test_acknowledge_makes_room() -> None:
    """The octets and the number of what is owed count down as with answer()."""
    request = encode(SubmitSm(short_message=b"x" * 100))
    mc, _ = bound_pair(limits=Limits(window_in=1, unanswered_octets=len(request)))
    for _ in range(3):
        [came] = mc.receive(request, 1.0)
        assert isinstance(came, SubmitSm)
        mc.acknowledge(came, "1")


def test_the_last_acknowledgement_lets_an_unbind_go() -> None:
    """What is owed is answered first; with the last answer the unbind of the peer is answered."""
    mc, _ = bound_pair()
    [came] = mc.receive(encode(SubmitSm(sequence_number=1)) + encode(Unbind(sequence_number=2)), 1.0)
    assert isinstance(came, SubmitSm)
    mc.acknowledge(came, "1")
    assert said(mc) == [("submit_sm_resp", 0, 1), ("unbind_resp", 0, 2)]
    assert isinstance(mc.tick(1.0)[-1], Closing)


def test_after_the_end_nothing_is_acknowledged() -> None:
    """As with answer(), nobody is there to read it."""
    mc, _ = bound_pair()
    [came] = mc.receive(encode(SubmitSm()), 1.0)
    assert isinstance(came, SubmitSm)
    mc.lost()
    mc.acknowledge(came, "1")
    assert (mc.output(), mc.state) == (b"", State.CLOSED)


@given(st.integers(1, 5), st.sampled_from([0, 0, 8]), st.sampled_from([None, "", "1"]))
def test_every_deliver_sm_resp_answers_its_request(
    sequence: int, status: int, message_id: str | None
) -> None:
    """Plain or not, 16 octets or more: the context comes back with that status and message_id, once; what
    answers no request is noted as it came."""
    mc, _ = bound_pair()
    for number in range(1, 4):
        assert deliver(mc, number) == number
    pdu = DeliverSmResp(command_status=status, sequence_number=sequence, message_id=message_id or "")
    frame = encode(pdu)
    if message_id is None:
        frame = b"\0\0\0\x10" + frame[4:16]
    *_, event = mc.receive(frame, 2.0)
    if sequence > 3:
        assert isinstance(event, Noted)
        assert event.pdu == pdu
        return
    assert isinstance(event, Answered)
    assert event.context == sequence
    assert event.response.command_status == status
    assert getattr(event.response, "message_id", "") == (message_id or "")
    assert (mc.window_free, mc.read_before(2.0)) == (8, sequence)
    [again] = mc.receive(frame, 3.0)[-1:]
    assert isinstance(again, Noted)


def test_a_response_of_another_command_is_not_taken_for_a_delivery() -> None:
    """A plain one with the number of another request, or of the session's own, answers nothing."""
    mc, esme = bound_pair()
    sequence = mc.send(DataSm(), "data", 1.0)
    mc.tick(30.0)
    for number in (sequence, sequence + 1):
        noted = mc.receive(encode(DeliverSmResp(sequence_number=number)), 31.0)
        assert noted == [Noted("response to no request", DeliverSmResp(sequence_number=number))]
    assert (mc.asking, mc.window_free) == (True, 9)
    assert esme.receive(encode(DeliverSmResp(sequence_number=1)), 1.0)


def test_the_shared_response_cannot_be_changed() -> None:
    """It stands for many: who writes into it is told, and it stays what it is."""
    with pytest.raises(AttributeError, match="shared"):
        DELIVERED.command_status = CommandStatus.RSYSERR
    assert (DELIVERED.command_status, DELIVERED.message_id, DELIVERED.notes) == (0, "", ())


def test_many_in_one_read() -> None:
    """A hundred responses and a hundred requests in one read come in their order."""
    mc, _ = bound_pair(BindTransceiver(), limits=Limits(window_out=100))
    numbers = [deliver(mc, context) for context in range(100)]
    mc.output()
    stream = b"".join(
        encode(DeliverSmResp(sequence_number=number)) + encode(SubmitSm(sequence_number=number))
        for number in numbers
    )
    events = mc.receive(stream, 2.0)
    assert [event.context for event in events if isinstance(event, Answered)] == list(range(100))
    assert [event.sequence_number for event in events if isinstance(event, SubmitSm)] == numbers
