"""The contract of a Reader: what looks into a store without changing it. What writes:
gateway.storage.contract.

The command line, settlement and replay read through it, beside a running gateway or without one.

Rules for a driver; tests/contracts runs one suite over every driver:

1. Opening or reading never writes, and never makes a store. It raises StoreUnusable, with the path, where
   there is no store, or one of another schema.
2. Nobody who writes waits for a reader: an iterator reads some thousand records at a time and holds nothing
   between them.
3. A call sees every commit that ended before it. What is committed while an iterator is used may be in it or
   not; what it gave, it gives once.
4. SMS and what belongs to them come by number, product records in the order in which they were made. Where
   several nodes share the store, SMS in come by time, and by number those of one node.
5. No reader gives a secret: the text of a hidden or secret SMS is "", in whatever form the store has it, and
   so is the password of a customer.
6. An engine's error leaves the driver as StoreUnusable, also out of an iterator.
7. What it gives are the values below, whatever the engine keeps.

Times are milliseconds since the epoch, UTC; 0: it has not happened. How a reader is opened:
gateway.storage.engines.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from commands.model import Customer, Hidden, Order
from gateway.message import DONE, Attempt, Delivery, Kind, PartReceipt, ProductRecord
from gateway.storage.figures import FigureReader

T = TypeVar("T")

ENDLESS: Final = (1 << 63) - 1
"""Later than every time."""

REPLIES_WITHIN: Final = 1_000_000
"""An SMS out has a number above that of its cause, by less than this: what the gateway's queue holds, with
its own replies, and more. A driver need not look further: an index on the cause would cost every SMS more
than this search costs a trace."""

SLACK_MS: Final = 600_000
"""The times of the SMS of one node grow with their numbers; one is out of order by less than this."""

JOINED_WITHIN: Final = 500_000
"""SMS in behind a part among which the rest of its long message is looked for."""


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """An SMS from a handset that was answered positively: the trace, the uplink record, the input of a
    replay.

    access_code, sub_code, province: of our number that it was sent to. parts: SMS that it took. instruction:
    "" where nothing was understood. outcome: commands.model.Result, or gateway.message.PART. text: "" where
    `hidden` says why. detail: gateway.processing.journal.detail_of, as JSON gives it back. digest: what a
    retransmission is recognised by. repeated_at: when it came again last.
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
    detail: Mapping[str, Any]
    digest: bytes
    repeated_at: int
    hidden: Hidden

    @property
    def code(self) -> int:
        """The result code of the service."""
        return int(self.detail.get("code", DONE))


@dataclass(frozen=True, slots=True)
class DownlinkRecord:
    """An SMS to a handset: gateway.message.MobileTerminated has the same fields.

    text: "" of a secret one. parts_done: those that were acknowledged. remote_id: what the peer calls it.
    session: number of the bind that answered last, 0 where that is not known.
    """

    number: int
    cause: int
    msisdn: str
    account: str
    source: str
    destination: str
    ton: int
    npi: int
    text: str
    secret: bool
    reference: int
    at: int
    expires_at: int
    state: Delivery
    parts: int
    parts_done: int
    attempts: int
    closed_at: int
    remote_id: str
    error: str
    source_ton: int
    source_npi: int
    losses: int
    repeat: bool
    session: int
    kind: Kind = Kind.SMS


class LookedAt(NamedTuple, Generic[T]):
    """A step backwards through the SMS of one direction.

    found: the SMS of the handset, newest first. before: where the next step begins, of the same reader;
    0: everything has been looked at. at: time of the oldest SMS looked at. rows: how many were.
    """

    found: list[T]
    before: int
    at: int
    rows: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which SMS a search gives.

    handset: how the customer's number begins: all eleven digits or fewer, "": any. since, until: ms, from
    then on and before then. instruction: that was understood; of an SMS out, that of its cause; "": any.
    outcome: of an SMS in, "": any. state: of an SMS out. sees: whether the SMS of a customer (mobile) may be
    given; None: all.
    """

    handset: str = ""
    since: int = 0
    until: int = ENDLESS
    instruction: str = ""
    outcome: str = ""
    state: Delivery | None = None
    sees: Callable[[str], bool] | None = None


Position = tuple[int, ...]
"""Where a search goes on, for any reader of that store: below which numbers, one for each node."""


class Searched(NamedTuple, Generic[T]):
    """A step backwards through the SMS of one direction.

    found: newest first. before: where the next step begins; (): nothing that is wanted is left. at: time of
    the oldest SMS looked at, 0: there was none. rows: how many were looked at, at most.
    """

    found: list[T]
    before: Position
    at: int
    rows: int


class ClosedDownlink(NamedTuple):
    """An SMS that was sent, failed or expired. instruction: of its cause. sender: who sent that.
    Both "" where the store has no cause."""

    sms: DownlinkRecord
    instruction: str
    sender: str


class CustomerOrders(NamedTuple):
    """Every order that a customer's record keeps, those that have ended too."""

    msisdn: str
    orders: tuple[Order, ...]


class Reader(FigureReader, Protocol):
    """A view of one store. Every call may raise StoreUnusable."""

    def journal_record(self, number: int) -> JournalRecord | None:
        """Give the SMS in with that number."""

    def downlink(self, number: int) -> DownlinkRecord | None:
        """Give the SMS out with that number."""

    def caused_by(self, number: int) -> list[DownlinkRecord]:
        """Give the SMS out that the SMS in with that number led to (see REPLIES_WITHIN)."""

    def attempts(self, number: int) -> list[Attempt]:
        """Give what is kept of the attempts to send the SMS out with that number, in order."""

    def receipts(self, number: int) -> list[PartReceipt]:
        """Give the parts of the SMS out with that number whose receipts were asked for, in order."""

    def joined_with(self, part: JournalRecord) -> JournalRecord | None:
        """Give the SMS in that a part was joined into (see JOINED_WITHIN)."""

    def of_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[JournalRecord]:
        """Look at the last `rows` SMS in with a number below `before`, and give those of a handset."""

    def to_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[DownlinkRecord]:
        """Look at the last `rows` SMS out with a number below `before`, and give those to a handset."""

    def search_in(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[JournalRecord]:
        """Look at `rows` SMS in, and give at most `limit` of those that are wanted.

        before: (): begin with the newest that can be wanted (see SLACK_MS); else what the last step gave.
        """

    def search_out(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[DownlinkRecord]:
        """The same with SMS out."""

    def ending(self, tail: int, bits: int, rows: int) -> list[int]:
        """Give the numbers of which the last `bits` bits are `tail`, among the last `rows` SMS in and the
        last `rows` SMS out, in order."""

    def waiting(self, limit: int) -> list[DownlinkRecord]:
        """Give at most `limit` SMS out: first those that are parked, then those that wait to leave."""

    def count_waiting(self) -> int:
        """Count the SMS out that are parked or wait to leave."""

    def journal(self, begin: int = 0, end: int = ENDLESS) -> Iterator[JournalRecord]:
        """Give every SMS in that came from `begin` to before `end`."""

    def closed(self, begin: int, end: int) -> Iterator[ClosedDownlink]:
        """Give every SMS out that was closed from `begin` to before `end`."""

    def products(self, begin: int, end: int) -> Iterator[ProductRecord]:
        """Give every product record from `begin` to before `end`."""

    def orders(self) -> Iterator[CustomerOrders]:
        """Give every customer who has ordered something, by mobile."""

    def customer(self, msisdn: str) -> Customer | None:
        """Give the customer with that mobile (11 digits), to be read only."""

    def holder(self, fetion_number: str) -> str | None:
        """Give the mobile of the customer who holds that Fetion number (9 digits)."""

    def close(self) -> None:
        """Let go of the store. Nothing may be called afterwards."""
