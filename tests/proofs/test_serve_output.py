"""`serve` with a standard output that goes away, or that nobody reads for a while."""

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.proofs.served import PATIENCE, accepted, bind, delivered, serving, sms, until, write_config


def port_in(reading: int) -> int:
    """The port, from the line gateway.ready in a pipe."""
    told = b""
    while not told.endswith(b"\n") or b"gateway.ready" not in told:
        octets = os.read(reading, 65_536)
        assert octets, told
        told += octets
    return int(json.loads(told.splitlines()[-1])["smpp_port"])


def started(config: Path, stdout: int, stderr: Path | None) -> "subprocess.Popen[bytes]":
    """`serve` with its output going there; stderr None: both into one."""
    words = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    if stderr is None:
        return subprocess.Popen(words, stdout=stdout, stderr=stdout)
    with stderr.open("wb") as told:
        return subprocess.Popen(words, stdout=stdout, stderr=told)


async def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """`serve | head -1`: the gateway goes on, says once on standard error that its log is lost, and still
    stops with 0."""
    config = write_config(tmp_path, logging={"file": None})
    reading, writing = os.pipe()
    errors = tmp_path / "stderr"
    process = started(config, writing, errors)
    os.close(writing)
    try:
        port = port_in(reading)
        os.close(reading)
        async with await bind(port) as handset:
            for text in ("KTFX", "CXFX", "BZ"):
                await accepted(handset, sms("13800138000", "161", text))
        await until(errors.read_bytes, "the complaint")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    said = errors.read_text("utf-8")
    assert said.startswith("fetion-gateway: the log cannot be written (Broken pipe)")
    assert said.count("\n") == 1


@contextmanager
def stalled(
    folder: Path, deadline: float, *, shared: bool = False
) -> Iterator[tuple["subprocess.Popen[bytes]", int, int]]:
    """`serve` with a small pipe for its log, of which only the beginning is read: the process, what to read
    on, and the port. shared: standard error goes into the same pipe."""
    logging = {"file": None, "level": "info", "backlog": 65_536}
    config = write_config(folder, logging=logging, shutdown={"deadline": deadline})
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = started(config, writing, None if shared else folder / "stderr")
    os.close(writing)
    try:
        yield process, reading, port_in(reading)
    finally:
        process.kill()
        process.wait()
        os.close(reading)


async def texted(port: int, first: int, count: int) -> None:
    """One SMS each of so many handsets, each answered."""
    async with await bind(port) as centre:
        senders = [str(number) for number in range(first, first + count)]
        await asyncio.gather(*(accepted(centre, sms(sender, "161", "CXFX")) for sender in senders))
        answered = {(await delivered(centre)).destination_addr for _ in senders}
        assert answered == set(senders)


def read_to_the_end(reading: int) -> bytes:
    """Everything that comes, until the other end is closed."""
    octets = b""
    while piece := os.read(reading, 65_536):
        octets += piece
    return octets


async def test_a_reader_that_stalls(tmp_path: Path) -> None:
    """Nobody reads the log: SMS are answered as ever, SIGHUP is taken, and standard error says so. Who reads
    on finds whole lines, and in log.lost exactly how many are missing."""
    with stalled(tmp_path, 5) as (process, reading, port):
        await texted(port, 13_800_000_000, 400)
        process.send_signal(signal.SIGHUP)
        await texted(port, 13_900_000_000, 100)
        rest = asyncio.create_task(asyncio.to_thread(read_to_the_end, reading))
        await texted(port, 13_700_000_000, 10)
        process.send_signal(signal.SIGTERM)
        octets = await rest
        assert process.wait(PATIENCE) == 0
    lines = [json.loads(line) for line in octets.splitlines()]
    came = Counter(line["event"] for line in lines)
    [*_, lost] = [line["total"] for line in lines if line["event"] == "log.lost"]
    told = sum(came[name] for name in ("sms.handled", "sms.sent", "bind.accepted", "bind.closed"))
    assert lost > 0
    assert told + lost == 2 * 510 + 3 + 3
    assert (tmp_path / "stderr").read_text("utf-8").count("the log takes no lines") == 1


@pytest.mark.parametrize("shared", [False, True], ids=["a pipe each", "one pipe"])
async def test_stopped_while_the_reader_stalls(tmp_path: Path, *, shared: bool) -> None:
    """SIGTERM ends the process within its deadline with 0; standard error says how many lines are lost, and
    keeps nobody when it is stalled as well."""
    with stalled(tmp_path, 3, shared=shared) as (process, _, port):
        await texted(port, 13_800_000_000, 400)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 3) == 0
    if not shared:
        said = (tmp_path / "stderr").read_text("utf-8").splitlines()
        assert "lost at the end" in said[-1]


def test_no_standard_output(tmp_path: Path) -> None:
    """`serve >&-`: there is nowhere to log to, which is said with the remedy, before a port opens."""
    config = write_config(tmp_path, logging={"file": None})
    words = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" >&-', *words], capture_output=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        b"fetion-gateway: logging.file: standard output is closed: name a file in a writable folder\n"
    )


async def test_signals_without_end(tmp_path: Path) -> None:
    """Whoever stops it sends SIGTERM again and again: it ends once, in order, with exit code 0."""
    async with serving(write_config(tmp_path)) as gateway:
        while gateway.process.poll() is None:
            gateway.send(signal.SIGTERM)
            await asyncio.sleep(0.02)
        assert gateway.process.returncode == 0
