"""The console from outside, by raw sockets: what a hostile peer sends is refused, and costs little."""

import asyncio
import contextlib
from pathlib import Path
from typing import Final

import pytest
from starlette.requests import Request

from gateway.operations.console.hosts import remote_of
from gateway.operations.console.http import PIPELINED_MOST, Connection
from gateway.operations.console.rights import Role, Viewer
from gateway.storage.contract import StoreFault
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, PASSWORD, Browser, browser, logged_in

HOST: Final = b"host: localhost\r\n"
POST: Final = b"POST /login HTTP/1.1\r\n" + HOST + b"sec-fetch-site: same-origin\r\n"
FORM: Final = b"content-type: application/x-www-form-urlencoded\r\n"
CHUNKED: Final = POST + FORM + b"transfer-encoding: chunked\r\n\r\n"
GET: Final = b"GET /static/nothing HTTP/1.1\r\n" + HOST + b"\r\n"
PIECE: Final = b"a" * 65_536
MOST: Final = 16_777_216
"""Octets after which a flood has gone on for too long: buffers of the system hold less."""


def port_of(gateway: RunningGateway) -> int:
    """Of the console."""
    assert gateway.app.console is not None
    return gateway.app.console.port


async def flooded(port: int, begin: bytes, piece: bytes) -> int:
    """Send the begin, then the piece again and again until the other side closes. Gives how many octets."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(begin)
            while sent < MOST:
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), 10)
                sent += len(piece)
    finally:
        writer.transport.abort()
    return sent


async def answered(port: int, octets: bytes) -> bytes:
    """What comes back until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = b""
    try:
        writer.write(octets)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                while some := await reader.read(65_536):
                    came += some
    finally:
        writer.close()
    return came


FLOODS: Final = {
    "a trailer without an end": (CHUNKED + b"0\r\nx: ", PIECE),
    "the name of a trailer": (CHUNKED + b"0\r\n", PIECE),
    "the extension of a chunk": (CHUNKED + b"1;", PIECE),
    "a body that was refused": (POST + b"content-length: 9999999999\r\n\r\n", PIECE),
    "chunks that were refused": (CHUNKED, b"400\r\n" + b"a" * 1024 + b"\r\n"),
    "empty lines": (b"", b"\r\n" * 30_000),
    "requests that do not wait for answers": (b"", GET * 1_000),
}
"""What somebody may send without end: how it begins, and what is sent again and again."""


async def test_a_flood_is_cut_off(tmp_path: Path) -> None:
    """Whatever a peer sends that no page wants, it is not read for ever, and not kept."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        for kind, (begin, piece) in FLOODS.items():
            assert await flooded(port_of(gateway), begin, piece) < MOST, kind


async def test_few_requests_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece full of requests is given up at the first one too many: the others are not even read."""
    heads = 0
    whole = Connection.on_headers_complete

    def count(connection: Connection) -> None:
        nonlocal heads
        heads += 1
        whole(connection)

    monkeypatch.setattr(Connection, "on_headers_complete", count)
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await answered(port_of(gateway), GET * 5_000)
    assert 0 < heads <= PIPELINED_MOST + 1


async def test_no_answer_in_an_answer(tmp_path: Path) -> None:
    """Requests in order, then no HTTP: the refusal is never taken for the answer to the first."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        came = await answered(port_of(gateway), GET + GET + b"\0\0\0\r\n\r\n")
        assert not came.startswith(b"HTTP/1.1 400 ")


def test_a_proxy_that_adds_a_header() -> None:
    """Its own is the last one: what the browser sent before does not name its address."""
    headers = [(b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-for", b"198.51.100.7")]
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.1", 5)})
    assert remote_of(request, behind_proxy=True) == "198.51.100.7"


async def test_an_answer_names_no_place_of_this_machine(tmp_path: Path) -> None:
    """Of a store that cannot be used the log says which and why; a visitor, who may be anybody, does not
    learn it."""

    class Broken:
        """Cannot ask the store who somebody is."""

        async def viewer(self, request: Request, *, used: bool = True) -> Viewer | None:
            del request, used
            raise StoreFault(f"{tmp_path}/gateway.db: disk I/O error")

    async with running_gateway(tmp_path, CONSOLE) as gateway:
        console, path = gateway.app.console, gateway.app.settings.storage.path
        assert console is not None
        ada = browser(gateway, Role.ADMINISTRATOR)
        away = path.rename(tmp_path / "away")
        answers = [await ada.get(each) for each in ("/messages", "/api/v1/messages")]
        away.rename(path)
        console.application.visitors = Broken()
        answers += [await ada.get(each) for each in ("/login", "/api/v1/messages", "/live/overview")]
        assert [each.status for each in answers] == [503] * 5
        assert not [each.text for each in answers if str(tmp_path) in each.text or "disk" in each.text]
        log = gateway.log_file().read_text("utf-8")
    assert "disk I/O error" in log
    assert f"{path}: " in log


def everything_in(folder: Path) -> bytes:
    """All that stands in its files."""
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


async def test_a_password_in_the_wrong_field(tmp_path: Path) -> None:
    """Typed as the name, or rightly: the log has neither; the store has no secret of a session."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        await Browser(ada.port).post("/login", {"name": PASSWORD, "password": PASSWORD})
        await Browser(ada.port).post("/login", {"name": "ada", "password": "Wrong Secret 1"})
        log = gateway.log_file().read_text("utf-8")
        secret = ada.cookie.partition("=")[2]
    kept = everything_in(tmp_path)
    assert '"console.login_failed"' in log
    assert '"account":"ada"' in log
    for each in (PASSWORD, "Wrong Secret 1", secret):
        assert each.encode() not in kept


async def test_an_empty_token_is_none(tmp_path: Path) -> None:
    """A cookie counts beside it, so it is asked where the request comes from."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = await logged_in(gateway)
        assert (await ada._ask("POST", "/account/end", {"authorization": ""}, b"session=00")).status == 403
