"""Several stores that are open at once as nodes of one."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from commands.model import LoadKeys, World
from gateway.message import Commit
from gateway.storage.nodes import SharedStore
from gateway.storage.postgresql.reader import PostgresReader
from gateway.storage.postgresql.store import PostgresStore
from tests.postgresql import schema_of, shared, url_of
from tests.support import START_MS, leaving, received

LEASE = 60
"""Seconds: no lease is over unless a test says so."""
UNTIL = START_MS + 60_000
"""How long candidates are looked for."""


@asynccontextmanager
async def nodes(folder: Path, *names: str) -> AsyncIterator[tuple[PostgresStore, ...]]:
    """Stores of the nodes with these names, closed at the end. All have noted what their last end left."""
    opened: list[PostgresStore] = []
    try:
        for name in names:
            opened.append(PostgresStore.open(url_of(folder), name, LEASE))
            await opened[-1].recover(UNTIL)
        yield tuple(opened)
    finally:
        for store in opened:
            await store.close()


def is_shared(store: SharedStore) -> SharedStore:
    """The same, for mypy: the driver fulfils the protocol."""
    return store


def on_server(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement beside the nodes."""
    return shared().execute(statement, schema_of(folder))


def end_lease(folder: Path, node: int) -> None:
    """The lease of a node is over."""
    statement = "UPDATE node SET until = clock_timestamp() - interval '1 ms' WHERE number = "
    on_server(folder, statement + str(node))


def number_of(store: PostgresStore, counter: int) -> int:
    """Of an SMS of this node's present run."""
    return (store.node << 56) | (store.run << 32) | counter


def sms(store: PostgresStore, *counters: int, **values: object) -> Commit:
    """SMS in of a node, each with a digest of its own unless told."""
    digest = values.pop("digest", None)
    return Commit(
        messages=[
            received(number_of(store, n), digest=digest or b"%d" % number_of(store, n), **values)  # type: ignore[arg-type]
            for n in counters
        ]
    )


def replies(store: PostgresStore, *counters: int, node: int = 0) -> Commit:
    """SMS out of a node, for itself or another one."""
    outgoing = [leaving(number_of(store, n)) for n in counters]
    for each in outgoing:
        each.node = node
    return Commit(outgoing=outgoing)


async def loaded(store: PostgresStore, *keys: str) -> World:
    """A world with these customers."""
    await store.load(LoadKeys(set(keys)), world := World())
    return world


def changing(world: World, change: Callable[[World], None]) -> Commit:
    """What a batch would commit that changes a world."""
    change(world)
    world.accept()
    return Commit(
        customers=world.changed_customers.values(),
        buddies=world.changed_buddies,
        revisions=world.revisions,
    )


def reading(folder: Path) -> closing[PostgresReader]:
    """A reader of the store."""
    return closing(PostgresReader.open(url_of(folder)))
