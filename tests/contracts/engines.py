"""The stores that the suite runs over. A store joins by a row in ENGINES."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.message import Commit
from gateway.storage.contract import Store
from gateway.storage.sqlite.migration import SCHEMA_VERSION
from gateway.storage.sqlite.store import SqliteStore


@dataclass(frozen=True)
class Engine:
    """What the suite needs of one kind of store, whose place is a folder.

    fill: leave no room in it; make_room: take that back. age: make its schema one of a later version.
    """

    made_by: type
    open: Callable[[Path], Store]
    fill: Callable[[Store], None]
    make_room: Callable[[Store], None]
    age: Callable[[Path], None]


def file_of(folder: Path) -> Path:
    """The file of an SQLite store."""
    return folder / "fetion.db"


def pragma(store: Store, text: str) -> None:
    """Set something in the engine below a store."""
    assert isinstance(store, SqliteStore)
    store._db.execute(f"PRAGMA {text}")


def age_sqlite(folder: Path) -> None:
    """Make the store one of the next version."""
    with closing(sqlite3.connect(file_of(folder))) as database:
        database.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")


ENGINES = [
    pytest.param(
        Engine(
            SqliteStore,
            lambda folder: SqliteStore.open(file_of(folder)),
            lambda store: pragma(store, "max_page_count=1"),
            lambda store: pragma(store, "max_page_count=1000000"),
            age_sqlite,
        ),
        id="sqlite",
    )
]


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
