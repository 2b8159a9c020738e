"""A gateway in a process of its own."""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.channels.smpp.settings import SHIPPED_ACCOUNT
from gateway.testing import configuration

ROOT = Path(__file__).parent.parent.parent
START_WITHIN = 30.0
STOP_WITHIN = 30.0

SERVE = (sys.executable, "-m", "gateway", "serve")
"""The command that operators use."""

RUNNER = (sys.executable, "-m", "tests.crash.runner")
"""The same with a store that can die."""


def write_config(folder: Path, url: str = "", **account: object) -> Path:
    """Configure a gateway as shipped, but on a free port and with its store in `folder`; it logs to standard
    output, which GatewayProcess keeps. url: of another store. account: overrides what the shipped account
    has."""
    return configuration.write_config(
        folder,
        {
            "smpp": {"accounts": [{**SHIPPED_ACCOUNT, **account}]},
            "storage": {
                "url": url or f"sqlite:///{store_path(folder)}",
                "key_file": str(folder / "fetion.key"),
            },
            "logging": {"format": "json"},
            # A handset of the load writes as much in a second as a person does in a day.
            "limits": {
                "instructions_per_minute": 10_000,
                "sms_per_day": 1_000_000,
                "sms_per_month": 1_000_000,
            },
        },
    )


def store_path(folder: Path) -> Path:
    """Where write_config puts the store."""
    return folder / "fetion.db"


class GatewayProcess:
    """One run of a gateway; make it with `start`, end it with `stop`, or see it die with `died`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(), name="log of the gateway")

    @classmethod
    async def start(cls, command: Sequence[str], log: Path) -> "GatewayProcess":
        """Start it and wait until it listens. Its log is appended to `log`."""
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        gateway = cls(process, log)
        try:
            async with asyncio.timeout(START_WITHIN):
                await asyncio.shield(gateway._port)
        except BaseException:
            await gateway.end()
            raise
        return gateway

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port.result()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def kill(self) -> None:
        """kill -9, from outside."""
        if self._process.returncode is None:
            self._process.kill()

    async def died(self) -> int:
        """Wait for its end; gives the return code."""
        async with asyncio.timeout(STOP_WITHIN):
            code = await self._process.wait()
            await self._reader
        return code

    async def end(self) -> None:
        """See to it that it does not run any more."""
        self.kill()
        await self.died()

    async def stop(self) -> int:
        """SIGTERM, and its return code."""
        self._process.send_signal(signal.SIGTERM)
        return await self.died()

    async def _read(self) -> None:
        """Keep its output flowing, and find the port in it."""
        assert self._process.stdout is not None
        with self._log.open("ab") as log:
            async for line in self._process.stdout:
                log.write(line)
                if b'"event":"sms.' not in line:
                    log.flush()  # a test may wait for it
                if not self._port.done() and b'"gateway.ready"' in line:
                    self._port.set_result(int(json.loads(line)["smpp_port"]))
        if not self._port.done():
            self._port.set_exception(RuntimeError(f"it did not start: {self._log.read_text('utf-8')}"))
