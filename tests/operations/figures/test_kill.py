"""kill -9 at random points of commits and folds: in the end every commit counts once."""

import asyncio
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from random import Random

import pytest

from gateway.observer import Observer
from gateway.operations.figures.consumer import UNHURRIED, FigureConsumer
from gateway.storage.figures import Amount, FigureKey, FigureQuery, Figures, Measure, PeriodKind
from gateway.storage.sqlite.reader import SqliteReader
from gateway.storage.sqlite.store import SqliteStore
from tests.support import START_MS

PROGRAM = """
import asyncio, sys
from datetime import date
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo
from commands.tables import InForce
from gateway.message import Commit
from gateway.observer import Observer
from gateway.operations.figures.consumer import UNHURRIED, FigureConsumer
from gateway.processing.figures import Counting
from gateway.storage.sqlite.store import SqliteStore
from tests.support import START_MS, received, tables

async def run():
    store = SqliteStore.open(Path(sys.argv[1]))
    counting = Counting(InForce(tables()), ZoneInfo("Asia/Shanghai"))
    consumer = FigureConsumer(store, lambda: date(2026, 1, 1), 400, print, Random(1), Observer(), UNHURRIED)
    number = store.run << 32
    print("ready", flush=True)
    while True:
        for _ in range(5):
            commit = Commit()
            for _ in range(20):
                number += 1
                source = str(13800000000 + number % 1000)
                commit.messages.append(received(number, source=source, at=START_MS + number % 7 * 86400000))
            counting.note(commit, 1)
            await store.commit(commit)
        await consumer.catch_up(3)

asyncio.run(run())
"""
ROUNDS = 12


@pytest.mark.long
def test_killed_at_random_points(tmp_path: Path) -> None:
    """A fold and its cursor are one commit, and so are an SMS and what it adds."""
    path, random = tmp_path / "fetion.db", Random(11)
    for _ in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(random.uniform(0.0, 0.3))
            process.kill()
    asyncio.run(_fold(path))
    with closing(SqliteReader.open(path)) as reader:
        rows = list(reader.journal())
        assert len(rows) > ROUNDS * 20
        found = reader.figures(
            FigureQuery(PeriodKind.DAY, Measure.UPLINK, "2000-01-01", "2100-01-01", by=("what",))
        )
        assert [(row.times, row.parts) for row in found] == [(len(rows), len(rows))]
        active = reader.figures(
            FigureQuery(PeriodKind.DAY, Measure.ACTIVE, "2000-01-01", "2100-01-01", {"way": ("",)})
        )
        assert active[0].times == len({(row.msisdn, (row.at - START_MS) // 86_400_000) for row in rows})


async def _fold(path: Path) -> None:
    store = SqliteStore.open(path)
    await FigureConsumer(
        store, lambda: date(2026, 1, 1), 400, print, Random(1), Observer(), UNHURRIED
    ).catch_up()
    assert (store.last_counted, await store.counted_after(0, 1)) == (await store.folded("figures"), [])
    await store.close()


REPLACING = """
import asyncio, sys
from pathlib import Path
from gateway.storage.sqlite.store import SqliteStore
from tests.operations.figures.test_kill import DAY, of_day

async def run():
    store = SqliteStore.open(Path(sys.argv[1]))
    print("ready", flush=True)
    n = 0
    while True:
        n += 1
        assert await store.replace_day(DAY, of_day(n % 2))

asyncio.run(run())
"""
DAY = "2007-03-01"


def of_day(half: int) -> Figures:
    """Three thousand customers, every second of them or the others."""
    mobiles = range(13_800_000_000 + half, 13_800_006_000, 2)
    key = FigureKey(DAY, "uplink", "200", "161", str(half), "done")
    return Figures({key: Amount(3000, 3000)}, {(DAY, str(each)): ("200", 1) for each in mobiles})


@pytest.mark.long
def test_killed_while_a_day_is_replaced(tmp_path: Path) -> None:
    """The day is whole, or it is marked, and the next rebuild makes it whole."""
    path, random, marked = tmp_path / "fetion.db", Random(12), 0
    for _ in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", REPLACING, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(random.uniform(0.05, 0.3))
            process.kill()
        with closing(SqliteReader.open(path)) as reader:
            if reader.incomplete_days(DAY, DAY):
                marked += 1
                asyncio.run(_replace(path))
            query = FigureQuery(PeriodKind.DAY, Measure.UPLINK, DAY, DAY)
            assert [row.times for row in reader.figures(query)] in ([], [3000])
            query = FigureQuery(PeriodKind.DAY, Measure.ACTIVE, DAY, DAY, {"way": ("",)})
            assert [row.times for row in reader.figures(query)] in ([], [3000])
            assert reader.incomplete_days(DAY, DAY) == []
    assert marked


async def _replace(path: Path) -> None:
    store = SqliteStore.open(path)
    assert await store.replace_day(DAY, of_day(0), await store.day_state(DAY))
    await store.close()
