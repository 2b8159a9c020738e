"""Logging in and out over real sockets: sessions, tokens, guessing."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from starlette.requests import Request

from gateway.operations.console import pace, streams
from gateway.operations.console.pages.login import local
from gateway.operations.console.rights import Role
from gateway.operations.console.sessions import digest_of
from gateway.operations.control import ask
from gateway.secrets import Busy, Hasher
from gateway.storage.accounts import Account
from gateway.storage.contract import Store
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, PASSWORD, PATIENCE, Browser, logged_in


def cookie_of(set_cookie: str) -> str:
    """What a browser sends back."""
    return set_cookie.partition(";")[0]


async def log_in(visitor: Browser, name: str = "ada", password: str = PASSWORD) -> int:
    """Try it; the cookie is kept."""
    answer = await visitor.post("/login", {"name": name, "password": password})
    if "set-cookie" in answer.headers:
        visitor.cookie = cookie_of(answer.headers["set-cookie"])
    return answer.status


def later(gateway: RunningGateway, seconds: int) -> None:
    """Put the clock forward."""
    gateway.clock.move_to(gateway.clock.now_ms() + 1000 * seconds)


class Slow:
    """A store that has read an account, and not given it yet."""

    def __init__(self, store: Store, account: Callable[[str], Awaitable[Account | None]]) -> None:
        self.session = store.session
        self.account = account
        self.see_session = store.see_session


def users(gateway: RunningGateway) -> Browser:
    """Another browser."""
    console = gateway.app.console
    assert console is not None
    return Browser(console.port)


async def test_log_in_and_out(tmp_path: Path) -> None:
    """The page says so; after logging out the cookie is worth nothing, also to who has kept it."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        kept = ada.cookie
        page = await ada.get("/account", accept_language="en")
        assert page.status == 200
        assert "Administrator" in page.text
        assert (await ada.get("/audit")).status == 200
        out = await ada.post("/logout")
        assert (out.status, out.headers["location"]) == (303, "/login")
        assert "Max-Age=0" in out.headers["set-cookie"] or "1970" in out.headers["set-cookie"]
        ada.cookie = kept
        again = await ada.get("/account?x=1")
        assert (again.status, again.headers["location"]) == (303, "/login?next=/account%3Fx%3D1")


async def test_a_session_is_not_fixed(tmp_path: Path) -> None:
    """A cookie that somebody put there is replaced at the login; one that stood ends."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        other = users(gateway)
        other.cookie = "fetion_session=planted"
        assert await log_in(other) == 303
        assert "planted" not in other.cookie
        before = other.cookie
        assert await log_in(other) == 303
        assert other.cookie != before
        other.cookie = before
        assert (await other.get("/account")).status == 303
        assert (await ada.get("/account")).status == 200


async def test_cookie_and_headers(tmp_path: Path) -> None:
    """The cookie is for HTTP alone and for our own pages; every answer has the headers."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await logged_in(gateway)
        visitor = users(gateway)
        answer = await visitor.post("/login", {"name": "ada", "password": PASSWORD, "next": "/tables"})
        attributes = answer.headers["set-cookie"].lower()
        assert "httponly" in attributes
        assert "samesite=lax" in attributes
        assert "domain" not in attributes
        assert answer.headers["location"] == "/tables"
        for path in (
            "/login",
            "/static/console.css",
            "/nowhere",
            "/api/nowhere",
            "/account",
            "/static/%2e%2e/page.py",
        ):
            headers = (await visitor.get(path)).headers
            assert headers["content-security-policy"].startswith("default-src 'self';"), path
            assert headers["x-content-type-options"] == "nosniff", path
            assert "server" not in headers, path


async def test_sessions_end(tmp_path: Path) -> None:
    """After an hour without a request; in any case after a week; use within the hour keeps one."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        for _ in range(3):
            later(gateway, 50 * 60)
            assert (await ada.get("/account")).status == 200
        later(gateway, 61 * 60)
        assert (await ada.get("/account")).status == 303
    long = {"console": {**CONSOLE["console"], "session_minutes": 2880}}
    async with running_gateway(tmp_path, long) as gateway:
        ada = await logged_in(gateway)
        for _ in range(6):
            later(gateway, 86_400)
            assert (await ada.get("/account")).status == 200
        later(gateway, 86_400)
        assert (await ada.get("/account")).status == 303


async def test_guessing_is_slowed(tmp_path: Path) -> None:
    """After five failures even the right password waits, for a name that nobody has just the same; the
    answers do not tell the two apart. Time lets in again."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await logged_in(gateway)
        visitor = users(gateway)
        for name in ("ada", "nobody"):
            statuses = [await log_in(visitor, name, "wrong") for _ in range(7)]
            assert statuses == [401] * 5 + [429] * 2
        assert await log_in(visitor) == 429
        later(gateway, 2)
        assert await log_in(visitor) == 303
        same = [
            (await users(gateway).post("/login", {"name": name, "password": "no"})).text.replace(name, "")
            for name in ("ada", "zoe")
        ]
        assert same[0] == same[1]


async def test_many_guesses_at_once_are_many(tmp_path: Path) -> None:
    """A failure counts before the password is looked at."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await logged_in(gateway)
        tries = [log_in(users(gateway), password=f"wrong {n}") for n in range(9)]
        statuses = await asyncio.gather(*tries)
        assert statuses.count(401) == 5
        assert statuses.count(429) == 4


async def test_who_was_not_looked_at_has_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While too many log in the right password is refused as often as it is tried, and then it is right."""

    async def busy(*given: object) -> bool:
        raise Busy(len(given))

    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await logged_in(gateway)
        with monkeypatch.context() as while_busy:
            while_busy.setattr(Hasher, "verify", busy)
            assert [await log_in(users(gateway)) for _ in range(8)] == [503] * 8
        assert await log_in(users(gateway)) == 303


async def test_a_password_is_changed(tmp_path: Path) -> None:
    """By who knows the old one; other browsers are logged out, this one is not; weak ones are refused."""
    new = "another horse battery"
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada, other = await logged_in(gateway), users(gateway)
        assert await log_in(other) == 303
        for old, one, again in (
            (PASSWORD, "short", "short"),
            (PASSWORD, "is my name ada", "is my name ada"),
            (PASSWORD, new, f"{new}!"),
        ):
            answer = await ada.post("/account/password", {"old": old, "new": one, "again": again})
            assert answer.status == 400
        wrong = await ada.post("/account/password", {"old": "wrong", "new": new, "again": new})
        assert wrong.status == 401
        right = await ada.post("/account/password", {"old": PASSWORD, "new": new, "again": new})
        assert right.status == 303
        assert (await ada.get("/account")).status == 303
        ada.cookie = cookie_of(right.headers["set-cookie"])
        assert (await ada.get("/account")).status == 200
        assert (await other.get("/account")).status == 303
        assert await log_in(other) == 401
        assert await log_in(other, password=new) == 303


async def test_another_browser_is_logged_out(tmp_path: Path) -> None:
    """On the page of one's own account; never somebody else's."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada, other = await logged_in(gateway), users(gateway)
        ben = await logged_in(gateway, Role.READER, name="ben")
        assert await log_in(other) == 303
        store = gateway.app.store
        bens = (await store.sessions("ben"))[0]
        assert (await ada.post("/account/end", {"session": bens.digest.hex()})).status == 303
        assert (await ada.post("/account/end", {"session": "no"})).status == 400
        assert (
            await ada.post("/account/end", {"session": digest_of(other.cookie.partition("=")[2]).hex()})
        ).status == 303
        assert (await other.get("/account")).status == 303
        assert (await ben.get("/account")).status == 200


async def test_tokens_are_for_machines(tmp_path: Path) -> None:
    """In the header, with the rights of the account, without Sec-Fetch-Site; a cookie is no token, and a
    token no cookie."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway, Role.READER)
        console = gateway.app.console
        assert console is not None
        secret = await ask(
            gateway.app.settings.storage.path, "user_token", name="ada", token="grafana", days="30"
        )
        machine = users(gateway)
        bearer = f"Bearer {secret}"
        assert (await machine.get("/statistics", authorization=bearer)).status == 200
        assert (await machine.get("/audit", authorization=bearer)).status == 403
        assert (await machine.get("/statistics", authorization="Bearer wrong")).status == 303
        assert (await machine.get("/statistics", authorization=f"Basic {secret}")).status == 303
        machine.cookie = f"fetion_session={secret}"
        assert (await machine.get("/statistics")).status == 303
        session = ada.cookie.partition("=")[2]
        assert (await users(gateway).get("/statistics", authorization=f"Bearer {session}")).status == 303
        later(gateway, 30 * 86_400)
        assert (await machine.get("/statistics", authorization=bearer)).status == 303


async def test_a_right_that_was_taken_away_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next request: browsers are logged out, open live pages end, a token has the new rights."""
    monkeypatch.setattr(streams, "HEARTBEAT", 0.02)
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        socket = gateway.app.settings.storage.path
        ada = await logged_in(gateway, Role.OPERATOR)
        secret = await ask(socket, "user_token", name="ada", token="grafana", days="30")
        machine, bearer = users(gateway), f"Bearer {secret}"
        for path in ("/", "/messages"):
            assert (await ada.get(path)).status == 200, path
            assert (await machine.get(path, authorization=bearer)).status == 200, path
        async with ada.live("/live/overview") as events:
            await anext(events)
            await ask(socket, "user_change", name="ada", role="reader", province="200")
            assert (await ada.get("/messages")).status == 303
            assert (await machine.get("/messages", authorization=bearer)).status == 403
            assert (await machine.get("/", authorization=bearer)).status == 200
            async with asyncio.timeout(PATIENCE):
                assert [name async for name, _ in events if name == "end"] == []
        assert await log_in(ada) == 303
        assert (await ada.get("/messages")).status == 403
        assert (await gateway.app.store.audit(1 << 62, 10))[1][1].reason == "reader 200"


async def test_what_was_read_before_a_change_is_not_believed_behind_it(tmp_path: Path) -> None:
    """A request that reads an account while it changes leaves nothing for the requests that follow."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await logged_in(gateway, Role.OPERATOR)
        socket = gateway.app.settings.storage.path
        secret = await ask(socket, "user_token", name="ada", token="grafana", days="30")
        console = gateway.app.console
        assert console is not None
        sessions = console.application.services.sessions
        request = Request({"type": "http", "headers": [(b"authorization", f"Bearer {secret}".encode())]})
        store, read = gateway.app.store, asyncio.Event()
        account_of = store.account

        async def slow(name: str) -> Account | None:
            found = await account_of(name)
            read.set()
            await changed.wait()
            return found

        changed = asyncio.Event()
        sessions._store = Slow(store, slow)  # type: ignore[assignment]
        asking = asyncio.create_task(sessions.viewer(request))
        await read.wait()
        sessions._store = store
        await ask(socket, "user_change", name="ada", role="reader", province="")
        changed.set()
        await asking
        viewer = await sessions.viewer(request)
        assert viewer is not None
        assert viewer.role is Role.READER


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/tables?a=1", "/tables?a=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
        ("/a\r\nx: y", "/"),
        ("/\t/evil.example", "/"),
    ],
)
def test_only_our_own_pages_follow(path: str, place: str) -> None:
    """After a login nobody is sent elsewhere."""
    assert local(path) == place


async def test_language_and_theme(tmp_path: Path) -> None:
    """Chosen on every page, without a script; then the same page again."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        visitor = users(gateway)
        answer = await visitor.post("/preferences", {"language": "en", "back": "/login?next=/tables"})
        assert (answer.status, answer.headers["location"]) == (303, "/login?next=/tables")
        visitor.cookie = f"{cookie_of(answer.headers['set-cookie'])}; theme=dark"
        page = (await visitor.get("/login", accept_language="zh")).text
        assert '<html lang="en" data-theme="dark">' in page
        assert "<h1>Log in</h1>" in page


@pytest.mark.parametrize(
    ("language", "labels", "other"),
    [
        ("zh", ("切换到深色", "切换到浅色", "跟随系统颜色"), 'lang="en">English</button>'),
        ("en", ("Switch to dark", "Switch to light", "Follow the system"), 'lang="zh-CN">中文</button>'),
    ],
)
async def test_a_switch_says_what_it_does(
    tmp_path: Path, language: str, labels: tuple[str, str, str], other: str
) -> None:
    """Its words are its accessible name; pressing it does that. A language is named in itself."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        visitor = users(gateway)
        for label, value in zip(labels, ("dark", "light", ""), strict=True):
            page = (await visitor.get("/login", accept_language=language)).text
            assert f'name="theme" value="{value}">{label}</button>' in page
            assert other in page
            answer = await visitor.post("/preferences", {"theme": value, "back": "/login"})
            visitor.cookie = cookie_of(answer.headers["set-cookie"])


async def test_a_change_while_a_password_is_hashed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rights that an operator takes away at that moment do not come back."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        hashing = Hasher.hash

        async def slow(hasher: Hasher, password: str) -> str:
            if password == "another long password":
                said = {"name": "ada", "role": "reader", "province": ""}
                await ask(gateway.app.settings.storage.path, "user_change", **said)
            return await hashing(hasher, password)

        monkeypatch.setattr(Hasher, "hash", slow)
        await ada.post(
            "/account/password",
            {"old": PASSWORD, "new": "another long password", "again": "another long password"},
        )
        account = await gateway.app.store.account("ada")
        assert account is not None
        assert account.role == Role.READER


async def test_strangers_do_not_crowd_out_who_is_logged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told so in a line that needs no template, in their language, and programs in English; who is
    logged in has his pages, from the first one on. A cookie that nobody was given is a stranger's."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada, other = await logged_in(gateway), users(gateway)
        monkeypatch.setattr(pace, "STRANGERS", -1.0)
        assert (await ada.get("/account")).status == 200
        for cookie in ("", f"{ada.cookie}x"):
            other.cookie = cookie
            answer = await other.get("/login", accept_language="en")
            assert (answer.status, answer.text[:24]) == (503, "too many pages are asked")
        assert "error" in (await other.get("/api/v1/customers/13800000001")).text
        assert (await other.get("/healthz")).status == 200
        assert (await other.get("/api/v1/nothing")).status == 503  # it would cost a reading of the store
