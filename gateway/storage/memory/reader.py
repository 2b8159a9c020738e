"""What a store in memory holds, and its Reader."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import chain, islice
from typing import TypeVar

from commands.model import Buddy, Customer
from gateway.message import (
    Acted,
    Asked,
    Attempt,
    Delivery,
    EarlyReceipt,
    MobileTerminated,
    PartReceipt,
    Posted,
    ProductRecord,
    StoredPart,
    Uncertain,
    Watermark,
)
from gateway.storage.accounts import Account, AuditEntry, Session
from gateway.storage.figures import FigureQuery, FigureRow
from gateway.storage.memory.events import Events
from gateway.storage.memory.figures import Counted
from gateway.storage.reader import (
    ENDLESS,
    JOINED_WITHIN,
    SLACK_MS,
    ClosedDownlink,
    CustomerOrders,
    DownlinkRecord,
    JournalRecord,
    LookedAt,
    Position,
    Searched,
    Wanted,
)
from gateway.storage.records import without_password

Sms = TypeVar("Sms", JournalRecord, MobileTerminated)
CLOSED = (
    Delivery.SENT,
    Delivery.FAILED,
    Delivery.EXPIRED,
    Delivery.DELIVERED,
    Delivery.UNDELIVERED,
)


@dataclass(slots=True)
class Expectation:
    """An SMS that may come again. session: where its last answer left. used_at: 0, or when it came again."""

    digest: bytes
    session: int
    until: int
    used_at: int = 0


@dataclass(slots=True)
class Content:
    """Everything in one store: by number, by mobile, by owner and other, or in the order of its coming.

    attempts: by SMS and place. holders: Fetion number -> mobile. Who held a number once, or was a buddy, is
    None there. uncertain: ranges without the SMS that are expected already. run: the last one that was drawn.
    in_use: a Store has it open.
    """

    journal: dict[int, JournalRecord] = field(default_factory=dict)
    outbox: dict[int, MobileTerminated] = field(default_factory=dict)
    attempts: dict[tuple[int, int], Attempt] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    holders: dict[str, str | None] = field(default_factory=dict)
    buddies: dict[tuple[str, str], Buddy | None] = field(default_factory=dict)
    parts: dict[int, StoredPart] = field(default_factory=dict)
    products: list[ProductRecord] = field(default_factory=list)
    uncertain: list[Uncertain] = field(default_factory=list)
    asked: dict[int, Asked] = field(default_factory=dict)
    posted: dict[tuple[str, str], Posted] = field(default_factory=dict)
    receipts: dict[tuple[int, int], PartReceipt] = field(default_factory=dict)
    early: dict[tuple[str, str, Delivery], EarlyReceipt] = field(default_factory=dict)
    actions: dict[str, Acted] = field(default_factory=dict)
    expected: dict[int, Expectation] = field(default_factory=dict)
    settled: Watermark = field(default=Watermark(0, 0))
    events: Events = field(default_factory=Events)
    accounts: dict[str, Account] = field(default_factory=dict)
    sessions: dict[bytes, Session] = field(default_factory=dict)
    audit: dict[int, AuditEntry] = field(default_factory=dict)
    audited: int = 1  # number of the next entry
    counted: Counted = field(default_factory=Counted)
    key_check: int | None = None
    run: int = 0
    in_use: bool = False

    def leaving(self, *states: Delivery) -> Iterator[MobileTerminated]:
        """The SMS out in these states, by number."""
        return (sms for _, sms in sorted(self.outbox.items()) if sms.state in states)


class MemoryReader:
    """Reader of one Content, which it copies before it goes through it; gateway.storage.reader says the
    rest."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def journal_record(self, number: int) -> JournalRecord | None:
        return self._content.journal.get(number)

    def downlink(self, number: int) -> DownlinkRecord | None:
        sms = self._content.outbox.get(number)
        return _downlink(sms) if sms else None

    def caused_by(self, number: int) -> list[DownlinkRecord]:
        return [_downlink(sms) for sms in self._content.leaving(*Delivery) if sms.cause == number]

    def attempts(self, number: int) -> list[Attempt]:
        found = (each for each in self._content.attempts.values() if each.number == number)
        return sorted(found, key=lambda each: each.ordinal)

    def receipts(self, number: int) -> list[PartReceipt]:
        return sorted(each for each in self._content.receipts.values() if each.number == number)

    def joined_with(self, part: JournalRecord) -> JournalRecord | None:
        behind = sorted(number for number in self._content.journal if number > part.number)[:JOINED_WITHIN]
        later = (self._content.journal[number] for number in behind)
        return next((sms for sms in later if part.number in sms.detail.get("joined", ())), None)

    def of_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[JournalRecord]:
        return _backwards(self._content.journal, msisdn, before, rows)

    def to_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[DownlinkRecord]:
        step = _backwards(self._content.outbox, msisdn, before, rows)
        return LookedAt(list(map(_downlink, step.found)), *step[1:])

    def search_in(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[JournalRecord]:
        def is_wanted(sms: JournalRecord) -> bool:
            return (
                _matches(sms, wanted)
                and wanted.instruction in {"", sms.instruction}
                and wanted.outcome in {"", sms.outcome}
            )

        return _search(self._content.journal, is_wanted, wanted, before, rows, limit)

    def search_out(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[DownlinkRecord]:
        def is_wanted(sms: MobileTerminated) -> bool:
            cause = self._content.journal.get(sms.cause)
            return (
                _matches(sms, wanted)
                and wanted.instruction in {"", cause.instruction if cause else None}
                and wanted.state in {None, sms.state}
            )

        step = _search(self._content.outbox, is_wanted, wanted, before, rows, limit)
        return Searched(list(map(_downlink, step.found)), *step[1:])

    def ending(self, tail: int, bits: int, rows: int) -> list[int]:
        sms: list[int] = []
        for kept in (self._content.journal, self._content.outbox):
            sms += sorted(kept, reverse=True)[:rows]
        return sorted(number for number in sms if number & ((1 << bits) - 1) == tail)

    def count_waiting(self) -> int:
        return sum(1 for _ in self._content.leaving(Delivery.PARKED, Delivery.WAITING))

    def waiting(self, limit: int) -> list[DownlinkRecord]:
        leaving = self._content.leaving
        found = chain(leaving(Delivery.PARKED), leaving(Delivery.WAITING))
        return [_downlink(sms) for sms in islice(found, limit)]

    def journal(self, begin: int = 0, end: int = ENDLESS) -> Iterator[JournalRecord]:
        return (sms for _, sms in sorted(self._content.journal.items()) if begin <= sms.at < end)

    def closed(self, begin: int, end: int) -> Iterator[ClosedDownlink]:
        for sms in self._content.leaving(*CLOSED):
            if begin <= sms.closed_at < end:
                cause = self._content.journal.get(sms.cause)
                told = (cause.instruction, cause.msisdn) if cause else ("", "")
                yield ClosedDownlink(_downlink(sms), *told)

    def products(self, begin: int, end: int) -> Iterator[ProductRecord]:
        return (each for each in tuple(self._content.products) if begin <= each.at < end)

    def orders(self) -> Iterator[CustomerOrders]:
        customers = sorted(self._content.customers.items())
        return (CustomerOrders(msisdn, each.orders) for msisdn, each in customers if each.orders)

    def figures(self, query: FigureQuery) -> list[FigureRow]:
        return self._content.counted.find(query)

    def first_figure(self) -> str:
        return self._content.counted.first()

    def incomplete_days(self, first: str, last: str) -> list[str]:
        return self._content.counted.incomplete(first, last)

    def customer(self, msisdn: str) -> Customer | None:
        return without_password(self._content.customers.get(msisdn))

    def holder(self, fetion_number: str) -> str | None:
        return self._content.holders.get(fetion_number)

    def close(self) -> None:
        """Nothing is held."""


def _backwards(kept: Mapping[int, Sms], msisdn: str, before: int, rows: int) -> LookedAt[Sms]:
    step = [kept[number] for number in sorted(kept, reverse=True) if number < before][:rows]
    if not step:
        return LookedAt([], 0, 0, 0)
    found = [sms for sms in step if sms.msisdn == msisdn]
    return LookedAt(
        found, step[-1].number if len(step) == rows else 0, min(sms.at for sms in step), len(step)
    )


def _matches(sms: JournalRecord | MobileTerminated, wanted: Wanted) -> bool:
    in_time = wanted.since <= sms.at < wanted.until
    return in_time and sms.msisdn.startswith(wanted.handset)


def _search(
    kept: Mapping[int, Sms],
    is_wanted: Callable[[Sms], bool],
    wanted: Wanted,
    before: Position,
    rows: int,
    limit: int,
) -> Searched[Sms]:
    begin = before[0] if before else _begin(kept, wanted.until)
    step = [kept[number] for number in sorted(kept, reverse=True) if number < begin][:rows]
    if not step:
        return Searched([], (), 0, 0)
    sees, at = wanted.sees, min(sms.at for sms in step)
    matching = (sms for sms in step if is_wanted(sms) and (sees is None or sees(sms.msisdn)))
    found = list(islice(matching, limit))
    if len(found) == limit:
        return Searched(found, (found[-1].number,), found[-1].at, len(step))
    over = len(step) < rows or at < wanted.since - SLACK_MS
    return Searched(found, () if over else (step[-1].number,), at, len(step))


def _begin(kept: Mapping[int, Sms], until: int) -> int:
    """The number below which all SMS before a time are."""
    return max((number for number, sms in kept.items() if sms.at < until + SLACK_MS), default=-1) + 1


def _downlink(sms: MobileTerminated) -> DownlinkRecord:
    return DownlinkRecord(**{each.name: getattr(sms, each.name) for each in fields(DownlinkRecord)})
