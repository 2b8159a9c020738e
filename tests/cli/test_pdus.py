"""`pdus` beside a gateway that runs as a process: what is seen, what never is, and how it ends."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.cli.main import main
from gateway.cli.pdus import line_of
from tests.proofs.served import (
    PATIENCE,
    Served,
    accepted,
    bind,
    delivered,
    raw,
    serving,
    sms,
    text_of,
    write_config,
)

ALICE = "13800138000"
SHANGHAI = ZoneInfo("Asia/Shanghai")


class Pdus:
    """`fetion-gateway pdus` as a process, watching."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        """The next line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self.process.stdout.readline()).decode()

    async def until(self, text: str) -> list[str]:
        """The lines up to the first one with that text."""
        lines = [await self.line()]
        while text not in lines[-1]:
            assert lines[-1], lines
            lines.append(await self.line())
        return lines


@asynccontextmanager
async def watching(served: Served, *words: str) -> AsyncIterator[Pdus]:
    """Start it and wait until it watches."""
    command = [
        sys.executable,
        "-m",
        "gateway",
        "pdus",
        "--config",
        str(served.folder / "config.yaml"),
        *words,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    pdus = Pdus(process)
    try:
        await pdus.until("watching")
        yield pdus
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_passwords_never_appear(tmp_path: Path) -> None:
    """Over a real session: ordinary texts are seen; those with a password, generated or set, are not, nor
    the password of the bind, neither as text nor as octets."""
    config = write_config(tmp_path)
    watched = ("--connection", "127.0.0.1", "--json", "--hex")
    async with serving(config) as served, watching(served, *watched) as pdus:
        async with await bind(served.port) as handset:
            await accepted(handset, sms(ALICE, "161", "KTFX"))
            welcome = text_of(await delivered(handset))
            await accepted(handset, sms(ALICE, "12520", "P"))
            generated = text_of(await delivered(handset))
            await accepted(handset, sms(ALICE, "12520050", "hello77"))
            await delivered(handset)
            await accepted(handset, sms(ALICE, "12520", "P secret9"))
            await delivered(handset)
        told = "".join(await pdus.until("closed: unbound"))
    drawn = re.search(r"[a-z0-9]{8}", generated)
    assert drawn is not None, generated
    assert "KTFX" in told
    assert welcome in told
    for secret in ("fetion16", "hello77", "secret9", drawn[0]):
        for spelled in (secret, secret.encode().hex(), secret.encode("utf-16-be").hex()):
            assert spelled not in told
    names = [json.loads(line).get("pdu", {}).get("command") for line in told.splitlines()]
    assert names[:2] == ["bind_transceiver", "bind_transceiver_resp"]
    assert (names.count("submit_sm"), names.count("deliver_sm_resp")) == (4, 4)


async def test_an_account_in_lines(tmp_path: Path) -> None:
    """One line a PDU in both directions, what is broken with the reason; the command ends with its time."""
    config = write_config(tmp_path)
    async with serving(config) as served, watching(served, "--account", "smsc", "--seconds", "2") as pdus:
        async with await bind(served.port) as handset:
            await accepted(handset, sms(ALICE, "161", "KTFX"))
            await delivered(handset)
        broken = b"\0\0\0\x14\0\0\0\x04\0\0\0\0\0\0\0\x07abcd"
        await raw(served.port, broken, system_id="smsc")
        lines = await pdus.until("shown")
        assert await pdus.process.wait() == 0
    assert re.search(r"^\d\d:\d\d:\d\d\.\d{3}  in  127\.0\.0\.1:\d+  submit_sm 2 source_addr=", lines[1])
    assert "text='KTFX'" in lines[1]
    assert any("submit_sm 7" in line and "(broken: service_type: no NUL)" in line for line in lines)
    assert re.fullmatch(r"\d+ shown, 0 not shown\n", lines[-1])


async def test_it_is_off_when_the_client_is_gone(tmp_path: Path) -> None:
    """Killed clients leave no watch: more of them than may watch at a time, one after the other."""
    config = write_config(tmp_path)
    async with serving(config) as served:
        for _ in range(6):
            async with watching(served, "--account", "smsc") as pdus:
                assert pdus.process.returncode is None


async def test_the_gateway_ends(tmp_path: Path) -> None:
    """A watch that outlives the gateway says so, and exits with 1."""
    config = write_config(tmp_path)
    async with serving(config) as served, watching(served, "--account", "smsc") as pdus:
        assert await served.stop() == 0
        async with asyncio.timeout(PATIENCE):
            _, told = await pdus.process.communicate()
        assert pdus.process.returncode == 1
        assert told.startswith(b"fetion-gateway: the gateway has ended, or nothing was read")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--account", "a", "--connection", "b"],
        *(["--account", "a", "--seconds", each] for each in ("0", "x", "1.5", "86401", "９")),
    ],
)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One of the two, never none or both; a time is a whole number of seconds."""
    with pytest.raises(SystemExit) as left:
        main(["pdus", *words])
    assert left.value.code == 2
    assert ("--seconds" if "--seconds" in words else "--account") in capsys.readouterr().err


def test_no_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a gateway: what to start, exit 1."""
    config = write_config(tmp_path)
    assert main(["pdus", "--account", "smsc", "--config", str(config)]) == 1
    assert "fetion-gateway serve, or name another one" in capsys.readouterr().err


def test_nothing_of_a_peer_moves_the_cursor() -> None:
    """Control characters of addresses and texts are escaped."""
    pdu: dict[str, Any] = {
        "at": 7,
        "remote": "10.0.0.1:1",
        "direction": "in",
        "command": "submit_sm",
        "command_status": None,
        "sequence_number": 1,
        "fields": {"source_addr": "\x1b[2J\x9b", "short_message": {"octets": 1}},
        "tlvs": {"callback_num": [{"octets": 4}]},
        "text": "\r\n",
        "hidden": "",
    }
    assert line_of(pdu, SHANGHAI) == (
        "08:00:00.007  in  10.0.0.1:1  submit_sm 1 source_addr=\\x1b[2J\\x9b short_message=1 octets"
        " callback_num=[4 octets] text='\\r\\n'"
    )


async def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    """Without a word on standard error, and with the exit code of Ctrl-C."""
    config = write_config(tmp_path)
    async with serving(config) as served, watching(served, "--account", "smsc") as pdus:
        pdus.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE):
            _, told = await pdus.process.communicate()
        assert (pdus.process.returncode, told) == (130, b"")
