"""The SMS that pass through the gateway, and what one commit holds.

Numbers: every SMS, in or out, has one number from one series (node, run, counter), so rows append at
the end of their tables; `message_id` is its text form, 16 hexadecimal digits.
Times: milliseconds since the epoch, UTC, unless a name says otherwise.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from commands.model import Buddy, Customer

_MESSAGE_ID = re.compile("[0-7][0-9A-Fa-f]{15}")

PART = "part"
"""What stands for the outcome of a part that waits for the others."""
MASKED = "<masked>"
"""What tools show in place of a text that is not stored, because it is or might be a password."""
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


COUNTER: Final = 1 << 32
"""Numbers of one run."""
RUNS: Final = 1 << 24
RESERVE: Final = 1 << 22
"""Numbers that are left when another run is to be asked for: some minutes at any rate."""


class MessageNumbers:
    """The series of SMS numbers of one process: 7 bits node, 24 bits run, 32 bits counter.

    A run that is used up goes over into the next one, which the store gives before (`wants_run`, `add_run`):
    so no number is given twice, whatever later processes draw. counter: numbers of the run that are used up
    already.
    """

    __slots__ = ("_end", "_next", "_next_run", "_node")

    def __init__(self, node: int, run: int, counter: int = 0) -> None:
        if not 0 <= node < 1 << 7:
            raise ValueError(f"node {node} is not in 0..127")
        self._node = node
        self._next = self._first(run) + counter
        self._end = self._first(run) + COUNTER - 1
        self._next_run: int | None = None

    def draw(self) -> int:
        """The next number. Raises NumbersUsedUp when the run is at its end and there is no other."""
        if self._next >= self._end:
            self._go_on()
        self._next += 1
        return self._next

    @property
    def wants_run(self) -> bool:
        """Whether add_run should be called soon."""
        return self._end - self._next < RESERVE and self._next_run is None

    @property
    def used_up(self) -> bool:
        """Whether draw() would raise."""
        return self._next >= self._end and self._next_run is None

    def add_run(self, run: int) -> None:
        """The run that the store has given, for the time when this one is used up."""
        self._first(run)
        self._next_run = run

    def _go_on(self) -> None:
        if self._next_run is None:
            raise NumbersUsedUp("the numbers of this run are used up, and the store has given no other")
        self._next = self._first(self._next_run)
        self._end = self._next + COUNTER - 1
        self._next_run = None

    def _first(self, run: int) -> int:
        if not 0 <= run < RUNS:
            raise ValueError(f"run {run} is not in 0..{RUNS - 1}")
        return (self._node << 56) | (run << 32)


class NumbersUsedUp(Exception):
    """No number is left, and the store has not given another run."""


@dataclass(frozen=True, slots=True)
class PartHeader:
    """Where a part of a long message belongs. Parts with equal kind, reference and total are of one message.

    number: 1 to total.
    """

    kind: str
    reference: int
    total: int
    number: int


class JournalEntry(NamedTuple):
    """One SMS from a handset, and what it led to: a row of the journal.

    source: the address that it came from, as it was spelled. msisdn: the customer's number, which is the main
    number where source is a second one. session, sequence: number of the bind and of the request. outcome:
    commands.model.Result, or PART. text: nothing where `hidden` says why. detail: what a trace and a replay
    need besides. digest: by what a retransmission is known.
    """

    number: int
    at: int
    account: str
    session: int
    sequence: int
    source: str
    destination: str
    msisdn: str
    access_code: str
    sub_code: str
    province: str
    esm_class: int
    data_coding: int
    parts: int
    instruction: str
    outcome: str
    text: str
    detail: Mapping[str, object] | None
    digest: bytes
    hidden: str


class Delivery(IntEnum):
    """Where an SMS that leaves stands; the `state` column of the outbox."""

    WAITING = 0
    SENT = 1
    FAILED = 2
    EXPIRED = 3
    SUSPECT = 4  # parked: unanswered too often, for an operator to decide


@dataclass(slots=True, eq=False)
class MobileTerminated:
    """One SMS to a handset: an outbox row. It leaves in one or more parts, in order.

    cause: number of the SMS that led to it. account: where it goes out. bind: number of the bind that its
    cause came in on when it is a reply to the sender, else 0. source: our number. destination, ton, npi:
    the handset's number as it is spelled to that account. secret: at rest `sealed` stands for the text, and
    is blanked at the end. attempts: how often it left, all of its parts in sequence being once; again after
    a refusal, a timeout, a lost session or a restart. leaves_anew: the next PDU is another attempt. repeat:
    it may have been delivered before (and, after a restart, have left once more than attempts says). avoid:
    numbers of binds that left the part in flight unanswered; not_before: monotonic seconds, when the last of
    them may have it again. refusals: how often in a row it was refused for a while. losses: how often it was
    unanswered in time by a peer that answered others, or was the oldest unanswered one at the loss of a
    session.
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
    leaves_anew: bool = True
    repeat: bool = False
    avoid: tuple[int, ...] = ()
    not_before: float = 0.0
    refusals: int = 0
    losses: int = 0
    source_ton: int = 0
    source_npi: int = 1
    handed_over: float = 0.0
    closed_at: int = 0
    remote_id: str = ""
    error: str = ""
    segments: Sequence[object] = ()


@dataclass(slots=True)
class StoredPart:
    """One part of a long message that waits for the others. number: that of its own SMS.

    source, ton, npi: the sender as spelled; msisdn: as understood. destination: without a country code.
    octets: sealed in the store, they may hold a piece of a password. digest: of octets and data_coding,
    keyed. complete: the message was complete, and this part, whose octets are gone, may come again.
    """

    number: int
    account: str
    source: str
    destination: str
    part: PartHeader
    data_coding: int
    octets: bytes
    deadline: int
    msisdn: str = ""
    ton: int = 0
    npi: int = 1
    at: int = 0
    digest: bytes = b""
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Uncertain:
    """SMS first..last of one session (0: any) whose positive answers may not have arrived.

    Their retransmissions are recognised until `until`: the store makes candidates of them (Store.expect).
    """

    session: int
    first: int
    last: int
    until: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a step of Store.expect came to.

    ranges: uncertain ranges that are left for further steps. candidates: SMS that may come again, as many as
    the store knows now. dropped: SMS that will not be recognised, because there are too many candidates.
    """

    ranges: int
    candidates: int
    dropped: int = 0


class ProductRecord(NamedTuple):
    """A customer ordered or cancelled a product: a charging record.

    cause: number of the SMS that did it. operation: order or cancel. trial: within the free hours of a first
    order. province: the code of the customer's home province.
    """

    cause: int
    msisdn: str
    product: str
    operation: str
    at: int
    trial: bool
    province: str


class CompletePart(NamedTuple):
    """The message of a stored part is complete: its octets go, the rest is kept until `deadline`."""

    deadline: int
    number: int


class Retransmission(NamedTuple):
    """SMS `number` came again at `at` and was recognised; its second answer goes out on `session`."""

    number: int
    session: int
    at: int


class Doubted(NamedTuple):
    """The answer to a retransmission of SMS `number` is in doubt too: a candidate again, until `until`."""

    until: int
    number: int


class Certain(NamedTuple):
    """SMS first..last whose last answer left on `session`: it has arrived, they are candidates no more."""

    session: int
    first: int
    last: int


class Watermark(NamedTuple):
    """Answers to SMS up to `number`, and to retransmissions up to the time `at`, are certain."""

    number: int
    at: int


@dataclass(slots=True)
class StoredEvent:
    """Something that happened in the service, as it is stored and told to consumers (gateway.events).

    cause: number of the SMS that led to it. msisdn, fetion_number, province: of the customer whom it is about
    ("" without a Fetion number; the province is that of his mobile). family, name: service, opened and so on.
    version: counts the events of that customer, from 1. sequence: the place in the order of commits, and
    event_id: the same at every repeat, never given to another event; both are the store's, 0 and "" before.
    """

    at: int
    cause: int
    msisdn: str
    fetion_number: str
    province: str
    family: str
    name: str
    version: int
    data: Mapping[str, object] = field(default_factory=dict)
    sequence: int = 0
    event_id: str = ""


@dataclass(slots=True)
class Commit:
    """Everything that one commit writes; all of it or nothing.

    messages: SMS that came. customers, buddies: their new values; None in place of a buddy removes it.
    outgoing: SMS that are to leave. closed: SMS that are sent, failed or expired. changed: SMS that were not
    closed, but are to leave again, had a part acknowledged, were parked, or taken out of the park.
    parts, parts_gone: parts of long messages to keep, and numbers of those to delete.
    repeats: each uses up the candidate of its number. settled: replaces the watermark.
    events: what is told to consumers, in order; only filled where there is one.
    """

    messages: list[JournalEntry] = field(default_factory=list)
    customers: Iterable[Customer] = ()
    buddies: Mapping[tuple[str, str], Buddy | None] = field(default_factory=dict)
    outgoing: list[MobileTerminated] = field(default_factory=list)
    closed: list[MobileTerminated] = field(default_factory=list)
    changed: list[MobileTerminated] = field(default_factory=list)
    parts: list[StoredPart] = field(default_factory=list)
    parts_gone: list[int] = field(default_factory=list)
    parts_complete: list[CompletePart] = field(default_factory=list)
    products: list[ProductRecord] = field(default_factory=list)
    repeats: list[Retransmission] = field(default_factory=list)
    uncertain: list[Uncertain] = field(default_factory=list)
    doubted: list[Doubted] = field(default_factory=list)
    certain: list[Certain] = field(default_factory=list)
    settled: Watermark | None = None
    events: list[StoredEvent] = field(default_factory=list)

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
            or self.doubted
            or self.certain
            or self.settled
            or self.events
        )
