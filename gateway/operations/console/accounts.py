"""Accounts of the console, as `fetion-gateway user` manages them: in a running gateway, or without one."""

import re
import secrets
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from gateway.operations.console.audited import Did
from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.operations.console.sessions import (
    DAY_MS,
    LONGEST_PASSWORD,
    NAME,
    SECRET_OCTETS,
    digest_of,
)
from gateway.operations.control import CommandRefused
from gateway.storage.accounts import Account, AccountStore, AuditEntry, Session

SHORTEST_PASSWORD: Final = 10
MOST_TOKENS: Final = 20
"""Of one account."""
MOST_DAYS: Final = 3_660
COMMAND_LINE: Final = "command line"
"""Who has done it, in the audit."""
WEAK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "short": f"is shorter than {SHORTEST_PASSWORD} characters",
        "long": f"is longer than {LONGEST_PASSWORD} characters",
        "name": "contains the name of the account",
        "same": "is one character again and again",
    }
)
"""Why a password is not taken."""
_HASH: Final = re.compile(r"\$argon2id\$[!-~]{20,300}")


class AccountFault(CommandRefused):
    """What was asked for cannot be done; the text says why."""


@dataclass(slots=True)
class Users:
    """What can be done with accounts. All arguments are texts. Every call may raise AccountFault.

    provinces: gives the codes that there are. changed: told the name of an account that is another one now.
    """

    store: AccountStore
    now_ms: Callable[[], int]
    provinces: Callable[[], Container[str]]
    changed: Callable[[str], None] = lambda _: None

    @property
    def commands(self) -> dict[str, Callable[..., Any]]:
        """All of them, by name."""
        return {
            "user_list": self.list,
            "user_add": self.add,
            "user_change": self.change,
            "user_password": self.password,
            "user_disable": self.disable,
            "user_enable": self.enable,
            "user_remove": self.remove,
            "user_token": self.token,
        }

    async def list(self) -> list[dict[str, Any]]:
        """All accounts, with what is logged in."""
        return [
            {
                "name": each.name,
                "role": each.role,
                "province": each.province,
                "disabled": each.disabled,
                "created_at": each.created_at,
                "sessions": len([s for s in await self.store.sessions(each.name) if not s.token]),
                "tokens": [s.token for s in await self.store.sessions(each.name) if s.token],
            }
            for each in await self.store.accounts()
        ]

    async def add(self, name: str, role: str, province: str, hashed: str) -> str:
        """Add one. hashed: argon2id."""
        if not NAME.fullmatch(name):
            raise AccountFault(
                f"{name!r} is no name: up to 32 small letters, digits and . _ -, a letter or digit first"
            )
        self._check(role, province)
        if await self.store.account(name) is not None:
            raise AccountFault(f"{name} is there already: user password gives it another password")
        account = Account(name, _checked(hashed), role, province, self.now_ms())
        return await self._put(account, Did.ADDED, f"{role} {province}")

    async def change(self, name: str, role: str, province: str) -> str:
        """Give it another role, another province, or both; "" leaves one as it is.

        Its browsers are logged out; a token has the rights of the account, so it has the new ones.
        """
        if not role and not province:
            raise AccountFault("nothing would change: give --role, --province or both")
        account = await self._account(name)
        account = account._replace(role=role or account.role, province=province or account.province)
        self._check(account.role, account.province)
        return await self._put(account, Did.CHANGED, f"{account.role} {account.province}")

    async def password(self, name: str, hashed: str) -> str:
        """Set a password; its browsers are logged out."""
        account = await self._account(name)
        return await self._put(account._replace(password=_checked(hashed)), Did.PASSWORD, "")

    async def disable(self, name: str) -> str:
        """It can log in no more; sessions and tokens end."""
        return await self._put((await self._account(name))._replace(disabled=True), Did.DISABLED, "")

    async def enable(self, name: str) -> str:
        """It can log in again."""
        return await self._put((await self._account(name))._replace(disabled=False), Did.ENABLED, "")

    async def remove(self, name: str) -> str:
        """Remove it, with sessions and tokens."""
        await self._account(name)
        await self.store.remove_account(name)
        self.changed(name)
        await self._note(Did.REMOVED, name, "")
        return name

    async def token(self, name: str, token: str, days: str) -> str:
        """Make a token; one of the same name ends. Returns its secret, which nothing keeps."""
        account = await self._account(name)
        if account.disabled:
            raise AccountFault(f"{name} is disabled: user enable {name}")
        if not NAME.fullmatch(token):
            raise AccountFault(
                f"{token!r} is no name of a token: small letters, digits and . _ -, a letter or digit first"
            )
        if not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= MOST_DAYS):
            raise AccountFault(f"{days!r} is no number of days from 1 to {MOST_DAYS}")
        own = [each for each in await self.store.sessions(name) if each.token]
        if len([each for each in own if each.token != token]) >= MOST_TOKENS:
            raise AccountFault(f"{name} has {MOST_TOKENS} tokens: use another account, or remove this one")
        await self.store.end_sessions([each.digest for each in own if each.token == token])
        self.changed(name)
        secret, now = secrets.token_urlsafe(SECRET_OCTETS), self.now_ms()
        ends = now + int(days) * DAY_MS
        await self.store.put_session(Session(digest_of(secret), name, token, now, now, ends))
        await self._note(Did.TOKEN, name, token)
        return secret

    def _check(self, role: str, province: str) -> None:
        """Raises AccountFault for a role or a province that there is not."""
        if role not in set(Role):
            raise AccountFault(f"there is no role {role!r}: {', '.join(Role)}")
        if province != HEADQUARTERS and province not in self.provinces():
            raise AccountFault(
                f"{province!r} is no province of the tables: its code, or {HEADQUARTERS} for headquarters"
            )

    async def _account(self, name: str) -> Account:
        account = await self.store.account(name)
        if account is None:
            raise AccountFault(f"there is no account {name!r}: user list shows all")
        return account

    async def _put(self, account: Account, action: Did, reason: str) -> str:
        await self.store.put_account(account)
        self.changed(account.name)
        await self._note(action, account.name, reason)
        return account.name

    async def _note(self, action: Did, subject: str, reason: str) -> None:
        await self.store.note(AuditEntry(self.now_ms(), COMMAND_LINE, action, subject, reason, ""))


def weakness(name: str, password: str) -> str:
    """Why a password is not taken: a key of WEAK; "": it is."""
    if len(password) < SHORTEST_PASSWORD:
        return "short"
    if len(password) > LONGEST_PASSWORD:
        return "long"
    if name.lower() in password.lower():
        return "name"
    return "same" if len(set(password)) == 1 else ""


def _checked(hashed: str) -> str:
    if not _HASH.fullmatch(hashed):
        raise AccountFault("the password is not hashed with argon2id: use fetion-gateway user")
    return hashed
