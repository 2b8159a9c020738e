"""Figures of a store in memory: gateway.storage.figures says what each call does."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.storage import folding
from gateway.storage.figures import (
    STEP,
    Amount,
    FigureKey,
    FigureQuery,
    FigureRow,
    Figures,
    Measure,
    PeriodKind,
)
from gateway.storage.folding import DAY, LONGER, Activity, Changes, RowKey
from gateway.storage.marks import days_between


@dataclass(slots=True)
class Counted:
    """The figures, and by kind, period and mobile who was active. begun, forgotten: days, "" where there is
    none. uncounted: the same: from which day on nothing is counted."""

    rows: dict[RowKey, Amount] = field(default_factory=dict)
    active: dict[tuple[str, str, int], Activity] = field(default_factory=dict)
    begun: str = ""
    forgotten: str = ""
    marks: dict[str, int] = field(default_factory=dict)
    marking: int = 0
    touched: Counter[str] = field(default_factory=Counter)
    uncounted: str = ""

    def mark(self, days: Iterable[str]) -> None:
        """Rule 7."""
        for day in days:
            self.marking += 1
            self.marks[day] = self.marking

    def incomplete(self, first: str, last: str) -> list[str]:
        """What a Reader gives."""
        noted = days_between(max(first, self.uncounted), last) if self.uncounted else []
        return sorted({day for day in self.marks if first <= day <= last} | {*noted})

    def add(self, figures: Figures) -> None:
        """Add them."""
        changes = Changes()
        folding.add_amounts(changes, figures.amounts)
        for day, active in sorted(folding.by_day(figures).items()):
            news = folding.grow(changes, DAY, day, active, self.known(DAY, day, active))
            for kind in LONGER:
                period = folding.begin(kind, day)
                known = self.known(kind, period, news) | changes.active_in(kind, period)
                folding.grow(changes, kind, period, {each: active[each] for each in news}, known)
        self.write(changes)

    def known(self, kind: str, period: str, mobiles: Iterable[int]) -> dict[int, Activity]:
        """Which of these were active in a period."""
        found = {msisdn: self.active.get((kind, period, msisdn)) for msisdn in mobiles}
        return {msisdn: each for msisdn, each in found.items() if each is not None}

    def write(self, changes: Changes) -> None:
        """Write differences and customers."""
        for key, (times, parts) in changes.differences():
            was = self.rows.get(key, Amount(0, 0))
            self.rows[key] = Amount(was.times + times, was.parts + parts)
            if not self.rows[key].times:
                del self.rows[key]
        for place, activity in changes.active.items():
            if activity is None:
                self.active.pop(place, None)
            else:
                self.active[place] = activity

    def replace(self, day: str, figures: Figures) -> None:
        """Rule 2."""
        known = [
            (FigureKey(day, *key[1:2], *key[3:]), amount)
            for key, amount in self.rows.items()
            if (key.kind, key.period) == (DAY, day) and key.measure not in {Measure.ACTIVE, Measure.BASE}
        ]
        differences = folding.amounts_to_replace(day, figures.amounts, known)
        changes = Changes()
        folding.add_amounts(changes, dict(differences))
        if self.begun:
            folding.add_amounts(changes, folding.base_change(differences, self.begun))
        self.write(changes)
        if day >= self.forgotten:
            self._replace_active(day, folding.Ordered(folding.by_day(figures).get(day, {})))

    def _replace_active(self, day: str, wanted: folding.Ordered) -> None:
        after: int | None = -1
        while after is not None:
            theirs = sorted(
                msisdn
                for kind, period, msisdn in self.active
                if (kind, period) == (DAY, day) and msisdn > after
            )
            changes = Changes()
            after = folding.replace_some(changes, day, wanted, self.known(DAY, day, theirs[:STEP]), after)
            self._follow(changes, day)
            self.write(changes)

    def _follow(self, changes: Changes, day: str) -> None:
        changed = {msisdn: activity for (_, _, msisdn), activity in changes.active.items()}
        for kind in LONGER if changed else ():
            period = folding.begin(kind, day)
            known = self.known(kind, period, changed)
            if period < self.forgotten:
                more = {msisdn: each for msisdn, each in changed.items() if each is not None}
                folding.grow(changes, kind, period, more, known)
                continue
            days: list[Mapping[int, Activity | None]] = [
                changed if each == day else {**self.known(DAY, each, changed)}
                for each in folding.days_of(kind, period)
            ]
            for msisdn in changed:
                now = folding.anew(each.get(msisdn) for each in days)
                changes.set_active(kind, period, msisdn, known.get(msisdn), now)

    def forget(self, before: str, limit: int) -> int:
        """Forget who was active."""
        self.forgotten = max(self.forgotten, before)
        old = [
            key
            for kind in PeriodKind
            for key in sorted(self.active)
            if key[0] == kind and key[1] < folding.forgotten_before(kind, before)
        ]
        for key in old[:limit]:
            del self.active[key]
        return len(old[:limit])

    def find(self, query: FigureQuery) -> list[FigureRow]:
        """What a query asks for."""
        sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
        for key, (times, parts) in self.rows.items():
            if (key.kind, key.measure) != (query.kind, query.measure):
                continue
            if not query.first <= key.period <= query.last:
                continue
            if any(getattr(key, column) not in wanted for column, wanted in query.only.items()):
                continue
            total = sums[tuple(getattr(key, column) for column in query.by)]
            total[0] += times
            total[1] += parts
        return [FigureRow(keys, times, parts) for keys, (times, parts) in sorted(sums.items())]

    def first(self) -> str:
        """The first day with a figure, but for ACTIVE and BASE."""
        others = {Measure.ACTIVE, Measure.BASE}
        days = (key.period for key in self.rows if key.kind == DAY and key.measure not in others)
        return min(days, default="")
