"""The write-ahead log gets into the file beside the commits, stays short, and loses nothing if it cannot."""

import asyncio
import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.message import Commit
from gateway.storage.contract import StoreFault, StoreFull
from gateway.storage.sqlite import checkpoints
from gateway.storage.sqlite.checkpoints import Checkpoints
from gateway.storage.sqlite.store import SqliteStore
from tests.proofs.served import PATIENCE, until
from tests.support import at_once, leaving, store_at

PAGE = 4_096 + 24
"""Octets of a page in the log."""


class Held:
    """Holds the passes of a store while `free` is not set. begun: one waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Event()
        self.free = threading.Event()
        one = Checkpoints._pass

        def wait(checkpoints: Checkpoints) -> None:
            self.begun.set()
            self.free.wait(PATIENCE)
            one(checkpoints)

        monkeypatch.setattr(Checkpoints, "_pass", wait)


class Broken:
    """Stands for the connection of the passes: whatever is executed fails like that."""

    def __init__(self, code: int) -> None:
        self.error = sqlite3.OperationalError("it fails")
        self.error.sqlite_errorcode = code

    def execute(self, _: str) -> sqlite3.Cursor:
        """Fail."""
        raise self.error

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """A new one, whose figures are small."""
    small = {"FEWEST": 4, "MOST": 4, "TOO_FAR": 3, "LITTLE": 0, "LONG": 60, "HUGE": 400}
    for name, figure in small.items():
        monkeypatch.setattr(checkpoints, name, figure)
    monkeypatch.setattr("gateway.storage.sqlite.store.KEPT", 100 * PAGE)
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    await opened.close()


def some(number: int) -> Commit:
    """A commit of some pages."""
    return Commit(outgoing=[leaving(10 * number + n, text="x" * 1000) for n in range(10)])


async def put(store: SqliteStore, numbers: range) -> None:
    """Commit after commit, as fast as they go."""
    for number in numbers:
        await store.commit(some(number))


def size_of_log(store: SqliteStore) -> int:
    """Octets of its file."""
    return Path(f"{store._path}-wal").stat().st_size


def in_the_file(store: SqliteStore, folder: Path) -> int:
    """SMS that stand in the file without its log."""
    copy = folder / "copy.db"
    copy.write_bytes(store._path.read_bytes())
    with sqlite3.connect(copy) as db:
        (count,) = db.execute("SELECT count(*) FROM outbox").fetchone()
    db.close()
    return int(count)


async def test_the_thread_brings_the_log_into_the_file(store: SqliteStore, tmp_path: Path) -> None:
    """Some commits later, and without another one, what they wrote stands in the file itself."""
    await put(store, range(1, 5))
    await until(lambda: not store._checkpoints.behind, "the pass")
    assert in_the_file(store, tmp_path) == 40


async def test_the_log_stays_short_under_load(store: SqliteStore) -> None:
    """Commits that follow one another without a pause let the log begin again and again: after 300 of them,
    which write 3,000 pages, its file was never half as long. (It begins after some hundred where no
    pass meets an open transaction; on a busy machine several in a row may: 764 pages were seen.)"""
    most = 0
    for number in range(1, 301):
        await store.commit(some(number))
        most = max(most, size_of_log(store))
    assert most < 1500 * PAGE


async def test_a_slow_disk_holds_the_commits_back(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the thread does not get on, the commit after so many waits, unwritten; then it goes on."""
    held = Held(monkeypatch)
    await put(store, range(1, 13))
    assert held.begun.is_set()
    waits = asyncio.create_task(store.commit(some(13)))
    await asyncio.wait((waits,), timeout=0.02)
    assert not waits.done()
    assert len(await store.waiting(0, 1000)) == 120
    held.free.set()
    await waits
    assert len(await store.waiting(0, 1000)) == 130


async def test_a_commit_that_waits_can_be_cancelled(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled before it began, it is not in the store; the next one is."""
    held = Held(monkeypatch)
    await put(store, range(1, 13))
    waits = asyncio.create_task(store.commit(some(13)))
    await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    held.free.set()
    await store.commit(some(14))
    assert [sms.number for sms in await store.waiting(129, 1)] == [140]


async def test_nobody_waits_for_a_reader(store: SqliteStore) -> None:
    """Somebody reads an old state for long: commits go on, the log grows, and that is told; when he has ended
    it gets into the file, and its own file is short again."""
    reader = sqlite3.connect(store._path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM outbox").fetchone()
    await put(store, range(1, 61))
    await until(lambda: store._checkpoints.held, "a pass that finds him")
    for number in range(61, 91):
        at_once(store.commit(some(number)))
    assert size_of_log(store) > 400 * PAGE
    await until(lambda: store._checkpoints.fault is not None, "that the log is huge")
    with pytest.raises(StoreFault, match="MB, because somebody"):
        await store.forget(0, 10)
    reader.close()
    await put(store, range(91, 111))
    await until(lambda: not store._checkpoints.held, "a pass without him")
    await put(store, range(111, 131))
    assert size_of_log(store) < 400 * PAGE
    assert len(await store.waiting(0, 2000)) == 1300


@pytest.mark.parametrize(
    ("code", "kind"), [(sqlite3.SQLITE_IOERR, StoreFault), (sqlite3.SQLITE_FULL, StoreFull)]
)
async def test_passes_that_fail(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    """What fails beside the commits is told once, by the next forget; commits go on until the log is far
    ahead, and are then refused whole. When the disk is well again they go on, and nothing is missing."""
    passes = store._checkpoints
    whole = passes._db
    monkeypatch.setattr(passes, "_db", Broken(code))
    await put(store, range(1, 13))
    await until(lambda: passes.fault is not None, "the failure")
    with pytest.raises(kind, match="checkpoint: it fails"):
        await store.forget(0, 10)
    assert await store.forget(0, 10) == 0
    for _ in range(2):
        with pytest.raises(kind, match="checkpoint"):
            await store.commit(some(13))
    assert len(await store.waiting(0, 1000)) == 120
    monkeypatch.setattr(passes, "_db", whole)
    await store.commit(some(13))
    assert passes.news() is None
    assert len(await store.waiting(0, 1000)) == 130


async def test_a_file_that_cannot_be_written(store: SqliteStore, tmp_path: Path) -> None:
    """A real fault of SQLite's: the thread may only read the file. All is there at the next opening."""
    passes = store._checkpoints
    passes._db.close()
    passes._db = sqlite3.connect(
        f"file:{store._path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    await put(store, range(1, 5))
    await until(lambda: passes.fault is not None, "the failure")
    with pytest.raises(StoreFault, match="checkpoint"):
        await store.forget(0, 10)
    shutil.copy(store._path, tmp_path / "killed.db")
    shutil.copy(f"{store._path}-wal", tmp_path / "killed.db-wal")
    again = SqliteStore.open(tmp_path / "killed.db")
    assert len(await again.waiting(0, 1000)) == 40
    await again.close()


async def test_a_sync_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync nobody knows what is in the file: nothing more is copied, commits are refused when
    the log is far ahead, and it stays with all that was ever in it, for the next start to copy."""
    for name, figure in {"FEWEST": 4, "MOST": 4, "TOO_FAR": 3}.items():
        monkeypatch.setattr(checkpoints, name, figure)
    path = tmp_path / "fetion.db"
    store_at(path).release()
    shutil.copy(path, tmp_path / "again.db")
    store = store_at(path)
    await put(store, range(1, 3))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM outbox").fetchone()

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "it does not sync")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        await put(store, range(3, 5))
        await until(lambda: store._checkpoints.fault is not None, "the failure")
    reader.close()
    with pytest.raises(StoreFault, match="it does not sync"):
        await store.forget(0, 10)
    await put(store, range(5, 12))
    with pytest.raises(StoreFault, match="it does not sync"):
        await put(store, range(12, 14))
    store.release()
    shutil.copy(f"{path}-wal", tmp_path / "again.db-wal")
    again = SqliteStore.open(tmp_path / "again.db")
    assert len(await again.waiting(0, 1000)) >= 110
    await again.close()
    store._checkpoints._db.close()
    os.close(store._checkpoints._file)


async def test_closing_waits_for_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An orderly end waits for the thread, and then the whole log is in the file, and gone."""
    monkeypatch.setattr(checkpoints, "MOST", 1)
    held = Held(monkeypatch)
    store = store_at(tmp_path / "fetion.db")
    at_once(store.commit(some(1)))
    end = threading.Thread(target=store.release)
    end.start()
    held.begun.wait(PATIENCE)
    assert end.is_alive()
    held.free.set()
    end.join(PATIENCE)
    assert {path.name for path in os.scandir(tmp_path)} == {"fetion.db", "fetion.db.lock"}
    assert in_the_file(store, tmp_path) == 10
