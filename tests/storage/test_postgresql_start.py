"""What a store on PostgreSQL refuses at its start, and what `check` says of it: the same, nothing changed."""

from pathlib import Path

import psycopg
import pytest

from gateway.storage.contract import StoreFault, StoreUnusable
from gateway.storage.engines import obstacle
from gateway.storage.postgresql.place import Place
from gateway.storage.postgresql.reader import PostgresReader
from gateway.storage.postgresql.store import PostgresStore
from tests.postgresql import PASSWORD, missing, schema_of, shared, url_of
from tests.storage.test_postgresql import again, batch, numbers

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def faults_of(url: str) -> set[str]:
    """What opening, reading and checking say; it must be the same reason."""
    found = {obstacle(url)}
    for opened in (PostgresStore.open, PostgresReader.open):
        with pytest.raises(StoreUnusable) as caught:
            opened(url)
        found.add(str(caught.value))
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong-password"}, 'password authentication failed for user "fetion"'),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_a_wrong_url_is_said(change: dict[str, str], said: str) -> None:
    """Who cannot log in is told why, with the place and the remedy, and without the password."""
    [fault] = faults_of(shared().url(**change))
    assert f"{said}: is the server up, and are host, user, password and database of storage.url" in fault
    assert "wrong-password" not in fault
    assert PASSWORD not in fault
    assert f"postgresql://fetion@127.0.0.1:{shared().port}/" in fault


def test_nobody_listens() -> None:
    """A server that is not there is said, with its address."""
    [fault] = faults_of("postgresql://fetion:geheim@127.0.0.1:1/db")
    assert fault.startswith("postgresql://fetion@127.0.0.1:1/db: connection failed")
    assert "is the server up" in fault
    assert "geheim" not in fault


@pytest.mark.parametrize("url", ["postgresql://u:%zz@h/db", "postgresql://u:geheim@h/db?what=1"])
def test_a_url_that_libpq_refuses(url: str) -> None:
    """The fault does not repeat what may be a password."""
    with pytest.raises(StoreUnusable, match="PostgreSQL does not understand it") as caught:
        Place.of(url)
    assert "%zz" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_schema_that_is_not_there(tmp_path: Path) -> None:
    """A search_path that names no schema is said, and what to do."""
    url = shared().url(f"{schema_of(tmp_path)}_none")
    assert "create that schema" in obstacle(url)
    with pytest.raises(StoreUnusable, match="create the schema that search_path names"):
        PostgresStore.open(url)


async def test_a_server_that_only_reads(tmp_path: Path) -> None:
    """A standby is refused at the start, and is a fault with the remedy where it became one meanwhile."""
    store = PostgresStore.open(url_of(tmp_path))
    await store.commit(batch(1))
    read_only = f"{url_of(tmp_path)}%20-cdefault_transaction_read_only%3Don"
    await store.close()
    assert "only reads (a standby?)" in obstacle(read_only)
    with pytest.raises(StoreUnusable, match="must name the primary"):
        PostgresStore.open(read_only)
    store = PostgresStore.open(url_of(tmp_path))
    await store.commit(batch(2))
    shared().execute("ALTER ROLE fetion SET default_transaction_read_only = on")
    try:
        shared().execute("SELECT pg_terminate_backend(pid, 5000) FROM node", schema_of(tmp_path))
        with pytest.raises(StoreFault):
            await store.settled()
        with pytest.raises(StoreFault, match="read-only transaction"):
            await store.commit(batch(3))
    finally:
        writing = f"{shared().url()}%20-cdefault_transaction_read_only%3Doff"
        with psycopg.connect(writing, autocommit=True) as db:
            db.execute("ALTER ROLE fetion RESET default_transaction_read_only")
    await again(store, batch(4))
    await store.close()
    assert numbers(tmp_path) == [1, 2, 4]


def test_a_server_that_would_lose_what_is_acknowledged(tmp_path: Path) -> None:
    """With asynchronous commits there is no store."""
    url = f"{url_of(tmp_path)}%20-csynchronous_commit%3Doff"
    [fault] = {obstacle(url), fault_at_start(url)}
    assert "synchronous_commit of the server is off: what is acknowledged would be lost" in fault


def fault_at_start(url: str) -> str:
    """What an opening says."""
    with pytest.raises(StoreUnusable) as caught:
        PostgresStore.open(url)
    return str(caught.value)


def test_a_database_of_another_encoding() -> None:
    """One that has no room for Chinese is refused."""
    shared().execute("DROP DATABASE IF EXISTS latin")
    shared().execute("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    fault = fault_at_start(shared().url(database="latin"))
    assert "the encoding of this database is LATIN1: createdb --encoding=UTF8" in fault


def test_tables_of_somebody_else_stay_as_they_are(tmp_path: Path) -> None:
    """A schema with a table of another application is refused, and nothing is added to it."""
    url = url_of(tmp_path)
    shared().execute("CREATE TABLE journal (x integer)", schema_of(tmp_path))
    assert "must name an empty database or schema" in fault_at_start(url)
    tables = shared().execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()", schema_of(tmp_path)
    )
    assert tables == [("journal",)]


async def test_check_changes_nothing(tmp_path: Path) -> None:
    """Asking whether a store can be had makes none, and a store that is there is none of its business."""
    url = url_of(tmp_path)
    assert obstacle(url) == ""
    with pytest.raises(StoreUnusable, match="there is no store"):
        PostgresReader.open(url)
    store = PostgresStore.open(url)
    assert obstacle(url) == ""
    await store.close()
