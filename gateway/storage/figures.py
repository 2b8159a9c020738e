"""Figures: how much happened, by day, week and month. The values, and what a store does with them.

A figure is a number of events of one kind: a measure, with the home province of the customer, the way of
access, what it was and how it ended. Its days run in service.timezone; a week begins on Monday. Figures of a
week or a month are the sums of those of its days, but for ACTIVE: a customer who was active on two days of
a month counts once in it.

tests/contracts runs one suite over every driver:

1. Events of the family FIGURES (gateway.message) have a series of their own: no call of EventStore gives
   them, counts them or keeps others for them. `fold` adds figures, deletes the events that say so, and moves
   a cursor, in one commit, or does nothing: what was folded is never folded again.
2. `replace_day` makes the figures of a day, and who was active in it, what it is given, in commits of at
   most STEP rows each, so that nobody waits long: after a crash the same call does the rest. The figures of
   its week and month change by the difference. Who was active in them is found anew from their days, as long
   as `forget_active` was given no day behind their first one; else it only grows. ACTIVE of a day of which
   that is forgotten stays. The day is marked (rule 7) from the first of these commits to the last.
3. A figure that becomes 0 is gone.
4. Nodes that share the store fold at the same time: what both add is there.
5. `begin_figures` writes the BASE of a store once, whoever calls it. Where `replace_day` changes how many
   were opened or cancelled on a day before the base or at it, the base changes by as much in the other
   direction: BASE + opened - cancelled, of all days up to one, are the customers at the end of that day.
6. A customer's province in a period is that of the first of his days in it, as far as a fold knows.
7. A day is marked where its figures may not be complete, until `replace_day` has put right ones in their
   place. `replace_day` takes a DayState that was read before the day was counted, and leaves the mark where
   anything changed the day since, at whatever node: else what was counted and what is folded meanwhile would
   be the same SMS twice, or none. A node that counts nothing has a note of the first such day; that day and
   those behind it are marked by `settle_uncounted`, and are not complete before that either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from gateway.message import StoredEvent


class Measure(StrEnum):
    """What is counted, with what its columns hold.

    UPLINK: SMS from customers. way: of access; what: instruction; outcome: commands.model.Result; parts: SMS.
    DOWNLINK: SMS to customers that are over. way; outcome: sent, failed, expired ...; parts: SMS.
    EVENT: what happened to customers. way; what: family/name, such as service/opened.
    ORDER: products. way; what: product; outcome: order or cancel.
    ACTIVE: customers with an SMS of theirs in the period. way: "" = any, else one that they used.
    BASE: customers (open or suspended) when counting began, of that day.
    """

    UPLINK = "uplink"
    DOWNLINK = "downlink"
    EVENT = "event"
    ORDER = "order"
    ACTIVE = "active"
    BASE = "base"


STEP: Final = 500
"""Rows that one commit of replace_day looks at, at most."""

OPENED: Final = "service/opened"
CANCELLED: Final = "service/cancelled"
"""The events that change how many customers there are."""

SERVICE: Final = "service"
"""The way of what an operator or agent did for a customer (客服)."""

WAYS: Final = ("161", "12520", "10086", "province", "other")
"""Ways of access of an SMS, in the order of their bits in `ways`: access codes; province: the number of
a province's system; other: whatever else the tables have."""


class FigureKey(NamedTuple):
    """What a figure counts on one day (YYYY-MM-DD)."""

    day: str
    measure: str
    province: str
    way: str
    what: str
    outcome: str


class Amount(NamedTuple):
    """How many times it happened, and how many SMS (parts of long ones) that were."""

    times: int
    parts: int


@dataclass(slots=True)
class Figures:
    """What some commits add. active: (day, mobile) -> province and ways (bits)."""

    amounts: dict[FigureKey, Amount] = field(default_factory=dict)
    active: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def days(self) -> list[str]:
        """The days that they change, in order."""
        return sorted({key.day for key in self.amounts} | {day for day, _ in self.active})


class DayState(NamedTuple):
    """Where the figures of a day stand. touched: changes with each fold, of any node, that changes them.

    mark: 0: they are complete; else it changes with each marking. waits: commits of that day may not be
    folded yet, at some node.
    """

    touched: int
    mark: int
    waits: bool


class PeriodKind(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def begin_of(kind: PeriodKind, day: date) -> date:
    """The first day of the period that a day is in."""
    if kind is PeriodKind.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if kind is PeriodKind.MONTH else day


COLUMNS: Final = ("period", "province", "way", "what", "outcome")
"""What figures may be told apart by."""

ORDER: Final = ("period", "outcome", "way", "what", "province")
"""The columns in the order of the primary key: sums over provinces, which most pages want, need no sort."""


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """Which figures are asked for. first, last: first days of periods (YYYY-MM-DD), both included.

    only: column -> the values that count; others do not. by: columns that are told apart, in this order.
    """

    kind: PeriodKind
    measure: Measure
    first: str
    last: str
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    by: tuple[str, ...] = ()


class FigureRow(NamedTuple):
    """keys: the values of the columns of FigureQuery.by."""

    keys: tuple[str, ...]
    times: int
    parts: int


class FigureStore(Protocol):
    """The figures of a store, as who counts sees them."""

    @property
    def last_counted(self) -> int:
        """Sequence of the last event of the family FIGURES, 0 at first. A look, not a read of the disk."""

    async def counted_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """The events of the family FIGURES behind that one, in order, `limit` at most."""

    async def folded(self, consumer: str) -> int:
        """The last of them that a consumer has folded."""

    async def figures_begun(self) -> bool:
        """Whether begin_figures has noted it."""

    async def open_mobiles(self, after: str, limit: int) -> list[str]:
        """The mobiles of customers whose account is open or suspended, those behind one, `limit` at most, in
        order."""

    async def fold(self, consumer: str, sequence: int, figures: Figures, after: int | None = None) -> bool:
        """Add figures, unless the cursor of the consumer is at `sequence` or behind it already; and move it
        there. Gives whether it added them. Durable, in a commit of its own (rule 1).

        after: the figures are those of the events behind that one; if the cursor is behind it, some of them
        are in the figures already, and nothing is added.
        """

    async def day_state(self, day: str) -> DayState:
        """Where a day stands, as far as it is committed."""

    async def replace_day(self, day: str, figures: Figures, state: DayState | None = None) -> bool:
        """Rules 2 and 7. Durable. All keys of `figures` are of that day, none is of ACTIVE or BASE.

        state: what `day_state` gave before the day was counted; None: whatever it is now. Gives whether the
        figures are right: False where the day has changed meanwhile, and must be counted again. Nothing was
        replaced then, or the day is marked.
        """

    async def mark_days(self, days: Sequence[str]) -> None:
        """Rule 7. Durable, in a commit of its own."""

    async def marked_days(self) -> list[str]:
        """The days that are marked, in order."""

    async def note_uncounted(self, day: str) -> None:
        """This node counts nothing from that day on, unless an earlier day is noted. Durable."""

    async def settle_uncounted(self, today: str, *, counting: bool) -> None:
        """Mark the days before today of which a node counts nothing. Durable, in a commit of its own.

        counting: this node counts from now on: today is marked too where it had a note, which goes. That of a
        node that gave its work back goes as well.
        """

    async def begin_figures(self, day: str, base: Mapping[str, int]) -> bool:
        """Note that counting begins, on that day with these customers (province -> how many), unless that is
        noted already. Gives whether it was noted now. Durable, in a commit of its own."""

    async def drop_counted(self, consumer: str, sequence: int, days: Sequence[str]) -> int:
        """Delete the events of the family FIGURES up to a sequence, as if they were folded, and mark their
        days; gives how many. Durable, in a commit of its own."""

    async def forget_active(self, before: str, limit: int) -> int:
        """Forget who was active in periods that ended before a day, `limit` rows at most; gives how many."""


class FigureReader(Protocol):
    """The figures of a store, as who looks sees them: gateway.storage.reader.Reader has these calls."""

    def figures(self, query: FigureQuery) -> list[FigureRow]:
        """The figures asked for, ordered by their keys. ACTIVE is not to be summed over periods or ways."""

    def first_figure(self) -> str:
        """The first day that has a figure, "" where there is none."""

    def incomplete_days(self, first: str, last: str) -> list[str]:
        """The days from one to another, both included, whose figures may not be complete, in order."""
