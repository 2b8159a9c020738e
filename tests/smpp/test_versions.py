"""What peers of each version get: no TLV and no long id to 3.3; what is of 5.0 to 5.0 only."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.careful import LAYOUTS
from gateway.smpp.codec import decode, encode
from gateway.smpp.errors import EncodeError, SmppError
from gateway.smpp.events import Noted
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdu import Request, Response
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransceiverResp,
    DataSm,
    DeliverSm,
    EnquireLink,
    QuerySm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.session import Limits, Session, Side
from gateway.smpp.status import CommandStatus, Retry, retry_class
from gateway.smpp.tlvs import CONGESTION_STATE, SC_INTERFACE_VERSION
from gateway.smpp.versions import V33, V34, V50, VERSIONS, Congestion, Version, of_octet
from gateway.smpp.wire import HEADER_LENGTH
from tests.smpp.sessions import pdus
from tests.smpp.strategies import ANY_PDU, pdus_of

ID = "0300000200000abc"
SERVES = frozenset({1, 2, 9, SubmitSm.command_id, DataSm.command_id, SubmitMulti.command_id})


def mc_for(
    octet: int, congestion: Congestion | None = None, bind: type[BindRequest] = BindReceiver
) -> Session:
    """An MC's session to which a peer has bound with this interface_version; what was said is read."""
    mc = Session(Side.MC, now=0.0, serves=SERVES, congestion=congestion, limits=Limits(window_in=3))
    request = mc.receive(encode(bind(interface_version=octet, sequence_number=1)), 0.0)[-1]
    assert isinstance(request, BindRequest)
    assert request.response is not None
    mc.answer(request, request.response())
    mc.output()
    return mc


@pytest.mark.parametrize(
    ("octet", "version"),
    [(0, V33), (0x32, V33), (0x33, V33), (0x34, V34), (0x35, V34), (0x4F, V34), (0x50, V50), (0xFF, V50)],
)
def test_the_version_of_a_bind(octet: int, version: Version) -> None:
    """By interface_version: the newest that it reaches. One that no version has is noted."""
    assert mc_for(octet).version is version
    mc = Session(Side.MC, now=0.0, serves=SERVES)
    notes = [e for e in mc.receive(encode(BindReceiver(interface_version=octet)), 0.0) if type(e) is Noted]
    assert len(notes) == (octet not in (0x33, 0x34, 0x50))
    assert all(version.name in note.reason for note in notes)


def test_a_transceiver_of_3_3_is_taken_with_a_note() -> None:
    """bind_transceiver came with 3.4; peers of 3.3 send it all the same."""
    mc = Session(Side.MC, now=0.0, serves=SERVES)
    note, bind = mc.receive(encode(BindTransceiver(interface_version=0x33)), 0.0)
    assert isinstance(note, Noted)
    assert "bind_transceiver" in note.reason
    assert isinstance(bind, BindTransceiver)


def test_a_refused_bind_is_written_for_its_version_too() -> None:
    """A peer of 3.3 gets a body with an error status; the next bind of the same connection counts anew."""
    mc = Session(Side.MC, now=0.0, serves=SERVES)
    bind = mc.receive(encode(BindReceiver(interface_version=0x33)), 0.0)[-1]
    assert isinstance(bind, Request)
    mc.refuse(bind, CommandStatus.RINVPASWD)
    assert mc.output()[HEADER_LENGTH:] == b"\0"
    bind = mc.receive(encode(BindReceiver(interface_version=0x34)), 0.0)[-1]
    assert isinstance(bind, Request)
    mc.refuse(bind, CommandStatus.RINVPASWD)
    assert mc.output()[HEADER_LENGTH:] == b""
    assert mc.version is V34


def test_a_second_bind_changes_no_version() -> None:
    """It is refused, and the session stays what it was."""
    mc = mc_for(0x33)
    mc.receive(encode(BindReceiver(interface_version=0x50)), 0.0)
    assert (mc.version, pdus(mc.output())[0].command_status) == (V33, CommandStatus.RALYBND)


@pytest.mark.parametrize(
    ("ours", "said", "settled"),
    [
        ("3.4", {}, V34),
        ("5.0", {}, V50),
        ("3.3", {SC_INTERFACE_VERSION: 0x50}, V33),
        ("3.4", {SC_INTERFACE_VERSION: 0x50}, V34),
        ("5.0", {SC_INTERFACE_VERSION: 0x34}, V34),
        ("5.0", {SC_INTERFACE_VERSION: 0x50}, V50),
        ("3.4", {SC_INTERFACE_VERSION: 0x33}, V33),
        ("3.4", {SC_INTERFACE_VERSION: b"\0\x33"}, V34),
    ],
)
def test_the_version_of_a_centre(ours: str, said: dict[int, int | bytes], settled: Version) -> None:
    """As ESME: the older one of what we asked for and of what the response says, if it says one."""
    esme = Session(Side.ESME, now=0.0, serves=frozenset({DeliverSm.command_id}))
    number = esme.send(BindTransceiver(interface_version=VERSIONS[ours].octet), "bind", 0.0)
    esme.receive(encode(BindTransceiverResp(sequence_number=number, tlvs=said)), 0.0)
    assert esme.version is settled


def is_for_33(frame: bytes) -> None:
    """A PDU without TLVs and long ids, whose status and body 3.3 knows."""
    pdu = decode(frame)
    assert not pdu.tlvs
    assert not pdu.notes
    assert len(getattr(pdu, "message_id", "")) <= 8
    assert pdu.command_status < 0xC0
    if isinstance(pdu, Response) and LAYOUTS[type(pdu)]:
        assert len(frame) > HEADER_LENGTH


RESPONSES = st.sampled_from([SubmitSmResp, SubmitMultiResp]).flatmap(pdus_of)
STATUSES = st.sampled_from(CommandStatus)


@given(
    st.integers(0, 0x33),
    st.sampled_from([BindReceiver, BindTransceiver]),
    st.lists(st.one_of(ANY_PDU, st.binary(max_size=40)), max_size=8),
    st.lists(
        st.one_of(STATUSES, st.text("0123456789abcdef", max_size=64), RESPONSES), min_size=8, max_size=8
    ),
    st.lists(ANY_PDU, max_size=3),
)
def test_what_a_peer_of_3_3_gets(
    octet: int,
    bind: type[BindRequest],
    came: list[object],
    answers: list[object],
    ours: list[object],
) -> None:
    """Whatever comes, and however it is answered: never a TLV, an id above 8 characters, a status of later
    versions, or a response without its body. What cannot be said without a TLV is not sent at all."""
    mc = mc_for(octet, Congestion(), bind)
    said = bytearray()
    for each in came:
        octets = each if isinstance(each, bytes) else encode(each)  # type: ignore[arg-type]
        events = mc.receive(octets, 1.0)
        for event in events:
            if isinstance(event, SubmitSm | DataSm | SubmitMulti):
                answer_with(mc, event, answers.pop() if answers else CommandStatus.RINVTLVVAL)
        said += mc.output()
    for pdu in ours:
        if isinstance(pdu, Request):
            pdu.command_status = 0  # as in every request
            with suppress(SmppError):  # by state, window or version it may not be sent
                mc.send(pdu, None, 1.0)
    said += mc.output()
    for frame in FrameSplitter().feed(bytes(said)):
        is_for_33(frame)


def answer_with(mc: Session, request: SubmitSm | DataSm | SubmitMulti, answer: object) -> None:
    """A refusal, an id, or a whole response, where it fits."""
    if isinstance(answer, CommandStatus):
        mc.refuse(request, answer)
    elif isinstance(answer, str) and not isinstance(request, SubmitMulti):
        mc.acknowledge(request, answer)
    elif isinstance(answer, Response) and answer.command_id == request.command_id | 0x80000000:
        if answer.command_status >= 0xC0:  # a value of a vendor is the owner's own
            answer.command_status = CommandStatus.RPROHIBITED
        mc.answer(request, answer)
    else:
        mc.refuse(request, CommandStatus.RUNKNOWNERR)


def test_an_id_of_3_3_is_the_end_of_ours() -> None:
    """Eight digits, by which the SMS is found again."""
    mc = mc_for(0x33, bind=BindTransceiver)
    [request] = mc.receive(encode(SubmitSm(sequence_number=2)), 0.0)
    assert isinstance(request, SubmitSm)
    mc.acknowledge(request, ID)
    assert mc.output()[HEADER_LENGTH:] == b"00000abc\0"
    assert (V33.id_of(ID), V34.id_of(ID), V50.id_of(ID), V33.id_of("")) == ("00000abc", ID, ID, "")


@pytest.mark.parametrize("text", [DataSm(), DeliverSm(tlvs={0x0424: b"x"}), DeliverSm(tlvs={0x020C: 1})])
def test_a_text_in_tlvs_is_not_cut_for_3_3(text: Request) -> None:
    """An SMS that would be another one without its TLVs is not sent; a TLV beside the text is left out."""
    mc = mc_for(0x33)
    with pytest.raises(EncodeError, match=r"3\.3"):
        mc.send(text, None, 0.0)
    assert mc.output() == b""
    mc.send(DeliverSm(short_message=b"x", tlvs={0x1400: b"v"}), None, 0.0)
    assert pdus(mc.output())[0].tlvs == {}


@pytest.mark.parametrize("version", VERSIONS.values(), ids=lambda version: version.name)
def test_a_status_that_stands_for_another_is_as_permanent(version: Version) -> None:
    """Else a peer would repeat what is refused for good. Those that stand for others are known themselves."""
    for status in CommandStatus:
        known = version.status(status)
        assert retry_class(known) is status.retry
        assert version.status(known) == known
        if status < 0xC0:
            assert known == status
    highest = {V33: 0xC0, V34: 0x100, V50: 0x1000}[version]
    assert all(version.status(status) < highest for status in CommandStatus)
    assert version.status(0x401) == 0x401  # of a vendor: the configuration said so


@given(st.integers(0, 255), st.integers(-5, 200))
def test_congestion_is_told_to_5_0_only(octet: int, state: int) -> None:
    """In responses to operations, good and bad, as it is then; not in those of the session itself."""
    congestion = Congestion()
    mc = mc_for(octet, congestion, BindTransceiver)
    congestion.set(state)
    events = mc.receive(
        b"".join(
            encode(request)
            for request in (
                SubmitSm(sequence_number=2),
                SubmitSm(sequence_number=3),
                EnquireLink(),
                QuerySm(),
            )
        ),
        1.0,
    )
    submitted = [event for event in events if isinstance(event, SubmitSm)]
    mc.acknowledge(submitted[0], "1")
    mc.refuse(submitted[1], CommandStatus.RMSGQFUL)
    told = {CONGESTION_STATE: min(max(state, 0), 100)} if of_octet(octet) is V50 else {}
    for pdu in pdus(mc.output()):
        assert pdu.tlvs == ({} if pdu.name == "enquire_link_resp" else told), pdu.name
        assert not pdu.notes


def test_a_centre_is_told_nothing() -> None:
    """As ESME we have no congestion to tell."""
    esme = Session(Side.ESME, now=0.0, serves=frozenset({DeliverSm.command_id}))
    number = esme.send(BindTransceiver(interface_version=0x50), "bind", 0.0)
    esme.receive(encode(BindTransceiverResp(sequence_number=number)), 0.0)
    esme.output()
    [request] = esme.receive(encode(DeliverSm(sequence_number=1)), 0.0)
    assert isinstance(request, DeliverSm)
    esme.refuse(request, 0)
    assert pdus(esme.output())[0].tlvs == {}


@pytest.mark.parametrize(
    ("octet", "status"),
    [(0x33, CommandStatus.RINVCMDID), (0x34, CommandStatus.RINVCMDID), (0x50, CommandStatus.RPROHIBITED)],
)
def test_what_is_prohibited(octet: int, status: CommandStatus) -> None:
    """ESME_RPROHIBITED is of 5.0; older peers get ESME_RINVCMDID."""
    mc = mc_for(octet, bind=BindTransceiver)
    [request] = mc.receive(encode(SubmitSm()), 0.0)
    assert isinstance(request, SubmitSm)
    mc.refuse(request, CommandStatus.RPROHIBITED)
    assert pdus(mc.output())[0].command_status == status
    assert status.retry is Retry.PERMANENT
