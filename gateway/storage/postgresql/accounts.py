"""Accounts of the console: their statements, and the calls of gateway.storage.accounts.AccountStore."""

from collections.abc import Sequence
from typing import Any, Final

from gateway.storage.accounts import Account, AuditEntry, Session
from gateway.storage.postgresql.link import Db, Link

_ACCOUNT: Final = "name, password, role, province, created_at, disabled"
_SESSION: Final = "digest, account, token, created_at, seen_at, expires_at"
_ENTRY: Final = "at, account, action, subject, reason, remote"
_ACCOUNTS: Final = f'SELECT {_ACCOUNT} FROM console_account ORDER BY name COLLATE "C"'  # noqa: S608
_BY_NAME: Final = f"SELECT {_ACCOUNT} FROM console_account WHERE name = %s"  # noqa: S608
_PUT: Final = f"""
INSERT INTO console_account ({_ACCOUNT}) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE SET password = excluded.password, role = excluded.role,
    province = excluded.province, created_at = excluded.created_at, disabled = excluded.disabled
"""  # noqa: S608
_LOG_OUT: Final = "DELETE FROM console_session WHERE account = %s AND (token = '' OR %s)"
_REMOVE: Final = "DELETE FROM console_account WHERE name = %s"
_BY_DIGEST: Final = f"SELECT {_SESSION} FROM console_session WHERE digest = %s"  # noqa: S608
_OF_ACCOUNT: Final = f"""
SELECT {_SESSION} FROM console_session WHERE account = %s ORDER BY created_at, digest
"""  # noqa: S608
# The row of the account is locked: whoever removes it meanwhile removes this session as well.
_BEGIN: Final = f"""
INSERT INTO console_session ({_SESSION})
SELECT %s, name, %s, %s, %s, %s FROM console_account WHERE name = %s FOR SHARE
ON CONFLICT (digest) DO UPDATE SET account = excluded.account, token = excluded.token,
    created_at = excluded.created_at, seen_at = excluded.seen_at, expires_at = excluded.expires_at
"""  # noqa: S608
_SEE: Final = "UPDATE console_session SET seen_at = greatest(seen_at, %s) WHERE digest = %s"
_END: Final = "DELETE FROM console_session WHERE digest = ANY(%s)"
_FORGET: Final = "DELETE FROM console_session WHERE expires_at <= %s"
_NOTE: Final = f"INSERT INTO console_audit ({_ENTRY}) VALUES (%s, %s, %s, %s, %s, %s)"  # noqa: S608
_AUDIT: Final = f"SELECT id, {_ENTRY} FROM console_audit WHERE id < %s ORDER BY id DESC LIMIT %s"  # noqa: S608


class AccountCalls:
    """The calls; the rest of the store is PostgresStore."""

    _link: Link

    async def accounts(self) -> list[Account]:
        """All rows."""
        return [Account(*row) for row in await self._link.read(_ACCOUNTS)]

    async def account(self, name: str) -> Account | None:
        """A search of the primary key, like most of these."""
        rows = await self._link.read(_BY_NAME, (name,))
        return Account(*rows[0]) if rows else None

    async def put_account(self, account: Account) -> None:
        """In a transaction of its own, like all that writes."""
        await self._write((_PUT, account), (_LOG_OUT, (account.name, account.disabled)))

    async def remove_account(self, name: str) -> None:
        """With all that it has."""
        await self._write((_REMOVE, (name,)), (_LOG_OUT, (name, True)))

    async def session(self, digest: bytes) -> Session | None:
        """A row."""
        rows = await self._link.read(_BY_DIGEST, (digest,))
        return Session(*rows[0]) if rows else None

    async def sessions(self, account: str) -> list[Session]:
        """A pass over the table: it is short."""
        return [Session(*row) for row in await self._link.read(_OF_ACCOUNT, (account,))]

    async def put_session(self, session: Session) -> None:
        """A row, if the account has one."""
        digest, account, *rest = session
        await self._write((_BEGIN, (digest, *rest, account)))

    async def see_session(self, digest: bytes, at: int) -> None:
        """A column of the row."""
        await self._write((_SEE, (at, digest)))

    async def end_sessions(self, digests: list[bytes]) -> None:
        """All in one transaction."""
        await self._write((_END, (digests,)))

    async def forget_sessions(self, now: int) -> None:
        """A pass over the table."""
        await self._write((_FORGET, (now,)))

    async def note(self, entry: AuditEntry) -> None:
        """A row."""
        await self._write((_NOTE, entry))

    async def audit(self, before: int, limit: int) -> list[tuple[int, AuditEntry]]:
        """The last rows below that one."""
        return [(row[0], AuditEntry(*row[1:])) for row in await self._link.read(_AUDIT, (before, limit))]

    async def _write(self, *statements: tuple[str, Sequence[Any]]) -> None:
        async def work(db: Db) -> None:
            for statement, values in statements:
                await db.execute(statement, values)

        await self._link.apart(work)
