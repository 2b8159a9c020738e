"""The engines that the suites run over. An engine joins by a function and a row in ENGINES."""

import importlib
import pkgutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import gateway.storage
from gateway.message import Commit
from gateway.storage.contract import Store
from gateway.storage.memory import MemoryReader, MemoryStore, MemoryStores
from gateway.storage.reader import Reader
from gateway.storage.sqlite.migration import SCHEMA_VERSION
from gateway.storage.sqlite.reader import SqliteReader
from gateway.storage.sqlite.store import SqliteStore


@dataclass(frozen=True)
class Durable:
    """What the suites need of an engine whose stores outlive their process.

    program: Python that opens the store of the folder in `sys.argv[1]` as `store`. files: what stands there
    while it is open. age: makes its schema one of a later version. version: that of the schema.
    """

    program: str
    files: frozenset[str]
    age: Callable[[Path], None]
    version: int


@dataclass(frozen=True)
class Engine:
    """What the suites need of one engine; the place of a store is a folder.

    made_by, read_by: the classes of its stores and readers. fill: leave no room in a store; make_room: take
    that back. kept: what a store that is closed holds of the text of an SMS out. durable: None where nothing
    outlives the process.
    """

    made_by: type
    read_by: type
    open: Callable[[Path], Store]
    read: Callable[[Path], Reader]
    fill: Callable[[Store], None]
    make_room: Callable[[Store], None]
    kept: Callable[[Path, int], object]
    durable: Durable | None


def file_of(folder: Path) -> Path:
    """The file of an SQLite store, and the name of one in memory."""
    return folder / "fetion.db"


def sqlite_engine() -> Engine:
    """Stores in files."""

    def pragma(store: Store, text: str) -> None:
        assert isinstance(store, SqliteStore)
        store._db.execute(f"PRAGMA {text}")

    def kept(folder: Path, number: int) -> object:
        with closing(sqlite3.connect(file_of(folder))) as database:
            return database.execute("SELECT text FROM outbox WHERE number = ?", (number,)).fetchone()[0]

    def age(folder: Path) -> None:
        with closing(sqlite3.connect(file_of(folder))) as database:
            database.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")

    return Engine(
        SqliteStore,
        SqliteReader,
        lambda folder: SqliteStore.open(file_of(folder)),
        lambda folder: SqliteReader.open(file_of(folder)),
        lambda store: pragma(store, "max_page_count=1"),
        lambda store: pragma(store, "max_page_count=1000000"),
        kept,
        Durable(
            """
import sys
from pathlib import Path
from gateway.storage.sqlite.store import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]) / "fetion.db")
""",
            frozenset({"fetion.db", "fetion.db-wal", "fetion.db.lock"}),
            age,
            SCHEMA_VERSION,
        ),
    )


def memory_engine() -> Engine:
    """Stores in memory, as long as this engine lives."""
    stores = MemoryStores()

    def room(store: Store, count: int) -> None:
        assert isinstance(store, MemoryStore)
        store.room = count

    return Engine(
        MemoryStore,
        MemoryReader,
        lambda folder: stores.open_store(file_of(folder)),
        lambda folder: stores.open_reader(file_of(folder)),
        lambda store: room(store, 0),
        lambda store: room(store, 1_000_000),
        lambda folder, number: stores._contents[file_of(folder)].outbox[number].sealed.decode() or None,
        durable=None,
    )


ENGINES: Mapping[str, Callable[[], Engine]] = {"sqlite": sqlite_engine, "memory": memory_engine}
"""Name -> function that makes the engine: each test has one of its own."""


def durable(engine: Engine) -> Durable:
    """How the stores of an engine outlive their process; skips a test of one whose stores do not."""
    if engine.durable is None:
        pytest.skip(f"{engine.made_by.__name__} is not durable: no other process ever sees its stores")
    return engine.durable


def classes_with(method: str) -> set[type]:
    """The classes in gateway.storage that have a method."""
    found = set()
    for module in pkgutil.walk_packages(gateway.storage.__path__, "gateway.storage."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {each for each in members if isinstance(each, type) and hasattr(each, method)}
    return found


@asynccontextmanager
async def opening(engine: Engine, folder: Path) -> AsyncIterator[Store]:
    """The store of a folder, closed at the end."""
    store = engine.open(folder)
    try:
        yield store
    finally:
        await store.close()


async def put(store: Store, commit: Commit) -> None:
    """Commit it."""
    await store.commit(commit)
