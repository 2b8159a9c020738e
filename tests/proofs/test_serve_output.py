"""`serve` with a standard output that goes away."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.proofs.served import PATIENCE, accepted, bind, sms, until, write_config


def port_in(reading: int) -> int:
    """The port, from the line gateway.ready in a pipe."""
    told = b""
    while not told.endswith(b"\n") or b"gateway.ready" not in told:
        octets = os.read(reading, 65_536)
        assert octets, told
        told += octets
    return int(json.loads(told.splitlines()[-1])["smpp_port"])


def started(config: Path, stdout: int, stderr: Path) -> "subprocess.Popen[bytes]":
    """`serve` with its output going there."""
    words = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
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
