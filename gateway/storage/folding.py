"""What an addition to the figures changes in the rows of a store: pure, for every driver.

A driver asks which customers are known to have been active, and writes the rows and differences it is given.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, NamedTuple

from gateway.storage.figures import (
    CANCELLED,
    OPENED,
    STEP,
    WAYS,
    Amount,
    FigureKey,
    Figures,
    Measure,
    PeriodKind,
    begin_of,
)

ANY_WAY: Final = ""
CACHED: Final = 100_000
"""Customers of a day that a driver remembers as known: some 10 MB."""
DAY: Final = PeriodKind.DAY.value
LONGER: Final = (PeriodKind.WEEK, PeriodKind.MONTH)
_ACTIVE: Final = Measure.ACTIVE.value
_BASE: Final = Measure.BASE.value
_COMBINATIONS: Final = tuple(
    (ANY_WAY, *(way for bit, way in enumerate(WAYS) if ways >> bit & 1)) for ways in range(1 << len(WAYS))
)
"""The ways that a figure of ACTIVE is counted under, by the bits of `ways`."""


class RowKey(NamedTuple):
    """The key of a row of figures; period: its first day."""

    kind: str
    measure: str
    period: str
    province: str
    way: str
    what: str
    outcome: str


class Activity(NamedTuple):
    """Of a customer in a period: his home province, and the ways that he used (bits)."""

    province: str
    ways: int


Known = Mapping[int, Activity]
"""Customers of a period by their mobile."""


@dataclass(slots=True)
class Changes:
    """What is to be written. rows: differences of figures. active: (kind, period, mobile) -> what it is to be
    from now on, None: not active. customers: (kind, period, province, ways) -> how many more there are."""

    rows: dict[RowKey, Amount] = field(default_factory=dict)
    active: dict[tuple[str, str, int], Activity | None] = field(default_factory=dict)
    customers: dict[tuple[str, str, str, int], int] = field(default_factory=dict)

    def add(self, key: RowKey, times: int, parts: int = 0) -> None:
        """Change a figure by so much."""
        known = self.rows.get(key)
        self.rows[key] = Amount(times, parts) if known is None else Amount(known[0] + times, known[1] + parts)

    def differences(self) -> list[tuple[RowKey, Amount]]:
        """Those that are not 0, in the order of their keys."""
        for (kind, period, province, ways), times in self.customers.items():
            for way in _COMBINATIONS[ways]:
                self.add(RowKey(kind, _ACTIVE, period, province, way, "", ""), times)
        self.customers.clear()
        return sorted((key, amount) for key, amount in self.rows.items() if amount != (0, 0))

    def active_in(self, kind: str, period: str) -> dict[int, Activity]:
        """Customers of a period that are to be written."""
        return {
            msisdn: activity
            for (its, begin, msisdn), activity in self.active.items()
            if its == kind and begin == period and activity is not None
        }

    def set_active(
        self, kind: str, period: str, msisdn: int, was: Activity | None, now: Activity | None
    ) -> None:
        """A customer was known in a period as `was`; from now on he is `now`."""
        if was == now:
            return
        self.active[kind, period, msisdn] = now
        customers = self.customers
        if was is not None:
            before = (kind, period, *was)
            customers[before] = customers.get(before, 0) - 1
        if now is not None:
            after = (kind, period, *now)
            customers[after] = customers.get(after, 0) + 1


def begin(kind: PeriodKind, day: str) -> str:
    """The first day of the period of a day, both as texts."""
    return begin_of(kind, date.fromisoformat(day)).isoformat()


def days_of(kind: PeriodKind, first: str) -> list[str]:
    """The days of a period."""
    day = date.fromisoformat(first)
    found = []
    while begin_of(kind, day).isoformat() == first:
        found.append(day.isoformat())
        day += timedelta(days=1)
    return found


def add_amounts(changes: Changes, amounts: Mapping[FigureKey, Amount]) -> None:
    """Spread figures of days over the rows of their day, week and month."""
    begins: dict[str, list[tuple[str, str]]] = {}
    for (day, *rest), (times, parts) in amounts.items():
        if day not in begins:
            begins[day] = [(kind.value, begin(kind, day)) for kind in PeriodKind]
        for kind, period in begins[day]:
            measure, province, way, what, outcome = rest
            changes.add(RowKey(kind, measure, period, province, way, what, outcome), times, parts)


def by_day(figures: Figures) -> dict[str, dict[int, Activity]]:
    """Who was active, by day."""
    found: dict[str, dict[int, Activity]] = {}
    for (day, msisdn), (province, ways) in figures.active.items():
        found.setdefault(day, {})[int(msisdn)] = Activity(province, ways)
    return found


def merge(was: Activity | None, more: Activity) -> Activity:
    """He was active again: he keeps his first province."""
    return more if was is None else Activity(was.province, was.ways | more.ways)


def grow(changes: Changes, kind: str, period: str, wanted: Known, known: Known) -> list[int]:
    """Customers were active in a period, in which some are known already. Gives those who are new in it, or
    used a way for the first time."""
    news = []
    for msisdn, activity in wanted.items():
        was = known.get(msisdn)
        now = merge(was, activity)
        if was != now:
            news.append(msisdn)
            changes.set_active(kind, period, msisdn, was, now)
    return news


class Cache:
    """Customers of days that are known to be in the store, bounded: most SMS are of these."""

    def __init__(self) -> None:
        self._known: dict[str, dict[int, int]] = {}
        self._count = 0

    def unknown(self, day: str, wanted: Known) -> dict[int, Activity]:
        """Those who are not known with these ways."""
        known = self._known.get(day)
        if not known:
            return dict(wanted)
        return {
            msisdn: activity
            for msisdn, activity in wanted.items()
            if activity.ways & ~known.get(msisdn, 0) or msisdn not in known
        }

    def add(self, active: Mapping[tuple[str, str, int], Activity | None]) -> None:
        """They are stored."""
        if self._count + len(active) > CACHED:
            self.clear()
        for (kind, period, msisdn), activity in active.items():
            if kind == DAY and activity is not None:
                self._known.setdefault(period, {})[msisdn] = activity.ways
                self._count += 1

    def clear(self) -> None:
        """Nothing is known any more."""
        self._known.clear()
        self._count = 0


# A day that is replaced


def amounts_to_replace(
    day: str, wanted: Mapping[FigureKey, Amount], known: Iterable[tuple[FigureKey, Amount]]
) -> list[tuple[FigureKey, Amount]]:
    """The differences between the figures of a day as they are to be and as they are."""
    left = {key: amount for key, amount in wanted.items() if key.day == day}
    found = []
    for key, was in known:
        now = left.pop(key, Amount(0, 0))
        if now != was:
            found.append((key, Amount(now.times - was.times, now.parts - was.parts)))
    return [*found, *left.items()]


def base_change(differences: Iterable[tuple[FigureKey, Amount]], base_day: str) -> dict[FigureKey, Amount]:
    """How the base changes where figures of days up to that of the base do (rule 5)."""
    found: dict[FigureKey, Amount] = {}
    for key, amount in differences:
        if key.measure != Measure.EVENT or key.day > base_day or key.what not in {OPENED, CANCELLED}:
            continue
        times = -amount.times if key.what == OPENED else amount.times
        its = FigureKey(base_day, _BASE, key.province, "", "", "")
        found[its] = Amount(times + found.get(its, Amount(0, 0)).times, 0)
    return found


class Ordered:
    """Customers of a day, to be gone through in the order of their mobiles."""

    def __init__(self, customers: Known) -> None:
        self.of = customers
        self._order = sorted(customers)

    def behind(self, after: int, most: int) -> list[int]:
        """At most so many, behind a mobile."""
        place = bisect_right(self._order, after)
        return self._order[place : place + most]


def replace_some(changes: Changes, day: str, wanted: Ordered, known: Known, after: int) -> int | None:
    """A step of replacing who was active in a day.

    known: the first STEP of the store behind a mobile, in order. Gives the last one that was looked at, None
    where that was all.
    """
    ahead = wanted.behind(after, STEP)
    last = min((each[-1] for each in (ahead, [*known]) if len(each) >= STEP), default=None)
    for msisdn in {*ahead, *known}:
        if last is None or msisdn <= last:
            changes.set_active(DAY, day, msisdn, known.get(msisdn), wanted.of.get(msisdn))
    return last


def anew(days: Iterable[Activity | None]) -> Activity | None:
    """What a customer was in a period, of its days in order."""
    found: Activity | None = None
    for activity in days:
        if activity is not None:
            found = merge(found, activity)
    return found


def chunks(items: Sequence[tuple[FigureKey, Amount]], most: int) -> Iterator[dict[FigureKey, Amount]]:
    """So many at a time."""
    for first in range(0, len(items), most):
        yield dict(items[first : first + most])


def forgotten_before(kind: PeriodKind, before: str) -> str:
    """Periods of a kind that begin before this day ended before that one: the first that did not."""
    day = date.fromisoformat(before)
    return begin_of(kind, day).isoformat()


def number_of_day(day: str) -> int:
    """A day as the table meta keeps it: 20070301."""
    return int(day.replace("-", ""))


def day_of_number(number: int) -> str:
    """The way back."""
    return f"{number // 10000:04}-{number // 100 % 100:02}-{number % 100:02}"
