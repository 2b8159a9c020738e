"""The table of engines, and the two functions that open a store or a reader by its URL.

A further engine is a package beside `sqlite`, one row here, and one in tests/contracts/engines.py.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from gateway.storage.contract import Store, StoreUnusable
from gateway.storage.copying import Progress
from gateway.storage.reader import Reader
from gateway.storage.sqlite.export import SqliteSource
from gateway.storage.sqlite.reader import SqliteReader
from gateway.storage.sqlite.store import SqliteStore


class Engine(NamedTuple):
    """How an engine opens what stands behind `scheme://` in a URL.

    open_store: as the node of a name, with a lease of so many seconds; an engine that one gateway alone uses
    needs neither.
    """

    open_store: Callable[[str, str, int], Store]
    open_reader: Callable[[str], Reader]


def _open_postgresql(rest: str, node: str, lease: int) -> Store:
    with _needing_psycopg():
        from gateway.storage.postgresql.store import PostgresStore
    return PostgresStore.open(f"postgresql://{rest}", node, lease)


def _read_postgresql(rest: str) -> Reader:
    with _needing_psycopg():
        from gateway.storage.postgresql.reader import PostgresReader
    return PostgresReader.open(f"postgresql://{rest}")


@contextmanager
def _needing_psycopg() -> Iterator[None]:
    """psycopg is an extra, and takes a while to import: only who names this engine imports it."""
    try:
        yield
    except ImportError as error:
        raise StoreUnusable(
            f"storage.url: postgresql:// needs psycopg ({error}): pip install 'fetion-gateway[pg]'"
        ) from error


def _path(rest: str) -> Path:
    """The file of sqlite:///file: a relative path has three slashes, an absolute one four."""
    return Path(rest.removeprefix("/"))


ENGINES: Final[Mapping[str, Engine]] = MappingProxyType(
    {
        "sqlite": Engine(
            lambda rest, _node, _lease: SqliteStore.open(_path(rest)),
            lambda rest: SqliteReader.open(_path(rest)),
        ),
        "postgresql": Engine(_open_postgresql, _read_postgresql),
    }
)
"""Scheme -> engine."""

DEFAULT: Final = "sqlite"
"""The engine of a path."""

LEASE: Final = 7
"""Seconds, unless node.lease says otherwise."""


def open_store(where: str | Path, node: str = "", lease: int = LEASE) -> Store:
    """Open the store at a URL (storage.url) or path, or make it. It has one owner at a time.

    With a name of a node it may be a gateway.storage.nodes.SharedStore, of which each node has one owner.
    lease: seconds for which a node owns its part after its last commit.

    Raises StoreInUse; StoreUnusable, also for a scheme that ENGINES does not have.
    """
    engine, rest = _engine(where)
    return engine.open_store(rest, node, lease)


def open_reader(where: str | Path) -> Reader:
    """Open the store at a URL (storage.url) or path for reading, beside its owner or without one.

    Raises StoreUnusable, also where there is no store.
    """
    engine, rest = _engine(where)
    return engine.open_reader(rest)


def obstacle(url: str) -> str:
    """What keeps a gateway from using the store at a URL: it is asked, and nothing is changed.

    "" if nothing does, as far as can be seen, or if the store is in a file.
    """
    if not url.startswith("postgresql://"):
        return ""
    try:
        with _needing_psycopg():
            from gateway.storage.postgresql.check import check
        check(url)
    except StoreUnusable as error:
        return str(error)
    return ""


def copy_store(path: Path, url: str, progress: Progress) -> dict[str, int]:
    """Copy the SQLite store at a path into an empty one on PostgreSQL, whole and checked, or not at all.

    Gives the number of rows by table. Raises StoreInUse, also while a gateway runs; StoreUnusable.
    """
    if not url.startswith("postgresql://"):
        raise StoreUnusable("a store is copied to postgresql://user@host/database")
    with _needing_psycopg():
        from gateway.storage.postgresql.importing import fill
    with SqliteSource.opened(path) as source:
        return fill(url, source, progress)


def _engine(where: str | Path) -> tuple[Engine, str]:
    """The engine of a store, and what it is to open."""
    if isinstance(where, Path):
        return ENGINES[DEFAULT], f"/{where}"
    scheme, found, rest = where.partition("://")
    if not found or scheme not in ENGINES:
        known = ", ".join(f"{name}://" for name in ENGINES)
        raise StoreUnusable(f"{scheme}: storage.url must begin with one of: {known}")
    return ENGINES[scheme], rest
