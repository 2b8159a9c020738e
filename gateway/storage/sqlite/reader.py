"""Reads a SQLite store beside the running gateway, or without one: traces and lists. Never writes."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import orjson

from commands.model import Order
from gateway.message import MASKED, Delivery
from gateway.storage.contract import StoreUnusable
from gateway.storage.records import customer_of
from gateway.storage.sqlite.migration import SCHEMA_VERSION
from gateway.storage.sqlite.outgoing import waiting

REPLIES_WITHIN = 1_000_000
"""Numbers drawn between an SMS and its replies at most: what the queue holds, with its own replies, and more.
An index on the cause would cost every SMS more than this search costs a trace."""

# As the partial index has it.
_PARKED = "SELECT * FROM outbox WHERE state = 4 ORDER BY number LIMIT :limit"
_JOURNAL_BETWEEN = """
SELECT number AS place, *, json_extract(detail, '$.code') AS code FROM journal
WHERE number > :after AND at >= :begin AND at < :end ORDER BY number LIMIT :limit
"""
_CLOSED_BETWEEN = """
SELECT o.number AS place, o.*, j.instruction FROM outbox o LEFT JOIN journal j ON j.number = o.cause
WHERE o.number > :after AND o.state IN (1, 2, 3) AND o.closed_at >= :begin AND o.closed_at < :end
ORDER BY o.number LIMIT :limit
"""
_PRODUCTS_BETWEEN = """
SELECT rowid AS place, * FROM product_record
WHERE rowid > :after AND at >= :begin AND at < :end ORDER BY rowid LIMIT :limit
"""
_ORDERS = """
SELECT msisdn AS place, * FROM customer
WHERE msisdn > :after AND json_extract(doc, '$.orders') IS NOT NULL ORDER BY msisdn LIMIT :limit
"""
PAGE = 5000
"""Rows that are read at a time where there may be very many."""

_WAITING = waiting("SELECT * FROM outbox")
_JOURNAL = """
SELECT number, at, account, source, destination, msisdn, instruction, outcome, text, hidden, detail
FROM journal WHERE number > ? ORDER BY number LIMIT ?
"""
PIECE = 1000
"""Journal rows that are read at once."""


class SqliteReader:
    """A read-only view of a store: each call sees what was committed last."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.row_factory = sqlite3.Row

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises StoreUnusable where there is no store of this schema."""
        try:
            db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error as error:
            raise StoreUnusable(f"{path}: {error}: storage.url must name the store of a gateway") from error
        if version != SCHEMA_VERSION:
            db.close()
            raise StoreUnusable(
                f"{path}: its schema is version {version}, this command reads {SCHEMA_VERSION}"
            )
        return cls(db)

    def message(self, number: int) -> dict[str, Any] | None:
        """The journal row of an SMS from a handset."""
        row = self._db.execute("SELECT * FROM journal WHERE number=?", (number,)).fetchone()
        if row is None:
            return None
        found = dict(row)
        found["detail"] = orjson.loads(found["detail"]) if found["detail"] else {}
        found["digest"] = found["digest"].hex()
        if found["hidden"]:
            found["text"] = MASKED
        return found

    def outgoing(self, number: int) -> dict[str, Any] | None:
        """The outbox row of an SMS to a handset."""
        row = self._db.execute("SELECT * FROM outbox WHERE number=?", (number,)).fetchone()
        return None if row is None else _outgoing(row)

    def caused_by(self, number: int) -> list[dict[str, Any]]:
        """The SMS that an SMS led to, in order."""
        rows = self._db.execute(
            "SELECT * FROM outbox WHERE number BETWEEN ?1 AND ?1 + ?2 AND cause = ?1 ORDER BY number",
            (number, REPLIES_WITHIN),
        )
        return [_outgoing(row) for row in rows]

    def waiting(self, limit: int) -> list[dict[str, Any]]:
        """The SMS that are parked, then those that wait to leave, oldest first."""
        found: list[dict[str, Any]] = []
        for statement in (_PARKED, _WAITING):
            values = {"after": -1, "limit": limit - len(found)}
            found += [_outgoing(row) for row in self._db.execute(statement, values)]
        return found

    def journal(self) -> Iterator[tuple[Any, ...]]:
        """(number, at, account, source, destination, msisdn, instruction, outcome, text, hidden, detail) of
        every SMS from a handset, in order; read in pieces, so that the gateway's checkpoints are not kept
        waiting."""
        after = -1
        while rows := self._db.execute(_JOURNAL, (after, PIECE)).fetchall():
            yield from map(tuple, rows)
            after = rows[-1]["number"]

    def journal_between(self, begin: int, end: int) -> Iterator[sqlite3.Row]:
        """Uplink records: the journal from `begin` to before `end`, with the result's code (NULL when it is
        not another than 200), by their numbers."""
        return self._paged(_JOURNAL_BETWEEN, begin, end)

    def closed_between(self, begin: int, end: int) -> Iterator[sqlite3.Row]:
        """Downlink records: the SMS closed then, with the instruction of their cause, by their numbers."""
        return self._paged(_CLOSED_BETWEEN, begin, end)

    def products_between(self, begin: int, end: int) -> Iterator[sqlite3.Row]:
        """Product records of that time, in the order in which they were made."""
        return self._paged(_PRODUCTS_BETWEEN, begin, end)

    def orders(self) -> Iterator[tuple[str, tuple[Order, ...]]]:
        """Every customer who ordered something, with all orders that he keeps, by mobiles."""
        for row in self._paged(_ORDERS, 0, 0):
            customer = customer_of(tuple(row)[1:])
            yield customer.msisdn, customer.orders

    def _paged(self, statement: str, begin: int, end: int) -> Iterator[sqlite3.Row]:
        """The rows of a statement, some at a time: one long look would keep the store's log from shrinking.

        statement: has the place of a row first, and gives rows behind :after in their order. Raises
        StoreUnusable.
        """
        values = {"after": -1, "begin": begin, "end": end, "limit": PAGE}
        try:
            while rows := self._db.execute(statement, values).fetchall():
                yield from rows
                values["after"] = rows[-1][0]
        except sqlite3.Error as error:
            raise StoreUnusable(f"the store cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _outgoing(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    found["state"] = Delivery(found["state"]).name.lower()
    if found["secret"]:
        found["text"] = "<secret>"
    return found
