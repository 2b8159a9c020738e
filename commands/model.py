"""The values that instructions work on: customers, questions, buddies, and the World that holds them.

Handlers are pure functions `(world, understood, given) -> Outcome`. They read and write through a
World, which holds only what was loaded for the batch: asking it for anything else raises Missing,
and the caller loads the key and runs the handler again.

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
    """Where a customer stands with the service (reference: states of a Fetion account)."""

    NONE = "none"
    OPEN = "open"
    SUSPENDED = "suspended"  # the carrier has cut the line (停机); what he has stays his
    CLOSED = "closed"  # opened once, cancelled since


class Result(StrEnum):
    """How an instruction ended: the `outcome` of the log line and of the journal row."""

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
    """How a handset last wrote to us, and so how an SMS gets back to it.

    account: system_id of the account; spelling, ton, npi: its number as the centre wrote it.
    Handlers carry it along and never look inside.
    """

    account: str
    spelling: str
    ton: int
    npi: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question put to a customer, open until it is answered or its deadline passes.

    kind: id of the instruction that asked. base: the access code it was begun at, which decides the
    number it leaves from. about: the msisdn of the other side ("" when there is none). note: what
    the asker gave along, such as the name he asked under.
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
        """Whether it can still be answered at `now`."""
        return not self.closed and now < self.deadline


@dataclass(frozen=True, slots=True)
class Order:
    """A product that a customer ordered. ended: 0 while it runs. first: the first order of it ever."""

    product: str
    since: int
    ended: int = 0
    first: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """How many SMS to buddies went out: `today` on the day with that ordinal, `this_month` in that month.

    day: days since 0001-01-01 and month: months since year 0, both in service.timezone.
    """

    day: int = 0
    today: int = 0
    month: int = 0
    this_month: int = 0


@dataclass(slots=True)
class Customer:
    """One handset that has written to us or was written to; `state` says whether it has opened.

    Never change one that the World handed out for reading: World.edit gives a copy that may be.
    """

    msisdn: str
    state: CustomerState = CustomerState.NONE
    fetion_number: str = ""
    opened_at: int = 0
    hides_mobile: bool = False
    nickname: str = ""
    password: str = ""  # argon2 hash, never the password
    buddies: int = 0
    last_serial: int = 0
    questions: tuple[Question, ...] = ()
    reach: Reach | None = None
    protected: bool = False  # code 494 until U
    refuse_until: int = 0  # no SMS of others before then
    mood: str = ""
    sex: str = ""  # "m", "f" or not known
    born: int = 0  # year, 0 = not known
    orders: tuple[Order, ...] = ()
    sent: Sent = Sent()
    invited: tuple[tuple[str, int], ...] = ()  # who invited him, and when
    helped: tuple[tuple[str, int], ...] = ()  # help and "not understood" that he got lately, and when
    hinted: bool = False  # he has been told that 161 becomes 12520
    listed_until: int = 0  # how long he may answer the list of his products
    version: int = 0  # how many events about him were told to consumers

    def has(self, product: str) -> bool:
        """Whether he has ordered a product and not ended it."""
        return any(order.product == product and not order.ended for order in self.orders)

    def copy(self) -> "Customer":
        """A shallow copy; its values are immutable."""
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
    """What `owner` keeps about `other`. since: when they became buddies, 0 = they are none.

    name: what he calls him. blocked: on his black list. matched_at: when the service brought them
    together as strangers, 0 = never; for a while they may write to each other (people.may_write).
    """

    owner: str
    other: str
    name: str
    since: int
    blocked: bool = False
    matched_at: int = 0


@dataclass(slots=True)
class LoadKeys:
    """What a handler will ask the World for: mobiles, Fetion numbers, (owner, other) pairs, and owners
    whose whole buddy list is wanted."""

    customers: set[str] = field(default_factory=set)
    holders: set[str] = field(default_factory=set)
    buddies: set[tuple[str, str]] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)


class Missing(LookupError):
    """A handler asked for something that was not loaded. `keys` says what to load before the next try."""

    def __init__(self, keys: LoadKeys) -> None:
        super().__init__(f"not loaded: {keys}")
        self.keys = keys


class World:
    """What one batch knows, with copy on write for the message being handled.

    The three mappings hold what was loaded (None = looked up, does not exist). Writes go to the
    message's overlay: `accept` moves them into the batch, `drop` forgets them (a handler failed).
    `changed_*` then say what the commit has to write.
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
    )

    def __init__(self) -> None:
        self.customers: dict[str, Customer | None] = {}
        self.holders: dict[str, str | None] = {}
        self.buddies: dict[tuple[str, str], Buddy | None] = {}
        self.lists: dict[str, tuple[Buddy, ...]] = {}  # as they stand in the store
        self.changed_customers: dict[str, Customer] = {}
        self.changed_buddies: dict[tuple[str, str], Buddy | None] = {}
        self._customers: dict[str, Customer] = {}
        self._holders: dict[str, str | None] = {}
        self._buddies: dict[tuple[str, str], Buddy | None] = {}

    def customer(self, msisdn: str) -> Customer | None:
        """The customer with that mobile, for reading; None when we never met. Raises Missing."""
        found = self._customers.get(msisdn)
        if found is not None:
            return found
        try:
            return self.customers[msisdn]
        except KeyError:
            raise Missing(LoadKeys(customers={msisdn})) from None

    def edit(self, msisdn: str) -> Customer:
        """The customer's copy of this message, for changing; a new one when we never met. Raises Missing."""
        mine = self._customers.get(msisdn)
        if mine is None:
            known = self.customer(msisdn)
            mine = Customer(msisdn) if known is None else known.copy()
            self._customers[msisdn] = mine
        return mine

    def holder(self, fetion_number: str) -> str | None:
        """Mobile of the customer who holds that Fetion number. Raises Missing."""
        if fetion_number in self._holders:
            return self._holders[fetion_number]
        try:
            return self.holders[fetion_number]
        except KeyError:
            raise Missing(LoadKeys(holders={fetion_number})) from None

    def assign(self, fetion_number: str, msisdn: str | None) -> None:
        """Note who holds a Fetion number from now on; what is stored is the customer's own field."""
        self._holders[fetion_number] = msisdn

    def buddy(self, owner: str, other: str) -> Buddy | None:
        """What `owner` keeps about `other`, None when they are no buddies. Raises Missing."""
        pair = (owner, other)
        if pair in self._buddies:
            return self._buddies[pair]
        try:
            return self.buddies[pair]
        except KeyError:
            # Who asks for one direction asks for the other next; what is loaded must not be loaded again.
            both = {each for each in (pair, (other, owner)) if each not in self.buddies}
            raise Missing(LoadKeys(buddies=both)) from None

    def list_of(self, owner: str) -> list[Buddy]:
        """Everything `owner` keeps about others, by their mobiles, as this batch has them. Raises Missing."""
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
        """Add or replace one direction of a relation."""
        self._buddies[(buddy.owner, buddy.other)] = buddy

    def remove_buddy(self, owner: str, other: str) -> None:
        """End one direction of a relation."""
        self._buddies[(owner, other)] = None

    def accept(self) -> None:
        """The message is done: its writes become the batch's."""
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
        """The message failed or lacks a key: its writes are forgotten."""
        self._customers = {}
        self._holders = {}
        self._buddies = {}


class Hidden(StrEnum):
    """Why a text must be neither stored nor logged."""

    NONE = ""
    PASSWORD = "password"  # an instruction about passwords, or whatever came to the number for them
    ATTEMPT = "attempt"  # it holds what may be a password, at a place where none belongs


@dataclass(slots=True)
class Instruction:
    """A text understood as row `id` of the instruction table, with its arguments by name.

    A `number` argument is a mobile of 11 digits or a Fetion number of 9. text: what the customer wrote.
    foreign: an argument is a mobile of another operator. hidden: why text and arguments are not stored.
    unread: a second line, which does not count, would be an instruction too.
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
    """A text sent to a person's number (the tail of the route): everything there is chat. id is "chat".

    foreign: `to` is a mobile of another operator.
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
    """A text that is no instruction here. id is "misunderstood".

    reason: id of the sentence that answers it. suggestion: the canonical word of the nearest row, or "".
    hidden: why the text is not stored. result: usage when the row was recognised and its arguments were not,
    or when a question mark asked about it.
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
    """The province of every mobile where routing is not asked: headquarters."""
    del msisdn
    return "000"


@dataclass(slots=True)
class Given:
    """Everything a handler may not find out by itself, journaled without secrets: a journal can be replayed.

    now: when the message was taken up. fetion_numbers: free numbers, drawn. password: a drawn
    password, password_hash: its argon2 hash or, for password.set, that of the customer's own.
    candidates: some customers with matching, drawn. zone: of days and months. home: the province code of
    a mobile.
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


class Source(StrEnum):
    """Which of our numbers an SMS leaves from; routing turns it into an address."""

    REPLY = "reply"  # the access code that was used
    OPENING = "opening"  # the number for the result of an opening
    QUESTION = "question"  # detail = access code it was begun at + ":" + serial
    NOTICE = "notice"  # to the other side
    CHAT = "chat"  # detail = the number shown: mobile or Fetion number
    DIALLED = "dialled"  # the very number the customer wrote to


@dataclass(slots=True)
class Reply:
    """One SMS to send: a sentence of replies/zh.yaml with its values, to a mobile, from one of our numbers.

    secret: a value must not be stored or logged in clear. clause: a sentence put behind it where both fit
    one SMS.
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
    """Something that happened, told to whoever subscribes: `family`/`name`, about one customer."""

    family: str
    name: str
    msisdn: str
    data: Mapping[str, Any] | None = None


@dataclass(slots=True)
class ProductFact:
    """A product was ordered or cancelled: a charging record.

    operation: order or cancel. trial: within the free hours of a first order.
    """

    msisdn: str
    product: str
    operation: str
    at: int
    trial: bool = False


@dataclass(slots=True)
class Outcome:
    """What handling a message led to; the changes themselves are in the World.

    code: the result code of the service (reference: 200 done, 401, 403 ... 523). facts: what is charged.
    """

    result: Result
    replies: list[Reply] = field(default_factory=list)
    events: list[ServiceEvent] = field(default_factory=list)
    code: int = 200
    facts: list[ProductFact] = field(default_factory=list)
