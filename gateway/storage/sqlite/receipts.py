"""Receipts: the two tables, and the calls of gateway.storage.contract.ReceiptStore."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from gateway.message import Commit, Delivery, EarlyReceipt, PartReceipt, receipt_key

_COLUMNS: Final = (
    "number, part, parts, msisdn, account, remote_id, at, until, state, said, error, receipted_at"
)
_EARLY_COLUMNS: Final = (
    "account, key, other, remote_id, at, state, said, error, receipted_at, source, destination, reported"
)
_PUT: Final = f"""
INSERT OR REPLACE INTO receipt ({_COLUMNS}, key)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
WHERE EXISTS (SELECT 1 FROM outbox WHERE number = ?1)
"""  # noqa: S608
_OUTCOME: Final = "UPDATE outbox SET state = ? WHERE number = ? AND state = 1"
_PUT_EARLY: Final = f"""
INSERT OR REPLACE INTO early_receipt ({_EARLY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608
_EARLY_GONE: Final = "DELETE FROM early_receipt WHERE account = ? AND key = ? AND reported = 0"
_NAMED: Final = f"SELECT {_COLUMNS} FROM receipt WHERE (account, key) IN (VALUES "  # noqa: S608
_OF: Final = f"SELECT {_COLUMNS} FROM receipt WHERE number IN "  # noqa: S608
OF_SMS: Final = f"SELECT {_COLUMNS} FROM receipt WHERE number = ? ORDER BY part"  # noqa: S608
_DUE: Final = f"""
SELECT {_COLUMNS} FROM receipt WHERE until > 0 AND until <= ? ORDER BY until LIMIT ?
"""  # noqa: S608
_EARLY_NAMED: Final = f"""
SELECT {_EARLY_COLUMNS} FROM early_receipt WHERE reported = 0 AND (account, {{column}}) IN (VALUES """  # noqa: S608
_EARLY_OPEN: Final = f"""
SELECT {_EARLY_COLUMNS} FROM early_receipt WHERE reported = 0 AND at <= ? ORDER BY at LIMIT ?
"""  # noqa: S608
_MOST: Final = 400
"""Keys that are looked for at once: SQLite takes 999 values in a statement in any case."""


def part_receipt(row: Sequence[Any]) -> PartReceipt:
    """The value of a row."""
    number, part, parts, msisdn, account, remote_id, at, until, state, *said = row
    values = (number, part, parts, msisdn, account, remote_id, at, until, Delivery(state), *said)
    return PartReceipt(*values)


def _early_receipt(row: Sequence[Any]) -> EarlyReceipt:
    account, key, other, remote_id, at, state, *said, reported = row
    values = (account, key, other, remote_id, at, Delivery(state), *said, bool(reported))
    return EarlyReceipt(*values)


def write(db: sqlite3.Connection, commit: Commit) -> None:
    """Write them in the transaction that is open."""
    if commit.receipts:
        db.executemany(_PUT, [(*each, receipt_key(each.remote_id)) for each in commit.receipts])
    if commit.outcomes:
        db.executemany(_OUTCOME, [(int(state), number) for number, state in commit.outcomes.items()])
    if commit.early_gone:
        db.executemany(_EARLY_GONE, commit.early_gone)
    if commit.early:
        db.executemany(_PUT_EARLY, commit.early)


class ReceiptCalls:
    """The calls; the rest of the store is SqliteStore."""

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    async def receipts_named(self, keys: Sequence[tuple[str, str]]) -> list[PartReceipt]:
        """Searches of an index."""
        return sorted(map(part_receipt, await self._read_pairs(_NAMED, keys)))

    async def receipts_of(self, numbers: Sequence[int]) -> list[PartReceipt]:
        """Searches of the primary key."""
        found: list[PartReceipt] = []
        for first in range(0, len(numbers), _MOST):
            some = numbers[first : first + _MOST]
            marks = ", ".join("?" * len(some))
            found += map(part_receipt, await self._read(f"{_OF} ({marks})", some))
        return sorted(found)

    async def receipts_due(self, now: int, limit: int) -> list[PartReceipt]:
        """A search of the index of those that are waited for."""
        return [part_receipt(row) for row in await self._read(_DUE, (now, limit))]

    async def early_named(self, keys: Sequence[tuple[str, str]]) -> list[EarlyReceipt]:
        """Searches of the primary key, and of an index."""
        found: dict[tuple[str, str, Delivery], EarlyReceipt] = {}
        for column in ("key", "other"):
            for row in await self._read_pairs(_EARLY_NAMED.format(column=column), keys):
                each = _early_receipt(row)
                found[each.account, each.key, each.state] = each
        return sorted(found.values())

    async def early_open(self, before: int, limit: int) -> list[EarlyReceipt]:
        """A search of the index of those that are not reported."""
        return [_early_receipt(row) for row in await self._read(_EARLY_OPEN, (before, limit))]

    async def _read_pairs(self, statement: str, keys: Sequence[tuple[str, str]]) -> list[Any]:
        """Read the rows with these pairs. statement: up to its list of values."""
        found: list[Any] = []
        for first in range(0, len(keys), _MOST):
            some = keys[first : first + _MOST]
            marks = ", ".join(["(?, ?)"] * len(some))
            found += await self._read(f"{statement}{marks})", [value for key in some for value in key])
        return found
