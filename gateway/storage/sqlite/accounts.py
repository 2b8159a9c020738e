"""Accounts of the console: their tables, and the calls of gateway.storage.accounts.AccountStore."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from gateway.storage.accounts import Account, AuditEntry, Session

T = TypeVar("T")

_ACCOUNT: Final = "name, password, role, province, created_at, disabled"
_SESSION: Final = "digest, account, token, created_at, seen_at, expires_at"
_ENTRY: Final = "at, account, action, subject, reason, remote"
_ACCOUNTS: Final = f"SELECT {_ACCOUNT} FROM console_account ORDER BY name"  # noqa: S608
_BY_NAME: Final = f"SELECT {_ACCOUNT} FROM console_account WHERE name = ?"  # noqa: S608
_PUT: Final = f"INSERT OR REPLACE INTO console_account ({_ACCOUNT}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
_LOG_OUT: Final = "DELETE FROM console_session WHERE account = ? AND (token = '' OR ?)"
_REMOVE: Final = "DELETE FROM console_account WHERE name = ?"
_BY_DIGEST: Final = f"SELECT {_SESSION} FROM console_session WHERE digest = ?"  # noqa: S608
_OF_ACCOUNT: Final = f"""
SELECT {_SESSION} FROM console_session WHERE account = ? ORDER BY created_at, digest
"""  # noqa: S608
_BEGIN: Final = f"""
INSERT OR REPLACE INTO console_session ({_SESSION})
SELECT ?, name, ?, ?, ?, ? FROM console_account WHERE name = ?
"""  # noqa: S608
_SEE: Final = "UPDATE console_session SET seen_at = max(seen_at, ?) WHERE digest = ?"
_END: Final = "DELETE FROM console_session WHERE digest = ?"
_FORGET: Final = "DELETE FROM console_session WHERE expires_at <= ?"
_NOTE: Final = f"INSERT INTO console_audit ({_ENTRY}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
_AUDIT: Final = f"SELECT id, {_ENTRY} FROM console_audit WHERE id < ? ORDER BY id DESC LIMIT ?"  # noqa: S608


class AccountCalls:
    """The calls; the rest of the store is SqliteStore."""

    _db: sqlite3.Connection

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    async def _write_apart(self, work: Callable[[], T]) -> T:
        raise NotImplementedError

    async def accounts(self) -> list[Account]:
        """All rows."""
        return [_account(row) for row in await self._read(_ACCOUNTS)]

    async def account(self, name: str) -> Account | None:
        """A search of the primary key, like most of these."""
        rows = await self._read(_BY_NAME, (name,))
        return _account(rows[0]) if rows else None

    async def put_account(self, account: Account) -> None:
        """In a transaction of its own, like all that writes."""
        await self._write(((_PUT, account), (_LOG_OUT, (account.name, account.disabled))))

    async def remove_account(self, name: str) -> None:
        """With all that it has."""
        await self._write(((_REMOVE, (name,)), (_LOG_OUT, (name, True))))

    async def session(self, digest: bytes) -> Session | None:
        """A row."""
        rows = await self._read(_BY_DIGEST, (digest,))
        return Session(*rows[0]) if rows else None

    async def sessions(self, account: str) -> list[Session]:
        """A pass over the table: it is short."""
        return [Session(*row) for row in await self._read(_OF_ACCOUNT, (account,))]

    async def put_session(self, session: Session) -> None:
        """A row, if the account has one."""
        digest, account, *rest = session
        await self._write(((_BEGIN, (digest, *rest, account)),))

    async def see_session(self, digest: bytes, at: int) -> None:
        """A column of the row."""
        await self._write(((_SEE, (at, digest)),))

    async def end_sessions(self, digests: list[bytes]) -> None:
        """All in one transaction."""
        await self._write([(_END, (each,)) for each in digests])

    async def forget_sessions(self, now: int) -> None:
        """A pass over the table."""
        await self._write(((_FORGET, (now,)),))

    async def note(self, entry: AuditEntry) -> None:
        """A row."""
        await self._write(((_NOTE, entry),))

    async def audit(self, before: int, limit: int) -> list[tuple[int, AuditEntry]]:
        """The last rows below that one."""
        return [(row[0], AuditEntry(*row[1:])) for row in await self._read(_AUDIT, (before, limit))]

    async def _write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        def work() -> None:
            for statement, values in statements:
                self._db.execute(statement, values)

        await self._write_apart(work)


def _account(row: Sequence[Any]) -> Account:
    return Account(*row)._replace(disabled=bool(row[-1]))
