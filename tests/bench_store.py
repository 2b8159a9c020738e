"""What a batch costs in a store of many customers: `python -m tests.bench_store --customers 1000000`.

Makes a store with so many customers, then works batches of 100 SMS from random ones: load them, change the
nickname of each (`--read`: nothing), commit with journal, reply and the closing of the batch before. Between
two batches the processor works as long as the rest of the gateway would (`--rest`). Prints rate, percentiles
of load and commit together, and the longest of them.
"""

import argparse
import asyncio
import gc
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from commands.model import LoadKeys, World
from gateway.message import Commit, Delivery, MobileTerminated
from gateway.storage.sqlite.store import SqliteStore
from tests.support import START_MS, leaving, received

BATCH = 100
FIRST = 13_000_000_000
WARM = 50
"""Batches that are not counted."""

FILL = """
WITH RECURSIVE every (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM every WHERE n + 1 < :customers)
INSERT INTO customer (msisdn, fetion_number, state, account, spelling, ton, npi, doc)
SELECT :first + n * 150, 400000000 + (n / 1024 * 7919 % 585937) * 1024 + n % 1024, 'open', 'smsc',
    '86' || (:first + n * 150), 1, 1, '{"opened_at":1795764924600,"nickname":"' || hex(n) || '"}'
FROM every
"""
"""Mobiles stand apart, as they do; Fetion numbers in blocks."""


def make(path: Path, customers: int) -> None:
    """A store with so many customers, its log empty."""
    store = SqliteStore.open(path)
    store._db.execute("PRAGMA synchronous=OFF")
    store._db.execute(FILL, {"customers": customers, "first": FIRST})
    store.release()
    os.sync()


async def measure(path: Path, options: argparse.Namespace) -> list[float]:
    """Seconds of load and commit, a figure for each batch."""
    store = SqliteStore.open(path)
    store.slow = False
    random, times = Random(options.seed), []
    before: list[MobileTerminated] = []
    number = store.run << 32
    gc.collect()
    gc.freeze()
    for _ in range(options.batches + WARM):
        chosen = [str(FIRST + random.randrange(options.customers) * 150) for _ in range(BATCH)]
        messages = [received(number + 2 * n, source=msisdn) for n, msisdn in enumerate(chosen)]
        replies = [leaving(number + 2 * n + 1, msisdn, "x" * 40) for n, msisdn in enumerate(chosen)]
        number += 2 * BATCH
        start = time.perf_counter()
        world = World()
        await store.load(LoadKeys(set(chosen)), world)
        for msisdn in () if options.read else chosen:
            world.edit(msisdn).nickname = f"{number:x}"  # another one: SQLite writes no page without a change
        world.accept()
        customers = world.changed_customers.values()
        await store.commit(Commit(messages=messages, customers=customers, outgoing=replies, closed=before))
        times.append(time.perf_counter() - start)
        before = replies
        for sms in before:
            sms.state, sms.closed_at, sms.attempts, sms.parts_done = Delivery.SENT, START_MS, 1, 1
        end = time.perf_counter() + options.rest * BATCH / 1e6
        while time.perf_counter() < end:
            sum(range(100))
    await store.close()
    return times[WARM:]


def main() -> int:
    """Print a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--batches", type=int, default=1_000)
    parser.add_argument("--read", action="store_true", help="customers are loaded only")
    parser.add_argument("--rest", type=float, default=40.0, help="microseconds of other work an SMS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, help="a file that is kept, and made where there is none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.store or Path(folder) / "fetion.db"
        if not path.exists():
            make(path, options.customers)
        times = sorted(asyncio.run(measure(path, options)))
    rate = BATCH * len(times) / (sum(times) + len(times) * options.rest * BATCH / 1e6)
    p50, p95, p99 = (times[int(len(times) * share)] * 1e3 for share in (0.5, 0.95, 0.99))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{options.customers:>11,} customers {rate:8,.0f} SMS/s  batch p50 {p50:.1f}  p95 {p95:.1f}"
        f"  p99 {p99:.1f}  max {times[-1] * 1e3:.1f} ms  {memory:.0f} MB\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
