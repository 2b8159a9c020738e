"""Days, weeks and months: the periods of a report, and a span of days as months and days."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.storage.figures import PeriodKind, begin_of

DAY = timedelta(days=1)


def following(kind: PeriodKind, begin: date) -> date:
    """The first day of the period after the one that begins on a day."""
    if kind is PeriodKind.MONTH:
        return (begin + timedelta(days=31)).replace(day=1)
    return begin + (timedelta(days=7) if kind is PeriodKind.WEEK else DAY)


def shifted(kind: PeriodKind, begin: date, count: int) -> date:
    """The first day of the period `count` periods later, earlier where it is negative."""
    if kind is PeriodKind.MONTH:
        months = begin.year * 12 + begin.month - 1 + count
        return date(months // 12, months % 12 + 1, 1)
    return begin + timedelta(days=count * (7 if kind is PeriodKind.WEEK else 1))


@dataclass(frozen=True, slots=True)
class Span:
    """Successive periods of one kind: the first days of the first and the last one."""

    kind: PeriodKind
    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        """The first days of its periods."""
        begin = self.first
        while begin <= self.last:
            yield begin
            begin = following(self.kind, begin)

    def __len__(self) -> int:
        """How many periods it has."""
        if self.kind is PeriodKind.MONTH:
            return (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
        return (self.last - self.first).days // (7 if self.kind is PeriodKind.WEEK else 1) + 1

    @property
    def last_day(self) -> date:
        """The last day of its last period."""
        return following(self.kind, self.last) - DAY

    def complete(self, today: date) -> "Span | None":
        """Its periods that are over; None: none is."""
        last = min(self.last, shifted(self.kind, begin_of(self.kind, today), -1))
        return Span(self.kind, self.first, last) if last >= self.first else None

    @property
    def before(self) -> "Span":
        """As many periods, directly before it."""
        return Span(self.kind, shifted(self.kind, self.first, -len(self)), shifted(self.kind, self.first, -1))


def pieces(first: date, last: date) -> Iterator[Span]:
    """Whole months, and days where a month is not whole, which together are the days from first to last.

    The figures of a month are few beside those of its days: sums over a long time are read so.
    """
    month = begin_of(PeriodKind.MONTH, first)
    whole = month if month == first else following(PeriodKind.MONTH, month)
    end = begin_of(PeriodKind.MONTH, last + DAY)  # the first month that is not whole
    if whole >= end:
        if first <= last:
            yield Span(PeriodKind.DAY, first, last)
        return
    if first < whole:
        yield Span(PeriodKind.DAY, first, whole - DAY)
    yield Span(PeriodKind.MONTH, whole, shifted(PeriodKind.MONTH, end, -1))
    if end <= last:
        yield Span(PeriodKind.DAY, end, last)


def label_of(kind: PeriodKind, begin: date) -> str:
    """2026-11-27, 2026-W48 or 2026-11."""
    if kind is PeriodKind.MONTH:
        return f"{begin:%Y-%m}"
    if kind is PeriodKind.WEEK:
        year, week, _ = begin.isocalendar()
        return f"{year}-W{week:02}"
    return begin.isoformat()
