"""Marks of days in a store on PostgreSQL, in the table meta: gateway.storage.figures, rule 7.

What writes here runs in a turn (gateway.storage.postgresql.figures): one node at a time marks, folds or puts
figures in place of others.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from gateway.storage.figures import DayState
from gateway.storage.folding import day_of_number, number_of_day
from gateway.storage.marks import (
    LOOKED_AT,
    MARK,
    TOUCHED,
    UNCOUNTED,
    days_between,
    is_of,
    mark_of,
    settled,
    touched_of,
)
from gateway.storage.postgresql.link import Db

Read = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

TURN: Final = "figures_turn"
"""In the table meta: counts the turns; its row is locked during one."""
_VALUES: Final = "SELECT key, value FROM meta WHERE key = ANY(%s)"
# Events of a node that has no row any more (an operator has deleted it) are never folded: nobody waits for
# them.
_COUNTED: Final = """
SELECT e.data FROM node n CROSS JOIN LATERAL (
    SELECT data FROM event WHERE node = n.number AND sequence < 0 ORDER BY sequence DESC LIMIT %s) e
"""
_TOUCH: Final = """
INSERT INTO meta SELECT key, 1 FROM unnest(%s::text[]) AS key
ON CONFLICT (key) DO UPDATE SET value = meta.value + 1
"""
_UNTOUCH: Final = f"DELETE FROM meta WHERE key LIKE '{TOUCHED}%%' AND key < %s"  # noqa: S608
_MARK: Final = f"""
INSERT INTO meta SELECT key, (SELECT value FROM meta WHERE key = '{TURN}') FROM unnest(%s::text[]) AS key
ON CONFLICT (key) DO UPDATE SET value = greatest(meta.value + 1, excluded.value)
RETURNING value
"""  # noqa: S608
_DROP: Final = "DELETE FROM meta WHERE key = %s"
MARKED: Final = f"SELECT key FROM meta WHERE key LIKE '{MARK}%%'"  # noqa: S608
_NOTE: Final = """
INSERT INTO meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = least(meta.value, excluded.value)
"""
_NOTES: Final = f"SELECT key, value FROM meta WHERE key LIKE '{UNCOUNTED}%%'"  # noqa: S608
_LATER: Final = "UPDATE meta SET value = greatest(value, %s) WHERE key = %s"
# Such a node has no SMS any more that it could store without beginning anew.
_GONE: Final = "SELECT NOT EXISTS (SELECT FROM node WHERE number = %s AND holder != '')"


async def state(db: Db, day: str) -> DayState:
    """Where a day stands. Events first: what is folded behind this look has changed `touched` by the next."""
    rows = await (await db.execute(_COUNTED, (LOOKED_AT + 1,))).fetchall()
    waits = len(rows) > LOOKED_AT or any(is_of(data, day) for (data,) in rows)
    touched, marked = touched_of(day), mark_of(day)
    values = await (await db.execute(_VALUES, ([touched, marked],))).fetchall()
    found = {str(key): int(value) for key, value in values}
    return DayState(found.get(touched, 0), found.get(marked, 0), waits)


async def touch(db: Db, days: Iterable[str]) -> None:
    """A fold changes them."""
    await db.execute(_TOUCH, ([touched_of(day) for day in days],))


async def forget_touched(db: Db, before: str) -> None:
    """Of days before that one nobody asks any more."""
    await db.execute(_UNTOUCH, (touched_of(before),))


async def mark(db: Db, days: Iterable[str]) -> int:
    """Mark days. Gives the value of the last mark."""
    rows = await (await db.execute(_MARK, (sorted({mark_of(day) for day in days}),))).fetchall()
    return int(rows[-1][0]) if rows else 0


async def unmark(db: Db, day: str) -> None:
    """Its figures are right."""
    await db.execute(_DROP, (mark_of(day),))


async def note(db: Db, node: int, day: str) -> None:
    """A node counts nothing from that day on."""
    await db.execute(_NOTE, (f"{UNCOUNTED}{node}", number_of_day(day)))


async def settle(db: Db, node: int, today: str, *, counting: bool) -> None:
    """Mark what is noted, of all nodes. counting: this node counts from now on."""
    for key, value in await (await db.execute(_NOTES)).fetchall():
        other = int(key.removeprefix(UNCOUNTED))
        over = counting if other == node else await _is_over(db, other)
        days, later = settled(day_of_number(value), today, over=over)
        await mark(db, days)
        if later:
            await db.execute(_LATER, (number_of_day(later), key))
        else:
            await db.execute(_DROP, (key,))


async def _is_over(db: Db, node: int) -> bool:
    row = await (await db.execute(_GONE, (node,))).fetchone()
    return bool(row and row[0])


def days_of(rows: Iterable[Sequence[Any]]) -> list[str]:
    """The days of the rows of MARKED, in order."""
    return sorted(day_of_number(int(key.removeprefix(MARK))) for (key,) in rows)


def incomplete_days(read: Read, first: str, last: str) -> list[str]:
    """What FigureReader.incomplete_days gives."""
    found = {day for day in days_of(read(MARKED, ())) if first <= day <= last}
    for _, value in read(_NOTES, ()):
        found.update(days_between(max(first, day_of_number(value)), last))
    return sorted(found)
