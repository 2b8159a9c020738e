"""The SMS that pass through the gateway, and the contents of a commit.

Numbers: each SMS, mobile originated or mobile terminated, has a number from one series (node, run, counter),
so rows append at the end of their tables; `message_id` is its text form, 16 hexadecimal digits.
Times: milliseconds since the epoch, UTC, unless a name says otherwise.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from commands.model import Buddy, Customer
from gateway.delivery import NONE_CAME as NONE_CAME
from gateway.delivery import Delivery as Delivery
from gateway.delivery import EarlyReceipt as EarlyReceipt
from gateway.delivery import PartReceipt as PartReceipt
from gateway.delivery import receipt_key as receipt_key

_MESSAGE_ID = re.compile("[0-7][0-9A-Fa-f]{15}")

PART = "part"
"""The outcome of a part that waits for the others."""
MASKED = "<masked>"
"""Tools show this in place of a text that is not stored because it is or may be a password."""
DONE = 200
"""The result code of success; the journal names other codes."""


def message_id(number: int) -> str:
    """Return the text form of the number of an SMS, as in submit_sm_resp and the log."""
    return f"{number:016x}"


def short_id(text: str) -> str:
    """Return the short form of a message id, which tools show where a whole one is too long: #...0002."""
    return f"#...{text[-4:]}"


def number_of(text: str) -> int:
    """Parse a message id. Raises ValueError when it is not one."""
    if len(text) != 16:
        raise ValueError(f"a message id has 16 hexadecimal digits, {text!r} has {len(text)} characters")
    if not _MESSAGE_ID.fullmatch(text):
        raise ValueError(f"a message id has 16 hexadecimal digits, the first below 8: {text!r} has others")
    return int(text, 16)


@dataclass(frozen=True, slots=True)
class PartHeader:
    """The place of a part. Parts with equal kind, reference and total belong to one long message.

    number: 1 to total.
    """

    kind: str
    reference: int
    total: int
    number: int


OPERATOR: Final = "console operator"
"""Account of a journal row that is an operator's action. No peer has it: a system_id has 15 characters at
most, and the name of a link no blank."""
BY: Final = "operator"
"""Key of who asked for an action in the detail of its journal row: actor, action, reason, request."""
TABLES: Final = "tables"
"""Key of the version of the tables in the detail of a journal row."""


class JournalEntry(NamedTuple):
    """One mobile originated SMS and its result: a row of the journal.

    source: the source address as spelled. msisdn: the customer's number, which is the main number where
    source is a second one. session, sequence: number of the bind and of the request. outcome:
    commands.model.Result, or PART. text: empty where `hidden` says why. detail: what a trace and a replay
    need in addition. digest: identifies retransmissions.
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

    @property
    def table_version(self) -> str:
        """The tables that handled it; "" in rows of earlier versions."""
        detail = self.detail
        return "" if detail is None else str(detail.get(TABLES, ""))


class Kind(IntEnum):
    """What an SMS to a handset, or to its centre, is; the `kind` column of the outbox."""

    SMS = 0
    RECEIPT = 1  # of an SMS that came, as an SMS centre gives it
    ACKNOWLEDGEMENT = 2  # of an SMS that came, as its receiver gives it


@dataclass(slots=True, eq=False)
class MobileTerminated:
    """One SMS to a handset: a row of the outbox. It is sent in one or more parts, in order.

    cause: number of the SMS that caused it. account: through which it leaves. bind: for a reply to the
    sender, number of the bind that its cause came in on, else 0. source: our number. destination, ton, npi:
    the handset's number as the account spells it. secret: the store holds `sealed` in place of the text, and
    blanks it when the SMS is closed. attempts: how often it was sent, all parts in sequence counting once;
    again after a refusal, a timeout, a lost session or a restart. leaves_anew: the next PDU begins another
    attempt. repeat: it may have been delivered before (and, after a restart, sent once more than attempts
    says). avoid: numbers of binds that left the part in flight unanswered. not_before: when the last of these
    may get it again (monotonic seconds). left: when the last attempt but the first began (monotonic seconds).
    due: when a pause before the next one ends (monotonic seconds). waited: what it waits or waited for before
    an attempt. session: number of the bind that answered last,
    set when the SMS is closed. refusals: temporary refusals in a row. losses: how often a peer that
    answered other PDUs did not answer it in time, or it was the oldest unanswered PDU of a lost session.
    node: number of the node that is to send it, 0: the one that has it. kind: what it is; a receipt goes
    to no handset (msisdn ""). tlvs: those of a vendor that it takes over from its cause, or those of a
    receipt, as they stand on the wire.
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
    left: float = 0.0
    due: float = 0.0
    waited: str = ""
    session: int = 0
    closed_at: int = 0
    remote_id: str = ""
    error: str = ""
    segments: Sequence[object] = ()
    node: int = 0
    kind: Kind = Kind.SMS
    tlvs: bytes = b""


@dataclass(slots=True)
class StoredPart:
    """One part of a long message that waits for the others. number: that of its own SMS.

    source, ton, npi: the sender as spelled; msisdn: the customer's number. destination: without country
    code. octets: sealed in the store, because they may hold a piece of a password. digest: of octets and
    data_coding, keyed. complete: the message was complete; this part may come again, its octets are deleted.
    registered: what its sender wants to be told of it, and under which id (gateway.inbound.reassembly).
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
    registered: int = 0


@dataclass(frozen=True, slots=True)
class Uncertain:
    """SMS first..last of one session (0: any) whose positive responses may not have arrived.

    Their retransmissions are recognised until `until`: the store makes candidates of them (Store.expect).
    """

    session: int
    first: int
    last: int
    until: int


@dataclass(frozen=True, slots=True)
class Expected:
    """The result of a step of Store.expect.

    ranges: number of uncertain ranges left for further steps. candidates: number of SMS whose retransmissions
    would be recognised now. dropped: SMS that will not be recognised, because there are too many candidates.
    """

    ranges: int
    candidates: int
    dropped: int = 0


class Answer(StrEnum):
    """What came of an attempt; the `result` column of the table `attempt`."""

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    LOST = "lost"


FIRST_KEPT: Final = 20
LAST_KEPT: Final = 30
"""Attempts that a store keeps of one SMS: so many of its first ones, and so many of its last ones."""


class Attempt(NamedTuple):
    """An attempt to send SMS `number`, and what came of it.

    The one attempt of an SMS that is answered positively at once is not noted: its row has time and session.
    ordinal: counted from 1. part: the one at which the attempt ended. left_at: when its first part left.
    at: when the result was known. session, remote: number, and address and port, of the bind. status: of a
    refusal, or why the session was lost. waited: what the SMS had waited for before it left, "" for nothing.
    """

    number: int
    ordinal: int
    part: int
    left_at: int
    at: int
    session: int
    remote: str
    result: Answer
    status: str = ""
    waited: str = ""

    @property
    def place(self) -> int:
        """Under which number a store keeps it: a later attempt replaces one with the same place."""
        beyond = self.ordinal - FIRST_KEPT
        return self.ordinal if beyond <= 0 else FIRST_KEPT + 1 + (beyond - 1) % LAST_KEPT


class ProductRecord(NamedTuple):
    """A customer ordered or cancelled a product: a charging record.

    cause: number of the SMS that caused it. operation: order or cancel. trial: within the free hours of a
    first order. province: the code of the customer's home province.
    """

    cause: int
    msisdn: str
    product: str
    operation: str
    at: int
    trial: bool
    province: str


class AskedFor(NamedTuple):
    """A part of a long message whose sender wants to be told of it: StoredPart has the same fields."""

    number: int
    registered: int
    at: int


class CompletePart(NamedTuple):
    """The message of a stored part is complete: its octets are deleted, the rest is kept until `deadline`."""

    deadline: int
    number: int


class Retransmission(NamedTuple):
    """SMS `number` came again at `at` and was recognised; its second response is sent on `session`."""

    number: int
    session: int
    at: int


class Doubted(NamedTuple):
    """The response to a retransmission of SMS `number` is in doubt: a candidate again, until `until`."""

    until: int
    number: int


class Certain(NamedTuple):
    """The last responses to SMS first..last, sent on `session`, have arrived: no candidates any more."""

    session: int
    first: int
    last: int


class Watermark(NamedTuple):
    """Responses to SMS up to `number`, and to retransmissions up to the time `at`, are certain."""

    number: int
    at: int


class Asked(NamedTuple):
    """SMS `number` went to a province's system, which has to answer it by `reply_by`.

    destination: the address that the customer wrote to. over_at: when it was answered, or the customer was
    told that nobody did; 0: neither.
    """

    number: int
    at: int
    province: str
    msisdn: str
    destination: str
    reply_by: int
    over_at: int = 0


class AskedOver(NamedTuple):
    """SMS `number` to a province was answered, or its customer told, at `at`."""

    at: int
    number: int


class Posted(NamedTuple):
    """A province's system sent an SMS: `id` is its own, `number` that of the SMS in the outbox."""

    province: str
    id: str
    at: int
    number: int


class Acted(NamedTuple):
    """An action of an operator was executed as SMS `number`.

    request: drawn by who asked for it; a second one with the same is the same action. actor: the account.
    msisdn: the customer's. reason: the operator's own words.
    """

    request: str
    number: int
    at: int
    actor: str
    action: str
    msisdn: str
    reason: str


PROVINCE: Final = "province"
"""The family of events that are for one province's system only."""
FIGURES: Final = "figures"
"""The family of events that say what a commit adds to the figures: for who counts them only."""


@dataclass(slots=True)
class StoredEvent:
    """An event of the service, as it is stored and passed to consumers (gateway.events).

    cause: number of the SMS that caused it. msisdn, fetion_number, province: of the customer whom it concerns
    (fetion_number "" if there is none; the province of the mobile). family, name: service, opened and so on.
    version: counts the events of that customer, from 1; 0 for the family PROVINCE, which does not count:
    there `province` is whom it is for, and data has the text of an SMS. sequence: the place in the order of
    commits.
    event_id: the same at each repetition, and unique. The store sets both; before, they are 0 and "".
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
    """Everything that one commit writes: all or nothing.

    messages: received SMS. customers, buddies: their new values; None in place of a buddy removes it.
    outgoing: SMS to send. closed: SMS that are sent, failed or expired. changed: SMS that are not closed, but
    are to be sent again, had a part acknowledged, were parked, or retried by an operator. attempts: of closed
    and changed SMS, those to keep.
    parts, parts_gone: parts of long messages to keep, and numbers of those to delete.
    repeats: each uses up the candidate of its number. settled: replaces the watermark.
    events: for consumers, in order; empty where there are none.
    asked: new SMS to provinces. asked_over: those that are over, if they are not yet. overdue: those whose
    time is up with this commit. posted: SMS from provinces; one whose province and id are stored already is a
    Conflict.
    acted: actions of operators; one whose request is stored already is a Conflict.
    ordinals: by number of a message, the ordinal of its digest (gateway.storage.nodes.Equal); absent: 0.
    revisions: of the customers that were loaded (World.revisions).
    receipts: each replaces that of the same SMS and part. receipts_seen: by number of a long SMS, how many of
    its parts had a final receipt when it was read. outcomes: new states of SMS that are SENT. early:
    each replaces one of the same account, key and state; early_gone: account and key of those that are
    claimed.
    """

    messages: list[JournalEntry] = field(default_factory=list)
    customers: Iterable[Customer] = ()
    buddies: Mapping[tuple[str, str], Buddy | None] = field(default_factory=dict)
    outgoing: list[MobileTerminated] = field(default_factory=list)
    closed: list[MobileTerminated] = field(default_factory=list)
    changed: list[MobileTerminated] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
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
    asked: list[Asked] = field(default_factory=list)
    asked_over: list[AskedOver] = field(default_factory=list)
    overdue: list[AskedOver] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    acted: list[Acted] = field(default_factory=list)
    ordinals: dict[int, int] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    receipts: list[PartReceipt] = field(default_factory=list)
    receipts_seen: dict[int, int] = field(default_factory=dict)
    outcomes: dict[int, Delivery] = field(default_factory=dict)
    early: list[EarlyReceipt] = field(default_factory=list)
    early_gone: list[tuple[str, str]] = field(default_factory=list)

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
            or self.asked_over
            or self.overdue
            or self.posted
            or self.receipts
            or self.early
            or self.early_gone
        )
