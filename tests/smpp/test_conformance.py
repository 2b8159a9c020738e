"""The conformance statement is the committed one, and what it says is what a peer gets."""

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.smpp.composing import Composition
from gateway.channels.smpp.writing import Manner, writer_of
from gateway.net.listener import SERVED
from gateway.smpp.careful import LAYOUTS
from gateway.smpp.codec import decode, encode
from gateway.smpp.conformance import ESME, MC, Role, session_in, statement, verdict
from gateway.smpp.long import Segment
from gateway.smpp.operations import MAY_SEND, State
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    REQUESTS,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    BroadcastSm,
    CancelSm,
    DataSm,
    DeliverSm,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.session import Limits, Session
from gateway.smpp.status import CommandStatus
from gateway.smpp.support import BY_SESSION, FAILS, RECEIVED, SERVES, TLVS_USED, Use
from gateway.smpp.tlvs import TAGS
from gateway.smpp.wire import (
    HEADER,
    CString,
    DestAddresses,
    DistributionList,
    ShortMessage,
    SmeAddress,
)
from gateway.testing import RunningGateway, running_gateway
from tests.proofs.served import lines
from tests.smpp.sessions import pdus, said
from tests.support import GSM, Wire, leaving

PROJECT = Path(__file__).resolve().parents[2]
ALICE, BOB, NOBODY = "13800138000", "13900139000", "99999"
SERVICE, PASSWORDS = "12520", "12520050"
ONLY_RECEIVES, ONCE, NARROW = "receiver", "once", "narrow"
"""Accounts that may only receive, may bind once, and may only submit for ALICE to 12520."""
HEADER_OF_A_PART = bytes((5, 0, 3, 7, 2, 1))

REFUSED_VALUES = [
    (request, field, status, when)
    for request, fields in RECEIVED.items()
    if issubclass(request, Request)
    for field, support in fields.items()
    for status, when in support.refusals
]
"""Every refusal that the statement names of a value."""

BAD_VALUES: dict[str, dict[str, Any]] = {
    "no account of that name, or not from that address": {"system_id": "nobody"},
    "an account that may not bind in this mode": {"system_id": ONLY_RECEIVES},
    "an account with as many binds as it may have": {"system_id": ONCE},
    "another one": {"password": "wrong"},
    "no mobile number, or a second number that is not served": {"source_addr": "10086"},
    "a sender that the account may not submit for": {"source_addr": BOB},
    "no number of the service": {"destination_addr": NOBODY},
    "a number of the service that the account may not use": {"destination_addr": "161"},
    "any but empty": {"schedule_delivery_time": "000000000100000R"},
    "no time of section 7.1.1": {"validity_period": "991231235959"},
    "over before the SMS is executed": {"validity_period": "010203040506000+"},
    "above 1": {"replace_if_present_flag": 2},
    "any but 0": {"sm_default_msg_id": 1},
    "a message type (bits 5 to 2) other than 0": {"esm_class": 0x04},
    "a part of a long message to the number for passwords": {
        "destination_addr": PASSWORDS,
        "esm_class": 0x40,
        "short_message": HEADER_OF_A_PART + b"fetion16",
    },
    "none": {"dest_addresses": ()},
    "distribution lists only": {"dest_addresses": (DistributionList("friends"),)},
    "none of them a number of the service": {"dest_addresses": (SmeAddress(0, 1, NOBODY),)},
    "no id that we give": {"message_id": "of another centre"},
    "an id of no SMS": {"message_id": "0" * 16},
    "another handset": {"source_addr": BOB},
    "an SMS that caused nothing that still waits for others": {},
    "any other: an SMS is executed when it comes": {},
}
"""A value for each of them."""

OF_NARROW = {
    "a sender that the account may not submit for",
    "a number of the service that the account may not use",
}
"""Those that only this account gets."""

NOTED_VALUES = [
    (request, field, what)
    for request, fields in RECEIVED.items()
    if issubclass(request, Request)
    for field, support in fields.items()
    for what in support.noted
]
"""Every value that the statement says is noted."""

ODD_VALUES: dict[tuple[str, str], tuple[Any, str]] = {
    ("source_addr_ton", "one that section 5.2.5 does not have"): (7, "source_addr_ton 7"),
    ("dest_addr_ton", "one that section 5.2.5 does not have"): (255, "dest_addr_ton 255"),
    ("source_addr_npi", "one that section 5.2.6 does not have"): (2, "source_addr_npi 2"),
    ("dest_addr_npi", "one that section 5.2.6 does not have"): (19, "dest_addr_npi 19"),
    ("esm_class", "datagram or transaction mode"): (0x01, "datagram mode"),
    ("registered_delivery", "bits 7 to 5"): (0x20, "registered_delivery 32"),
    ("priority_flag", "above 3"): (4, "priority_flag 4"),
    ("replace_if_present_flag", "1"): (1, "replace_if_present_flag 1"),
    ("short_message", "a byte order mark, which is dropped"): (
        b"\xff\xfe" + "CXFX".encode("utf-16-le"),
        "a byte order mark",
    ),
    ("short_message", "a NUL at the end of the text, which is dropped"): (
        b"CXFX\0",
        "a NUL at the end of the text",
    ),
}
"""A value for each of them, and the note."""


def framed(command_id: int, body: bytes) -> bytes:
    """A request with this body, whether it is one or not."""
    return HEADER.pack(16 + len(body), command_id, 0, 1) + body


def body_with(request: type[Request], changed: str, octets: bytes) -> bytes:
    """The body of a request that is empty but for one field."""
    # One NUL is an integer, an empty text, or a count of none.
    return b"".join(octets if name == changed else b"\0" for name, _ in LAYOUTS[request])


def test_the_committed_statement_is_the_generated_one() -> None:
    """docs/smpp-conformance.md is what the command writes."""
    written = (PROJECT / "docs" / "smpp-conformance.md").read_text("utf-8")
    assert written == statement(), "run: make conformance"
    command = [sys.executable, "-m", "gateway.smpp.conformance"]
    printed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True).stdout
    assert printed.decode() == written


def test_the_statement_serves_what_the_listener_serves() -> None:
    """The requests that the statement calls served are those of the listener."""
    assert {request.command_id for request in SERVES} == SERVED


def test_every_field_and_tlv_is_in_the_statement() -> None:
    """Of a PDU that is served or sent the tables name each field in its place, and no other; the TLVs and
    requests that they name exist."""
    for role in (MC, ESME):
        for table in (role.received, role.sent):
            for pdu, fields in table.items():
                assert set(fields) == {name for name, _ in LAYOUTS[pdu]}, pdu.name
        assert {each for each in role.serves if LAYOUTS[each]} - set(role.fails) <= set(role.received)
    assert set(TLVS_USED) <= set(TAGS)


@pytest.mark.parametrize("role", [MC, ESME], ids=["MC", "ESME"])
@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_what_is_answered_follows_the_matrix(request_: type[Request], state: State, role: Role) -> None:
    """In each state a request is served or answered only where the matrix lets the peer send it; elsewhere it
    is refused by its state, and where it is not served by its command_id. A broadcast always fails."""
    told = verdict(request_, state, role)
    if request_.response is None:
        assert told == "logged"
    elif request_.command_id in MAY_SEND[role.side.peer][state]:
        own = request_.name in ("enquire_link", "unbind")
        served = role.fails[request_].name if request_ in role.fails else "served"
        assert told == ("answered" if own else served if request_ in role.serves else "RINVCMDID")
    elif role is MC and issubclass(request_, BindRequest) and state is not State.UNBOUND:
        assert told == "RALYBND"
    elif request_.name == "unbind" and state is State.UNBOUND:  # two that cross
        assert told == "answered"
    elif role is ESME and request_ in role.serves and state is State.UNBOUND:  # it may come again
        assert told == "RX_T_APPN"
    else:
        assert told == "RINVBNDSTS"


def test_what_the_gateway_sends_is_allowed() -> None:
    """Each request that the statement says a role sends, the matrix lets it send."""
    for role in (MC, ESME):
        for request in role.originates:
            states = [State.OPEN] if issubclass(request, BindRequest) else [State.BOUND_TRX]
            assert all(request.command_id in MAY_SEND[role.side][state] for state in states)


def too_long() -> Iterator[tuple[type[Request], str, bytes, CommandStatus]]:
    """A value that does not fit, for each field that has a limit, and the status that the statement names."""
    for request in REQUESTS:
        for name, wire in LAYOUTS[request]:
            if isinstance(wire, CString):
                yield request, name, b"1" * wire.size + b"\0", wire.fault
            elif isinstance(wire, ShortMessage):
                yield request, name, b"\xffshort", CommandStatus.RINVMSGLEN
            elif isinstance(wire, DestAddresses):
                yield request, name, b"\1\3", CommandStatus.RINVDESTFLAG


@pytest.mark.parametrize(
    ("request_", "field", "octets", "status"), [*too_long()], ids=lambda value: getattr(value, "name", None)
)
def test_a_value_that_does_not_fit(
    request_: type[Request], field: str, octets: bytes, status: CommandStatus
) -> None:
    """A session answers a field that is too long, or counts wrongly, with the status of the statement."""
    session = session_in(State.BOUND_TRX)
    session.receive(framed(request_.command_id, body_with(request_, field, octets)), 0.0)
    response = request_.response
    assert said(session) == [(response.name if response else "generic_nack", status, 1)]


def broken_by_session() -> dict[str, tuple[State, bytes]]:
    """A state and octets for each refusal that the statement names of the session."""
    bound, submit = State.BOUND_TRX, encode(SubmitSm())
    return {
        "a command_length below 16 or above 70,000 (generic_nack, then the end)": (bound, bytes(16)),
        "a PDU that ends inside a field": (bound, framed(SubmitSm.command_id, b"CMT")),
        "a command_id that no PDU has (generic_nack)": (bound, framed(0xAA, b"")),
        "a request that state or side does not allow": (bound, encode(DeliverSm())),
        "a second bind": (bound, encode(BindTransmitter())),
        "an sm_length that runs past the PDU": (bound, framed(4, submit[16:-1] + b"\xff")),
        "a user data header that is longer than the message": (
            bound,
            framed(4, body_with(SubmitSm, "esm_class", b"\x40")[:-1] + b"\1\7"),
        ),
        "TLVs that do not end with the PDU": (bound, framed(4, submit[16:] + b"\2\4\0")),
        "more unanswered requests than window_in, or 256 KiB of them": (bound, submit * 3),
    }


@pytest.mark.parametrize(("status", "when"), BY_SESSION)
def test_what_the_session_refuses(status: CommandStatus, when: str) -> None:
    """Each refusal that the statement names of the session is what it answers."""
    state, octets = broken_by_session()[when]
    session: Session = session_in(state)
    session.limits = Limits(window_in=2)
    session.receive(octets, 0.0)
    assert [its for _, its, _ in said(session)] == [status]


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[RunningGateway]:
    """A running gateway with further accounts, each of which may do less."""
    terms: list[dict[str, Any]] = [
        {"system_id": "smsc", "default": True},
        {"system_id": ONLY_RECEIVES, "modes": ["receiver"]},
        {"system_id": ONCE, "binds": 1},
        {"system_id": NARROW, "sources": [ALICE], "access_codes": ["12520"]},
    ]
    accounts = [{"password": "fetion16", **each} for each in terms]
    async with running_gateway(folder, {"smpp": {"accounts": accounts}}) as running:
        yield running


def example(request: type[Request], change: dict[str, Any], message_id: str = "") -> Request:
    """A request that is right but for the change. data_sm has its text in a TLV. message_id: of an SMS that
    came, for those that ask about one."""
    if issubclass(request, BindRequest):
        return request(**{"system_id": "smsc", "password": "fetion16", **change})
    if request in ABOUT_AN_SMS:
        return request(**{"message_id": message_id, "source_addr": ALICE, **change})
    if request in FAILS:
        return request(**change)
    message = {"source_addr": ALICE, "destination_addr": SERVICE, "data_coding": 1, **change}
    if request is DataSm:
        return DataSm(**message, tlvs={TAGS["message_payload"]: b"CXFX"})
    if request is SubmitMulti:
        to = (SmeAddress(0, 1, message.pop("destination_addr")),)
        return SubmitMulti(**{"dest_addresses": to, "short_message": b"CXFX", **message})
    return SubmitSm(**{"short_message": b"CXFX", **message})


ABOUT_AN_SMS = (QuerySm, CancelSm, ReplaceSm)


async def answer_to(port: int, request: type[Request], change: dict[str, Any], account: str = "smsc") -> int:
    """The command_status with which a gateway answers a request; a message is sent on a bind."""
    async with Wire.to(port) as wire:
        message_id = ""
        if request in ABOUT_AN_SMS:  # a transmitter: its reply to the SMS does not come here
            wire.send(BindTransmitter(system_id=account, password="fetion16"), example(SubmitSm, {}))
            await wire.read()
            message_id = (await wire.reads(SubmitSmResp)).message_id
        elif not issubclass(request, BindRequest):
            assert not (await wire.bind(bind_as(account))).command_status
        wire.send(example(request, change, message_id))
        while True:
            read = await wire.read()
            assert read is not None
            if read.command_id == request.command_id | 0x80000000:
                return read.command_status


def bind_as(account: str) -> BindTransceiver:
    """A bind of an account."""
    return BindTransceiver(system_id=account, password="fetion16")


def usual(request: type[Request]) -> int:
    """What a request without a fault gets from a gateway to which the peer has bound as 3.4."""
    late = {CancelSm: CommandStatus.RCANCELFAIL, ReplaceSm: CommandStatus.RREPLACEFAIL}
    return CommandStatus.RINVCMDID if request in FAILS else late.get(request, CommandStatus.ROK)


async def test_what_the_gateway_refuses(tmp_path: Path) -> None:
    """Each refusal that the statement names of a value is what a running gateway answers; with right values
    it takes the request."""
    async with gateway(tmp_path) as running, Wire.to(running.account.port) as standing:
        port = running.account.port
        assert not (await standing.bind(bind_as(ONCE))).command_status
        for request, field, status, when in REFUSED_VALUES:
            if status is CommandStatus.RBINDFAIL and request.name == "bind_receiver":
                continue  # the mode that this account has
            account = NARROW if when in OF_NARROW else "smsc"
            given = await answer_to(port, request, BAD_VALUES[when], account)
            assert given == status, (request.name, field, when)
        for request in SERVES:
            for account in ("smsc", NARROW):
                assert await answer_to(port, request, {}, account) == usual(request), request.name


async def test_what_the_gateway_notes(tmp_path: Path) -> None:
    """Each value that the statement says is noted is taken, and the log has the note."""
    async with gateway(tmp_path) as running:
        for request, field, what in NOTED_VALUES:
            value, note = ODD_VALUES[field, what]
            coding = {"data_coding": 8} if note == "a byte order mark" else {}
            odd = {field: value, **coding}
            assert await answer_to(running.account.port, request, odd) == CommandStatus.ROK, (field, what)
            await running.advance(seconds=60)  # the rate of notes is bounded
            noted = [line for line in lines(running.log_file()) if line["event"] == "pdu.noted"]
            assert (noted[-1]["command"], noted[-1]["reason"]) == (request.name, note)


IGNORED: dict[str, Callable[[], Any]] = {
    "service_type": lambda: "WAP",
    "protocol_id": lambda: 0x7F,
    "priority_flag": lambda: 3,
    "schedule_delivery_time": lambda: "991231235959000+",
    "validity_period": lambda: "000000000100000R",
    "sm_default_msg_id": lambda: 9,
    "registered_delivery": lambda: 0x1F,
    "replace_if_present_flag": lambda: 1,
    "system_type": lambda: "VMS",
    "addr_ton": lambda: 1,
    "addr_npi": lambda: 1,
    "source_addr_ton": lambda: 5,
    "source_addr_npi": lambda: 9,
    "dest_addr_ton": lambda: 5,
    "dest_addr_npi": lambda: 9,
    "source_addr": lambda: BOB,
    "short_message": lambda: b"another text",
}


async def test_what_is_ignored_is_accepted(tmp_path: Path) -> None:
    """A field that the statement calls ignored may hold what it likes: the request is taken."""
    async with gateway(tmp_path) as running:
        for request in set(SERVES) - set(FAILS):
            ignored = [name for name, support in RECEIVED[request].items() if support.use is Use.IGNORED]
            change = {name: IGNORED[name]() for name in ignored}
            assert await answer_to(running.account.port, request, change) == usual(request), request.name


def test_what_a_link_leaves_empty() -> None:
    """A field that the statement says is sent as 0 or empty is so in what a link writes."""
    session = session_in(State.BOUND_TRX, ESME)
    sms = leaving(1, text="x")
    sms.segments = (Segment(b"x", 0),)
    writer_of(SubmitSm, Manner(), Composition(GSM), lambda: 0).write(session, sms, 0.0)
    [request] = pdus(session.output())
    for name, support in ESME.sent[SubmitSm].items():
        assert support.use in (Use.SENT, Use.EMPTY)
        assert support.use is Use.SENT or not getattr(request, name), name
    assert request.name == "submit_sm"


def test_every_role_and_version_has_its_place() -> None:
    """The statement names both roles, and what differs by version."""
    text = statement()
    for role in (MC, ESME):
        assert f"## {role.what}" in text
    for name in ("3.3", "3.4", "5.0"):
        assert f"\n| {name} | " in text
    [line] = [line for line in text.splitlines() if line.startswith("| `broadcast_sm` |")][:1]
    assert line.count("RBCASTFAIL") == 2
    assert decode(encode(BroadcastSm())) == BroadcastSm()
