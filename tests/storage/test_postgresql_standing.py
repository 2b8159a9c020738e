"""A server that stands still while its machine answers, and one that is away when nobody knows what it
has."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from gateway.storage.contract import InDoubt, StoreFault
from gateway.storage.engines import obstacle
from gateway.storage.postgresql import check, link, place
from gateway.storage.postgresql.store import PostgresStore
from tests.postgresql import Server, missing, schema_of, shared, url_of
from tests.storage.test_postgresql import PATIENCE, again, batch, in_doubt, numbers, waits_for_a_lock

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

SHORT = 0.3
"""Seconds that the server may take for a call."""
SHORTER = place.SESSION.replace("'10s'", "'100ms'")
"""It waits for a lock less long than that."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    monkeypatch.setattr(link, "LIMIT", SHORT)
    monkeypatch.setattr(check, "SESSION", SHORTER)
    monkeypatch.setattr(link, "SESSION", SHORTER)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    """A store that has a connection."""
    store = await asyncio.to_thread(PostgresStore.open, url)
    await store.commit(batch(1))
    yield store
    await store.close()


def process_of(folder: Path) -> int:
    """The process of the server that serves the store of a folder. A signal reaches nobody else."""
    [(pid,)] = shared().execute("SELECT pid FROM node", schema_of(folder))
    return int(pid)


@asynccontextmanager
async def stopped(pid: int) -> AsyncIterator[None]:
    """A process that stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_the_server_stands_still(tmp_path: Path) -> None:
    """Whatever is asked of it is a fault after a while. The commit that it had not begun is not stored, and
    when it goes on it stores nothing of it."""
    async with opened(url_of(tmp_path)) as store:
        async with stopped(process_of(tmp_path)):
            with pytest.raises(StoreFault, match=r"has not answered for 0\.3 s: the batch is not stored"):
                await store.commit(batch(2))
            async with stopped(process_of(tmp_path)):
                with pytest.raises(StoreFault, match=r"the server has not answered for 0\.3 s"):
                    await store.settled()
            await again(store, batch(3))
            async with stopped(process_of(tmp_path)):
                with pytest.raises(StoreFault, match=r"the server has not answered for 0\.3 s"):
                    await store.next_run()
        await again(store, batch(4))
    assert numbers(tmp_path) == [1, 3, 4]


async def test_it_stands_still_in_the_middle_of_a_commit(tmp_path: Path) -> None:
    """Nobody knows what becomes of it until it goes on; then it is stored, once, and the commit returns."""
    schema = schema_of(tmp_path)
    async with opened(url_of(tmp_path)) as store:
        with psycopg.connect(shared().url(schema)) as other:
            await store._link.read("SELECT set_config('lock_timeout', '0', FALSE)")
            other.execute("LOCK TABLE journal IN SHARE MODE")
            commit = asyncio.create_task(store.commit(batch(2)))
            await waits_for_a_lock(tmp_path)
            async with stopped(process_of(tmp_path)):
                other.rollback()
                await in_doubt(store)
                with pytest.raises(StoreFault, match="cannot be asked yet"):
                    await store.settled()
                assert not commit.done()
            async with asyncio.timeout(PATIENCE):
                await commit
        await again(store, batch(3))
    assert numbers(tmp_path) == [1, 2, 3]


async def test_a_lock_that_an_operator_holds(tmp_path: Path) -> None:
    """It is refused, with the remedy, and nothing is in doubt; check and a start say the same."""
    schema = schema_of(tmp_path)
    async with opened(url_of(tmp_path)) as store:
        with psycopg.connect(shared().url(schema)) as other:
            other.execute("LOCK TABLE journal, node, fetion_store")
            for _ in range(2):
                with pytest.raises(StoreFault, match="lock timeout: somebody else holds a lock"):
                    await store.commit(batch(2))
            with pytest.raises(StoreFault, match="lock timeout: somebody else holds a lock"):
                await store.last_time()
            said = await asyncio.to_thread(obstacle, url_of(tmp_path))
            assert "somebody else holds a lock on a table of the store: pg_locks and pg_stat_activity" in said
            other.rollback()
        await store.commit(batch(3))
    assert numbers(tmp_path) == [1, 3]


async def test_a_frozen_gateway_does_not_keep_its_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction in which nothing happens for a while is ended by the server, so that the next gateway
    does not wait for it."""
    monkeypatch.setattr(link, "SESSION", SHORTER.replace("'15s'", "'100ms'"))
    async with opened(url_of(tmp_path)) as store:

        async def stands(_: object) -> None:
            async with asyncio.timeout(PATIENCE):
                while "idle in transaction" in await asyncio.to_thread(states):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        def states() -> list[str]:
            statement = "SELECT state FROM pg_stat_activity JOIN node USING (pid)"
            return [state for (state,) in shared().execute(statement, schema_of(tmp_path))]

        with pytest.raises(StoreFault, match=r"idle-in-transaction timeout|connection"):
            await store._link.apart(stands, limit=PATIENCE)
        await again(store, batch(2))


async def test_a_server_that_begins_to_lose_commits(tmp_path: Path) -> None:
    """As after a failover to one with other settings: it is not used, and the log says why."""
    terminate = "SELECT pg_terminate_backend(pid, 5000) FROM node"
    async with opened(url_of(tmp_path)) as store:
        shared().execute("ALTER ROLE fetion SET synchronous_commit = off")
        try:
            shared().execute(terminate, schema_of(tmp_path))
            with pytest.raises(StoreFault):
                await store.settled()
            store._link._retry_at = 0.0
            with pytest.raises(StoreFault, match="synchronous_commit of the server is off"):
                await store.commit(batch(2))
        finally:
            shared().execute("ALTER ROLE fetion RESET synchronous_commit")
        await again(store, batch(3))
    assert numbers(tmp_path) == [1, 3]


async def test_a_statement_that_somebody_cancels(tmp_path: Path) -> None:
    """pg_cancel_backend in the middle of a commit: it is not stored, nothing is in doubt, the next one
    works."""
    schema = schema_of(tmp_path)
    async with opened(url_of(tmp_path)) as store:
        store._link._limit = PATIENCE
        await store._link.read("SELECT set_config('lock_timeout', '0', FALSE)")
        with psycopg.connect(shared().url(schema)) as other:
            other.execute("LOCK TABLE journal IN SHARE MODE")
            commit = asyncio.create_task(store.commit(batch(2)))
            await waits_for_a_lock(tmp_path)
            shared().execute("SELECT pg_cancel_backend(pid) FROM node", schema)
            with pytest.raises(StoreFault, match="canceling statement due to user request"):
                await commit
            other.rollback()
        await store.commit(batch(3))
    assert numbers(tmp_path) == [1, 3]


@pytest.fixture
def server() -> Iterator[Server]:
    """One that a test may stop."""
    server = Server()
    server.start()
    yield server
    server.remove()


def locking(server: Server) -> str:
    """Whether a commit waits for a lock on the journal."""
    return str(server.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0])


async def test_a_doubt_is_given_up(server: Server) -> None:
    """The server ends during a commit and does not come back: the commit waits, as long as it is not given
    up; then it says that nobody knows, soon, and so does every later call. Closing does not wait for the
    server either."""
    async with opened(server.url()) as store:
        with closing(psycopg.connect(server.url())) as other:
            other.execute("LOCK TABLE journal IN SHARE MODE")
            await store._link.read("SELECT set_config('lock_timeout', '0', FALSE)")
            store._link._limit = PATIENCE
            commit = asyncio.create_task(store.commit(batch(2)))
            async with asyncio.timeout(PATIENCE):
                while await asyncio.to_thread(locking, server) == "0":  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            server.stop(signal.SIGQUIT)
        await in_doubt(store)
        done, _ = await asyncio.wait((commit,), timeout=SHORT)
        assert not done
        began = monotonic()
        store.give_up()
        with pytest.raises(InDoubt, match=r"during a commit; then .*connection failed"):
            await commit
        with pytest.raises(StoreFault, match="cannot be asked yet"):
            await store.commit(batch(2))
    assert monotonic() - began < 5


async def test_a_wait_for_the_standby_that_somebody_ends(server: Server) -> None:
    """COMMIT waits for a synchronous standby that is away, and an operator cancels it: the server calls it
    done, with a warning, though only this server has it. So it is not done until a standby has it."""
    async with opened(server.url()) as store:
        server.execute("ALTER SYSTEM SET synchronous_standby_names = 'away'")
        server.execute("SELECT pg_reload_conf()")
        store._link._limit = PATIENCE
        commit, number = await waits_for_a_standby(store, server)
        store._link._limit = SHORT
        server.execute("SELECT pg_cancel_backend(pid) FROM node")
        await in_doubt(store)
        assert server.execute(f"SELECT number FROM journal WHERE number = {number}") == [(number,)]  # noqa: S608
        done, _ = await asyncio.wait((commit,), timeout=SHORT)
        assert not done
        server.execute("ALTER SYSTEM RESET synchronous_standby_names")
        server.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(PATIENCE):
            await commit
        await again(store, batch(number + 1))


async def waits_for_a_standby(store: PostgresStore, server: Server) -> tuple["asyncio.Task[None]", int]:
    """Commit until a commit waits: new settings take the server a moment. Gives it, and its number."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    async with asyncio.timeout(PATIENCE):
        for number in itertools.count(2):
            commit = asyncio.create_task(store.commit(batch(number)))
            while not commit.done():
                if (await asyncio.to_thread(server.execute, asked))[0][0]:
                    return commit, number
            await commit
    raise AssertionError("no commit waits")
