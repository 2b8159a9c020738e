"""Who asks: sessions of browsers, by cookie, and tokens of machines, by the header Authorization.

The secret of either is 256 random bits. The store has a digest of it. What the store said of a session is
believed for some seconds, so that a page does not cost a reading for each of its requests.
"""

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from math import ceil
from typing import Final

from starlette.requests import Request

from gateway.observer import Observer
from gateway.operations.console.audited import Did
from gateway.operations.console.guessing import Guesses
from gateway.operations.console.hosts import remote_of
from gateway.operations.console.refused import Refused
from gateway.operations.console.rights import Role, Viewer
from gateway.operations.console.settings import Console
from gateway.secrets import Busy, HashCost, Hasher
from gateway.storage.accounts import Account, AccountStore, AuditEntry, Session
from gateway.storage.contract import StorageError

COOKIE: Final = "fetion_session"
BELIEVED: Final = 5.0
"""Seconds; so long a session may outlive its end on another node."""
REMEMBERED: Final = 1_000
"""Sessions of which it is known what the store said."""
SEEN_MS: Final = 60_000
"""So often at most it is written down that a session is used."""
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
MOST_SESSIONS: Final = 20
"""Browsers in which an account is logged in at a time; beyond that the oldest is logged out."""
LONGEST_PASSWORD: Final = 256
SECRET_OCTETS: Final = 32
LONGEST_SECRET: Final = 100
BEARER: Final = "bearer "
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)
"""What an account, or a token, may be called."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """now_ms: milliseconds since the epoch. monotonic: seconds."""

    now_ms: Callable[[], int]
    monotonic: Callable[[], float]


@dataclass(slots=True)
class _Known:
    session: Session
    account: Account
    until: float


class Sessions:
    """Knows who is logged in. It is used in the event loop."""

    def __init__(
        self,
        store: AccountStore,
        settings: Console,
        clocks: Clocks,
        observer: Observer,
        cost: HashCost | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clocks = clocks
        self._observer = observer
        # Of its own: who guesses passwords here must not keep a customer's from being hashed.
        self._hasher = Hasher(cost, workers=1, waiting=8)
        self._guesses = Guesses(clocks.monotonic)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._changes = 0  # of accounts and sessions: what was read before one is not remembered behind it
        self._nobodys = ""

    @property
    def cookie(self) -> str:
        """Name of the cookie."""
        return f"__Host-{COOKIE}" if self.secure else COOKIE

    @property
    def secure(self) -> bool:
        """Whether browsers come by TLS."""
        listen = self._settings.listen
        return self._settings.behind_proxy or (listen is not None and listen.tls is not None)

    def remote(self, request: Request) -> str:
        """The address of the browser."""
        return remote_of(request, behind_proxy=self._settings.behind_proxy)

    async def viewer(self, request: Request, *, used: bool = True) -> Viewer | None:
        """Whom a request comes from; None: nobody. A token counts before a cookie. used: keep the session."""
        known = await self._find(request)
        if known is None:
            return None
        if used:
            await self._see(known)
        account = known.account
        return Viewer(account.name, Role(account.role), account.province)

    def remembered(self, request: Request) -> str:
        """The account of a session or token that the store knew a while ago, without asking it; "": of none.
        It gives no right."""
        known = self._known.get(digest_of(secret)) if (secret := self._secret(request)) else None
        return known.account.name if known is not None else ""

    async def log_in(self, request: Request, name: str, password: str) -> str:
        """Check a password, and begin a session. Returns its secret, for the cookie.

        A session that the browser had ends. Raises Refused: 401 wrong, 429 too often, 503 too many at once.
        """
        remote = self.remote(request)
        account = await self._check(name, password, remote)
        old = self.secret_of(request)
        if old:
            await self._end([digest_of(old)])
        secret = await self._begin(account.name)
        await self._note(account.name, Did.LOGIN, account.name, remote)
        self._observer.console_login(account.name, remote)
        return secret

    async def log_out(self, request: Request) -> None:
        """End the session of a browser."""
        if secret := self.secret_of(request):
            await self._end([digest_of(secret)])

    async def change_password(self, request: Request, name: str, old: str, new: str) -> str:
        """Change a password: all sessions of the account end. Returns the secret of a new one."""
        remote = self.remote(request)
        checked = await self._check(name, old, remote)
        hashed = await self._hash(new)
        account = await self._store.account(name)  # hashing takes a while: an operator may have changed it
        if account is None or account.disabled or account.password != checked.password:
            raise Refused(HTTPStatus.UNAUTHORIZED, "login.wrong")
        await self._store.put_account(account._replace(password=hashed))
        self.forget(name)
        await self._note(name, Did.PASSWORD, name, remote)
        return await self._begin(name)

    async def of_account(self, name: str) -> list[Session]:
        """Its sessions and tokens, the oldest first."""
        now = self._clocks.now_ms()
        return [each for each in await self._store.sessions(name) if self._stands(each, now)]

    async def end(self, name: str, digests: list[bytes]) -> None:
        """End sessions or tokens of an account; those of others stay."""
        own = {each.digest for each in await self._store.sessions(name)}
        await self._end([each for each in digests if each in own])

    def forget(self, name: str) -> None:
        """An account has changed: ask the store again."""
        self._changes += 1
        for digest in [key for key, known in self._known.items() if known.account.name == name]:
            del self._known[digest]

    def secret_of(self, request: Request) -> str:
        """What the browser shows; "": nothing."""
        return request.cookies.get(self.cookie, "")[:LONGEST_SECRET]

    def close(self) -> None:
        """Hash no password any more."""
        self._hasher.close()

    # Who asks

    def _secret(self, request: Request) -> str:
        """What a machine or a browser shows; "": nothing that can be right."""
        header = request.headers.get("authorization", "")
        if _is_machine(request):
            return header[len(BEARER) :].strip()[:LONGEST_SECRET]
        return "" if header else self.secret_of(request)

    async def _find(self, request: Request) -> _Known | None:
        secret = self._secret(request)
        if not secret:
            return None
        known = await self._look_up(digest_of(secret))
        if known is None or bool(known.session.token) is not _is_machine(request):
            return None
        if known.account.disabled or not self._stands(known.session, self._clocks.now_ms()):
            return None
        return known

    async def _look_up(self, digest: bytes) -> _Known | None:
        """What the store says, or said a moment ago."""
        now = self._clocks.monotonic()
        known = self._known.get(digest)
        if known is not None and now < known.until:
            return known
        changes = self._changes
        session = await self._store.session(digest)
        account = session and await self._store.account(session.account)
        if session is None or account is None:
            self._known.pop(digest, None)
            return None
        known = _Known(session, account, now + BELIEVED)
        if changes != self._changes:
            return known
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _stands(self, session: Session, now_ms: int) -> bool:
        if now_ms >= session.expires_at:
            return False
        idle_ms = self._settings.session_minutes * MINUTE_MS
        return bool(session.token) or now_ms < session.seen_at + idle_ms

    async def _see(self, known: _Known) -> None:
        """Write down now and then that it is used."""
        now = self._clocks.now_ms()
        grain = min(SEEN_MS, self._settings.session_minutes * MINUTE_MS // 4)
        if now - known.session.seen_at >= grain:
            known.session = known.session._replace(seen_at=now)
            await self._store.see_session(known.session.digest, now)

    # Passwords

    async def _check(self, name: str, password: str, remote: str) -> Account:
        """The account, if the password is right. Takes as long for a name that nobody has. Raises Refused."""
        pause = self._guesses.pause(name, remote)
        if pause > 0:
            self._observer.console_login_failed(_told(name), remote, "too many failures")
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "login.later", seconds=ceil(pause))
        self._guesses.failed(name, remote)
        try:
            account = await self._store.account(name) if NAME.fullmatch(name) else None
            right = await self._verify(account.password if account else "", password)
        except (Refused, StorageError):
            self._guesses.taken_back(name, remote)
            raise
        if account is None or account.disabled or not right:
            self._observer.console_login_failed(_told(name), remote, "wrong name or password")
            raise Refused(HTTPStatus.UNAUTHORIZED, "login.wrong")
        self._guesses.succeeded(name, remote)
        return account

    async def _verify(self, hashed: str, password: str) -> bool:
        try:
            self._nobodys = self._nobodys or await self._hasher.hash(secrets.token_hex())
            if len(password) > LONGEST_PASSWORD:
                hashed, password = "", ""
            return await self._hasher.verify(hashed or self._nobodys, password)
        except Busy as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "login.busy") from error

    async def _hash(self, password: str) -> str:
        try:
            return await self._hasher.hash(password)
        except Busy as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "login.busy") from error

    # Sessions

    async def _begin(self, name: str) -> str:
        now = self._clocks.now_ms()
        await self._store.forget_sessions(now)
        browsers = [each for each in await self._store.sessions(name) if not each.token]
        await self._end([each.digest for each in browsers[: max(0, len(browsers) - MOST_SESSIONS + 1)]])
        secret = secrets.token_urlsafe(SECRET_OCTETS)
        expires_at = now + self._settings.session_days * DAY_MS
        await self._store.put_session(Session(digest_of(secret), name, "", now, now, expires_at))
        await self._look_up(digest_of(secret))  # the next page does not wait among strangers
        return secret

    async def _end(self, digests: list[bytes]) -> None:
        if digests:
            await self._store.end_sessions(digests)
            self._changes += 1
        for digest in digests:
            self._known.pop(digest, None)

    async def _note(self, account: str, action: Did, subject: str, remote: str) -> None:
        await self._store.note(AuditEntry(self._clocks.now_ms(), account, action, subject, "", remote))


def _is_machine(request: Request) -> bool:
    """Whether it shows a token."""
    return request.headers.get("authorization", "")[: len(BEARER)].lower() == BEARER


def _told(name: str) -> str:
    """A name for the log; "" for what can be none: many a password is typed into the field of the name."""
    return name if NAME.fullmatch(name) else ""


def digest_of(secret: str) -> bytes:
    """What the store knows a session by."""
    return blake2b(secret.encode(), digest_size=32).digest()
