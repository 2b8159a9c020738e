"""What a commit of 100 SMS costs on PostgreSQL: `python -m tests.bench_nodes`.

Loads 100 random customers, changes each, and commits them with journal, reply and the closing of the batch
before: alone (no name), and as one named node of a store, in turns on one server, so that what else the
machine does meets both.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from commands.model import LoadKeys, World
from gateway.message import Commit, Delivery, MobileTerminated, Watermark
from gateway.storage.postgresql.store import PostgresStore
from tests.postgresql import shared, url_of
from tests.support import START_MS, leaving, received

BATCH = 100
FIRST = 13_000_000_000
WARM = 30
SETTLED = 40
"""The watermark follows so many batches behind."""
GRAIN = 10
"""Batches between two of its steps: it moves once a second."""


class Bench:
    """One store and its batches."""

    def __init__(self, open_store: Callable[[], PostgresStore], customers: int, seed: int) -> None:
        self.store = open_store()
        self.times: list[tuple[float, float]] = []
        self._customers = customers
        self._random = Random(seed)
        self._number = (getattr(self.store, "node", 0) << 56) | (self.store.run << 32)
        self._before: list[MobileTerminated] = []

    async def batch(self) -> None:
        """Load, change, commit; notes the seconds of both."""
        store, number = self.store, self._number
        chosen = [str(FIRST + self._random.randrange(self._customers)) for _ in range(BATCH)]
        rows = [
            received(number + 2 * n, source=who, digest=(number + n).to_bytes(16, "big"))
            for n, who in enumerate(chosen)
        ]
        replies = [leaving(number + 2 * n + 1, who, "x" * 40) for n, who in enumerate(chosen)]
        begin = time.perf_counter()
        await store.load(LoadKeys(set(chosen)), world := World())
        loaded = time.perf_counter()
        for who in chosen:
            world.edit(who).nickname = f"{number:x}"
        world.accept()
        commit = Commit(rows, world.changed_customers.values(), outgoing=replies, closed=self._before)
        if len(self.times) % GRAIN == 0:
            commit.settled = Watermark(max(number - 2 * BATCH * SETTLED, 0), START_MS)
        if hasattr(world, "revisions"):
            commit.revisions = world.revisions
        committing = time.perf_counter()
        await store.commit(commit)
        self.times.append((loaded - begin, time.perf_counter() - committing))
        self._number += 2 * BATCH
        self._before = replies
        for sms in replies:
            sms.state, sms.closed_at, sms.attempts, sms.parts_done = Delivery.SENT, START_MS, 1, 1


async def measure(options: argparse.Namespace) -> None:
    """Print a line for each."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        ways = {
            "alone": lambda: PostgresStore.open(url_of(Path(one))),
            "named": lambda: PostgresStore.open(url_of(Path(other)), "a", 60),
        }
        names = [options.only] if options.only else list(ways)
        benches = {name: Bench(ways[name], options.customers, 1) for name in names}
        for _ in range(options.batches + WARM):
            for bench in benches.values():
                await bench.batch()
        for name, bench in benches.items():
            load, commit = zip(*bench.times[WARM:], strict=True)
            figures = [f"{statistics.median(each) * 1e3:.2f} ms" for each in (load, commit)]
            sys.stdout.write(
                f"{name}: load {figures[0]}, commit {figures[1]} (medians of {options.batches})\n"
            )
            await bench.store.close()


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--batches", type=int, default=300)
    parser.add_argument("--only", choices=["alone", "named"], help="one of them")
    asyncio.run(measure(parser.parse_args()))
    shared().stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
