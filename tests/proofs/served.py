"""Runs `fetion-gateway serve` as a process in a folder of its own: the gateway seen from outside."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands.handlers import Handler
from commands.model import Given, Instruction, Outcome, Understood, World
from commands.service import Commands
from gateway.app import Environment, Gateway
from gateway.operations.logs import open_log
from gateway.settings import Settings, load
from gateway.simulator.esme import Bind, Esme
from gateway.smpp.codec import decode, encode
from gateway.smpp.coding import Alphabet
from gateway.smpp.pdu import Pdu, Response
from gateway.smpp.pdus import BindTransceiver, DeliverSm, SubmitSm
from gateway.smpp.timers import Timers
from gateway.testing import CHEAP, configuration

PATIENCE = 10.0
"""Seconds to wait for what must happen."""

SYSTEM_ID, PASSWORD = "smsc", "fetion16"
ALPHABET = Alphabet.from_config({}, "gsm")

_BELOW_THE_FOLDER = {
    "logging": {"file": "gateway.log", "format": "json", "level": "debug"},
    "limits": {"instructions_per_minute": 10_000},
}
_PORT = re.compile(rb'(?:smpp_port":|listens on 127\.0\.0\.1:)(\d+)')


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition. Raises AssertionError, which names `what`, if it does not come true."""
    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited {PATIENCE:g} s in vain for {what}")


def write_config(folder: Path, **sections: Any) -> Path:
    """Configure a gateway whose files all lie below its folder, with a log that tells everything.

    sections: laid over that. Its store is where the default puts it (tests.support.store_of).
    """
    return configuration.write_config(folder, _BELOW_THE_FOLDER, sections)


def lines(log: Path) -> list[dict[str, Any]]:
    """Return the complete lines of a JSON log."""
    return [json.loads(line) for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def events(log: Path) -> list[str]:
    """Return the names of the events of a JSON log, in order."""
    return [line["event"] for line in lines(log)]


@dataclass
class Served:
    """A running process. Its output is in its folder, in the files stdout and stderr."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    port: int = 0

    @property
    def log(self) -> Path:
        """Its log."""
        return self.folder / "gateway.log"

    @property
    def stderr(self) -> str:
        """Return that output."""
        return (self.folder / "stderr").read_text("utf-8")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end. Returns the exit code, negative for a signal."""
        await until(lambda: self.process.poll() is not None, "the end of the process")
        return self.process.wait()

    async def stop(self) -> int:
        """Send SIGTERM. Returns the exit code."""
        self.send(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """kill -9."""
        self.send(signal.SIGKILL)
        assert await self.ended() == -signal.SIGKILL


@contextlib.asynccontextmanager
async def serving(config: Path, *options: str) -> AsyncIterator[Served]:
    """Start `serve` with options, wait until it is ready, and kill it at the end if it still runs."""
    log = config.parent / "gateway.log"
    before = log.stat().st_size if log.exists() else 0
    served = start(config, *options)

    def ready() -> bool:
        assert served.process.poll() is None, served.stderr
        told = _PORT.search(log.read_bytes()[before:]) if log.exists() else None
        served.port = int(told[1]) if told else 0
        return told is not None

    try:
        await until(ready, "gateway.ready")
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
        served.process.wait()


def start(config: Path, *options: str) -> Served:
    """The process, in the folder of its configuration, which has its temporary files too."""
    folder = config.parent
    (folder / "tmp").mkdir(exist_ok=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FETION__")}
    with (folder / "stdout").open("ab") as out, (folder / "stderr").open("ab") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--config", str(config), *options],
            cwd=folder,
            env=environ | {"TMPDIR": str(folder / "tmp")},
            stdout=out,
            stderr=err,
        )
    return Served(folder, process)


@contextlib.asynccontextmanager
async def inside(config: Path, **seams: Any) -> AsyncIterator[Gateway]:
    """Run a gateway in this process, with the arguments of Gateway and its Environment."""
    settings = settings_of(config)
    log = open_log(settings.logging)
    told = {name: seams.pop(name) for name in ("consumers", "events_backlog", "observers") if name in seams}
    environment = Environment(**{"hash_cost": CHEAP, **seams})
    try:
        async with Gateway(settings, log, environment, **told) as gateway:
            yield gateway
    finally:
        log.close()


def settings_of(config: Path) -> Settings:
    """Read a configuration file without the environment."""
    return load(config, {})


def handle_with(monkeypatch: pytest.MonkeyPatch, row: str, handler: Handler) -> None:
    """Let another function handle a row of the instruction table."""
    shipped = Commands.handle

    def handle(self: Commands, world: World, understood: Understood, given: Given) -> Outcome:
        if isinstance(understood, Instruction) and understood.id == row:
            return handler(world, understood, given)
        return shipped(self, world, understood, given)

    monkeypatch.setattr(Commands, "handle", handle)


async def bind(port: int, mode: Bind = "transceiver", address_range: str = "", **more: Any) -> Esme:
    """Bind as the shipped account."""
    return await Esme.connect(
        "127.0.0.1",
        port,
        SYSTEM_ID,
        PASSWORD,
        bind=mode,
        address_range=address_range,
        timers=Timers(response=PATIENCE),
        **more,
    )


def sms(sender: str, to: str, text: str, data_coding: int = 0, **more: Any) -> SubmitSm:
    """Make the submit_sm of a handset, with data_coding 0 (GSM) or 8 (UCS-2)."""
    octets = text.encode("utf-16-be") if data_coding == 8 else ALPHABET.encode(text)[1]
    return SubmitSm(
        source_addr=sender, destination_addr=to, data_coding=data_coding, short_message=octets, **more
    )


async def raw(port: int, *octets: bytes, system_id: str = "", half_close: bool = True) -> bytes:
    """Send octets as they are and read until the gateway closes. system_id: bind as that account first.

    half_close: say that nothing more will come; otherwise the gateway alone ends the connection.
    """
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = b""
        try:
            if system_id:
                writer.write(encode(BindTransceiver(system_id=system_id, password=PASSWORD)))
                await frame(reader)
            writer.writelines(octets)
            if half_close:
                writer.write_eof()
            while piece := await reader.read(65_536):
                answer += piece
        except ConnectionError:
            pass  # the gateway closed while we were still sending: that is its right
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
    return answer


async def frame(reader: asyncio.StreamReader) -> Pdu:
    """Read the next PDU of a raw connection."""
    async with asyncio.timeout(PATIENCE):
        head = await reader.readexactly(4)
        return decode(head + await reader.readexactly(int.from_bytes(head, "big") - 4))


async def accepted(esme: Esme, request: SubmitSm) -> str:
    """Submit. Returns the message id of the positive response."""
    response: Response = await esme.submit(request)
    assert response.command_status == 0, f"0x{response.command_status:X}"
    return str(getattr(response, "message_id", ""))


async def delivered(esme: Esme) -> DeliverSm:
    """Wait for the next SMS on this bind."""
    async with asyncio.timeout(PATIENCE):
        delivery = await esme.inbox.get()
    assert isinstance(delivery, DeliverSm)
    return delivery


def text_of(delivery: DeliverSm) -> str:
    """Decode the text that the handset shows."""
    return ALPHABET.decode(delivery.short_message, delivery.data_coding)


async def texts(esme: Esme, count: int) -> list[tuple[str, str]]:
    """The next SMS on this bind: for each the handset and the text."""
    return [(each.destination_addr, text_of(each)) for each in [await delivered(esme) for _ in range(count)]]


def rows(store: Path, statement: str, *values: object) -> list[dict[str, Any]]:
    """Return the rows of a statement in a store, whether or not a gateway has it open."""
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in database.execute(statement, values)]
    finally:
        database.close()
