"""The SMS that pass through the gateway, and what one commit holds.

Numbers: every SMS, in or out, has one number from one series (node, run, counter), so rows append at
the end of their tables; `message_id` is its text form, 16 hexadecimal digits.
Times: milliseconds since the epoch, UTC, unless a name says otherwise.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from commands.model import Buddy, Customer, Event, Outcome, Understood
from gateway.smpp.long import PartHeader
from routing.model import Route

_MESSAGE_ID = re.compile("[0-7][0-9A-Fa-f]{15}")

PART = "part"
"""What stands for the outcome of a part that waits for the others."""
MASKED = "<masked>"
"""What the journal keeps of a text that may hold a password."""
SECRET = "<secret>"
"""What the journal keeps of a text that is a password."""
DONE = 200
"""The result code of what went well; others stand in the journal."""


def message_id(number: int) -> str:
    """The text form of an SMS's number, as it stands in submit_sm_resp and in the log."""
    return f"{number:016x}"


def number_of(text: str) -> int:
    """The number behind a message id. ValueError when it is none."""
    if len(text) != 16:
        raise ValueError(f"a message id has 16 hexadecimal digits, {text!r} has {len(text)} characters")
    if not _MESSAGE_ID.fullmatch(text):
        raise ValueError(f"a message id has 16 hexadecimal digits, the first below 8: {text!r} has others")
    return int(text, 16)


def told(outcome: Outcome) -> dict[str, Any]:
    """What a journal row tells of an outcome besides its result: sentences, code and events."""
    detail: dict[str, Any] = {}
    if outcome.replies:
        detail["replies"] = [reply.sentence for reply in outcome.replies]
    if outcome.code != DONE:
        detail["code"] = outcome.code
    if outcome.events:
        detail["events"] = [_event(event) for event in outcome.events]
    return detail


def _event(event: Event) -> dict[str, Any]:
    held: dict[str, Any] = {"event": f"{event.family}/{event.name}", "msisdn": event.msisdn}
    if event.data:
        held["data"] = dict(event.data)
    return held


class Numbers:
    """The series of SMS numbers of one run: 7 bits node, 24 bits run, 32 bits counter."""

    __slots__ = ("_next",)

    def __init__(self, node: int, run: int) -> None:
        if not 0 <= node < 1 << 7:
            raise ValueError(f"node {node} is not in 0..127")
        if not 0 <= run < 1 << 24:
            raise ValueError(f"run {run} is not in 0..{(1 << 24) - 1}")
        self._next = (node << 56) | (run << 32)

    def draw(self) -> int:
        """The next number; none is given twice."""
        self._next += 1
        return self._next


@dataclass(slots=True, eq=False)
class MobileOriginated:
    """One SMS from a handset, from its arrival to its journal row.

    bind: the bind that it came on, request: its PDU; both are opaque here. arrived: monotonic seconds.
    source: the address that it came from, as it was spelled. msisdn: the customer's number, which is the main
    number where source is a second one.
    text: None until decoded (a part of a long message has none of its own). stored_text is what the
    journal keeps, with secrets blanked. joined: the parts that this one completed.
    """

    number: int
    message_id: str
    bind: Any
    request: Any
    arrived: float
    source: str
    source_ton: int
    source_npi: int
    destination: str
    msisdn: str
    route: Route
    esm_class: int
    data_coding: int
    octets: bytes
    account: str = ""
    session: int = 0
    sequence: int = 0
    part: PartHeader | None = None
    reference: int | None = None
    understood: Understood | None = None
    secret: str = ""
    secret_hash: str = ""
    at: int = 0
    digest: bytes = b""
    instruction: str = ""
    outcome: Outcome | None = None
    result: str = ""
    stored_text: str = ""
    province: str = ""
    detail: dict[str, Any] | None = None
    replies: "Sequence[MobileTerminated]" = ()
    joined: tuple[int, ...] = ()
    parts: int = 1


class Delivery(IntEnum):
    """Where an SMS that leaves stands; the `state` column of the outbox."""

    WAITING = 0
    SENT = 1
    FAILED = 2
    EXPIRED = 3
    SUSPECT = 4  # parked: in flight at too many session losses, for an operator to decide


@dataclass(slots=True, eq=False)
class MobileTerminated:
    """One SMS to a handset: an outbox row. It leaves in one or more parts, in order.

    cause: number of the SMS that led to it. account: where it goes out. bind: number of the bind that its
    cause came in on when it is a reply to the sender, else 0. source: our number. destination, ton, npi:
    the handset's number as it is spelled to that account. secret: at rest `sealed` stands for the text, and
    is blanked at the end. attempts: how often it was sent, save those that a lost connection ended.
    repeat: it may have been delivered before. avoid: numbers of binds that left the part in flight
    unanswered. refusals: how often in a row it was refused for a while. losses: how many sessions were lost
    while it was in flight.
    """

    number: int
    cause: int
    msisdn: str
    account: str
    bind: int
    source: str
    destination: str
    ton: int
    npi: int
    text: str
    at: int
    expires_at: int
    secret: bool = False
    sealed: bytes = b""
    reference: int = 0
    state: Delivery = Delivery.WAITING
    parts: int = 1
    parts_done: int = 0
    attempts: int = 0
    repeat: bool = False
    avoid: tuple[int, ...] = ()
    refusals: int = 0
    losses: int = 0
    source_ton: int = 0
    source_npi: int = 1
    handed_over: float = 0.0
    closed_at: int = 0
    remote_id: str = ""
    error: str = ""
    segments: Any = None


@dataclass(slots=True)
class StoredPart:
    """One part of a long message that waits for the others. number: that of its own SMS.

    octets: sealed in the store, it may hold a piece of a password.
    """

    number: int
    account: str
    source: str
    destination: str
    part: PartHeader
    data_coding: int
    octets: bytes
    deadline: int


@dataclass(frozen=True, slots=True)
class Uncertain:
    """SMS first..last of one session (0: any) whose positive answers may not have arrived, as found at `at`.

    Their resends are recognised until `until`.
    """

    session: int
    first: int
    last: int
    at: int
    until: int


@dataclass(slots=True)
class Commit:
    """Everything that one commit writes; all of it or nothing.

    products: (cause, msisdn, product, operation, at, trial, province) of orders and cancellations.
    changed: SMS that were not closed, but counted a loss, were parked, or taken out of the park.
    """

    messages: list[MobileOriginated] = field(default_factory=list)
    customers: Iterable[Customer] = ()
    buddies: Mapping[tuple[str, str], Buddy | None] = field(default_factory=dict)
    outgoing: list[MobileTerminated] = field(default_factory=list)
    closed: list[MobileTerminated] = field(default_factory=list)
    changed: list[MobileTerminated] = field(default_factory=list)
    parts: list[StoredPart] = field(default_factory=list)
    parts_gone: list[int] = field(default_factory=list)
    products: list[tuple[int, int, str, str, int, int, str]] = field(default_factory=list)
    repeats: list[tuple[int, int]] = field(default_factory=list)  # (at, number): answered once more
    uncertain: list[Uncertain] = field(default_factory=list)
    settled: tuple[int, int] | None = None  # (number, at): answers up to here are certain

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(
            self.messages
            or self.outgoing
            or self.closed
            or self.changed
            or self.parts
            or self.parts_gone
            or self.repeats
            or self.uncertain
            or self.settled
        )
