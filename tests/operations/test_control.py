"""The control socket: who may ask, what is answered, and what nobody can break with it."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.operations import control as control_module
from gateway.operations.control import (
    LONGEST_PATH,
    LONGEST_REQUEST,
    CommandRefused,
    Control,
    NotRunning,
    PathTooLong,
    ask,
    socket_path,
)
from tests.proofs.served import bind, inside, write_config
from tests.support import store_of

NOBODY = 65_534
LARGE = 16 * 1024 * 1024


async def echo(text: str) -> list[str]:
    """Says it twice."""
    return [text, text]


async def refuse() -> None:
    """Cannot be done."""
    raise CommandRefused("not today")


async def large() -> str:
    """More than any socket holds."""
    return "x" * LARGE


async def hang() -> None:
    """Never ends."""
    await asyncio.Event().wait()


@asynccontextmanager
async def answering(store: Path) -> AsyncIterator[Control]:
    """A control socket with these commands."""
    control = Control(socket_path(store), {"echo": echo, "refuse": refuse, "hang": hang, "large": large})
    await control.start()
    try:
        yield control
    finally:
        control.close()


async def said(store: Path, octets: bytes) -> Any:
    """What is answered to these octets, None for nothing."""
    reader, writer = await asyncio.open_unix_connection(socket_path(store))
    writer.write(octets)
    writer.write_eof()
    try:
        answer = await reader.read()
    except ConnectionError:
        return None
    finally:
        writer.close()
    return json.loads(answer) if answer else None


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a store would be."""
    return tmp_path / "fetion.db"


async def test_a_command_is_answered(store: Path) -> None:
    """A command gets its arguments by name; what it returns comes back."""
    async with answering(store):
        assert await ask(store, "echo", text="是") == ["是", "是"]


async def test_a_refusal_has_its_reason(store: Path) -> None:
    """A command that cannot be done says why, and the socket goes on."""
    async with answering(store):
        with pytest.raises(CommandRefused, match="not today"):
            await ask(store, "refuse")
        assert await ask(store, "echo", text="x") == ["x", "x"]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"\n", "JSON object"),
        (b"{}\n", "JSON object"),
        (b"[1]\n", "JSON object"),
        (b"7\n", "JSON object"),
        (b"\xff\xfe\n", "JSON object"),
        (b'{"command": "nothing"}\n', "there are: echo, refuse, hang, large"),
        (b'{"command": "echo"}\n', "echo takes these texts: text"),
        (b'{"command": "echo", "text": 7}\n', "echo takes these texts: text"),
        (b'{"command": "refuse", "text": "x"}\n', "refuse takes these texts: none"),
    ],
)
async def test_nonsense_is_answered_with_the_rule(store: Path, octets: bytes, reason: str) -> None:
    """What is no request of ours gets an error that says what would be one."""
    async with answering(store):
        answer = await said(store, octets)
        assert list(answer) == ["error"]
        assert reason in answer["error"]


async def test_a_request_has_a_limit(store: Path) -> None:
    """More octets than a request may have are not read, and not answered; the socket goes on."""
    async with answering(store):
        assert await said(store, b"x" * (LONGEST_REQUEST * 4)) is None
        assert await ask(store, "echo", text="x") == ["x", "x"]


async def test_nobody_waits_for_ever(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that does not end, and an asker who does not ask, are given up."""
    monkeypatch.setattr(control_module, "PATIENCE", 0.02)
    async with answering(store):
        with pytest.raises(CommandRefused, match="no answer within"):
            await ask(store, "hang")
        reader, writer = await asyncio.open_unix_connection(socket_path(store))
        assert await reader.read() == b""
        writer.close()


async def test_an_answer_that_nobody_reads(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An asker who does not read does not keep his answer, and its connection, for ever."""
    monkeypatch.setattr(control_module, "PATIENCE", 0.02)
    async with answering(store):
        reader, writer = await asyncio.open_unix_connection(socket_path(store), limit=1)
        writer.write(b'{"command": "large"}\n')
        with pytest.raises(CommandRefused, match="no answer within"):
            await ask(store, "hang")
        octets = b""
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                octets += piece
        assert len(octets) < LARGE
        writer.close()


async def test_the_socket_is_its_owners(store: Path) -> None:
    """Nobody else may ask; it stands beside the store and goes with the gateway."""
    path = socket_path(store)
    assert path.parent == store.parent
    async with answering(store):
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_what_a_dead_process_left_is_replaced(store: Path) -> None:
    """A socket, or a file, that stands in the place is no obstacle."""
    socket_path(store).write_text("left over")
    async with answering(store):
        assert await ask(store, "echo", text="x") == ["x", "x"]


async def test_nobody_answers(store: Path) -> None:
    """Without a gateway the asker is told so, with the store."""
    with pytest.raises(NotRunning, match=r"no gateway runs on .*fetion\.db"):
        await ask(store, "echo", text="x")
    socket_path(store).write_text("left over")
    with pytest.raises(NotRunning):
        await ask(store, "echo", text="x")


async def test_a_path_can_be_too_long(tmp_path: Path) -> None:
    """A path that no Unix socket can have is refused with the remedy."""
    store = tmp_path / ("x" * LONGEST_PATH) / "fetion.db"
    with pytest.raises(PathTooLong, match=r"storage\.url must name a shorter path"):
        await Control(socket_path(store), {}).start()


async def test_binds_of_a_running_gateway(tmp_path: Path) -> None:
    """`binds` tells who is bound, how, and how full the windows are."""
    async with inside(write_config(tmp_path)) as gateway:
        store = store_of(tmp_path)
        assert await ask(store, "binds") == []
        async with await bind(gateway.port, "receiver", "138*"):
            [row] = await ask(store, "binds")
            shown = {name: row[name] for name in ("system_id", "mode", "address_range", "window_in")}
            assert shown == {
                "system_id": "smsc",
                "mode": "receiver",
                "address_range": "138*",
                "window_in": 0,
            }
            assert row["remote"].startswith("127.0.0.1:")
            assert (row["window_out"], row["window_out_limit"], row["window_in_limit"]) == (0, 100, 1000)
            assert (row["messages_in"], row["messages_out"], row["throttled"]) == (0, 0, 0)
            assert 0 <= row["last_pdu_s"] < 60


async def test_a_gateway_that_hangs(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks gets no answer in time, and waits no longer."""
    monkeypatch.setattr(control_module, "PATIENCE", 0.01)
    done = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_unix_server(silent, socket_path(store))
    try:
        with pytest.raises(CommandRefused, match="no answer within"):
            await ask(store, "echo", text="x")
    finally:
        done.set()
        server.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"[1]\n", "not that of a gateway"),
        (b'{"other": 1}\n', "not that of a gateway"),
        (b"hello\n", "not that of a gateway"),
        (b'{"echo": ["x', "no answer"),
    ],
)
async def test_what_is_no_answer(store: Path, said: bytes, reason: str) -> None:
    """Of another program, or of a gateway that was killed within the line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        writer.close()

    server = await asyncio.start_unix_server(serve, socket_path(store))
    try:
        with pytest.raises(CommandRefused, match=reason):
            await ask(store, "echo", text="x")
    finally:
        server.close()


async def test_a_queue_before_a_gateway_that_hangs(store: Path) -> None:
    """The system takes no more connections: it runs, and hangs."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(socket_path(store)))
    listening.listen(0)
    waiting = []
    try:
        with suppress(BlockingIOError):
            while True:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].settimeout(0)
                waiting[-1].connect(str(socket_path(store)))
        with pytest.raises(CommandRefused, match="no answer"):
            await ask(store, "echo", text="x")
    finally:
        for each in (listening, *waiting):
            each.close()


async def test_a_gateway_of_somebody_else(store: Path) -> None:
    """It runs; whoever may not ask it learns who may."""
    async with answering(store):
        is_root = os.geteuid() == 0  # who may ask everybody: then somebody else asks
        if is_root:
            os.seteuid(NOBODY)
        else:
            socket_path(store).chmod(0)
        try:
            with pytest.raises(CommandRefused, match="only the user that the gateway runs as"):
                await ask(store, "echo", text="x")
        finally:
            if is_root:
                os.seteuid(0)
