"""Accounts of the console in memory: gateway.storage.accounts.AccountStore says what each call does."""

from gateway.storage.accounts import Account, AuditEntry, Session
from gateway.storage.memory.reader import Content


class AccountCalls:
    """The calls; the rest of the store is MemoryStore."""

    _content: Content

    async def accounts(self) -> list[Account]:
        return [each for _, each in sorted(self._content.accounts.items())]

    async def account(self, name: str) -> Account | None:
        return self._content.accounts.get(name)

    async def put_account(self, account: Account) -> None:
        self._content.accounts[account.name] = account
        self._log_out(account.name, tokens=account.disabled)

    async def remove_account(self, name: str) -> None:
        self._content.accounts.pop(name, None)
        self._log_out(name, tokens=True)

    async def session(self, digest: bytes) -> Session | None:
        return self._content.sessions.get(digest)

    async def sessions(self, account: str) -> list[Session]:
        found = [each for each in self._content.sessions.values() if each.account == account]
        return sorted(found, key=lambda each: (each.created_at, each.digest))

    async def put_session(self, session: Session) -> None:
        if session.account in self._content.accounts:
            self._content.sessions[session.digest] = session

    async def see_session(self, digest: bytes, at: int) -> None:
        if known := self._content.sessions.get(digest):
            self._content.sessions[digest] = known._replace(seen_at=max(known.seen_at, at))

    async def end_sessions(self, digests: list[bytes]) -> None:
        for each in digests:
            self._content.sessions.pop(each, None)

    async def forget_sessions(self, now: int) -> None:
        await self.end_sessions([each.digest for each in self._sessions() if each.expires_at <= now])

    async def note(self, entry: AuditEntry) -> None:
        self._content.audit[self._content.audited] = entry
        self._content.audited += 1

    async def audit(self, before: int, limit: int) -> list[tuple[int, AuditEntry]]:
        numbered = [(number, entry) for number, entry in self._content.audit.items() if number < before]
        return numbered[::-1][:limit]

    def _sessions(self) -> list[Session]:
        return list(self._content.sessions.values())

    def _log_out(self, account: str, *, tokens: bool) -> None:
        for each in self._sessions():
            if each.account == account and (tokens or not each.token):
                del self._content.sessions[each.digest]
