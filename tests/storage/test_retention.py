"""What is older than storage.retention goes; what is still needed stays, however old it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from gateway.message import Commit, Delivery, MobileTerminated, ProductRecord, Watermark
from gateway.processing.forgetting import FORGOTTEN
from gateway.storage.contract import StoreFault
from gateway.storage.sqlite.store import SqliteStore
from gateway.testing import NOON, running_gateway
from tests.proofs.served import accepted, bind, delivered, lines, rows, sms
from tests.support import ALICE, BOB, START_MS, at_once, leaving, received, store_at

DAY_MS = 86_400_000
LATER = START_MS + 90 * DAY_MS


@contextmanager
def opened(folder: Path) -> Iterator[SqliteStore]:
    """The store of a folder."""
    store = store_at(folder / "fetion.db")
    try:
        yield store
    finally:
        store.release()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    with opened(tmp_path) as store:
        yield store


def put(store: SqliteStore, commit: Commit) -> None:
    """Write it, durably."""
    at_once(store.commit(commit))


def closed(number: int, state: Delivery = Delivery.SENT, at: int = START_MS) -> MobileTerminated:
    """An SMS that left, or did not."""
    sms = leaving(number)
    sms.state, sms.closed_at = state, at
    return sms


LEFT = {
    "journal": "SELECT number FROM journal ORDER BY number",
    "outbox": "SELECT number FROM outbox ORDER BY number",
    "product_record": "SELECT cause FROM product_record ORDER BY cause",
}


def numbers(store: SqliteStore, table: str) -> list[int]:
    """What is left."""
    return [row[0] for row in store._db.execute(LEFT[table])]


def fill(store: SqliteStore, count: int) -> None:
    """Messages with even numbers, an SMS that was sent behind each of them, and a product record for each."""
    out = [closed(number) for number in range(1, 2 * count, 2)]
    put(
        store,
        Commit(
            messages=[received(number) for number in range(0, 2 * count, 2)],
            outgoing=out,
            products=[
                ProductRecord(number, ALICE, "MCHAT", "order", START_MS, trial=False, province="100")
                for number in range(0, 2 * count, 2)
            ],
            settled=Watermark(2 * count, START_MS),
        ),
    )
    put(store, Commit(closed=out))


def test_a_failing_step_leaves_the_store_usable(store: SqliteStore) -> None:
    """A fault within a step is StoreFault, nothing is half deleted, and the next batch is stored."""
    fill(store, 3)
    store._db.execute("ALTER TABLE product_record RENAME TO elsewhere")
    with pytest.raises(StoreFault, match="product_record"):
        at_once(store.forget(LATER, 10))
    assert len(numbers(store, "journal")) == 3
    put(store, Commit(messages=[received(99)]))


async def test_a_gateway_forgets_in_time(tmp_path: Path) -> None:
    """A gateway deletes what is older than its retention, and keeps its customers, while it runs."""
    config = {"storage": {"retention": {"journal_days": 7}}}
    async with running_gateway(tmp_path, config) as gateway, await bind(gateway.account.port) as esme:
        await accepted(esme, sms(ALICE, "161", "KTFX"))
        await delivered(esme)
        await gateway.settle()
        await gateway.advance(days=6.9)
        await accepted(esme, sms(BOB, "161", "KTFX"))
        await delivered(esme)
        await gateway.settle()
        store = tmp_path / "fetion.db"
        assert len(rows(store, "SELECT * FROM journal")) == 2
        await gateway.advance(days=0.2)
        assert [row["msisdn"] for row in rows(store, "SELECT msisdn FROM journal")] == [BOB]
        assert [row["msisdn"] for row in rows(store, "SELECT msisdn FROM outbox")] == [BOB]
        assert len(rows(store, "SELECT * FROM customer")) == 2
        answer = await accepted(esme, sms(ALICE, "161", "CXFX"))
        assert answer


@pytest.mark.parametrize("slow", [False, True], ids=["in the loop", "in a thread"])
async def test_a_gateway_catches_up_in_steps(slow: bool, tmp_path: Path) -> None:
    """More old rows than a step deletes go step by step, a tick after the other, a quarter more in each (the
    clock of the test stands still, so no step takes long)."""
    count = 2 * FORGOTTEN + 300
    store = store_at(tmp_path / "fetion.db")
    old = [received(number, at=NOON - 91 * DAY_MS) for number in range(count)]
    put(store, Commit(messages=old, settled=Watermark(count, NOON)))
    store.release()
    async with running_gateway(tmp_path) as gateway:
        opened = gateway.app.store
        assert isinstance(opened, SqliteStore)
        opened.slow = slow
        left = []
        for housekeeping in (True, False, False):
            await gateway.app.tick(housekeeping=housekeeping)
            await gateway.settle()
            left.append(rows(tmp_path / "fetion.db", "SELECT count(*) AS n FROM journal")[0]["n"])
    gone = [before - after for before, after in pairwise([count, *left])]
    assert gone == [FORGOTTEN, FORGOTTEN * 5 // 4, count - FORGOTTEN * 9 // 4]
    assert not [line for line in lines(tmp_path / "gateway.log") if line["event"] == "storage.failed"]
