"""The troubles of docs/operating.md with the gateway's own machine: disk, files, port, clock, descriptors.

Each function brings one about, remedies it as the page says, and gives the log in which both are told.
"""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from pathlib import Path

from commands.tables import path_of
from gateway.cli.main import main
from gateway.smpp.status import CommandStatus
from tests.operating.provoking import ACCOUNT, LOG, logged
from tests.proofs.served import (
    Served,
    accepted,
    bind,
    delivered,
    events,
    inside,
    lines,
    serving,
    sms,
    start,
    until,
    write_config,
)
from tests.proofs.test_store_faults import TriedStore
from tests.support import ALICE, BOB, MovedClock, store_of


async def disk_full(folder: Path) -> Path:
    """The file of the store may not grow any more; then it may."""
    store = TriedStore.of(store_of(folder))
    async with (
        inside(write_config(folder), open_store=lambda _: store) as gateway,
        await bind(gateway.port) as peer,
    ):
        store.pages(0)
        answer, number = await peer.submit(sms(ALICE, "161", "KTFX")), 0
        while answer.command_status != CommandStatus.RMSGQFUL:  # pages that are free are used up first
            number += 1
            answer = await peer.submit(sms(str(int(BOB) + number), "161", "KTFX"))
        await logged(folder / LOG, "sms.rejected")
        store.pages(10_000)
        await logged(folder / LOG, "storage.recovered")
        await accepted(peer, sms(ALICE, "161", "CXFX"))
    return folder / LOG


async def key_missing(folder: Path) -> Path:
    """The key file is gone at the start, and another one lies there at the next; then it is restored."""
    config = write_config(folder)
    async with inside(config):
        pass
    key = folder / "var" / "fetion.key"
    kept = key.rename(folder / "kept")
    await fails(config, "the key of this store is missing")
    key.touch(0o600)
    key.write_bytes(os.urandom(32))
    await fails(config, "not the key that this store was made with")
    kept.replace(key)
    async with inside(config) as gateway, await bind(gateway.port) as peer:
        await accepted(peer, sms(ALICE, "161", "KTFX"))
    return folder / LOG


async def fails(config: Path, reason: str) -> None:
    """`serve` must end with 1, and tell why on standard error and in its log."""
    gateway = start(config)
    assert await gateway.ended() == 1
    assert reason in gateway.stderr
    assert reason in lines(gateway.log)[-1]["reason"]


async def port_in_use(folder: Path) -> Path:
    """Somebody listens on the port; then he does not."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = write_config(folder, smpp={"listen": {"port": port}, "accounts": [ACCOUNT]})
        await fails(config, "Address already in use")
    async with inside(config) as gateway:
        assert gateway.port == port
    return folder / LOG


async def store_in_use(folder: Path) -> Path:
    """A gateway runs on the store; then it is stopped."""
    config = write_config(folder)
    async with inside(config):
        await fails(config, "another gateway has this store open")
    async with inside(config):
        pass
    return folder / LOG


async def log_lost(folder: Path) -> Path:
    """The disk of the log is full; then the log goes to another file, as after a rotation."""
    config, log = write_config(folder), folder / LOG
    async with serving(config) as gateway, await bind(gateway.port) as peer:
        log.rename(folder / "gateway.log.1")
        log.symlink_to("/dev/full")
        await reopened(gateway, folder / "gateway.log.1")
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        await until(lambda: "the log cannot be written (No space left on device)" in gateway.stderr, "it")
        log.unlink()
        gateway.send(signal.SIGHUP)
        await until(log.exists, "the new file")
        await accepted(peer, sms(ALICE, "161", "CXFX"))
        await logged(log, "sms.handled")
        await accepted(peer, sms(ALICE, "161", "CXFX"))
        lost = await logged(log, "log.lost")
        await until(lambda: "sms.handled" in events(log)[events(log).index("log.lost") :], "lines behind it")
        assert lost["total"] == 2  # sms.handled and sms.sent of the first SMS
    return log


async def reopened(gateway: Served, old: Path) -> None:
    """Send SIGHUP, and wait until the process has closed the file that was its log."""
    folder = Path(f"/proc/{gateway.process.pid}/fd")

    def open_files() -> set[str]:
        found = set()
        for link in folder.iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(link))
        return found

    gateway.send(signal.SIGHUP)
    await until(lambda: str(old) not in open_files(), "the log to be reopened")


async def clock_behind(folder: Path) -> Path:
    """Somebody puts the clock back by 100 s; then it is right again."""
    clock = MovedClock()
    async with inside(write_config(folder), clock=clock) as gateway:
        clock.wall -= 100
        await gateway.tick(housekeeping=True)
        await logged(folder / LOG, "clock.behind")
        clock.wall += 200
        await gateway.tick(housekeeping=True)
    return folder / LOG


async def no_descriptor(folder: Path) -> Path:
    """The process may open no more files; then it may."""
    config = write_config(folder)
    async with serving(config) as gateway, await bind(gateway.port) as peer:
        pid = gateway.process.pid
        await until(lambda: "bind.accepted" in events(gateway.log), "the bind")
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 1
        with contextlib.ExitStack() as holding:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
            free = used - len(os.listdir(f"/proc/{pid}/fd"))
            for _ in range(free + 2):
                holding.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
            await logged(gateway.log, "accept.failed")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            await logged(gateway.log, "accept.recovered")
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        await delivered(peer)
    return folder / LOG


async def tables_refused(folder: Path) -> Path:
    """A fee is no number; then it is one."""
    tables = folder / "my-tables" / "tariffs.yaml"
    tables.parent.mkdir()
    shipped = path_of("tariffs.yaml", None).read_text("utf-8")
    words = ["tables", "reload", "--config", str(write_config(folder, tables={"folder": "my-tables"}))]
    async with inside(folder / "config.yaml"):
        tables.write_text(shipped.replace("MCHAT: {value: 500", "MCHAT: {value: five"), "utf-8")
        assert await asyncio.to_thread(main, words) == 1
        await logged(folder / LOG, "tables.refused")
        tables.write_text(shipped.replace("MCHAT: {value: 500", "MCHAT: {value: 600"), "utf-8")
        assert await asyncio.to_thread(main, words) == 0
    return folder / LOG
