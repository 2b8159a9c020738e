"""The command `smsc`: a process of its own, to which an ESME binds."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.simulator.errors import BindRefusedError
from gateway.simulator.esme import Esme
from gateway.smpp.pdus import SubmitSm
from tests.ports import free_port

ALICE = "13800138000"


@asynccontextmanager
async def centre(*words: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run the command on a free port until the end of the block."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "smsc", "--port", str(port), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        assert await process.stderr.readline() == b"the SMS centre listens on 127.0.0.1:%d\n" % port
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_prints_each_sms_and_ends_with_a_signal() -> None:
    """An SMS is one line, as JSON an object; the end tells what happened, and is exit code 0."""
    async with centre("--json", "--account", "esme:pw") as (process, port):
        with pytest.raises(BindRefusedError):
            await Esme.connect("127.0.0.1", port, "esme", "wrong")
        async with await Esme.connect("127.0.0.1", port, "esme", "pw") as client:
            await client.submit(
                SubmitSm(source_addr="161", destination_addr="13800138000", short_message=b"hi\x1b[2J")
            )
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
        found = json.loads(out)
        assert re.fullmatch(r"smsc-\d+", found.pop("message_id"))
        assert found.pop("time").endswith("Z")
        assert (found["from"], found["to"]) == ("161", "13800138000")
        assert found["text"].startswith("hi")
        assert b"\x1b" not in out
        assert b"the SMS centre has ended: binds 1, binds refused 1" in err
        assert process.returncode == 0


async def test_faults_and_plain_lines(tmp_path: Path) -> None:
    """--faults is in force, and an SMS is a line for people."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("throttle: {until: 2}\n", "utf-8")
    async with centre("--faults", str(faults)) as (process, port):
        async with await Esme.connect("127.0.0.1", port, "esme", "pw") as client:
            request = SubmitSm(source_addr="161", destination_addr="13800138000", short_message=b"hi")
            assert [(await client.submit(request)).command_status for _ in range(2)] == [0x58, 0]
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
        assert re.fullmatch(r" +\d+\.\d{3} s +161 -> 13800138000 +hi\n", out.decode())


async def test_what_it_passes_on_is_printed_too() -> None:
    """An SMS of a handset that is an ESME goes to the service, and the answer to it: a line for each."""
    async with centre("--json") as (process, port):
        async with (
            await Esme.connect("127.0.0.1", port, "service", "pw") as service,
            await Esme.connect("127.0.0.1", port, "phone", "pw", address_range=ALICE) as phone,
        ):
            await phone.submit(SubmitSm(source_addr=ALICE, destination_addr="161", short_message=b"KTFX"))
            await service.submit(SubmitSm(source_addr="161", destination_addr=ALICE, short_message=b"hi"))
        process.send_signal(signal.SIGTERM)
        out, _ = await process.communicate()
        shown = [json.loads(line) for line in out.splitlines()]
        assert [(each["from"], each["to"], each["text"]) for each in shown] == [
            (ALICE, "161", "KTFX"),
            ("161", ALICE, "hi"),
        ]
        assert all(each["message_id"] for each in shown)


def test_what_cannot_start_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong file and a host that is not there: one line, exit code 1."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("swalow: {}\n", "utf-8")
    assert main(["smsc", "--port", "2776", "--faults", str(faults)]) == 1
    assert "did you mean 'swallow'" in capsys.readouterr().err
    assert main(["smsc", "--port", "2776", "--host", "192.0.2.1"]) == 1
    assert "cannot listen on 192.0.2.1:2776" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["smsc", "--port", "2776", "--account", "nobody"])
    assert "ID:PASSWORD" in capsys.readouterr().err
