"""Slow and hostile browsers: many connections, slow heads and bodies, streams that nobody reads, the stop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from gateway.operations.console import building, http, streams
from gateway.operations.console.page import Kind, Page, Section, Visit
from gateway.operations.console.rights import Right
from gateway.operations.console.streams import line_of, stream
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, Browser, logged_in
from tests.proofs.served import until
from tests.support import ALICE

HALF = b"GET /login HTTP/1.1\r\nhost: localhost\r\n"


def port_of(gateway: RunningGateway) -> int:
    """Of the console."""
    assert gateway.app.console is not None
    return gateway.app.console.port


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the other side closed."""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


def idle_connections(port: int) -> list[socket.socket]:
    """A thousand of them; every second one has sent half a head."""
    found = []
    for number in range(1_000):
        found.append(socket.create_connection(("127.0.0.1", port)))
        if number % 2:
            with contextlib.suppress(ConnectionError):
                found[-1].sendall(HALF)
    return found


async def test_a_thousand_idle_connections(tmp_path: Path) -> None:
    """SMS pass, and the login page answers at once; so do connections that have sent half a head."""
    async with running_gateway(tmp_path, CONSOLE) as gateway, contextlib.AsyncExitStack() as held:
        port = port_of(gateway)
        for each in await asyncio.to_thread(idle_connections, port):
            held.callback(each.close)
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", "161")
        await alice.expect("飞信")
        for _ in range(5):
            async with asyncio.timeout(2):
                assert (await Browser(port).get("/login")).status == 200
        assert gateway.app.console is not None
        assert gateway.app.console.connections <= 50


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("HEAD_SECONDS", b""),
        ("HEAD_SECONDS", HALF),
        (
            "BODY_SECONDS",
            b"POST /login HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n"
            b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n\r\nname=",
        ),
        ("IDLE_SECONDS", HALF + b"\r\n"),
    ],
)
async def test_slow_ones_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, octets: bytes
) -> None:
    """Who sends nothing, half a head, half a body, or nothing after an answer."""
    monkeypatch.setattr(http, name, 0.05)
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(gateway))
        writer.write(octets)
        came = await ended(reader)
        writer.close()
        assert came.startswith(b"HTTP/1.1 200 " if name == "IDLE_SECONDS" else b"")
        assert gateway.app.console is not None


class Ticker:
    """A stream for tests: `give` makes it say something."""

    def __init__(self) -> None:
        self.given: asyncio.Queue[Any] = asyncio.Queue(1_000)
        self.open = 0

    async def events(self) -> AsyncGenerator[tuple[str, Any], None]:
        """What was given."""
        self.open += 1
        try:
            while True:
                yield "tick", await self.given.get()
        finally:
            self.open -= 1

    async def page(self, visit: Visit) -> Response:
        """The page itself."""
        return stream(visit, self.events())

    def section(self) -> Section:
        """A section that has it."""
        return Section("login", "", None, (Page("/live/ticks", self.page, Right.OWN, Kind.STREAM),))


@contextlib.asynccontextmanager
async def ticking(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **console: Any
) -> AsyncGenerator[tuple[RunningGateway, Ticker], None]:
    """A gateway whose console has that stream, with short heartbeats."""
    ticker = Ticker()
    monkeypatch.setattr(streams, "HEARTBEAT", 0.02)
    monkeypatch.setattr(building, "SECTIONS", (*building.SECTIONS, ticker.section()))
    async with running_gateway(folder, {"console": {**CONSOLE["console"], **console}}) as gateway:
        yield gateway, ticker


async def test_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives what happens; ends when the browser goes, and when the visitor logs out."""
    async with ticking(tmp_path, monkeypatch) as (gateway, ticker):
        ada = await logged_in(gateway)
        async with ada.live("/live/ticks") as events:
            ticker.given.put_nowait({"n": "飞信\nevent: x"})
            assert await anext(events) == ("tick", '{"n": "飞信\\nevent: x"}')
        await until(lambda: not ticker.open, "the stream")
        async with ada.live("/live/ticks") as events:
            ticker.given.put_nowait(1)
            assert await anext(events) == ("tick", "1")
            assert (await ada.post("/logout")).status == 303
            assert [event async for event in events] == []
        assert not ticker.open


async def test_too_many_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than there may be is refused; a place that is free is given again."""
    async with ticking(tmp_path, monkeypatch, streams=1) as (gateway, ticker):
        ada = await logged_in(gateway)
        async with ada.live("/live/ticks"):
            await until(lambda: ticker.open == 1, "the stream")
            assert (await ada.get("/live/ticks")).status == 503
        await until(lambda: not ticker.open, "the stream")
        async with ada.live("/live/ticks"):
            await until(lambda: ticker.open == 1, "the stream")


async def test_one_account_leaves_streams_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of all is the most that it has open; somebody else still gets one."""
    async with (
        ticking(tmp_path, monkeypatch, streams=8) as (gateway, ticker),
        contextlib.AsyncExitStack() as held,
    ):
        ada, ben = await logged_in(gateway), await logged_in(gateway, name="ben")
        for _ in range(2):
            await held.enter_async_context(ada.live("/live/ticks"))
        await until(lambda: ticker.open == 2, "the streams")
        assert (await ada.get("/live/ticks")).status == 503
        await held.enter_async_context(ben.live("/live/ticks"))
        await until(lambda: ticker.open == 3, "the stream")


async def test_who_does_not_read_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream does not wait for ever for a browser that reads nothing, and keeps little for it."""
    monkeypatch.setattr(http, "WRITE_SECONDS", 0.1)
    async with ticking(tmp_path, monkeypatch) as (gateway, ticker):
        ada = await logged_in(gateway)
        reader, writer = await asyncio.open_connection("127.0.0.1", ada.port, limit=1024)
        writer.write(f"GET /live/ticks HTTP/1.1\r\nhost: localhost\r\ncookie: {ada.cookie}\r\n\r\n".encode())
        await reader.readline()
        await until(lambda: ticker.open == 1, "the stream")
        taken = 0
        async with asyncio.timeout(20):
            while ticker.open:
                with contextlib.suppress(asyncio.QueueFull):
                    ticker.given.put_nowait("x" * 60_000)
                    taken += 1
                await asyncio.sleep(0.001)
        writer.close()
        assert ticker.given.qsize() > 0 or taken < 1_000


async def test_the_stop_waits_for_no_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams, idle connections and half requests end with the gateway."""
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as held:
        async with ticking(tmp_path, monkeypatch) as (gateway, ticker):
            ada = await logged_in(gateway)
            _, idle = await asyncio.open_connection("127.0.0.1", ada.port)
            held.callback(idle.close)
            events = await held.enter_async_context(ada.live("/live/ticks"))
            await until(lambda: ticker.open == 1, "the stream")
            begin = loop.time()
        assert loop.time() - begin < 3
        assert not ticker.open
        with contextlib.suppress(ConnectionError):
            assert [event async for event in events] == []


def test_an_event_is_one_event() -> None:
    """Whatever a value holds, it stays within its line."""
    assert line_of("a", {"x": "1\n\ndata: y\r"}) == 'event: a\ndata: {"x": "1\\n\\ndata: y\\r"}\n\n'
