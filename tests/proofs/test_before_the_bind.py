"""What somebody can do to `serve` before he is bound: take places, fill the log, talk on."""

import asyncio
import contextlib
import resource
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.smpp.codec import encode
from gateway.smpp.pdus import BindTransceiver, EnquireLink
from gateway.smpp.status import CommandStatus
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    accepted,
    bind,
    delivered,
    events,
    lines,
    serving,
    sms,
    until,
    write_config,
)
from tests.support import Wire

CROWD = 1_000
"""Connections that a listener takes at most, as it is shipped."""
STORM = 300
LINES_A_SECOND = 20
OWN = "own7pass"


def config_with(folder: Path, host: str = "127.0.0.1", **account: Any) -> Path:
    """One account, with changes."""
    shipped = {"system_id": SYSTEM_ID, "password": PASSWORD, "default": True}
    return write_config(
        folder, smpp={"listen": {"port": 0, "host": host}, "accounts": [{**shipped, **account}]}
    )


async def test_one_host_does_not_take_all_places(tmp_path: Path) -> None:
    """A host opens as many connections as there are and binds none: binds are let in all the same, of other
    addresses and of his own, and who is bound stays."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < CROWD + 100:
        pytest.skip(f"the limit of open files is {soft}")
    async with serving(write_config(tmp_path)) as gateway, await bind(gateway.port) as centre:
        with contextlib.ExitStack() as crowd:
            for _ in range(CROWD + 50):
                idle = socket.create_connection(("127.0.0.1", gateway.port), source_address=("127.0.0.2", 0))
                crowd.enter_context(idle)
            for source in ("127.0.0.3", "127.0.0.2"):
                async with Wire.to(gateway.port, source=source) as wire:
                    assert (await wire.bind()).command_status == 0
            await accepted(centre, sms("13800138000", "161", "KTFX"))
            await delivered(centre)
        assert await gateway.stop() == 0
        told = [line for line in lines(gateway.log) if line["event"] == "connection.refused"]
        assert "not bound" in told[0]["reason"]
        assert told[0]["remote"].startswith("127.0.0.2:")


async def test_a_stranger_gets_no_word(tmp_path: Path) -> None:
    """From an address that no account allows: closed at once, and told of."""
    config = config_with(tmp_path, allow_from=["127.0.0.1/32"])
    async with serving(config) as gateway:
        async with Wire.to(gateway.port, source="127.0.0.2") as stranger:
            stranger.send(EnquireLink(sequence_number=1))
            assert await stranger.read() is None
        await until(lambda: "connection.refused" in events(gateway.log), "the line")
        async with await bind(gateway.port):
            pass


async def test_wrong_binds_do_not_fill_the_log(tmp_path: Path) -> None:
    """Hundreds of wrong binds give a few lines a second, the next of which says how many were left out."""
    wrong = encode(BindTransceiver(system_id=SYSTEM_ID, password="wrong"))
    async with serving(write_config(tmp_path)) as gateway:
        for _ in range(STORM):
            with socket.create_connection(("127.0.0.1", gateway.port)) as stranger:
                stranger.sendall(wrong)
        async with await bind(gateway.port) as centre:
            await accepted(centre, sms("13800138000", "161", "KTFX"))
        assert await gateway.stop() == 0
        told = [line for line in lines(gateway.log) if line["event"] == "bind.refused"]
    by_second = Counter(line["timestamp"][:19] for line in told)
    assert 0 < max(by_second.values()) <= 2 * LINES_A_SECOND
    assert all("suppressed" in line for line in told)


async def test_talking_on_without_a_bind(tmp_path: Path) -> None:
    """Requests without end before a bind end the connection; other binds are served meanwhile."""
    octets = encode(EnquireLink(sequence_number=1)) * 1024
    async with serving(write_config(tmp_path)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        async with asyncio.timeout(10), await bind(gateway.port) as centre:
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(octets)
                    await writer.drain()
                    await reader.read(65_536)
            await accepted(centre, sms("13800138000", "161", "KTFX"))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await until(lambda: "connection.refused" in events(gateway.log), "the line")


async def test_ipv4_peers_of_a_listener_on_ipv6(tmp_path: Path) -> None:
    """On :: an IPv4 peer is matched with the IPv4 networks of allow_from, and named so in the log."""
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    config = config_with(tmp_path, host="::", password=OWN, allow_from=["127.0.0.1/32", "::1/128"])
    right = BindTransceiver(system_id=SYSTEM_ID, password=OWN, sequence_number=1)
    async with serving(config) as gateway:
        for host in ("127.0.0.1", "::1"):
            async with Wire.to(gateway.port, host=host) as wire:
                assert (await wire.bind(right)).command_status == CommandStatus.ROK
        async with Wire.to(gateway.port, source="127.0.0.2") as stranger:
            assert await stranger.read() is None
        assert await gateway.stop() == 0
        named = [line["remote"].rpartition(":")[0] for line in lines(gateway.log) if "mode" in line]
    assert named == ["127.0.0.1", "[::1]"]
