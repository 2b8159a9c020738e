"""`serve` with TLS and behind a balancer: SMS, a certificate that is replaced, descriptors, the stop."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.smpp.pdus import BindTransceiver, DeliverSm, DeliverSmResp, SubmitSmResp
from tests.net.certificates import Authority
from tests.net.dialling import believing, dial
from tests.net.test_proxy import v2
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    Served,
    events,
    lines,
    serving,
    sms,
    start,
    text_of,
    until,
    write_config,
)
from tests.support import Wire

BALANCER = "127.0.0.5"
OTHER_PEER = "127.0.0.77"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that signs, and has signed the certificate of the gateway."""
    made = Authority(tmp_path)
    made.sign("gateway")
    return made


def config_with(
    folder: Path, *, balancers: bool = False, unbound: int = 200, session_init: float = 30, **sections: Any
) -> Path:
    """A configuration with TLS, whose files stand beside it."""
    tls = {"cert": "gateway.cert", "key": "gateway.key"}
    listen: dict[str, Any] = {"port": 0, "tls": tls, "unbound": unbound}
    if balancers:
        listen["balancers"] = [f"{BALANCER}/32"]
    account = {"system_id": SYSTEM_ID, "password": PASSWORD, "default": True}
    account["allow_from"] = ["127.0.0.1/32", "127.0.0.77/32"]
    return write_config(
        folder,
        smpp={"listen": listen, "accounts": [account], "timers": {"session_init": session_init}},
        **sections,
    )


async def round_trip(wire: Wire) -> str:
    """Bind, submit, and answer the reply, whose text is given back."""
    assert (await wire.bind()).command_status == 0
    return await once_more(wire)


async def once_more(wire: Wire) -> str:
    """An SMS and its reply on a bind that stands."""
    request = sms("13800138000", "161", "CXFX")
    request.sequence_number = 7
    wire.send(request)
    assert (await wire.reads(SubmitSmResp)).command_status == 0
    reply = await wire.reads(DeliverSm)
    wire.send(DeliverSmResp(sequence_number=reply.sequence_number))
    return text_of(reply)


def subject_at(port: int, authority: Authority) -> str:
    """Whose certificate a new connection sees."""
    context = believing(authority)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as talking,
    ):
        names: Any = (talking.getpeercert() or {})["subject"]
        return str(names[0][0][1])


def told(served: Served, event: str) -> list[dict[str, Any]]:
    """Its lines of one event."""
    return [line for line in lines(served.log) if line["event"] == event]


async def test_a_certificate_is_replaced(authority: Authority, tmp_path: Path) -> None:
    """New files are used after SIGHUP; files with a fault are refused; a bind that stands goes on through all
    that."""
    context = believing(authority)
    async with serving(config_with(tmp_path)) as gateway, dial(gateway.port, tls=context) as wire:
        await round_trip(wire)
        assert await asyncio.to_thread(subject_at, gateway.port, authority) == "gateway"
        own, new = authority.sign("gateway"), authority.sign("new")
        own.key.write_bytes(new.key.read_bytes())
        gateway.send(signal.SIGHUP)
        await until(lambda: told(gateway, "tls.refused"), "the refusal")
        assert await asyncio.to_thread(subject_at, gateway.port, authority) == "gateway"
        new.copy_to(own)
        gateway.send(signal.SIGHUP)
        await until(lambda: len(told(gateway, "tls.loaded")) == 2, "the new one")
        assert await asyncio.to_thread(subject_at, gateway.port, authority) == "new"
        await once_more(wire)
        wire.close()  # it would answer no unbind
        assert await gateway.stop() == 0
    [refused] = {line["reason"] for line in told(gateway, "tls.refused")}
    assert refused.startswith(f"{own.key}: is not the key of {own.cert}")
    assert [line["subject"] for line in told(gateway, "tls.loaded")] == ["CN=gateway", "CN=new"]


async def test_it_does_not_start_with_a_fault(authority: Authority, tmp_path: Path) -> None:
    """The file, the reason and the remedy stand on standard error and in the log; no port is opened."""
    authority.sign("gateway", password=b"hush")
    served = start(config_with(tmp_path))
    try:
        assert await served.ended() == 1
    finally:
        served.process.kill()
        served.process.wait()
    assert f"smpp.listen.tls.key: {tmp_path / 'gateway.key'}: is encrypted" in served.stderr
    assert "gateway.ready" not in events(served.log)


async def test_behind_a_balancer(authority: Authority, tmp_path: Path) -> None:
    """The log and allow_from know the peer, not the balancer; its health checks leave no line."""
    context = believing(authority)
    async with serving(config_with(tmp_path, balancers=True)) as gateway:
        for _ in range(3):
            async with dial(gateway.port, source=BALANCER):
                pass
        async with dial(gateway.port, v2(OTHER_PEER, 4711), tls=context, source=BALANCER) as wire:
            await round_trip(wire)
        async with dial(gateway.port, v2("10.9.9.9", 4711), source=BALANCER) as wire:
            assert await wire.read() is None
        async with dial(gateway.port) as wire:
            wire.send(BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1))
            assert await wire.read() is None
        assert await gateway.stop() == 0
    assert [line["remote"] for line in told(gateway, "bind.accepted")] == [f"{OTHER_PEER}:4711"]
    [introduced] = told(gateway, "connection.introduced")
    assert (introduced["level"], introduced["remote"]) == ("debug", f"{OTHER_PEER}:4711")
    assert introduced["balancer"].startswith(f"{BALANCER}:")
    refused = [
        (line["remote"].partition(":")[0], line["reason"]) for line in told(gateway, "connection.refused")
    ]
    assert refused == [
        ("10.9.9.9", "address not in allow_from of any account"),
        ("127.0.0.1", "no TLS: it speaks SMPP in clear"),
    ]


async def test_no_descriptor_is_free(authority: Authority, tmp_path: Path) -> None:
    """Connections that sit before their header, and so before TLS, use up all descriptors: who is bound is
    served, and who dials afterwards is let in."""
    config, first, source = config_with(tmp_path, balancers=True), v2("127.0.0.1", 1), BALANCER
    context = believing(authority)
    async with (
        serving(config) as gateway,
        dial(gateway.port, first, tls=context, source=source) as wire,
    ):
        await round_trip(wire)
        pid = gateway.process.pid
        used = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        with contextlib.ExitStack() as holding:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 3, hard))
            for _ in range(used + 5 - len(os.listdir(f"/proc/{pid}/fd"))):
                idle = socket.create_connection(("127.0.0.1", gateway.port), source_address=(source, 0))
                holding.enter_context(idle)
            await until(lambda: "accept.failed" in events(gateway.log), "the line")
            await once_more(wire)
        await until(lambda: "accept.recovered" in events(gateway.log), "the end of it")
        async with dial(gateway.port, first, tls=context, source=source) as late:
            await round_trip(late)
        wire.close()
        assert await gateway.stop() == 0
    assert gateway.stderr == ""


@pytest.mark.usefixtures("authority")
async def test_handshakes_end_in_time(tmp_path: Path) -> None:
    """Who begins a handshake and no more is closed after session_init, or before for somebody newer; no
    descriptor remains."""
    config = config_with(tmp_path, unbound=5, session_init=1)
    async with serving(config) as gateway, contextlib.AsyncExitStack() as stack:
        folder = f"/proc/{gateway.process.pid}/fd"
        before = len(os.listdir(folder))
        half = [await stack.enter_async_context(dial(gateway.port, b"\x16\x03\x01\x02")) for _ in range(12)]
        for wire in half:
            assert await wire.read() is None
        await until(lambda: len(os.listdir(folder)) == before, "the descriptors")
        assert await gateway.stop() == 0
    reasons = {line["reason"] for line in told(gateway, "connection.refused")}
    assert reasons == {
        "no TLS handshake within 1 s",
        "gave way to a newer one: too many connections that are not bound",
    }
    assert gateway.stderr == ""


async def test_the_stop_keeps_its_deadline(authority: Authority, tmp_path: Path) -> None:
    """With peers that sit in a handshake, answer no unbind, or read nothing any more, it ends within
    shutdown.deadline and a second."""
    context = believing(authority)
    config = config_with(tmp_path, shutdown={"deadline": 2.2})
    loop = asyncio.get_running_loop()
    async with (
        serving(config) as gateway,
        dial(gateway.port, b"\x16\x03\x01\x02"),
        dial(gateway.port),
        dial(gateway.port, tls=context) as mute,
        dial(gateway.port, tls=context) as deaf,
    ):
        await round_trip(mute)
        assert (await deaf.bind()).command_status == 0
        await flood(deaf)
        since = loop.time()
        assert await gateway.stop() == 0
        assert loop.time() - since < 2.2 + 1 + 2
    assert gateway.stderr == ""


async def flood(deaf: Wire) -> None:
    """Submit without reading until the gateway reads no more."""
    request = [sms("13800138000", "161", "CXFX") for _ in range(200)]
    transport: Any = deaf._writer.transport
    transport.pause_reading()
    with contextlib.suppress(TimeoutError):
        for _ in range(200):
            deaf.send(*request)
            async with asyncio.timeout(0.5):
                await deaf._writer.drain()
