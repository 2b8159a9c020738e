"""Marks of days in an SQLite store, in the table meta: gateway.storage.figures, rule 7."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from gateway.storage.figures import DayState
from gateway.storage.folding import day_of_number, number_of_day
from gateway.storage.marks import MARK, TOUCHED, UNCOUNTED, days_between, mark_of, settled, touched_of
from gateway.storage.sqlite.events import EventTables

Read = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

_MARKING: Final = "figures_marking"
"""In the table meta: counts markings."""
_NOTE: Final = f"{UNCOUNTED}0"
_META: Final = "SELECT value FROM meta WHERE key = ?"
_PUT: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
_DROP: Final = "DELETE FROM meta WHERE key = ?"
_TOUCH: Final = "INSERT INTO meta VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1"
_UNTOUCH: Final = "DELETE FROM meta WHERE key > ? AND key < ?"
MARKED: Final = f"SELECT key FROM meta WHERE key > '{MARK}' AND key < '{MARK}:' ORDER BY key"  # noqa: S608
_NOTES: Final = f"SELECT value FROM meta WHERE key = '{_NOTE}'"  # noqa: S608


class Marks:
    """The marks, in the transaction that is open."""

    def __init__(self, db: sqlite3.Connection, events: EventTables) -> None:
        self._db = db
        self._events = events

    def state(self, day: str) -> DayState:
        """Where a day stands."""
        return DayState(self._value(touched_of(day)), self._value(mark_of(day)), self._events.counts(day))

    def touch(self, days: Iterable[str]) -> None:
        """A fold changes them."""
        self._db.executemany(_TOUCH, [(touched_of(day),) for day in days])

    def forget_touched(self, before: str) -> None:
        """Of days before that one nobody asks any more."""
        self._db.execute(_UNTOUCH, (TOUCHED, touched_of(before)))

    def mark(self, days: Iterable[str]) -> int:
        """Mark days. Gives the value of the last mark."""
        value = self._value(_MARKING)
        for day in days:
            value += 1
            self._db.execute(_PUT, (mark_of(day), value))
        self._db.execute(_PUT, (_MARKING, value))
        return value

    def replaced(self, day: str, mine: DayState) -> bool:
        """Take the mark away, if nothing has changed the day since."""
        if self.state(day)[:2] != mine[:2]:
            return False
        self._db.execute(_DROP, (mark_of(day),))
        return True

    def note(self, day: str) -> None:
        """Nothing is counted from that day on."""
        self._db.execute(_PUT, (_NOTE, min(number_of_day(day), self._value(_NOTE) or number_of_day(day))))

    def settle(self, today: str, *, counting: bool) -> None:
        """Mark what is noted."""
        noted = self._value(_NOTE)
        if not noted:
            return
        days, later = settled(day_of_number(noted), today, over=counting)
        self.mark(days)
        if later:
            self._db.execute(_PUT, (_NOTE, number_of_day(later)))
        else:
            self._db.execute(_DROP, (_NOTE,))

    def _value(self, key: str) -> int:
        row = self._db.execute(_META, (key,)).fetchone()
        return 0 if row is None else int(row[0])


def days_of(rows: Iterable[Sequence[Any]]) -> list[str]:
    """The days of the rows of MARKED."""
    return [day_of_number(int(key.removeprefix(MARK))) for (key,) in rows]


def incomplete_days(read: Read, first: str, last: str) -> list[str]:
    """What FigureReader.incomplete_days gives."""
    found = {day for day in days_of(read(MARKED, ())) if first <= day <= last}
    for (value,) in read(_NOTES, ()):
        found.update(days_between(max(first, day_of_number(value)), last))
    return sorted(found)
