"""SMS to and from provinces: the two tables, and the calls of gateway.storage.contract.ProvinceStore."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from gateway.message import Asked, Commit

_COLUMNS: Final = "number, at, province, msisdn, destination, reply_by, over_at"
_ASKED: Final = f"INSERT INTO province_asked ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_OVER: Final = "UPDATE province_asked SET over_at = ? WHERE number = ? AND over_at = 0"
_OVERDUE: Final = "UPDATE province_asked SET reply_by = min(reply_by, ?) WHERE number = ? AND over_at = 0"
_POSTED: Final = "INSERT INTO province_sent (province, id, at, number) VALUES (?, ?, ?, ?)"
_BY_NUMBER: Final = f"SELECT {_COLUMNS} FROM province_asked WHERE number IN "  # noqa: S608
_TIME_IS_UP: Final = f"""
SELECT {_COLUMNS} FROM province_asked WHERE over_at = 0 AND reply_by <= ? ORDER BY reply_by LIMIT ?
"""  # noqa: S608
_KNOWN: Final = "SELECT province, id FROM province_sent WHERE (province, id) IN (VALUES "
_COUNT: Final = "SELECT province, count(*) FROM province_sent WHERE at >= ? GROUP BY province"
_MOST: Final = 400
"""Keys that are looked for at once: SQLite takes 999 values in a statement in any case."""


def write(db: sqlite3.Connection, commit: Commit) -> None:
    """Write them in the transaction that is open."""
    if commit.asked:
        db.executemany(_ASKED, commit.asked)
    if commit.asked_over:
        db.executemany(_OVER, commit.asked_over)
    if commit.overdue:
        db.executemany(_OVERDUE, commit.overdue)
    if commit.posted:
        db.executemany(_POSTED, commit.posted)


class ProvinceCalls:
    """The calls; the rest of the store is SqliteStore."""

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    async def asked(self, numbers: Sequence[int]) -> list[Asked]:
        """Searches of the primary key."""
        found: list[Asked] = []
        for first in range(0, len(numbers), _MOST):
            some = numbers[first : first + _MOST]
            marks = ", ".join("?" * len(some))
            found += [Asked(*row) for row in await self._read(f"{_BY_NUMBER} ({marks})", some)]
        return sorted(found)

    async def overdue(self, now: int, limit: int) -> list[Asked]:
        """A search of the index of those that are open."""
        return [Asked(*row) for row in await self._read(_TIME_IS_UP, (now, limit))]

    async def posted(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Searches of the primary key."""
        found: set[tuple[str, str]] = set()
        for first in range(0, len(keys), _MOST):
            some = keys[first : first + _MOST]
            marks = ", ".join(["(?, ?)"] * len(some))
            values = [value for key in some for value in key]
            found |= {(province, its) for province, its in await self._read(f"{_KNOWN}{marks})", values)}
        return found

    async def posted_since(self, at: int) -> dict[str, int]:
        """A search of the index of their times."""
        return dict(await self._read(_COUNT, (at,)))
