"""Figures in an SQLite store: the two tables, the calls of gateway.storage.figures.FigureStore, and what a
Reader asks."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from gateway.message import StoredEvent
from gateway.storage import folding
from gateway.storage.figures import (
    ORDER,
    STEP,
    Amount,
    DayState,
    FigureKey,
    FigureQuery,
    FigureRow,
    Figures,
    Measure,
    PeriodKind,
)
from gateway.storage.folding import DAY, LONGER, Activity, Cache, Changes
from gateway.storage.sqlite.events import COUNTED, EventTables, event_of
from gateway.storage.sqlite.marks import MARKED, Marks, days_of

T = TypeVar("T")

_ADD: Final = """
INSERT INTO figure (kind, measure, period, province, way, what, outcome, count, parts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (kind, measure, period, province, way, what, outcome)
DO UPDATE SET count = count + excluded.count, parts = parts + excluded.parts
"""
_NONE_LEFT: Final = """
DELETE FROM figure WHERE kind = ? AND measure = ? AND period = ? AND province = ? AND way = ? AND what = ?
    AND outcome = ? AND count = 0
"""
_PUT_ACTIVE: Final = """
INSERT OR REPLACE INTO active_customer (kind, period, msisdn, province, ways) VALUES (?, ?, ?, ?, ?)
"""
_DROP_ACTIVE: Final = "DELETE FROM active_customer WHERE kind = ? AND period = ? AND msisdn = ?"
_KNOWN: Final = (
    "SELECT msisdn, province, ways FROM active_customer WHERE kind = ? AND period = ? AND msisdn IN "
)
_KNOWN_FROM: Final = """
SELECT msisdn, province, ways FROM active_customer
WHERE kind = 'day' AND period = ? AND msisdn > ? ORDER BY msisdn LIMIT ?
"""
_OF_DAY: Final = """
SELECT period, measure, province, way, what, outcome, count, parts FROM figure
WHERE kind = 'day' AND measure = ? AND period = ?
"""
_FORGET: Final = """
DELETE FROM active_customer WHERE kind = :kind AND (period, msisdn) IN (
    SELECT period, msisdn FROM active_customer WHERE kind = :kind AND period < :before
    ORDER BY period, msisdn LIMIT :limit)
"""
_META: Final = "SELECT value FROM meta WHERE key = ?"
_SET_META: Final = """
INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)
"""
_OPEN: Final = """
SELECT msisdn FROM customer WHERE msisdn > ? AND state IN ('open', 'suspended') ORDER BY msisdn LIMIT ?
"""
BEGUN: Final = "figures_begun"
"""In the table meta: the day of the base, such as 20070301."""
FORGOTTEN: Final = "active_from"
"""There: of periods that ended before this day it is forgotten who was active."""
_MOST: Final = 400
"""Keys that are looked for at once: SQLite takes 999 values in a statement in any case."""
_REPLACED: Final = tuple(each for each in Measure if each not in {Measure.ACTIVE, Measure.BASE})


class FigureTables:
    """Rows of the two tables, in the transaction that is open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.cache = Cache()

    def add(self, figures: Figures) -> Changes:
        """Add them. Gives what was written."""
        changes = Changes()
        folding.add_amounts(changes, figures.amounts)
        for day, active in sorted(folding.by_day(figures).items()):
            wanted = self.cache.unknown(day, active)
            news = folding.grow(changes, DAY, day, wanted, self.known(DAY, day, wanted))
            for kind in LONGER:
                period = folding.begin(kind, day)
                known = self.known(kind, period, news) | changes.active_in(kind, period)
                folding.grow(changes, kind, period, {each: active[each] for each in news}, known)
        self.write(changes)
        return changes

    def known(self, kind: str, period: str, mobiles: Iterable[int]) -> dict[int, Activity]:
        """Which of these were active in a period."""
        found: dict[int, Activity] = {}
        wanted = sorted(mobiles)
        for first in range(0, len(wanted), _MOST):
            some = wanted[first : first + _MOST]
            marks = ", ".join("?" * len(some))
            rows = self._db.execute(f"{_KNOWN} ({marks})", (kind, period, *some))
            found |= {msisdn: Activity(province, ways) for msisdn, province, ways in rows}
        return found

    def write(self, changes: Changes) -> None:
        """Write differences and customers."""
        db = self._db
        differences = changes.differences()
        if differences:
            db.executemany(_ADD, [(*key, *amount) for key, amount in differences])
            if lower := [key for key, amount in differences if amount.times < 0]:
                db.executemany(_NONE_LEFT, lower)
        if changes.active:
            there = sorted((key, each) for key, each in changes.active.items() if each is not None)
            db.executemany(_PUT_ACTIVE, [(*key, *each) for key, each in there])
            gone = sorted(key for key, each in changes.active.items() if each is None)
            db.executemany(_DROP_ACTIVE, gone)

    def meta(self, key: str) -> int:
        """A number of the table meta, 0 where there is none."""
        row = self._db.execute(_META, (key,)).fetchone()
        return 0 if row is None else int(row[0])

    def begin(self, day: str, base: Mapping[str, int]) -> bool:
        """Note the base, once."""
        if self.meta(BEGUN):
            return False
        self._db.execute(_SET_META, (BEGUN, folding.number_of_day(day)))
        amounts = {
            FigureKey(day, Measure.BASE.value, province, "", "", ""): Amount(count, 0)
            for province, count in base.items()
        }
        self.add(Figures(amounts))
        return True

    def forget(self, before: str, limit: int) -> int:
        """Forget who was active, one kind of period after the other."""
        self._db.execute(_SET_META, (FORGOTTEN, folding.number_of_day(before)))
        gone = 0
        for kind in PeriodKind:
            values = {
                "kind": kind.value,
                "before": folding.forgotten_before(kind, before),
                "limit": limit - gone,
            }
            gone += self._db.execute(_FORGET, values).rowcount
        return gone

    # A day that is replaced

    def differences(self, day: str, figures: Figures) -> list[tuple[FigureKey, Amount]]:
        """Of the figures of a day, but for ACTIVE; with those of the base that follow."""
        known = [
            (FigureKey(*key), Amount(times, parts))
            for measure in _REPLACED
            for *key, times, parts in self._db.execute(_OF_DAY, (measure.value, day))
        ]
        return folding.amounts_to_replace(day, figures.amounts, known)

    def replace_amounts(self, differences: Mapping[FigureKey, Amount]) -> None:
        """Write some of them."""
        changes = Changes()
        folding.add_amounts(changes, differences)
        if begun := self.meta(BEGUN):
            base_day = folding.day_of_number(begun)
            folding.add_amounts(changes, folding.base_change(differences.items(), base_day))
        self.write(changes)

    def replace_active(self, day: str, wanted: folding.Ordered, after: int) -> int | None:
        """Of the customers behind a mobile, some. Gives the last that was looked at, None: that was all."""
        forgotten = self.meta(FORGOTTEN)
        if folding.number_of_day(day) < forgotten:
            return None
        rows = self._db.execute(_KNOWN_FROM, (day, after, STEP)).fetchall()
        known = {msisdn: Activity(province, ways) for msisdn, province, ways in rows}
        changes = Changes()
        last = folding.replace_some(changes, day, wanted, known, after)
        self._follow(changes, day, forgotten)
        self.write(changes)
        return last

    def _follow(self, changes: Changes, day: str, forgotten: int) -> None:
        """What the customers who changed were in the week and month of the day."""
        changed = {msisdn: activity for (_, _, msisdn), activity in changes.active.items()}
        if not changed:
            return
        for kind in LONGER:
            period = folding.begin(kind, day)
            known = self.known(kind, period, changed)
            if folding.number_of_day(period) < forgotten:
                more = {msisdn: each for msisdn, each in changed.items() if each is not None}
                folding.grow(changes, kind, period, more, known)
                continue
            days = [
                changed if each == day else self.known(DAY, each, changed)
                for each in folding.days_of(kind, period)
            ]
            for msisdn in changed:
                now = folding.anew(each.get(msisdn) for each in days)
                changes.set_active(kind, period, msisdn, known.get(msisdn), now)


class FigureCalls:
    """The calls; the rest of the store is SqliteStore."""

    _figures: FigureTables
    _marks: Marks
    _events: EventTables

    async def _write_apart(self, work: Callable[[], T]) -> T:
        raise NotImplementedError

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    @property
    def last_counted(self) -> int:
        """As the tables count."""
        return self._events.last_counted

    async def counted_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """A search of the primary key."""
        return [event_of(row) for row in await self._read(COUNTED, (-sequence, limit))]

    async def folded(self, consumer: str) -> int:
        """A row of meta."""
        rows = await self._read(_META, (f"folded {consumer}",))
        return int(rows[0][0]) if rows else 0

    async def figures_begun(self) -> bool:
        """A row of meta."""
        return bool(await self._read(_META, (BEGUN,)))

    async def open_mobiles(self, after: str, limit: int) -> list[str]:
        """A search of the primary key."""
        return [str(row[0]) for row in await self._read(_OPEN, (int(after or 0), limit))]

    async def fold(self, consumer: str, sequence: int, figures: Figures, after: int | None = None) -> bool:
        """In a commit of its own, with the cursor."""

        def work() -> Changes | None:
            cursor = self._events.folded(consumer)
            if cursor >= sequence or (after is not None and cursor > after):
                return None
            self._events.fold(consumer, sequence)
            self._marks.touch(figures.days())
            return self._figures.add(figures)

        try:
            changes = await self._write_apart(work)
        except BaseException:
            self._figures.cache.clear()  # a cancelled call may be stored or not
            raise
        if changes is not None:
            self._figures.cache.add(changes.active)
        return changes is not None

    async def begin_figures(self, day: str, base: Mapping[str, int]) -> bool:
        """In a commit of its own."""
        return await self._write_apart(lambda: self._figures.begin(day, base))

    async def replace_day(self, day: str, figures: Figures, state: DayState | None = None) -> bool:
        """In steps; others have their turn between two."""
        tables, marks = self._figures, self._marks

        def begin() -> tuple[DayState, list[tuple[FigureKey, Amount]]] | None:
            now = marks.state(day)
            if state is not None and (state.waits or now != state):
                return None
            return now._replace(mark=marks.mark([day])), tables.differences(day, figures)

        tables.cache.clear()
        begun = await self._write_apart(begin)
        if begun is None:
            return False
        mine, differences = begun
        for some in folding.chunks(differences, STEP):
            await self._write_apart(partial(tables.replace_amounts, some))
            await asyncio.sleep(0)
        wanted = folding.Ordered(folding.by_day(figures).get(day, {}))
        after: int | None = -1
        while after is not None:
            after = await self._write_apart(partial(tables.replace_active, day, wanted, after))
            await asyncio.sleep(0)
        tables.cache.clear()
        return await self._write_apart(lambda: marks.replaced(day, mine))

    async def day_state(self, day: str) -> DayState:
        """A look in a transaction, which writes nothing."""
        return await self._write_apart(lambda: self._marks.state(day))

    async def mark_days(self, days: Sequence[str]) -> None:
        """In a commit of its own."""
        await self._write_apart(lambda: self._marks.mark(days))

    async def marked_days(self) -> list[str]:
        """A search of the primary key."""
        return days_of(await self._read(MARKED))

    async def note_uncounted(self, day: str) -> None:
        """In a commit of its own."""
        await self._write_apart(lambda: self._marks.note(day))

    async def settle_uncounted(self, today: str, *, counting: bool) -> None:
        """In a commit of its own."""
        await self._write_apart(lambda: self._marks.settle(today, counting=counting))

    async def drop_counted(self, consumer: str, sequence: int, days: Sequence[str]) -> int:
        """In a commit of its own, with the marks."""

        def work() -> int:
            gone = self._events.drop_counted(consumer, sequence)
            if gone:
                self._marks.mark(days)
            return gone

        return await self._write_apart(work)

    async def forget_active(self, before: str, limit: int) -> int:
        """In a commit of its own."""

        def work() -> int:
            self._marks.forget_touched(before)
            return self._figures.forget(before, limit)

        return await self._write_apart(work)


Read = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


def figures(read: Read, query: FigureQuery) -> list[FigureRow]:
    """What FigureReader.figures gives. COLUMNS are the names of the table too."""
    values: list[Any] = [query.kind.value, query.measure.value, query.first, query.last]
    where = ""
    for column, wanted in query.only.items():
        marks = ", ".join("?" * len(wanted))
        where += f" AND {column} IN ({marks})"
        values += wanted
    columns = ", ".join(query.by)
    selected = f"{columns}, " if columns else ""
    grouped = f" GROUP BY {columns} ORDER BY {columns}" if columns else ""
    told = f"figure WHERE kind = ? AND measure = ? AND period BETWEEN ? AND ?{where}"
    rows = read(
        f"SELECT {selected}sum(count), sum(parts) FROM {_summed(told, query.by)}{grouped}",  # noqa: S608
        values,
    )
    return [FigureRow(tuple(keys), times, parts) for *keys, times, parts in rows if times is not None]


def _summed(told: str, by: Sequence[str]) -> str:
    """Sums in the order of the primary key, which need no sort, and which leave less to sort."""
    first = max((ORDER.index(column) + 1 for column in by), default=0)
    if first in {0, len(ORDER)} or tuple(by) == ORDER[:first]:
        return told
    key = ", ".join(ORDER[:first])
    return f"(SELECT {key}, sum(count) AS count, sum(parts) AS parts FROM {told} GROUP BY {key})"  # noqa: S608


def first_figure(read: Read) -> str:
    """What FigureReader.first_figure gives: a search of the primary key for each measure."""
    statement = "SELECT min(period) FROM figure WHERE kind = 'day' AND measure = ?"
    found = [read(statement, (measure.value,))[0][0] for measure in _REPLACED]
    return min((day for day in found if day is not None), default="")
