"""The events of an SQLite store: what only this engine can show."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.message import Commit, Watermark
from gateway.storage.contract import Cursor, StoreFault
from gateway.storage.sqlite import events
from gateway.storage.sqlite.store import SqliteStore
from tests.events.support import happened, put
from tests.support import START_MS, at_once, store_at


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


def test_a_fault_behind_the_events(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that fails when its events are written already leaves no trace in the count either."""

    def fails(commit: Commit) -> None:
        raise sqlite3.OperationalError(f"disk I/O error after {len(commit.events)} events")

    put(store, 2)
    with monkeypatch.context() as patch:
        patch.setattr(store._candidates, "write", fails)
        with pytest.raises(StoreFault):
            put(store, 3)
    at_once(store.commit(Commit(settled=Watermark(1, START_MS))))
    assert store.last_event == 2
    put(store, 1)
    assert [event.sequence for event in at_once(store.events_after(0, 9))] == [1, 2, 3]


async def test_on_a_slow_disk(store: SqliteStore) -> None:
    """Cursors and deletions are committed in another thread, one after the other, beside commits of SMS."""
    store.slow = True
    threads = []
    sync = store.sync

    def noted() -> None:
        threads.append(store.last_event)
        sync()

    store.sync = noted  # type: ignore[method-assign]
    commits = [store.commit(Commit(events=[happened(1)])) for _ in range(5)]
    moves = [store.move_cursor("a", 5), store.cursor("b"), store.forget_events(0, 100, 100)]
    await asyncio.gather(*commits, *moves)
    assert threads == [0, 1, 2, 3, 4]
    assert store.last_event == 5
    assert (await store.cursor("a"), await store.cursor("b")) == (Cursor(5), Cursor())
    await asyncio.gather(*(store.move_cursor(name, 5) for name in "ab"))
    assert (await store.forget_events(0, 100, 100)).gone == 5


def test_parked_events_are_bounded(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest of each consumer are kept, all are counted; those that go count as dropped."""
    monkeypatch.setattr(events, "PARKED_MOST", 5)
    put(store, 20)
    found = at_once(store.events_after(0, 20))
    for event in found:
        at_once(store.move_cursor("a", event.sequence, [(event, "never")]))
    at_once(store.move_cursor("b", 1, [(found[0], "never")]))
    assert [event.sequence for event, _ in at_once(store.parked_events("a", 99))] == [16, 17, 18, 19, 20]
    assert len(at_once(store.parked_events("b", 99))) == 1
    assert at_once(store.cursor("a")) == Cursor(20, 20, 15)
