"""node-smpp, an implementation of its own: the SMS centre that a link dials, and a client of the listener."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.simulator.handset import Handset
from gateway.testing import RunningGateway, running_gateway

ALICE, BOB = "13800138000", "13900139000"
LONG = "飞信让沟通更简单，" * 20
SCRIPT = Path(__file__).with_name("node_peer.js")
PATIENCE = 10.0

FOLDERS = (Path("/usr/lib/node_modules"), Path("/usr/local/lib/node_modules"))
"""Where `npm install -g` puts modules."""


MODULES = next((each for each in FOLDERS if (each / "smpp").is_dir()), None) if shutil.which("node") else None

pytestmark = pytest.mark.skipif(MODULES is None, reason="node-smpp is not installed (npm install -g smpp)")


class Node:
    """A running node_peer.js."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[dict[str, Any]] = []

    async def hear(self, key: str) -> dict[str, Any]:
        """The oldest line with this key."""
        assert self._process.stdout is not None
        while True:
            for each in self._said:
                if key in each:
                    self._said.remove(each)
                    return each
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
            assert line, "node has ended"
            self._said.append(json.loads(line))
            assert "error" not in self._said[-1], line

    async def send(self, source: str, destination: str, text: str) -> None:
        """Send an SMS, and hear that it is taken."""
        assert self._process.stdin is not None
        line = json.dumps({"source": source, "destination": destination, "text": text})
        self._process.stdin.write(line.encode("ascii") + b"\n")
        assert (await self.hear("answered"))["answered"] == 0

    async def sms(self) -> tuple[str, str, str]:
        """The next SMS that came: from whom, to whom, and the whole text of all its parts."""
        came = [await self.hear("text")]
        while came[0]["part"] and len(came) < came[0]["part"][-2]:
            came.append(await self.hear("text"))
        came.sort(key=lambda each: int(each["part"][-1]) if each["part"] else 0)
        return came[0]["source"], came[0]["destination"], "".join(each["text"] for each in came)


@asynccontextmanager
async def node(*words: str) -> AsyncIterator[Node]:
    """Run it."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NODE_PATH": str(MODULES)},
    )
    try:
        yield Node(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_as_a_client_of_the_listener(
    gateway: RunningGateway, handset: Callable[[str], Awaitable[Handset]]
) -> None:
    """It binds, opens the service for a handset, and gets a long chat in parts."""
    account = gateway.account
    bob = await handset(BOB)
    await bob.send("KTFX", to="161")
    await bob.expect("飞信号")
    async with node("client", str(account.port), account.system_id, account.password, ALICE) as peer:
        assert (await peer.hear("bound"))["status"] == 0
        await peer.send(ALICE, "161", "KTFX")
        assert "飞信号" in (await peer.sms())[2]
        await peer.send(ALICE, "12520", f"HY#{BOB}#小爱")
        question = await bob.expect("小爱")
        await bob.send("是", to=question.sender)
        assert BOB in (await peer.sms())[2]
        await peer.sms()
        await bob.send(LONG, to=f"12520{ALICE}")
        assert await peer.sms() == (f"12520{BOB}", ALICE, LONG)


async def test_as_the_centre_of_a_link(tmp_path: Path) -> None:
    """A link dials it; its SMS are answered, and replies leave to it as submit_sm."""
    async with node("server") as peer:
        port = (await peer.hear("listening"))["listening"]
        link = {"name": "node", "host": "127.0.0.1", "port": port, "system_id": "fetion", "password": "pw"}
        async with running_gateway(tmp_path, {"smpp": {"links": [link]}}):
            assert (await peer.hear("bound"))["bound"] == "fetion"
            await peer.send(ALICE, "161", "KTFX")
            source, destination, text = await peer.sms()
            assert (source, destination) == ("161034", ALICE)
            assert "飞信号" in text
