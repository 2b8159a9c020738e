"""A small browser for tests: HTTP over a real socket, as a viewer of any role; live pages too."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from argon2 import PasswordHasher
from starlette.requests import Request

from gateway.operations.console.api.document import document
from gateway.operations.console.building import SECTIONS
from gateway.operations.console.rights import HEADQUARTERS, Role, Viewer
from gateway.storage.accounts import Account
from gateway.testing import RunningGateway
from tests.operations.console.schemas import answer_faults

CONSOLE: Mapping[str, Any] = {"console": {"listen": {"host": "127.0.0.1", "port": 0}}}
"""Section of the configuration of a gateway with a console on a free port."""
PATIENCE = 10.0
DESCRIPTION: Final = document(SECTIONS, "1.0")
"""Of the API: each answer that a test gets must be as it says."""
PASSWORD = "correct horse battery"


class Cast:
    """Knows whoever a test says: takes the place of Application.visitors."""

    async def viewer(self, request: Request, *, used: bool = True) -> Viewer | None:
        """The viewer that the cookie names."""
        del used
        name, _, rest = request.cookies.get("cast", "").partition("|")
        role, _, province = rest.partition("|")
        return Viewer(name, Role(role), province) if name else None


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Browser:
    """Asks one console. cookie: sent with each request."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port = port
        self.cookie = cookie

    async def get(self, path: str, **headers: str) -> Answer:
        """GET."""
        return await self._ask("GET", path, headers, b"")

    async def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """POST a form from a page of the same origin (headers may say otherwise)."""
        given = {
            "sec_fetch_site": "same-origin",
            "content_type": "application/x-www-form-urlencoded",
            **headers,
        }
        return await self._ask("POST", path, given, urlencode(form or {}).encode())

    async def post_json(self, path: str, value: object, **headers: str) -> Answer:
        """POST JSON."""
        given = {"sec_fetch_site": "same-origin", "content_type": "application/json", **headers}
        return await self._ask("POST", path, given, json.dumps(value).encode())

    @contextlib.asynccontextmanager
    async def live(self, path: str) -> AsyncIterator[AsyncIterator[tuple[str, str]]]:
        """Open a stream; gives its events as (name, data)."""
        async with self._opened("GET", path, {}, b"") as (status, _, reader):
            assert status == 200, status
            yield _events(reader)

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        async with (
            asyncio.timeout(PATIENCE),
            self._opened(method, path, headers, body) as (status, got, reader),
        ):
            answer = Answer(status, got, _unchunked(await reader.read(), got))
        if path.startswith("/api/"):
            wrong = answer_faults(DESCRIPTION, method, path, status, answer.json)
            assert not wrong, wrong
        return answer

    @contextlib.asynccontextmanager
    async def _opened(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> AsyncIterator[tuple[int, dict[str, str], asyncio.StreamReader]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", "connection: close"]
            if self.cookie:
                lines.append(f"cookie: {self.cookie}")
            if body or method == "POST":
                lines.append(f"content-length: {len(body)}")
            lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in head[1:] if line)
            yield int(head[0].split()[1]), {k.lower(): v.strip() for k, _, v in pairs}, reader
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def add_account(gateway: RunningGateway, role: Role, province: str, name: str) -> int:
    """Make an account whose password is PASSWORD; gives the port of the console."""
    console = gateway.app.console
    assert console is not None, "the configuration wants CONSOLE"
    services = console.application.services
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    await services.store.put_account(Account(name, hashed, role.value, province, services.clock.now_ms()))
    return console.port


async def logged_in(
    gateway: RunningGateway, role: Role = Role.ADMINISTRATOR, province: str = HEADQUARTERS, name: str = "ada"
) -> Browser:
    """A browser in which somebody has logged in, by the login page, with an account made for it."""
    port = await add_account(gateway, role, province, name)
    visitor = Browser(port)
    answer = await visitor.post("/login", {"name": name, "password": PASSWORD})
    assert answer.status == 303, answer.text
    visitor.cookie = answer.headers["set-cookie"].partition(";")[0]
    return visitor


def browser(gateway: RunningGateway, role: Role | None = None, province: str = HEADQUARTERS) -> Browser:
    """A browser in which somebody of that role is logged in; None: nobody. It needs no account."""
    console = gateway.app.console
    assert console is not None, "the configuration wants CONSOLE"
    console.application.visitors = Cast()
    return Browser(console.port, "" if role is None else f"cast=somebody|{role.value}|{province}")


def _unchunked(body: bytes, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return body
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, str]]:
    name, data = "message", ""
    while line := await reader.readline():  # chunk sizes are lines too: they have no colon
        field, colon, value = line.decode().rstrip("\r\n").partition(":")
        if colon and field == "event":
            name = value.strip()
        elif colon and field == "data":
            data += value.strip()
        elif not field and data:
            yield name, data
            name, data = "message", ""
