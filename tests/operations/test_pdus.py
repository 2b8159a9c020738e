"""`pdus` over the control socket: a stream that ends with its time, with its client and with the gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.smpp.watching import CannotWatch
from gateway.operations import control as control_module
from gateway.operations import pdus as pdus_module
from gateway.operations.control import CommandRefused, Control, Item, follow, socket_path
from gateway.operations.pdus import AT_ONCE, Pdus
from tests.proofs.served import until
from tests.support import HandClock

ASKED = {"account": "smsc", "connection": "", "seconds": "60", "octets": "no"}


class Counted:
    """Something to watch: gives numbers as PDUs, as many as `ready` says; counts what is open."""

    def __init__(self) -> None:
        self.open = 0
        self.ready = 0
        self.given = 0
        self.dropped = 0
        self.large = ""

    def watch(self, account: str, connection: str, *, octets: bool) -> "Counted":
        """One for all."""
        if account == "nobody" and not octets and not connection:
            raise CannotWatch("no account 'nobody'")
        self.open += 1
        return self

    def take(self, most: int) -> list[dict[str, Any]]:
        """The next numbers."""
        count = min(most, self.ready)
        self.ready -= count
        self.given += count
        return [{"n": self.given - count + n, "to": "13800138000", "text": self.large} for n in range(count)]

    def close(self) -> None:
        """One less."""
        self.open -= 1


@asynccontextmanager
async def serving(
    store: Path, watched: Counted, clock: HandClock, *, masked: bool = False
) -> AsyncIterator[Control]:
    """A control socket that streams what is watched."""
    pdus = Pdus(watched, clock.monotonic, masked=masked)
    control = Control(socket_path(store), {}, {"pdus": pdus.stream})
    await control.start()
    try:
        yield control
    finally:
        control.close()
        await until(lambda: not watched.open, "the end of the watch")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where a store would be."""
    return tmp_path / "fetion.db"


async def test_a_stream_ends_with_its_time(store: Path) -> None:
    """What passes comes in its order, then how much was shown and dropped; then nobody watches."""
    watched, clock = Counted(), HandClock()
    watched.ready, watched.dropped = AT_ONCE + 5, 3
    items: list[Item] = []
    async with serving(store, watched, clock):
        async for item in follow(store, "pdus", 60, **ASKED):
            items.append(item)
            if len(items) == AT_ONCE + 5 + 2:
                clock.now += 60
        await until(lambda: not watched.open, "the end of the watch")
    assert items[0] == {"watching": "smsc"}
    assert [item["pdu"]["n"] for item in items if "pdu" in item] == list(range(AT_ONCE + 5))
    assert items.count({"dropped": 3}) == 1
    assert items[-1] == {"ended": {"shown": AT_ONCE + 5, "dropped": 3}}


async def test_a_stream_ends_with_its_client(store: Path) -> None:
    """Nobody watches any more when the client has gone."""
    watched = Counted()
    async with serving(store, watched, HandClock()):
        async with aclosing(follow(store, "pdus", 60, **ASKED)) as items:
            assert await anext(items) == {"watching": "smsc"}
            assert watched.open == 1
        await until(lambda: not watched.open, "the end of the watch")


async def test_a_stream_ends_with_the_gateway(store: Path) -> None:
    """The client sees the end, without the summary."""
    watched = Counted()
    async with serving(store, watched, HandClock()) as control:
        items = follow(store, "pdus", 60, **ASKED)
        assert await anext(items) == {"watching": "smsc"}
        control.close()
        assert [item async for item in items] == []


@pytest.mark.parametrize("said", [b"", b'{"watching": "smsc"}\n'])
async def test_a_gateway_that_hangs(store: Path, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first line, or later: the client does not wait much longer than the stream was to last."""
    monkeypatch.setattr(control_module, "PATIENCE", 0.02)
    with pytest.raises(CommandRefused, match="does it hang"):
        await items_from(store, said, end=False)


@pytest.mark.parametrize("said", [b"[1]\n", b"7\n", b"hello\n", b"\xff\n"])
async def test_another_program_answers(store: Path, said: bytes) -> None:
    """What is no object is told, whatever was asked."""
    with pytest.raises(CommandRefused, match="not that of a gateway"):
        await items_from(store, said, end=True)


async def test_a_gateway_that_is_killed_within_a_line(store: Path) -> None:
    """A piece of a line is none: the stream has ended."""
    items = await items_from(store, b'{"watching": "smsc"}\n{"pdu": {"at": 1', end=True)
    assert items == [{"watching": "smsc"}]


async def items_from(store: Path, said: bytes, *, end: bool) -> list[Item]:
    """What a client makes of a server that says this, then ends or hangs."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        if not end:
            await done.wait()
        writer.close()

    server = await asyncio.start_unix_server(serve, socket_path(store))
    try:
        return [item async for item in follow(store, "pdus", 0.02, **ASKED)]
    finally:
        done.set()
        server.close()


async def test_a_client_that_does_not_read_is_left(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads nothing for STALLED seconds watches no more; until then the stream only waits."""
    monkeypatch.setattr(control_module, "STALLED", 0.05)
    watched = Counted()
    watched.ready, watched.large = 100_000, "x" * 1_000_000
    async with serving(store, watched, HandClock()):
        reader, writer = await asyncio.open_unix_connection(socket_path(store), limit=1)
        writer.write(json.dumps({"command": "pdus", **ASKED}).encode() + b"\n")
        await until(lambda: watched.given, "the first PDUs")
        await until(lambda: not watched.open, "the end of the watch")
        writer.close()
    assert watched.given < 100_000
    del reader


async def test_numbers_are_masked(store: Path) -> None:
    """logging.mask_msisdn holds here too."""
    watched = Counted()
    watched.ready = 1
    stream = follow(store, "pdus", 60, **ASKED)
    async with serving(store, watched, HandClock(), masked=True), aclosing(stream) as items:
        await anext(items)
        assert (await anext(items))["pdu"]["to"] == "138****8000"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"account": "nobody"}, "no account 'nobody'"),
        ({"account": ""}, "an account or a connection"),
        ({"connection": "10.0.0.1"}, "an account or a connection"),
        *(
            ({"seconds": each}, "whole number from 1 to 86400")
            for each in ("0", "-1", "x", "1.5", "86401", "９")
        ),
    ],
)
async def test_what_is_refused(store: Path, more: dict[str, str], reason: str) -> None:
    """What cannot be watched: one line says why, and nobody watches."""
    watched = Counted()
    async with serving(store, watched, HandClock()):
        with pytest.raises(CommandRefused, match=reason):
            await anext(follow(store, "pdus", 60, **{**ASKED, **more}))
    assert watched.open == 0


async def test_a_stream_takes_its_arguments(store: Path) -> None:
    """As for a command: others are refused with the rule."""
    async with serving(store, Counted(), HandClock()):
        with pytest.raises(
            CommandRefused, match="pdus takes these texts: account, connection, seconds, octets"
        ):
            await anext(follow(store, "pdus", 60, account="smsc"))
        with pytest.raises(CommandRefused, match="there are: pdus"):
            await anext(follow(store, "nothing", 60))


def test_a_look_is_short() -> None:
    """At most 1000 PDUs a second are decoded for a watch, some at a time."""
    assert AT_ONCE / pdus_module.PACE <= 1000
