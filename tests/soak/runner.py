"""`python -m tests.soak.runner`: runs `fetion-gateway serve` with a controlled disk and wall clock."""

import argparse
import asyncio
import os
import signal
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from commands.model import LoadKeys, World
from gateway.app import Environment, Gateway
from gateway.cli.serve import new_event_loop
from gateway.clock import SystemClock
from gateway.message import Commit, Expected
from gateway.operations.logs import open_log
from gateway.settings import load
from gateway.storage.contract import Candidate, StoreFault
from gateway.storage.sqlite.store import SqliteStore
from gateway.testing import CHEAP
from tests.soak.controls import Controls, Disk

UNLIMITED = 1_073_741_823
"""SQLite's own limit of pages."""


class ControlledClock(SystemClock):
    """The machine's clocks, the wall clock moved as the controls say: by another process, while this runs."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return super().now_ms() + self._controls.offset_ms


class MovedStore(SqliteStore):
    """The real store on a disk that fails as the controls say. It always commits in a thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        super().__init__(path, connection, lock)
        self.controls: Controls | None = None
        self._full = False

    async def load(self, keys: LoadKeys, world: World) -> None:
        """Do as the real store, unless the disk fails."""
        self._try()
        await super().load(keys, world)

    async def expect(self, limit: int) -> Expected:
        """Do as the real store, unless the disk fails."""
        self._try()
        await self._free()
        self._make_room()
        return await super().expect(limit)

    async def candidates(self, digests: Iterable[bytes], now: int) -> list[Candidate]:
        """Do as the real store, unless the disk fails."""
        self._try()
        return await super().candidates(digests, now)

    def write(self, commit: Commit) -> None:
        """Do as the real store, unless the disk fails."""
        self._try()
        self._make_room()
        super().write(commit)

    def sync(self) -> None:
        """Do as the real store after the delay of the controls, unless the disk fails."""
        if self.controls is not None and self.controls.delay_ms:
            threading.Event().wait(self.controls.delay_ms / 1000)
        if self._disk is Disk.FAILS_AT_SYNC:
            self._roll_back()
            raise StoreFault("the disk fails at the sync, as the test wants it")
        super().sync()

    def _make_room(self) -> None:
        """Limit the pages as the controls say; then SQLite itself reports a full disk.

        Each operation that needs room calls this first, or the gateway would wait for room that is there.
        """
        full = self._disk is Disk.FULL
        if full is not self._full:
            self._full = full
            (pages,) = self._db.execute("PRAGMA page_count").fetchone()
            self._db.execute(f"PRAGMA max_page_count={pages if full else UNLIMITED}")

    @property
    def _disk(self) -> Disk:
        return Disk.WELL if self.controls is None else self.controls.disk

    def _try(self) -> None:
        if self._disk is Disk.FAILS:
            raise StoreFault("the disk fails, as the test wants it")


async def serve(config: Path, controls: Controls) -> None:
    """Run until SIGTERM."""

    def open_store(path: Path) -> SqliteStore:
        store = MovedStore.open(path)
        assert isinstance(store, MovedStore)
        store.slow = True
        store.controls = controls
        return store

    settings = load(config, os.environ)
    log = open_log(settings.logging)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    gateway = Gateway(
        settings,
        log,
        Environment(clock=ControlledClock(controls), hash_cost=CHEAP, open_store=open_store),
    )
    async with gateway:
        await stop.wait()
    log.close()


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--controls", type=Path, required=True)
    args = parser.parse_args()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(args.config, Controls(args.controls)))


if __name__ == "__main__":
    main()
