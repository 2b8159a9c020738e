"""The engines that the suites run over. An engine joins by a function and a row in ENGINES."""

import importlib
import pkgutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gateway.storage
from gateway.message import Commit
from gateway.storage.contract import Store
from gateway.storage.memory import MemoryReader, MemoryStore, MemoryStores
from gateway.storage.postgresql.migration import SCHEMA_VERSION as POSTGRESQL_VERSION
from gateway.storage.postgresql.reader import PostgresReader
from gateway.storage.postgresql.store import PostgresStore
from gateway.storage.reader import Reader
from gateway.storage.sqlite.migration import SCHEMA_VERSION
from gateway.storage.sqlite.reader import SqliteReader
from gateway.storage.sqlite.store import SqliteStore
from tests.postgresql import missing, schema_of, shared, url_of


@dataclass(frozen=True)
class Durable:
    """What the suites need of an engine whose stores outlive their process.

    program: Python that opens the store of the folder in `sys.argv[1]` as `store`. files: what stands there
    while it is open. age: makes its schema one of a later version. version: that of the schema. arguments:
    further ones of the program.
    """

    program: str
    files: frozenset[str]
    age: Callable[[Path], None]
    version: int
    arguments: Callable[[Path], tuple[str, ...]] = lambda _: ()


def octets_in(folder: Path) -> bytes:
    """All that is in its files."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


@dataclass(frozen=True)
class Engine:
    """What the suites need of one engine; the place of a store is a folder.

    made_by, read_by: the classes of its stores and readers. fill: leave no room in a store; make_room: take
    that back. kept: what a store that is closed holds of the text of an SMS out. durable: None where nothing
    outlives the process. place: what messages call the store. octets: all that is in it. missing: why this
    machine does not have it.
    """

    made_by: type
    read_by: type
    open: Callable[[Path], Store]
    read: Callable[[Path], Reader]
    fill: Callable[[Store], None]
    make_room: Callable[[Store], None]
    kept: Callable[[Path, int], object]
    durable: Durable | None
    place: Callable[[Path], str] = str
    octets: Callable[[Path], bytes] = octets_in
    missing: str = ""


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


_FULL = """
CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$
"""
_FULL_FROM_NOW_ON = """
CREATE TRIGGER full_disk BEFORE INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION full_disk()
"""


def postgresql_engine() -> Engine:
    """Stores in schemas of one server: a schema stands for a folder."""

    def beside(folder: Path, statement: str) -> list[tuple[Any, ...]]:
        return shared().execute(statement, schema_of(folder))

    def room(store: Store, *, has: bool) -> None:
        """A trigger raises what a server without room raises."""
        assert isinstance(store, PostgresStore)
        with psycopg.connect(store._place.conninfo, autocommit=True) as db:
            db.execute("DROP TRIGGER IF EXISTS full_disk ON outbox")
            if not has:
                db.execute(_FULL)
                db.execute(_FULL_FROM_NOW_ON)

    def octets(folder: Path) -> bytes:
        tables = beside(folder, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        rows = [beside(folder, f"SELECT t::text FROM {name} t ORDER BY 1") for (name,) in sorted(tables)]  # noqa: S608
        return repr(rows).encode()

    def age(folder: Path) -> None:
        beside(folder, "UPDATE fetion_store SET version = version + 1")

    return Engine(
        PostgresStore,
        PostgresReader,
        lambda folder: PostgresStore.open(url_of(folder)),
        lambda folder: PostgresReader.open(url_of(folder)),
        lambda store: room(store, has=False),
        lambda store: room(store, has=True),
        lambda folder, number: beside(folder, f"SELECT sealed FROM outbox WHERE number = {number}")[0][0],  # noqa: S608
        Durable(
            """
import sys
from gateway.storage.postgresql.store import PostgresStore
store = PostgresStore.open(sys.argv[2])
""",
            frozenset(),
            age,
            POSTGRESQL_VERSION,
            lambda folder: (url_of(folder),),
        ),
        schema_of,
        octets,
        missing(),
    )


ENGINES: Mapping[str, Callable[[], Engine]] = {
    "sqlite": sqlite_engine,
    "memory": memory_engine,
    "postgresql": postgresql_engine,
}
"""Name -> function that makes the engine: each test has one of its own."""


def made(name: str) -> Engine:
    """The engine of that name; skips a test of one that this machine does not have."""
    engine = ENGINES[name]()
    if engine.missing:
        pytest.skip(engine.missing)
    return engine


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
