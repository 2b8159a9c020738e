"""A gateway's store behind PgBouncer, where it is installed."""

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from commands.model import LoadKeys, World
from gateway.storage.contract import StoreFault
from gateway.storage.postgresql.reader import PostgresReader
from gateway.storage.postgresql.store import PostgresStore
from tests.ports import free_port
from tests.postgresql import PASSWORD, USER, Server, missing
from tests.storage.test_postgresql import again, batch
from tests.support import ALICE

BOUNCER = shutil.which("pgbouncer") or (shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin"))
pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.skipif(not BOUNCER, reason="PgBouncer is not installed: apt-get install pgbouncer"),
    pytest.mark.long,
]
BATCHES = 12
"""More than the five after which psycopg prepares a statement."""
WITHIN = 10.0


def version() -> tuple[int, ...]:
    """Of the pooler."""
    said = subprocess.run([str(BOUNCER), "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, said.split()[1].split(".")))


@pytest.fixture
def server() -> Iterator[Server]:
    """Behind the pooler."""
    server = Server()
    server.start()
    yield server
    server.remove()


@contextmanager
def pooler(server: Server, mode: str) -> Iterator[str]:
    """A pooler in that mode. Gives the URL through it."""
    assert BOUNCER is not None
    port, folder = free_port(), server.folder
    (folder / "users.txt").write_text(f'"{USER}" "{PASSWORD}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {folder}/users.txt\npool_mode = {mode}\ndefault_pool_size = 4\n"
    )
    with (folder / "pooler.log").open("wb") as log:
        process = subprocess.Popen(
            [BOUNCER, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, **server.account
        )
        url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        try:
            deadline = time.monotonic() + WITHIN
            while True:
                try:
                    psycopg.connect(url).close()
                    break
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, (folder / "pooler.log").read_text()
                    time.sleep(0.02)
            yield url
        finally:
            process.terminate()
            process.wait()


async def used(url: str) -> None:
    """A store is made, used for a while, read beside that, cut off, and opened again."""
    store = await asyncio.to_thread(PostgresStore.open, url)
    await several(store, range(1, BATCHES))
    with closing(PostgresReader.open(url)) as reader:
        assert [sms.number for sms in reader.journal()] == list(range(1, BATCHES))
    await store.close()
    store = await asyncio.to_thread(PostgresStore.open, url)
    await store.commit(batch(BATCHES))
    await store.close()


async def several(store: PostgresStore, numbers: range) -> None:
    """Commit them, and load between them."""
    for number in numbers:
        await store.commit(batch(number))
        await store.load(LoadKeys({ALICE}), World())


async def test_session_mode(server: Server) -> None:
    """All works, and a connection that is lost behind the pooler is made again."""
    with pooler(server, "session") as url:
        await used(url)
        store = await asyncio.to_thread(PostgresStore.open, url)
        await store.commit(batch(100))
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM node")
        with pytest.raises(StoreFault):
            await store.settled()
        await again(store, batch(101))
        await store.close()
        assert server.execute("SELECT count(*) FROM journal") == [(BATCHES + 2,)]


async def test_transaction_mode(server: Server) -> None:
    """A version that does not follow prepared statements gives two gateways, one after the other, the same
    connection: the second one is told what to change."""
    if version() >= (1, 21):
        pytest.skip("this one follows prepared statements, or does not, by its settings")
    with pooler(server, "transaction") as url:
        await used(url)
        store = await asyncio.to_thread(PostgresStore.open, url)
        with pytest.raises(StoreFault, match="already exists: is a pooler in transaction mode between"):
            await several(store, range(100, 100 + BATCHES))
        await store.close()
