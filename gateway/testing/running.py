"""A gateway with a fresh store on a free port, whose clock a test moves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from math import ceil
from pathlib import Path
from random import Random
from typing import Any, Final

from gateway.app import Environment, Gateway
from gateway.operations.logs import Log, open_log
from gateway.secrets import HashCost
from gateway.settings import load
from gateway.simulator.handset import Account, Centre, Handset
from gateway.simulator.transcript import Transcript
from gateway.storage import engines
from gateway.storage.contract import Store
from gateway.testing.clock import FakeClock
from gateway.testing.configuration import write_config

LOG_NAME: Final = "gateway.log"
_IN_THE_FOLDER: Final[Mapping[str, Any]] = {
    "storage": {"url": "sqlite:///fetion.db", "key_file": "fetion.key"},
    "logging": {"file": LOG_NAME, "format": "json", "level": "debug"},
}
CHEAP: Final = HashCost(passes=1, memory_kib=64)
"""Cost of a password hash in tests: next to nothing."""

PATIENCE: Final = 5.0
"""Seconds to wait for what should take milliseconds, such as the response of a peer."""

GLANCE: Final = 0.001
"""Seconds between two polls of a condition that has no event."""


class RunningGateway:
    """A gateway, its clock, and the handsets that talk to it. Made by running_gateway.

    app: the gateway itself. account: address and account to bind with; without a name where the configuration
    has only links. folder: holds store, key and log.
    conversation: every SMS that a handset of it sent or got, with the time on `clock`.
    """

    def __init__(self, app: Gateway, clock: FakeClock, account: Account, folder: Path, log: Log) -> None:
        self.app = app
        self.clock = clock
        self.account = account
        self.folder = folder
        self.conversation = Transcript({}, clock.monotonic)
        self._log = log
        self._centres = contextlib.AsyncExitStack()

    async def handset(self, msisdn: str) -> Handset:
        """Connect a handset with a bind of its own, whose address_range is its number; close() ends it.

        Raises ValueError for a number that is not a mobile of 11 digits, and where there is no account.
        """
        __tracebackhide__ = True  # a test shows its own line
        if not self.account.system_id:
            raise ValueError(
                "smpp.accounts is empty: a handset cannot bind at this gateway; let an SMS centre deliver its"
                " SMS (the fixture smsc)"
            )
        if not (len(msisdn) == 11 and msisdn.isascii() and msisdn.isdigit() and msisdn.startswith("1")):
            raise ValueError(f"{msisdn!r} is no mobile number of 11 digits")
        watch = self.conversation.add
        connecting = Centre.connect(self.account, [msisdn], address_range=msisdn, watch=watch)
        centre = await self._centres.enter_async_context(await connecting)
        return centre.handsets[msisdn]

    async def advance(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Move the gateway's clock forward, with all effects: deadlines, retries, expiry, quotas.

        Each retry that falls due on the way happens at its time. Returns when the gateway is idle again.
        """
        span = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        end = self.clock.now_ms() + round(span * 1000)
        await self.settle()
        while True:
            while not self.app.pipeline.idle:  # something has come since: no clock moves in a store call
                await self.settle()
            now = self.clock.now_ms()
            retry = self.app.outbox.next_retry()
            due = end if retry is None else now + ceil((retry - self.clock.monotonic()) * 1000)
            self.clock.move_to(due if now < due < end else end)
            await self._pass_time()
            if self.clock.now_ms() >= end:
                return

    async def advance_seconds(self, seconds: float) -> None:
        """Do the same in seconds only (gateway.simulator.runner.Advance)."""
        await self.advance(seconds=seconds)

    async def settle(self) -> None:
        """Wait until the gateway has processed all input, and peers have answered all SMS sent.

        Waits PATIENCE seconds for responses. Raises what a task of the gateway raised.
        """
        drained = asyncio.create_task(self.app.drained())
        failed = asyncio.create_task(self.app.failed())
        done, pending = await asyncio.wait(
            (drained, failed), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    def log_file(self) -> Path:
        """Return the path of the log, after what the gateway has said so far is in it."""
        self._log.written(PATIENCE)
        return self.folder / LOG_NAME

    async def close(self) -> None:
        """Unbind every handset."""
        await self._centres.aclose()

    async def _pass_time(self) -> None:
        """Let sessions, then the gateway, check the moved clock."""
        self.app.tick_connections()
        # Each session asks its silent peer whether it lives; the next move must find that answered.
        for _ in range(int(PATIENCE / GLANCE)):
            if not self.app.asking:
                break
            await asyncio.sleep(GLANCE)
        await self.app.tick(housekeeping=True)
        await self.settle()


@contextlib.asynccontextmanager
async def running_gateway(
    folder: Path,
    config: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    open_store: Callable[[Path], Store] = engines.open_store,
) -> AsyncIterator[RunningGateway]:
    """Run a gateway on a free port that writes below `folder`, with cheap password hashes and a FakeClock.

    config: sections as in config.yaml, over the defaults. seed: of Fetion numbers and passwords, which are
    the same in each run. open_store: MemoryStores().open_store (gateway.storage.memory) needs no disk. Raises
    TableError for a wrong config, OSError.
    """
    settings = load(write_config(folder, _IN_THE_FOLDER, config or {}), {})
    clock = FakeClock()
    account = settings.smpp.default_account
    names = ("", "") if account is None else (account.system_id, account.password)
    log = open_log(settings.logging, clock=lambda: clock.now_ms() / 1000)
    environment = Environment(
        clock=clock, random=Random(seed), choice=Random(seed).choice, hash_cost=CHEAP, open_store=open_store
    )
    gateway = Gateway(settings, log, environment)
    try:
        async with gateway:
            where = Account(settings.smpp.listen.host, gateway.port, *names)
            running = RunningGateway(gateway, clock, where, folder, log)
            try:
                yield running
            finally:
                await running.close()
    finally:
        log.close()
