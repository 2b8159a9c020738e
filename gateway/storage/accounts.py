"""Accounts of the console: the values, and what a store has to do with them.

tests/contracts runs one suite over every driver. Every call that writes is durable, in a commit of its own.
"""

from typing import NamedTuple, Protocol


class Account(NamedTuple):
    """Somebody who may log in.

    password: argon2 hash. role: gateway.operations.console.rights.Role. province: its code, 000 =
    headquarters. created_at: ms since the epoch.
    """

    name: str
    password: str
    role: str
    province: str
    created_at: int
    disabled: bool = False


class Session(NamedTuple):
    """A login of a browser, or a token of a machine.

    digest: of the secret that it shows, which is stored nowhere. token: name of the token, "" for a browser.
    Times: ms since the epoch.
    """

    digest: bytes
    account: str
    token: str
    created_at: int
    seen_at: int
    expires_at: int


class AuditEntry(NamedTuple):
    """Something that was done at the console.

    action: login, opened, unlock ... subject: a mobile, an account, an id. remote: address of the browser.
    """

    at: int
    account: str
    action: str
    subject: str
    reason: str
    remote: str


class AccountStore(Protocol):
    """Who may use the console."""

    async def accounts(self) -> list[Account]:
        """All accounts, by name."""

    async def account(self, name: str) -> Account | None:
        """The account of that name."""

    async def put_account(self, account: Account) -> None:
        """Add one, or replace the one of that name. The sessions of its browsers end with the same commit,
        and its tokens where it is disabled."""

    async def remove_account(self, name: str) -> None:
        """Remove one, with its sessions and tokens."""

    async def session(self, digest: bytes) -> Session | None:
        """The session or token with that digest."""

    async def sessions(self, account: str) -> list[Session]:
        """All sessions and tokens of an account, the oldest first."""

    async def put_session(self, session: Session) -> None:
        """Add one, or replace the one with that digest. Nothing happens where its account is not there."""

    async def see_session(self, digest: bytes, at: int) -> None:
        """Note when one was used last. One that has ended stays ended."""

    async def end_sessions(self, digests: list[bytes]) -> None:
        """End these."""

    async def forget_sessions(self, now: int) -> None:
        """Forget those whose end has come: expires_at is at or before `now`."""

    async def note(self, entry: AuditEntry) -> None:
        """Write down what was done. `Store.forget` forgets it by its time."""

    async def audit(self, before: int, limit: int) -> list[tuple[int, AuditEntry]]:
        """What was done, the newest first: with its number, those below `before`."""


class ActionStore(Protocol):
    """Actions of operators, which a commit stores (gateway.message.Commit.acted). `Store.forget` forgets them
    by their time."""

    async def actions(self, requests: list[str]) -> dict[str, int]:
        """Which of these requests were executed, and as which SMS (number)."""
