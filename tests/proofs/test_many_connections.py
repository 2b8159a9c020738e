"""Many connections at one gateway: binds at once, peers that read nothing, connections one after another.

The figures are printed (pytest -s), and those of the long proofs stand in docs/performance.md.
"""

import asyncio
import contextlib
import os
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from gateway.smpp.codec import encode
from gateway.smpp.pdus import (
    BindTransceiver,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from tests.proofs.served import PASSWORD, SYSTEM_ID, Served, rows, serving, sms, until, write_config
from tests.support import Wire, store_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

RIGHT = BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1)
HEALTHY, DEAF = 13_900_000_000, 13_500_000_000
"""The first handset at the healthy bind, and at those that read nothing: one SMS of each."""
LONGEST = 0.5
"""Seconds for the slowest hundredth of the round trips: generous, for a machine that others use too."""


@dataclass(frozen=True)
class Crowd:
    """binds: that do nothing. deaf: that submit `each` SMS and read nothing, of which `clogged` then ask
    until no octet finds room any more. trips: of the healthy bind. memory: by which the gateway may grow, in
    MiB."""

    binds: int
    deaf: int
    clogged: int
    each: int
    trips: int
    memory: int


def config_for(folder: Path) -> Path:
    """Room for all connections at one address; everything else as it is shipped."""
    account = {"system_id": SYSTEM_ID, "password": PASSWORD, "default": True, "binds": 5000}
    listen = {"port": 0, "per_address": 900, "unbound": 900}
    return write_config(folder, smpp={"listen": listen, "accounts": [account]}, logging={"level": "info"})


def memory_of(served: Served) -> float:
    """MiB that the process holds."""
    text = Path(f"/proc/{served.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def descriptors_of(served: Served) -> int:
    """How many files and sockets it has open."""
    return len(os.listdir(f"/proc/{served.process.pid}/fd"))


async def bind_one(port: int, stack: contextlib.AsyncExitStack) -> Wire:
    """A bind that stays until the stack is closed."""
    wire = await stack.enter_async_context(Wire.to(port))
    assert (await wire.bind(RIGHT)).command_status == 0
    return wire


async def round_trips(wire: Wire, first: int, count: int) -> list[float]:
    """SMS and reply, one after another, on one bind: the seconds of each."""
    loop, took = asyncio.get_running_loop(), []
    for number in range(count):
        handset = str(HEALTHY + first + number)
        request = sms(handset, "161", "CXFX")
        request.sequence_number = 100 + number
        since = loop.time()
        wire.send(request)
        assert (await wire.reads(SubmitSmResp)).command_status == 0
        reply = await wire.reads(DeliverSm)
        wire.send(DeliverSmResp(sequence_number=reply.sequence_number))
        assert reply.destination_addr == handset
        took.append(loop.time() - since)
    return took


def percentiles(took: list[float]) -> tuple[float, float]:
    """p50 and p99, in milliseconds."""
    cuts = quantiles(took, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


async def deaf(port: int, number: int, count: int, stack: contextlib.AsyncExitStack) -> Wire:
    """A bind that submits SMS, each from a handset of its own, and reads nothing of what comes back."""
    wire = await bind_one(port, stack)
    transport: Any = wire._writer.transport
    transport.pause_reading()
    # A small buffer of the system: else megabytes pass before a peer that reads nothing is noticed.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    first = DEAF + number * 10_000
    for at in range(count):
        request = sms(str(first + at), "161", "CXFX")
        request.sequence_number = 2 + at
        wire.send(request)
        if at % 100 == 99:
            await wire._writer.drain()
    return wire


async def clog(wire: Wire) -> None:
    """Ask whether the gateway lives, until it takes no more because its answers are not read."""
    asking = encode(EnquireLink(sequence_number=1)) * 1024
    with contextlib.suppress(TimeoutError):
        while True:
            wire.send(asking)
            async with asyncio.timeout(0.1):
                await wire._writer.drain()


def report(words: str) -> None:
    """Show a figure to whoever runs with -s."""
    sys.stdout.write(f"\n{words}")


async def crowd(folder: Path, wanted: Crowd) -> None:
    """A healthy bind beside many others, alone and with them; then the deaf go, and it gets what waits."""
    async with serving(config_for(folder)) as gateway, contextlib.AsyncExitStack() as stack:
        healthy = await bind_one(gateway.port, stack)
        alone = percentiles(await round_trips(healthy, 0, wanted.trips))
        before, store, most = memory_of(gateway), store_of(folder), wanted.deaf * wanted.each
        async with contextlib.AsyncExitStack() as idle, contextlib.AsyncExitStack() as silent:
            loop = asyncio.get_running_loop()
            since = loop.time()
            await asyncio.gather(*(bind_one(gateway.port, idle) for _ in range(wanted.binds)))
            report(f"{wanted.binds} binds at once: {loop.time() - since:.2f} s")
            with_binds = memory_of(gateway)
            # One after another: together they would be measured as load, not as peers that do not read.
            for number in range(wanted.deaf):
                wire = await deaf(gateway.port, number, wanted.each, silent)
                await stored(store, wanted.trips + (number + 1) * wanted.each)
                if number < wanted.clogged:
                    await clog(wire)
            beside = percentiles(await round_trips(healthy, wanted.trips, wanted.trips))
            after = memory_of(gateway)
        got = await collect(healthy, most)
        assert len(set(got)) == most
        report(
            f"round trip p50/p99 alone {alone[0]:.1f}/{alone[1]:.1f} ms, beside {wanted.deaf} that read"
            f" nothing {beside[0]:.1f}/{beside[1]:.1f} ms; memory {before:.0f} MiB, with binds"
            f" {with_binds:.0f}, with {most} SMS that wait {after:.0f}"
        )
        assert beside[1] < LONGEST * 1000
        assert after - before < wanted.memory
        healthy.close()
        assert await gateway.stop() == 0


async def stored(store: Path, count: int) -> None:
    """Wait until so many SMS from handsets are stored."""

    def all_are() -> bool:
        [row] = rows(store, "SELECT count(*) AS number FROM journal")
        return bool(row["number"] == count)

    await until(all_are, f"{count} SMS in the journal")


async def collect(wire: Wire, count: int) -> list[str]:
    """The handsets of the next so many SMS, each of which is acknowledged."""
    got = []
    for _ in range(count):
        each = await wire.reads(DeliverSm)
        wire.send(DeliverSmResp(sequence_number=each.sequence_number))
        got.append(each.destination_addr)
    return got


async def test_a_crowd(tmp_path: Path) -> None:
    """60 binds, and 10 that read nothing: a healthy bind is served as before, and nothing is lost."""
    await crowd(tmp_path, Crowd(binds=60, deaf=10, clogged=0, each=60, trips=100, memory=64))


@pytest.mark.long
async def test_a_large_crowd(tmp_path: Path) -> None:
    """500 binds, and 100 that read nothing."""
    await crowd(tmp_path, Crowd(binds=500, deaf=100, clogged=5, each=250, trips=1000, memory=300))


async def one_after_another(folder: Path, first: int, count: int, memory: int) -> None:
    """Connections that bind and unbind, that are cut, that say nothing, and that send garbage, in turns.

    first: so many come before the rest is measured: what is gone is collected in runs. memory: by which the
    gateway may grow, in MiB.
    """
    async with serving(config_for(folder)) as gateway:
        await come_and_go(gateway.port, first)
        await until(lambda: descriptors_of(gateway) <= 30, "the end of the first connections")
        before, descriptors = memory_of(gateway), descriptors_of(gateway)
        loop = asyncio.get_running_loop()
        since = loop.time()
        await come_and_go(gateway.port, count)
        took = loop.time() - since
        await until(lambda: descriptors_of(gateway) <= descriptors, "the end of the connections")
        after = memory_of(gateway)
        report(f"{count} connections in {took:.1f} s; memory {before:.1f} MiB, then {after:.1f}")
        assert after - before < memory
        assert await gateway.stop() == 0


async def come_and_go(port: int, count: int) -> None:
    """So many connections, one after another."""
    for number in range(count):
        match number % 4:
            case 0:
                async with Wire.to(port) as wire:
                    await wire.bind(RIGHT)
                    wire.send(Unbind(sequence_number=2))
                    await wire.reads(UnbindResp)
            case 1:
                with socket.create_connection(("127.0.0.1", port)) as cut:
                    cut.sendall(encode(RIGHT)[:20])
            case 2:
                with socket.create_connection(("127.0.0.1", port)):
                    pass
            case _:
                async with Wire.to(port) as wire:
                    wire.send(b"\0" * 16)
                    await wire.read()


async def test_connections_one_after_another(tmp_path: Path) -> None:
    """300: neither memory nor descriptors grow."""
    await one_after_another(tmp_path, 50, 300, 8)


@pytest.mark.long
async def test_very_many_connections_one_after_another(tmp_path: Path) -> None:
    """10,000."""
    await one_after_another(tmp_path, 5_000, 10_000, 2)
