"""Actions of operators: their table, and the call of gateway.storage.accounts.ActionStore."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import orjson

from gateway.message import Commit

_WRITE: Final = """
INSERT INTO operator_action (request, number, at, actor, action, msisdn, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_KNOWN: Final = """
SELECT request, number FROM operator_action WHERE request IN (SELECT value FROM json_each(?))
"""


def write(db: sqlite3.Connection, commit: Commit) -> None:
    """Write them in the transaction that is open."""
    if commit.acted:
        db.executemany(_WRITE, commit.acted)


class ActionCalls:
    """The call; the rest of the store is SqliteStore."""

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    async def actions(self, requests: list[str]) -> dict[str, int]:
        """Searches of the primary key."""
        return dict(await self._read(_KNOWN, (orjson.dumps(requests).decode(),)))
