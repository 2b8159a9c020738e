"""Reads a SQLite store beside the running gateway, or without one: traces and lists. Never writes."""

import sqlite3
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import orjson

from gateway.model import Delivery
from gateway.storage.contract import StoreUnusable
from gateway.storage.sqlite import SCHEMA_VERSION

REPLIES_WITHIN = 1_000_000
"""Numbers drawn between an SMS and its replies at most: what the queue holds, with its own replies, and more.
An index on the cause would cost every SMS more than this search costs a trace."""


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
        """The SMS that wait to leave, oldest first."""
        rows = self._db.execute("SELECT * FROM outbox WHERE state = 0 ORDER BY number LIMIT ?", (limit,))
        return [_outgoing(row) for row in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _outgoing(row: sqlite3.Row) -> dict[str, Any]:
    found = dict(row)
    found["state"] = Delivery(found["state"]).name.lower()
    if found["secret"]:
        found["text"] = "<secret>"
    return found
