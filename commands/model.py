"""The values that instructions work on: customers, questions, buddies, and the World that holds them.

A handler is a pure function `(world, understood, given) -> Outcome`. It reads and writes through a World,
which holds only what was loaded for the batch. When a handler reads anything else, the World raises Missing;
the caller loads the key and runs the handler again.

Times are integers: milliseconds since the epoch, UTC.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum
from typing import Any

from commands.limits import DEFAULT_LIMITS as DEFAULT_LIMITS
from commands.limits import NO_WORDS as NO_WORDS
from commands.limits import ServiceLimits as ServiceLimits
from commands.limits import Words as Words
from routing.model import Route


class CustomerState(StrEnum):
    """The state of a customer's Fetion account (fetion.md 3)."""

    NONE = "none"
    OPEN = "open"
    SUSPENDED = "suspended"  # the carrier has cut the line (停机); the account is kept
    CLOSED = "closed"  # opened once, cancelled since


class Result(StrEnum):
    """How the handling of an SMS ended: the `outcome` of its log line and journal row."""

    DONE = "done"
    ASKED = "asked"
    REFUSED = "refused"
    USAGE = "usage"
    MISUNDERSTOOD = "misunderstood"
    CHAT = "chat"
    LIMITED = "limited"
    FAILED = "failed"


@dataclass(slots=True)  # not frozen: one is built per SMS, and that costs a third
class Reach:
    """The account and address through which a handset last wrote, to be used for SMS to it.

    account: system_id of the account. spelling, ton, npi: the number as the SMS centre wrote it. Handlers
    copy the value and never read it.
    """

    account: str
    spelling: str
    ton: int
    npi: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a customer. It is open until it is answered or its deadline passes.

    kind: id of the instruction that asked. base: the access code at which that instruction arrived; it
    decides the number that the question is sent from. about: the msisdn of the other customer, or "". note:
    text to keep with the question, such as the name that the asker gave.
    """

    serial: int
    kind: str
    base: str
    about: str
    note: str
    asked_at: int
    deadline: int
    closed: str = ""  # "" while open, else how it ended: yes, no, expired

    def is_open(self, now: int) -> bool:
        """Whether the question can still be answered at `now` (milliseconds)."""
        return not self.closed and now < self.deadline


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a product.

    since, ended: milliseconds; ended is 0 while the order runs. first: the customer's first order of this
    product ever.
    """

    product: str
    since: int
    ended: int = 0
    first: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """Counters of a customer's chat messages: `today` for the day `day`, `this_month` for the month `month`.

    day: days since 0001-01-01. month: months since year 0. Both in service.timezone.
    """

    day: int = 0
    today: int = 0
    month: int = 0
    this_month: int = 0


@dataclass(slots=True)
class Customer:
    """A handset that has written to us or was written to. `state` says whether Fetion is open there.

    Never change a Customer that World.customer returned. World.edit returns a copy that may be changed.
    """

    msisdn: str
    state: CustomerState = CustomerState.NONE
    fetion_number: str = ""
    opened_at: int = 0
    hides_mobile: bool = False
    nickname: str = ""
    password: str = ""  # argon2 hash
    buddies: int = 0
    last_serial: int = 0
    questions: tuple[Question, ...] = ()
    reach: Reach | None = None
    protected: bool = False  # code 494 until U
    refuse_until: int = 0  # milliseconds: no SMS of other customers before
    mood: str = ""
    sex: str = ""  # "m", "f" or not known
    born: int = 0  # year, 0 = not known
    orders: tuple[Order, ...] = ()
    sent: Sent = Sent()
    invited: tuple[tuple[str, int], ...] = ()  # (mobile of the inviter, milliseconds)
    helped: tuple[tuple[str, int], ...] = ()  # (help or "not understood" sent lately, milliseconds)
    hinted: bool = False  # has been told that 161 becomes 12520
    listed_until: int = 0  # milliseconds: until then a product may be chosen
    version: int = 0  # how many events about this customer consumers were told

    def has(self, product: str) -> bool:
        """Whether an order of this product is running."""
        return any(order.product == product and not order.ended for order in self.orders)

    def copy(self) -> "Customer":
        """A shallow copy. That is enough: the values of all fields are immutable."""
        return Customer(
            self.msisdn,
            self.state,
            self.fetion_number,
            self.opened_at,
            self.hides_mobile,
            self.nickname,
            self.password,
            self.buddies,
            self.last_serial,
            self.questions,
            self.reach,
            self.protected,
            self.refuse_until,
            self.mood,
            self.sex,
            self.born,
            self.orders,
            self.sent,
            self.invited,
            self.helped,
            self.hinted,
            self.listed_until,
            self.version,
        )


@dataclass(frozen=True, slots=True)
class Buddy:
    """What `owner` stores about `other`.

    since: when they became buddies (milliseconds); 0: they are not buddies. name: what the owner calls the
    other. blocked: the other is on the owner's black list. matched_at: when SP brought them together
    (milliseconds); 0: never. For people.MATCHED_FOR after that, they may write to each other.
    """

    owner: str
    other: str
    name: str
    since: int
    blocked: bool = False
    matched_at: int = 0


@dataclass(slots=True)
class LoadKeys:
    """What has to be loaded into the World.

    customers: mobiles. holders: Fetion numbers whose holder is asked for. buddies: (owner, other) pairs.
    lists: owners whose whole list is asked for.
    """

    customers: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)
    buddies: set[tuple[str, str]] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)


class Missing(LookupError):
    """A handler read something that was not loaded. Load `keys` and run the handler again."""

    def __init__(self, keys: LoadKeys) -> None:
        super().__init__(f"not loaded: {keys}")
        self.keys = keys


class World:
    """What was loaded for a batch, and what its messages changed.

    customers, holders, buddies: what was loaded; None: looked up, and not in the store. The writes of the
    current message go to an overlay: `accept` moves them into the batch, `drop` discards them.
    `changed_customers` and `changed_buddies` are what the commit has to write. revisions: of the customers
    that this came from, 0: not in the store; empty where the store has one gateway alone.
    """

    __slots__ = (
        "_buddies",
        "_customers",
        "_holders",
        "buddies",
        "changed_buddies",
        "changed_customers",
        "customers",
        "holders",
        "lists",
        "revisions",
    )

    def __init__(self) -> None:
        self.customers: dict[str, Customer | None] = {}
        self.holders: dict[str, str | None] = {}
        self.buddies: dict[tuple[str, str], Buddy | None] = {}
        self.lists: dict[str, tuple[Buddy, ...]] = {}  # without the changes of this batch
        self.revisions: dict[str, int] = {}
        self.changed_customers: dict[str, Customer] = {}
        self.changed_buddies: dict[tuple[str, str], Buddy | None] = {}
        self._customers: dict[str, Customer] = {}
        self._holders: dict[str, str | None] = {}
        self._buddies: dict[tuple[str, str], Buddy | None] = {}

    def customer(self, msisdn: str) -> Customer | None:
        """The customer with this mobile, for reading; None for an unknown one. Raises Missing."""
        found = self._customers.get(msisdn)
        if found is not None:
            return found
        try:
            return self.customers[msisdn]
        except KeyError:
            raise Missing(LoadKeys(customers={msisdn})) from None

    def edit(self, msisdn: str) -> Customer:
        """A copy of the customer that the current message may change; a new Customer for an unknown one.
        Raises Missing."""
        mine = self._customers.get(msisdn)
        if mine is None:
            known = self.customer(msisdn)
            mine = Customer(msisdn) if known is None else known.copy()
            self._customers[msisdn] = mine
        return mine

    def holder(self, fetion_number: str) -> str | None:
        """The mobile of the customer who holds this Fetion number; None when nobody does. Raises Missing."""
        if fetion_number in self._holders:
            return self._holders[fetion_number]
        try:
            return self.holders[fetion_number]
        except KeyError:
            raise Missing(LoadKeys(holders={fetion_number})) from None

    def assign(self, fetion_number: str, msisdn: str | None) -> None:
        """Set the holder of a Fetion number in this batch. The store derives it from
        Customer.fetion_number."""
        self._holders[fetion_number] = msisdn

    def buddy(self, owner: str, other: str) -> Buddy | None:
        """What `owner` stores about `other`; None when nothing is stored. Raises Missing."""
        pair = (owner, other)
        if pair in self._buddies:
            return self._buddies[pair]
        try:
            return self.buddies[pair]
        except KeyError:
            # A handler that reads one direction usually reads the other next: load both, if not loaded yet.
            both = {each for each in (pair, (other, owner)) if each not in self.buddies}
            raise Missing(LoadKeys(buddies=both)) from None

    def list_of(self, owner: str) -> list[Buddy]:
        """All that `owner` stores about others, with the changes of this batch, ordered by mobile. Raises
        Missing."""
        try:
            rows = {row.other: row for row in self.lists[owner]}
        except KeyError:
            raise Missing(LoadKeys(lists={owner})) from None
        for changes in (self.changed_buddies, self._buddies):
            for (whose, other), row in changes.items():
                if whose == owner:
                    rows.pop(other, None)
                    if row is not None:
                        rows[other] = row
        return [rows[other] for other in sorted(rows)]

    def put_buddy(self, buddy: Buddy) -> None:
        """Add or replace what an owner stores about another customer."""
        self._buddies[(buddy.owner, buddy.other)] = buddy

    def remove_buddy(self, owner: str, other: str) -> None:
        """Delete what `owner` stores about `other`."""
        self._buddies[(owner, other)] = None

    def accept(self) -> None:
        """Move the writes of the current message into the batch."""
        if self._customers:
            self.customers.update(self._customers)
            self.changed_customers.update(self._customers)
            self._customers = {}
        if self._holders:
            self.holders.update(self._holders)
            self._holders = {}
        if self._buddies:
            self.buddies.update(self._buddies)
            self.changed_buddies.update(self._buddies)
            self._buddies = {}

    def drop(self) -> None:
        """Discard the writes of the current message: its handler failed or missed a key."""
        self._customers = {}
        self._holders = {}
        self._buddies = {}


class Hidden(StrEnum):
    """Why a text must be neither stored nor logged."""

    NONE = ""
    PASSWORD = "password"  # an instruction about passwords, or any text to the password number
    ATTEMPT = "attempt"  # it may hold a password, at a number that does not take one


@dataclass(slots=True)
class Instruction:
    """A text that was recognised as row `id` of the instruction table, with its arguments by name.

    An argument named `number` is a mobile (11 digits) or a Fetion number (9 digits). text: what the customer
    wrote. foreign: an argument is a mobile of another operator. hidden: why text and arguments are not
    stored. unread: a later line, which does not count, would be an instruction too.
    """

    id: str
    sender: str
    route: Route
    text: str
    arguments: Mapping[str, str]
    foreign: bool = False
    hidden: Hidden = Hidden.NONE
    unread: bool = False


@dataclass(slots=True)
class Chat:
    """A text to the number of a person (the tail of the route). It is chat, whatever it says. id is "chat".

    foreign: `to` is a mobile of another operator. hidden: always NONE.
    """

    id: str
    sender: str
    route: Route
    text: str
    to: str
    foreign: bool = False
    hidden: Hidden = Hidden.NONE


@dataclass(slots=True)
class Misunderstood:
    """A text that is not an instruction here. id is "misunderstood".

    reason: id of the sentence that answers it. suggestion: the first word of the row that was probably meant,
    or "". hidden: why the text is not stored. result: USAGE when the row was recognised but its arguments are
    wrong, or when a question mark asked about the row.
    """

    id: str
    sender: str
    route: Route
    text: str
    reason: str
    suggestion: str = ""
    hidden: Hidden = Hidden.NONE
    result: Result = Result.MISUNDERSTOOD


Understood = Instruction | Chat | Misunderstood


def _nowhere(msisdn: str) -> str:
    """The province of every mobile when no routing is given: the headquarters."""
    del msisdn
    return "000"


@dataclass(slots=True)
class Given:
    """What a handler needs from outside, collected before it runs. It is journaled without its secrets, so
    that the journal can be replayed.

    now: when the SMS was taken up (milliseconds). fetion_numbers: drawn numbers to choose from. password: a
    drawn password. password_hash: its argon2 hash or, for password.set, the hash of the customer's own.
    candidates: drawn mobiles of customers with matching. provinces: whether the systems of provinces are
    reached. zone: time zone of days and months. words: the list
    of sensitive words. home: returns the province code of a mobile.
    """

    now: int
    message_id: str
    fetion_numbers: tuple[str, ...] = ()
    password: str = field(default="", repr=False)
    password_hash: str = field(default="", repr=False)
    limits: ServiceLimits = DEFAULT_LIMITS
    candidates: tuple[str, ...] = ()
    zone: tzinfo = UTC
    words: Words = NO_WORDS
    home: Callable[[str], str] = _nowhere
    provinces: bool = False


class Source(StrEnum):
    """Which of our numbers an SMS is sent from. routing.table.Routing turns it into an address."""

    REPLY = "reply"  # the access code that was used
    OPENING = "opening"  # the number for the result of an opening
    QUESTION = "question"  # detail = Question.base + ":" + serial
    NOTICE = "notice"  # the number for SMS to another customer than the sender
    CHAT = "chat"  # detail = the number shown: mobile or Fetion number
    DIALLED = "dialled"  # the address that the customer wrote to


@dataclass(slots=True)
class Reply:
    """An SMS to send: a sentence of replies/zh.yaml with its values, to a mobile, from one of our numbers.

    detail: see Source. secret: a value must not be stored or logged in clear. clause: a sentence to append if
    both together fit one SMS.
    """

    to: str
    sentence: str
    values: Mapping[str, str] | None = None
    source: Source = Source.REPLY
    detail: str = ""
    secret: bool = False
    clause: str = ""


@dataclass(slots=True)
class ServiceEvent:
    """Something that happened to one customer, for subscribers: `family`/`name`."""

    family: str
    name: str
    msisdn: str
    data: Mapping[str, Any] | None = None


@dataclass(slots=True)
class ProductFact:
    """A charging record: a product was ordered or cancelled.

    operation: "order" or "cancel". at: milliseconds. trial: within the free hours of a first order.
    """

    msisdn: str
    product: str
    operation: str
    at: int
    trial: bool = False


@dataclass(slots=True)
class Outcome:
    """The result of handling an SMS. Its changes to customers are in the World.

    code: the result code of the service (commands.codes). facts: charging records. silent: where the
    result is LIMITED, why there is no answer: help (it was sent lately), machine (one wrote the text).
    forwarded: the SMS goes to the system of the province whose address it was sent to, which answers.
    """

    result: Result
    replies: list[Reply] = field(default_factory=list)
    events: list[ServiceEvent] = field(default_factory=list)
    code: int = 200
    facts: list[ProductFact] = field(default_factory=list)
    silent: str = ""
    forwarded: bool = False
