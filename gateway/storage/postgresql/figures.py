"""Figures in a store on PostgreSQL: the two tables, the calls of gateway.storage.figures.FigureStore, and
what a Reader asks.

Nodes that add to the figures take turns: each of these transactions locks one row of the table meta first, so
what it reads is what is there. Readers do not wait for it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from gateway.message import StoredEvent
from gateway.storage import folding
from gateway.storage.figures import (
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
from gateway.storage.postgresql import marks
from gateway.storage.postgresql.candidates import one
from gateway.storage.postgresql.events import EventNumbers, counted_after, drop, fold, folded
from gateway.storage.postgresql.link import Db, Link
from gateway.storage.postgresql.rows import recordset

T = TypeVar("T")

_TURN: Final = """
INSERT INTO meta VALUES ('figures_turn', 1) ON CONFLICT (key) DO UPDATE SET value = meta.value + 1
"""
_KEY: Final = "kind, measure, period, province, way, what, outcome"
_TYPED: Final = "kind text, measure text, period text, province text, way text, what text, outcome text"
_ADD: Final = f"""
INSERT INTO figure AS f ({_KEY}, count, parts)
SELECT {_KEY}, count, parts FROM json_to_recordset(%s) AS x ({_TYPED}, count bigint, parts bigint)
ON CONFLICT ({_KEY}) DO UPDATE SET count = f.count + excluded.count, parts = f.parts + excluded.parts
"""  # noqa: S608
_NONE_LEFT: Final = f"""
DELETE FROM figure f USING json_to_recordset(%s) AS x ({_TYPED})
WHERE (f.kind, f.measure, f.period, f.province, f.way, f.what, f.outcome)
    = (x.kind, x.measure, x.period, x.province, x.way, x.what, x.outcome) AND f.count = 0
"""  # noqa: S608
_PUT_ACTIVE: Final = """
INSERT INTO active_customer (kind, period, msisdn, province, ways)
SELECT kind, period, msisdn, province, ways
FROM json_to_recordset(%s) AS x (kind text, period text, msisdn bigint, province text, ways integer)
ON CONFLICT (kind, period, msisdn) DO UPDATE SET province = excluded.province, ways = excluded.ways
"""
_DROP_ACTIVE: Final = """
DELETE FROM active_customer a
USING json_to_recordset(%s) AS x (kind text, period text, msisdn bigint)
WHERE (a.kind, a.period, a.msisdn) = (x.kind, x.period, x.msisdn)
"""
_KNOWN: Final = """
SELECT msisdn, province, ways FROM active_customer WHERE kind = %s AND period = %s AND msisdn = ANY(%s)
"""
_KNOWN_FROM: Final = """
SELECT msisdn, province, ways FROM active_customer
WHERE kind = 'day' AND period = %s AND msisdn > %s ORDER BY msisdn LIMIT %s
"""
_OF_DAY: Final = """
SELECT period, measure, province, way, what, outcome, count, parts FROM figure
WHERE kind = 'day' AND measure = ANY(%s) AND period = %s
"""
_FORGET: Final = """
DELETE FROM active_customer WHERE kind = %(kind)s AND (period, msisdn) IN (
    SELECT period, msisdn FROM active_customer WHERE kind = %(kind)s AND period < %(before)s
    ORDER BY period, msisdn LIMIT %(limit)s)
"""
_META: Final = "SELECT coalesce((SELECT value FROM meta WHERE key = %s), 0)"
_SET_META: Final = """
INSERT INTO meta VALUES (%s, %s)
ON CONFLICT (key) DO UPDATE SET value = greatest(meta.value, excluded.value)
"""
_OPEN: Final = """
SELECT msisdn FROM customer WHERE msisdn > %s AND state IN ('open', 'suspended') ORDER BY msisdn LIMIT %s
"""
BEGUN: Final = "figures_begun"
"""In the table meta: the day of the base, such as 20070301."""
FORGOTTEN: Final = "active_from"
"""There: of periods that ended before this day it is forgotten who was active."""
_REPLACED: Final = tuple(each for each in Measure if each not in {Measure.ACTIVE, Measure.BASE})


async def _known(db: Db, kind: str, period: str, mobiles: Iterable[int]) -> dict[int, Activity]:
    """Which of these were active in a period."""
    wanted = sorted(mobiles)
    if not wanted:
        return {}
    rows = await (await db.execute(_KNOWN, (kind, period, wanted))).fetchall()
    return {msisdn: Activity(province, ways) for msisdn, province, ways in rows}


async def _write(db: Db, changes: Changes) -> None:
    """Differences and customers, each table in the order of its keys."""
    differences = changes.differences()
    if differences:
        rows = [{**key._asdict(), "count": times, "parts": parts} for key, (times, parts) in differences]
        await db.execute(_ADD, (recordset(rows),))
        if lower := [key._asdict() for key, amount in differences if amount.times < 0]:
            await db.execute(_NONE_LEFT, (recordset(lower),))
    put, gone = [], []
    for (kind, period, msisdn), activity in sorted(changes.active.items(), key=lambda item: item[0]):
        row = {"kind": kind, "period": period, "msisdn": msisdn}
        if activity is None:
            gone.append(row)
        else:
            put.append({**row, **activity._asdict()})
    if put:
        await db.execute(_PUT_ACTIVE, (recordset(put),))
    if gone:
        await db.execute(_DROP_ACTIVE, (recordset(gone),))


async def _add(db: Db, figures: Figures, cache: Cache) -> Changes:
    """Add figures. Gives what was written."""
    changes = Changes()
    folding.add_amounts(changes, figures.amounts)
    for day, active in sorted(folding.by_day(figures).items()):
        wanted = cache.unknown(day, active)
        news = folding.grow(changes, DAY, day, wanted, await _known(db, DAY, day, wanted))
        for kind in LONGER:
            period = folding.begin(kind, day)
            known = await _known(db, kind, period, news)
            folding.grow(
                changes,
                kind,
                period,
                {each: active[each] for each in news},
                known | changes.active_in(kind, period),
            )
    await _write(db, changes)
    return changes


async def _replace_amounts(db: Db, differences: Mapping[FigureKey, Amount]) -> None:
    changes = Changes()
    folding.add_amounts(changes, differences)
    if begun := await one(db, _META, (BEGUN,)):
        base = folding.base_change(differences.items(), folding.day_of_number(begun))
        folding.add_amounts(changes, base)
    await _write(db, changes)


async def _replace_active(db: Db, day: str, wanted: folding.Ordered, after: int) -> int | None:
    """Of the customers behind a mobile, some. Gives the last that was looked at, None: that was all."""
    forgotten = await one(db, _META, (FORGOTTEN,))
    if folding.number_of_day(day) < forgotten:
        return None
    rows = await (await db.execute(_KNOWN_FROM, (day, after, STEP))).fetchall()
    known = {msisdn: Activity(province, ways) for msisdn, province, ways in rows}
    changes = Changes()
    last = folding.replace_some(changes, day, wanted, known, after)
    changed = {msisdn: activity for (_, _, msisdn), activity in changes.active.items()}
    for kind in LONGER if changed else ():
        period = folding.begin(kind, day)
        was = await _known(db, kind, period, changed)
        if folding.number_of_day(period) < forgotten:
            more = {msisdn: each for msisdn, each in changed.items() if each is not None}
            folding.grow(changes, kind, period, more, was)
            continue
        days: list[Mapping[int, Activity | None]] = [
            changed if each == day else {**await _known(db, DAY, each, changed)}
            for each in folding.days_of(kind, period)
        ]
        for msisdn in changed:
            now = folding.anew(each.get(msisdn) for each in days)
            changes.set_active(kind, period, msisdn, was.get(msisdn), now)
    await _write(db, changes)
    return last


class FigureCalls:
    """The calls; the rest of the store is PostgresStore."""

    _link: Link
    _events: EventNumbers
    _known_active: Cache

    async def _in_turn(self, work: Callable[[Db], Awaitable[T]]) -> T:
        """A transaction of its own, one of all nodes at a time."""

        async def whole(db: Db) -> T:
            await db.execute(_TURN)
            return await work(db)

        return await self._link.apart(whole)

    @property
    def last_counted(self) -> int:
        """As this gateway numbered them."""
        return self._events.last_counted

    async def counted_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """Of this node."""
        return await counted_after(self._link, self._events.node, sequence, limit)

    async def folded(self, consumer: str) -> int:
        """A row of meta."""
        async with self._link.turn() as db:
            return await folded(db, self._events.node, consumer)

    async def figures_begun(self) -> bool:
        """A row of meta."""
        return bool((await self._link.read(_META, (BEGUN,)))[0][0])

    async def open_mobiles(self, after: str, limit: int) -> list[str]:
        """A search of the primary key."""
        return [str(row[0]) for row in await self._link.look(_OPEN, (int(after or 0), limit))]

    async def fold(self, consumer: str, sequence: int, figures: Figures, after: int | None = None) -> bool:
        """In a transaction of its own, with the cursor of this node."""
        node, cache = self._events.node, self._known_active

        async def work(db: Db) -> Changes | None:
            cursor = await folded(db, node, consumer)
            if cursor >= sequence or (after is not None and cursor > after):
                return None
            await fold(db, node, consumer, sequence)
            await marks.touch(db, figures.days())
            return await _add(db, figures, cache)

        try:
            changes = await self._in_turn(work)
        except BaseException:
            cache.clear()  # a call that was cancelled may be stored or not
            raise
        if changes is not None:
            cache.add(changes.active)
        return changes is not None

    async def begin_figures(self, day: str, base: Mapping[str, int]) -> bool:
        """In a transaction of its own."""
        measure = Measure.BASE.value
        amounts = {FigureKey(day, measure, each, "", "", ""): Amount(n, 0) for each, n in base.items()}

        async def work(db: Db) -> bool:
            if await one(db, _META, (BEGUN,)):
                return False
            await db.execute(_SET_META, (BEGUN, folding.number_of_day(day)))
            await _add(db, Figures(amounts), Cache())
            return True

        return await self._in_turn(work)

    async def replace_day(self, day: str, figures: Figures, state: DayState | None = None) -> bool:
        """In steps, each of which makes sure that no other node has begun to replace the day."""
        measures = [measure.value for measure in _REPLACED]

        async def begin(db: Db) -> tuple[DayState, list[tuple[FigureKey, Amount]]] | None:
            now = await marks.state(db, day)
            if state is not None and (state.waits or now != state):
                return None
            rows = await (await db.execute(_OF_DAY, (measures, day))).fetchall()
            known = [(FigureKey(*key), Amount(times, parts)) for *key, times, parts in rows]
            mine = now._replace(mark=await marks.mark(db, [day]))
            return mine, folding.amounts_to_replace(day, figures.amounts, known)

        self._known_active.clear()
        begun = await self._in_turn(begin)
        replaced = begun is not None and await self._replace(day, figures, *begun)
        self._known_active.clear()
        return replaced

    async def _replace(
        self, day: str, figures: Figures, mine: DayState, differences: list[tuple[FigureKey, Amount]]
    ) -> bool:
        async def is_mine(db: Db) -> bool:
            return (await marks.state(db, day)).mark == mine.mark

        for some in folding.chunks(differences, STEP):

            async def amounts(db: Db, some: Mapping[FigureKey, Amount] = some) -> bool:
                if not await is_mine(db):
                    return False
                await _replace_amounts(db, some)
                return True

            if not await self._in_turn(amounts):
                return False
        wanted = folding.Ordered(folding.by_day(figures).get(day, {}))
        after: int | None = -1
        while after is not None:

            async def active(db: Db, after: int = after) -> tuple[bool, int | None]:
                if not await is_mine(db):
                    return False, None
                return True, await _replace_active(db, day, wanted, after)

            done, after = await self._in_turn(active)
            if not done:
                return False

        async def end(db: Db) -> bool:
            if (await marks.state(db, day))[:2] != mine[:2]:
                return False
            await marks.unmark(db, day)
            return True

        return await self._in_turn(end)

    async def day_state(self, day: str) -> DayState:
        """Searches of primary keys."""
        async with self._link.turn() as db:
            return await marks.state(db, day)

    async def mark_days(self, days: Sequence[str]) -> None:
        """In a transaction of its own."""
        await self._in_turn(partial(marks.mark, days=days))

    async def marked_days(self) -> list[str]:
        """Rows of a small table."""
        return marks.days_of(await self._link.read(marks.MARKED))

    async def note_uncounted(self, day: str) -> None:
        """In a transaction of its own."""
        await self._in_turn(partial(marks.note, node=self._events.node, day=day))

    async def settle_uncounted(self, today: str, *, counting: bool) -> None:
        """In a transaction of its own."""
        await self._in_turn(partial(marks.settle, node=self._events.node, today=today, counting=counting))

    async def drop_counted(self, consumer: str, sequence: int, days: Sequence[str]) -> int:
        """In a transaction of its own, with the marks."""

        async def work(db: Db) -> int:
            gone = await drop(db, self._events.node, consumer, sequence)
            if gone:
                await marks.mark(db, days)
            return gone

        return await self._in_turn(work)

    async def forget_active(self, before: str, limit: int) -> int:
        """In a transaction of its own, one kind of period after the other."""

        async def work(db: Db) -> int:
            await db.execute(_SET_META, (FORGOTTEN, folding.number_of_day(before)))
            await marks.forget_touched(db, before)
            gone = 0
            for kind in PeriodKind:
                begin = folding.forgotten_before(kind, before)
                values = {"kind": kind.value, "before": begin, "limit": limit - gone}
                gone += (await db.execute(_FORGET, values)).rowcount
            return gone

        return await self._in_turn(work)


Read = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


def figures(read: Read, query: FigureQuery) -> list[FigureRow]:
    """What FigureReader.figures gives. COLUMNS are the names of the table too."""
    values: list[Any] = [query.kind.value, query.measure.value, query.first, query.last]
    where = ""
    for column, wanted in query.only.items():
        where += f" AND {column} = ANY(%s)"
        values.append(list(wanted))
    columns = ", ".join(query.by)
    selected = f"{columns}, " if columns else ""
    grouped = f" GROUP BY {columns}" if columns else ""
    rows = read(
        f"SELECT {selected}sum(count)::bigint, sum(parts)::bigint FROM figure"  # noqa: S608
        f" WHERE kind = %s AND measure = %s AND period BETWEEN %s AND %s{where}{grouped}",
        values,
    )
    # Sorted here: the order of texts differs from server to server.
    return sorted(FigureRow(tuple(keys), times, parts) for *keys, times, parts in rows if times is not None)


def first_figure(read: Read) -> str:
    """What FigureReader.first_figure gives: a search of the primary key for each measure."""
    statement = "SELECT min(period) FROM figure WHERE kind = 'day' AND measure = %s"
    found = [read(statement, (measure.value,))[0][0] for measure in _REPLACED]
    return min((day for day in found if day is not None), default="")
