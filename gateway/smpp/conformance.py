"""The conformance statement (PICS) of both roles, out of the tables of this package, as Markdown.

    python -m gateway.smpp.conformance > docs/smpp-conformance.md

Names, sizes and faults come from the tables of PDUs, TLVs and statuses; what is answered in which state, from
a session that is asked; what is done with a field, from ``support`` and ``support_esme``; what differs by
version, from ``versions``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from gateway.smpp import support_esme
from gateway.smpp.careful import LAYOUTS
from gateway.smpp.codec import decode, encode
from gateway.smpp.events import Noted
from gateway.smpp.operations import MAY_SEND, Side, State
from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import (
    PDUS,
    REQUESTS,
    RESPONSES,
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
)
from gateway.smpp.session import Session
from gateway.smpp.status import CommandStatus, Retry, name_of
from gateway.smpp.support import (
    BY_GATEWAY,
    BY_SESSION,
    FAILS,
    FORGIVEN,
    ORIGINATES,
    RECEIVED,
    SENT,
    SERVES,
    TLVS_USED,
    Support,
)
from gateway.smpp.tlvs import TLVS, Form, Tlv
from gateway.smpp.transitions import NEXT
from gateway.smpp.versions import V34, VERSIONS, Version
from gateway.smpp.wire import CString, DestAddresses, Octet, ShortMessage, WireType

_STATES: Final = (State.OPEN, State.BOUND_TX, State.BOUND_RX, State.BOUND_TRX, State.UNBOUND)
_BINDS: Final[Mapping[State, type[BindRequest]]] = {
    State.BOUND_TX: BindTransmitter,
    State.BOUND_RX: BindReceiver,
    State.BOUND_TRX: BindTransceiver,
}
_SECTION: Final = re.compile(r"SMPP (3\.4|5\.0) section ([\d.]*\d)")

_HEAD: Final = """\
# SMPP conformance statement

Written by `python -m gateway.smpp.conformance` out of the tables of the product; a test compares the two. It
is for both roles: as message centre (MC) the gateway listens and an ESME binds; as ESME it dials the links of
the configuration. Versions 3.3, 3.4 and 5.0; sections are those of 3.4 where nothing else is said.

"Refused" means: answered with that command_status, and nothing is done. `ESME_` stands before every status on
the wire."""


@dataclass(frozen=True, slots=True)
class Role:
    """One side of the gateway. what: of it, for a heading. fails: requests that always fail, and how."""

    side: Side
    what: str
    serves: tuple[type[Request], ...]
    fails: Mapping[type[Request], CommandStatus]
    received: Mapping[type[Pdu], Mapping[str, Support]]
    sent: Mapping[type[Pdu], Mapping[str, Support]]
    originates: Mapping[type[Request], str]


MC: Final = Role(Side.MC, "As message centre: the listener", SERVES, FAILS, RECEIVED, SENT, ORIGINATES)
ESME: Final = Role(
    Side.ESME,
    "As ESME: the links",
    support_esme.SERVES,
    {},
    support_esme.RECEIVED,
    support_esme.SENT,
    support_esme.ORIGINATES,
)


def session_in(state: State, role: Role = MC) -> Session:
    """A session of that role in that state, which has nothing to say."""
    session = Session(role.side, now=0.0, serves=frozenset(each.command_id for each in role.serves))
    bind = _BINDS.get(state, BindTransceiver)()
    if state is not State.OPEN and role.side is Side.MC:
        for request in session.receive(encode(bind), 0.0):
            assert isinstance(request, BindRequest)
            session.refuse(request, CommandStatus.ROK)
    elif state is not State.OPEN:
        number = session.send(bind, None, 0.0)
        assert bind.response is not None
        session.receive(encode(bind.response(sequence_number=number)), 0.0)
    if state is State.UNBOUND:
        session.unbind(0.0)
    session.output()
    return session


def verdict(request: type[Request], state: State, role: Role = MC) -> str:
    """What a session of that role in that state makes of a request without faults."""
    session = session_in(state, role)
    events = session.receive(encode(request(sequence_number=1)), 0.0)
    octets = session.output()
    if octets:
        status = decode(octets).command_status
        return "answered" if status == CommandStatus.ROK else _short(status)
    if isinstance(events[0], Noted):
        return "logged"
    return _short(role.fails[request]) if request in role.fails else "served"


def statement() -> str:
    """The whole document."""
    roles = (part for role in (MC, ESME) for part in _role(role))
    parts = (_HEAD, *roles, *_versions(), *_tlvs(), *_statuses(), *_states())
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell or '-' for cell in line)} |" for line in lines)


def _short(status: int) -> str:
    return name_of(status).removeprefix("ESME_")


def _section(pdu: type[Pdu]) -> str:
    """The section that the class names for itself; 3.4 goes without saying."""
    found = _SECTION.search(pdu.__doc__ or "")
    return "" if found is None else found[2] if found[1] == "3.4" else f"{found[2]} (5.0)"


def _role(role: Role) -> Iterator[str]:
    yield f"## {role.what}"
    yield from _requests(role)
    yield from _responses(role)
    yield from _fields(role)


def _requests(role: Role) -> Iterator[str]:
    yield "### Requests"
    yield (
        f"What the {role.side.peer.value} gets for each request in each state. served: it goes to the"
        " gateway; answered: the\nsession does it; logged: nothing answers this request. UNBOUND: while the"
        " session ends."
    )
    columns = ("request", "command_id", "section", *(state.name for state in _STATES), "sent by this side")
    yield _table(
        columns,
        (
            (
                f"`{request.name}`",
                f"0x{request.command_id:08X}",
                _section(request),
                *(verdict(request, state, role) for state in _STATES),
                role.originates.get(request, "never"),
            )
            for request in REQUESTS
        ),
    )


def _responses(role: Role) -> Iterator[str]:
    yield "### Responses"
    yield (
        "A response to no request of ours is logged. One to a request of ours is never refused: what is\n"
        "wrong with its fields is logged, and its command_status counts."
    )
    to: dict[type[Pdu], type[Request]] = {each.response: each for each in REQUESTS if each.response}

    def row(response: type[Pdu]) -> tuple[str, ...]:
        request = to.get(response)
        if request is None:
            sent = "where no other response fits"
            read = "as the response to the request with its number; ESME_ROK in it counts as ESME_RUNKNOWNERR"
        else:
            peer_asks = any(request.command_id in MAY_SEND[role.side.peer][state] for state in State)
            sent = "as the table above says" if peer_asks else f"with {CommandStatus.RINVBNDSTS.name}"
            read = "yes" if request in role.originates else "never asked for"
        return f"`{response.name}`", f"0x{response.command_id:08X}", _section(response), sent, read

    yield _table(("response", "command_id", "section", "sent", "read"), map(row, RESPONSES))


def _fields(role: Role) -> Iterator[str]:
    yield "### Fields"
    yield (
        "A table for each PDU with a body. size: octets at most; C: a C-octet string, its NUL counts. A\n"
        f"request that ends before or in a field is refused with {CommandStatus.RINVCMDLEN.name}."
    )
    yield f"Taken with a note in the log: {'; '.join(FORGIVEN)}."
    shown = [pdu for pdu in PDUS if role is MC or pdu in role.received or pdu in role.sent]
    tables = groupby(shown, lambda pdu: (LAYOUTS[pdu], role.received.get(pdu), role.sent.get(pdu)))
    for (layout, *_), group in tables:
        if layout:
            alike = tuple(group)
            yield f"#### {', '.join(f'`{pdu.name}`' for pdu in alike)}"
            yield from _fields_of(alike[0], role)


def _fields_of(pdu: type[Pdu], role: Role) -> Iterator[str]:
    received, sent = role.received.get(pdu), role.sent.get(pdu)
    if received is not None:
        columns = ("field", "size", "received: what is done with it", "refused")
        yield _table(
            columns,
            (
                (f"`{name}`", _size(wire), received[name].text, _refused(wire, received[name], pdu))
                for name, wire in LAYOUTS[pdu]
            ),
        )
    elif sent is not None:
        rows = ((f"`{name}`", _size(wire), sent[name].text) for name, wire in LAYOUTS[pdu])
        yield _table(("field", "size", "sent"), rows)
    else:
        if issubclass(pdu, Request):
            yield "Not used: the PDU as a whole gets what the table of requests says."
        else:
            yield "Not used: this side sends it with an error status only, and never asks for it."
        yield _table(
            ("field", "size", "refused"),
            ((f"`{name}`", _size(wire), _too_long(wire, pdu)) for name, wire in LAYOUTS[pdu]),
        )


def _refused(wire: WireType, support: Support, pdu: type[Pdu]) -> str:
    """Which values of a field are refused, and how."""
    refusals = [_too_long(wire, pdu), *(f"{when}: {status.name}" for status, when in support.refusals)]
    return "; ".join(filter(None, refusals))


def _size(wire: WireType) -> str:
    match wire:
        case Octet():
            return "1"
        case CString():
            return f"C {wire.size}"
        case ShortMessage():
            return f"1 (sm_length) + {wire.size}"
        case DestAddresses():
            return "1 (number_of_dests) + each"
        case _:
            return "1 (no_unsuccess) + each"


def _too_long(wire: WireType, pdu: type[Pdu]) -> str:
    if not issubclass(pdu, Request):
        return ""
    match wire:
        case CString():
            return f"longer: {wire.fault.name}"
        case ShortMessage():
            return f"past the PDU: {CommandStatus.RINVMSGLEN.name}"
        case DestAddresses():
            return f"a dest_flag but 1 and 2: {CommandStatus.RINVDESTFLAG.name}"
        case _:
            return ""


def _versions() -> Iterator[str]:
    yield "## Versions"
    yield (
        "The version of an ESME is that of interface_version: below 0x34 3.3, below 0x50 3.4, else 5.0;\n"
        "another value than 0x33, 0x34 and 0x50 is logged, and so is a bind_transceiver with 0x33. The\n"
        "version of a centre is that of the link, or an older one that its sc_interface_version says.\n"
        "body with an error status: 3.4 leaves out one that says nothing, but those of deliver_sm_resp and\n"
        "query_sm_resp; so does 5.0 in bind responses, and in all where no congestion_state follows.\n"
        "instead: what stands for a status that the version does not know."
    )

    def row(version: Version) -> tuple[str, ...]:
        instead: dict[str, list[str]] = {}
        for status, known in version.instead.items():
            instead.setdefault(known.name, []).append(_short(status))
        return (
            version.name,
            "yes" if version.tlvs else "never",
            str(version.longest_id) if version.longest_id < 16 else "16",
            "left out" if version is V34 else "there, empty",
            f"0x{version.octet:02X}" if version.tlvs else "none",
            "yes" if version.congestion else "no",
            "; ".join(f"{name} for {', '.join(those)}" for name, those in instead.items()),
        )

    columns = (
        "version", "TLVs sent", "characters of our message_id", "body with an error status",
        "sc_interface_version sent", "congestion_state sent", "instead",
    )  # fmt: skip
    yield _table(columns, map(row, VERSIONS.values()))


def _tlvs() -> Iterator[str]:
    yield "## TLVs (section 5.3.2)"
    yield (
        "Every TLV is accepted in every PDU, known or not. One of a wrong size is logged and counts as\n"
        "octets; of one that may not be repeated the first counts. Those of a vendor (from 0x1400 on)\n"
        "come back in the reply where the account wants it; it may want some in all SMS to handsets. A peer\n"
        "before 3.4 gets no TLV: a long message leaves to it with user data headers."
    )

    def row(tlv: Tlv) -> tuple[str, ...]:
        size = str(tlv.least) if tlv.least == tlv.most else f"{tlv.least} to {tlv.most}"
        form = {Form.INTEGER: "integer", Form.C_STRING: "C-octet string", Form.OCTETS: "octets"}[tlv.form]
        used = TLVS_USED.get(tlv.name, "accepted, ignored")
        return f"0x{tlv.tag:04X}", f"`{tlv.name}`", form, size, "yes" if tlv.repeatable else "no", used

    yield _table(("tag", "TLV", "value", "octets", "repeated", "what is done with it"), map(row, TLVS))


def _statuses() -> Iterator[str]:
    yield "## command_status (section 5.1.3)"
    yield (
        "answered: what the listener answers with it. in a deliver_sm_resp: what becomes of that SMS; a\n"
        "value that is in no table counts as permanent."
    )
    reasons = _reasons()
    after = {Retry.NONE: "it is delivered", Retry.PERMANENT: "it has failed"}

    def row(status: CommandStatus) -> tuple[str, ...]:
        answered = "; ".join(dict.fromkeys(reasons.get(status, ())))
        fate = after.get(status.retry, "it is sent again later")
        return f"0x{status:08X}", f"`{name_of(status)}`", status.meaning, answered or "never", fate

    columns = ("value", "name", "meaning", "answered", "in a deliver_sm_resp")
    yield _table(columns, map(row, CommandStatus))


def _reasons() -> dict[CommandStatus, list[str]]:
    """For what each status is answered."""
    reasons: dict[CommandStatus, list[str]] = {CommandStatus.ROK: ["what was done"]}
    for status, when in (*BY_SESSION, *BY_GATEWAY):
        reasons.setdefault(status, []).append(when)
    for request in REQUESTS:
        for name, wire in LAYOUTS[request]:
            if isinstance(wire, CString):
                reasons.setdefault(wire.fault, []).append(f"`{name}` too long")
            elif isinstance(wire, DestAddresses):
                reasons.setdefault(CommandStatus.RINVDESTFLAG, []).append("a dest_flag but 1 and 2")
    for fields in RECEIVED.values():
        for name, support in fields.items():
            for status, when in support.refusals:
                reasons.setdefault(status, []).append(f"`{name}`: {when}")
    return reasons


def _states() -> Iterator[str]:
    yield "## States (section 2.2)"
    yield "What happens, and the state that it leads to. UNBOUND is of SMPP 5.0."
    ways: dict[tuple[State, State], list[str]] = {}
    for (state, happening), after in NEXT.items():
        ways.setdefault((state, after), []).append(happening.value)
    lines = [
        f"    {state.name} --> {after.name}: {'<br>'.join(happenings)}"
        for (state, after), happenings in ways.items()
        if state is not State.CLOSED
    ]
    diagram = [
        "stateDiagram-v2",
        f"    [*] --> {State.OPEN.name}",
        *lines,
        f"    {State.CLOSED.name} --> [*]",
    ]
    yield "\n".join(("```mermaid", *diagram, "```"))


if __name__ == "__main__":
    print(statement(), end="")  # noqa: T201  a command of its own
