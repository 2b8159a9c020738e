"""SMS come first: how much of the time folding takes."""

import itertools
from datetime import date
from pathlib import Path
from random import Random

import pytest

from gateway.message import FIGURES, Commit, StoredEvent
from gateway.observer import Observer
from gateway.operations.figures.consumer import NAME, SHARE, SHARE_WHEN_BUSY, FigureConsumer, Pace
from gateway.processing.figures import Tally
from gateway.storage.contract import Store
from gateway.storage.memory import MemoryStores
from tests.proofs.served import until

DAY = "2007-06-01"


@pytest.mark.parametrize(("busy", "share"), [(False, SHARE), (True, SHARE_WHEN_BUSY)])
def test_a_fold_is_paid_by_a_rest(busy: bool, share: float) -> None:
    """Fold and rest together are as long as the share says."""
    pace = Pace(lambda: busy, lambda: 10.0)
    assert 2.0 / (2.0 + pace.rest(8.0)) == pytest.approx(share)


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
