"""SMS come first: how much of the time folding takes."""

import asyncio
import itertools
from datetime import date
from pathlib import Path
from random import Random

import pytest

from gateway.message import FIGURES, Commit, StoredEvent
from gateway.observer import Observer
from gateway.operations.figures.consumer import (
    LONGEST_REST,
    NAME,
    SHARE,
    SHARE_WHEN_BUSY,
    FigureConsumer,
    Pace,
)
from gateway.processing.figures import Tally
from gateway.storage.contract import Store
from gateway.storage.memory import MemoryStores
from tests.proofs.served import until

DAY = "2007-06-01"


@pytest.mark.parametrize(("busy", "share"), [(False, SHARE), (True, SHARE_WHEN_BUSY)])
def test_a_fold_is_paid_by_a_rest(busy: bool, share: float) -> None:
    """Fold and rest together are as long as the share says."""
    pace = Pace(lambda: busy, lambda: 10.0)
    assert 0.125 / (0.125 + pace.rest(9.875)) == pytest.approx(share)


@pytest.mark.parametrize("busy", [False, True])
def test_a_slow_store_makes_no_long_rest(busy: bool) -> None:
    """A fold that lasted an hour, as the clock has it."""
    assert Pace(lambda: busy, lambda: 3_600.0).rest(0.0) == LONGEST_REST


async def test_who_replaces_a_day_makes_no_rest() -> None:
    """What was waited for him is no folding."""
    now = [100.0]
    pace = Pace(lambda: True, lambda: now[0])
    store = MemoryStores().open_store(Path("store"))
    consumer = FigureConsumer(store, lambda: date(2007, 6, 1), 400, print, Random(1), Observer(), pace)
    await commit(store, 0)
    await consumer.folding.acquire()
    folding = asyncio.create_task(consumer.catch_up())
    await asyncio.sleep(0)
    now[0] += 3_600.0
    consumer.folding.release()
    async with asyncio.timeout(LONGEST_REST / 2):
        await folding
    assert consumer.backlog == 0


async def commit(store: Store, first: int) -> None:
    """Two hundred customers who were active."""
    tally = Tally()
    tally.amounts[DAY, "uplink", "200", "161", "", "done"] = [200, 200]
    tally.active[DAY, "200"] = {str(13_800_000_000 + first + n): 1 for n in range(200)}
    event = StoredEvent(0, 0, "", "", "", FIGURES, "counted", 0, tally.data())
    await store.commit(Commit(events=[event]))


async def test_a_stop_waits_for_no_rest() -> None:
    """While the loop is busy the next fold comes late; the stop folds what is left at once."""
    seconds = itertools.count(0.0, 1000.0)
    pace = Pace(lambda: True, lambda: next(seconds))
    store = MemoryStores().open_store(Path("store"))
    consumer = FigureConsumer(store, lambda: date(2007, 6, 1), 400, print, Random(1), Observer(), pace)
    for n in range(3):
        await commit(store, 1000 * n)
    consumer.start()
    await until(lambda: consumer.backlog == 2, "the first fold")
    await consumer.close(5.0)
    assert consumer.backlog == 0
    assert await store.folded(NAME) == store.last_counted == 3
