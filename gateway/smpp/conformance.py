"""The conformance statement (PICS) of the listener, out of the tables of this package, as Markdown.

    python -m gateway.smpp.conformance > docs/smpp-conformance.md

Names, sizes and faults come from the tables of PDUs, TLVs and statuses; what is answered in which state, from
a session that is asked; what is done with a field, from ``support``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

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
    ORIGINATES,
    RECEIVED,
    SENT,
    SERVES,
    TLVS_USED,
    Support,
)
from gateway.smpp.tlvs import TLVS, Form, Tlv
from gateway.smpp.transitions import NEXT
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
is for the gateway as a listener, in the role of the message centre (MC), to which an ESME binds. Version 3.4;
rows with a section of 5.0 are of that version.

"Refused" means: answered with that command_status, and nothing is done. `ESME_` stands before every status on
the wire."""


def session_in(state: State) -> Session:
    """A listener's session in that state, which has nothing to say."""
    session = Session(Side.MC, now=0.0, serves=frozenset(each.command_id for each in SERVES))
    if state is not State.OPEN:
        bind = _BINDS.get(state, BindTransceiver)()
        for request in session.receive(encode(bind), 0.0):
            assert isinstance(request, BindRequest)
            session.refuse(request, CommandStatus.ROK)
    if state is State.UNBOUND:
        session.unbind(0.0)
    session.output()
    return session


def verdict(request: type[Request], state: State) -> str:
    """What a session in that state makes of a request without faults."""
    session = session_in(state)
    events = session.receive(encode(request(sequence_number=1)), 0.0)
    octets = session.output()
    if octets:
        status = decode(octets).command_status
        return "answered" if status == CommandStatus.ROK else _short(status)
    return "logged" if isinstance(events[0], Noted) else "served"


def statement() -> str:
    """The whole document."""
    parts = (_HEAD, *_requests(), *_responses(), *_fields(), *_tlvs(), *_statuses(), *_states())
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


def _requests() -> Iterator[str]:
    yield "## Requests"
    yield (
        "What the ESME gets for each request in each state. served: it goes to the gateway; answered: the\n"
        "session does it; logged: nothing answers this request. UNBOUND: while the session ends."
    )
    columns = ("request", "command_id", "section", *(state.name for state in _STATES), "sent by this side")
    yield _table(
        columns,
        (
            (
                f"`{request.name}`",
                f"0x{request.command_id:08X}",
                _section(request),
                *(verdict(request, state) for state in _STATES),
                ORIGINATES.get(request, "never"),
            )
            for request in REQUESTS
        ),
    )


def _responses() -> Iterator[str]:
    yield "## Responses"
    yield (
        "A response to no request of ours is logged. One to a request of ours is never refused: what is\n"
        "wrong with its fields is logged, and its command_status counts."
    )
    to: dict[type[Pdu], type[Request]] = {each.response: each for each in REQUESTS if each.response}

    def row(response: type[Pdu]) -> tuple[str, ...]:
        request = to.get(response)
        if request is None:
            sent, read = "where no other response fits", "as the response to the request with its number"
        else:
            esme_asks = any(request.command_id in MAY_SEND[Side.ESME][state] for state in State)
            sent = "as the table above says" if esme_asks else f"with {CommandStatus.RINVBNDSTS.name}"
            read = "yes" if request in ORIGINATES else "never asked for"
        return f"`{response.name}`", f"0x{response.command_id:08X}", _section(response), sent, read

    yield _table(("response", "command_id", "section", "sent", "read"), map(row, RESPONSES))


def _fields() -> Iterator[str]:
    yield "## Fields"
    yield (
        "A table for each PDU with a body. size: octets at most; C: a C-octet string, its NUL counts. A\n"
        f"request that ends before or in a field is refused with {CommandStatus.RINVCMDLEN.name}."
    )
    for (layout, *_), group in groupby(PDUS, lambda pdu: (LAYOUTS[pdu], RECEIVED.get(pdu), SENT.get(pdu))):
        if layout:
            alike = tuple(group)
            yield f"### {', '.join(f'`{pdu.name}`' for pdu in alike)}"
            yield from _fields_of(alike[0])


def _fields_of(pdu: type[Pdu]) -> Iterator[str]:
    received, sent = RECEIVED.get(pdu), SENT.get(pdu)
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
