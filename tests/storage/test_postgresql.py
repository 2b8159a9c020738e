"""What is PostgreSQL's own: lost connections, owners, what the server refuses, what it cannot keep."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random

import psycopg
import pytest

from commands.model import Customer, LoadKeys, World
from gateway.message import Commit, StoredEvent, Watermark
from gateway.storage.contract import Conflict, InDoubt, StoreFault, StoreFull, StoreInUse
from gateway.storage.postgresql.link import PAUSE_FIRST, PAUSE_MOST, TRIES
from gateway.storage.postgresql.owner import LEASE
from gateway.storage.postgresql.reader import PostgresReader
from gateway.storage.postgresql.store import PostgresStore
from gateway.testing import BadLink
from tests.postgresql import Server, missing, schema_of, shared, url_of
from tests.support import ALICE, START_MS, leaving, received

PATIENCE = 20.0
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def event(version: int) -> StoredEvent:
    """One that is to be committed."""
    return StoredEvent(START_MS, 7, ALICE, "400000001", "100", "buddy", "added", version)


def batch(number: int) -> Commit:
    """An SMS, a customer and an event."""
    customers = [Customer(ALICE, nickname="a")]
    return Commit(messages=[received(number)], customers=customers, events=[event(number)])


def numbers(folder: Path) -> list[int]:
    """Of the journal, as a reader finds them."""
    with closing(PostgresReader.open(url_of(folder))) as reader:
        return [sms.number for sms in reader.journal()]


async def waits_for_a_lock(folder: Path) -> None:
    """Wait until the store of a folder waits for a lock on the server."""
    condition = """
    SELECT EXISTS (SELECT FROM pg_locks JOIN node USING (pid) WHERE NOT granted)
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            [(waits,)] = await asyncio.to_thread(shared().execute, condition, schema_of(folder))
            if waits:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def through(link: BadLink, folder: Path) -> AsyncIterator[PostgresStore]:
    """The store of a folder, behind a link."""
    url = url_of(folder).replace(str(shared().port), str(link.port))
    store = await asyncio.to_thread(PostgresStore.open, url)
    try:
        yield store
    finally:
        link.resume()
        await store.close()


@pytest.fixture
async def link() -> AsyncIterator[BadLink]:
    """Between store and server."""
    async with BadLink("127.0.0.1", shared().port) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[Server]:
    """One that a test may stop."""
    server = Server()
    server.start()
    yield server
    server.remove()


async def again(store: PostgresStore, commit: Commit) -> None:
    """Commit it as soon as the store takes it, as a pipeline does that pauses after each fault."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await store.commit(commit)
            except StoreFault:
                await asyncio.sleep(0.01)


async def test_a_lost_connection_is_made_again(link: BadLink, tmp_path: Path) -> None:
    """A call on a connection that is gone is a fault, and one that follows works, without another opening."""
    async with through(link, tmp_path) as store:
        await store.commit(batch(1))
        link.cut()
        with pytest.raises(StoreFault, match=schema_of(tmp_path)):
            await store.settled()
        await again(store, batch(2))
        assert (numbers(tmp_path), store.last_event) == ([1, 2], 2)


async def test_lost_before_the_commit_arrived(link: BadLink, tmp_path: Path) -> None:
    """A commit that never reached the server: the fault says that it is not stored, and it is not."""
    async with through(link, tmp_path) as store:
        await store.commit(batch(1))
        link.stall()
        commit = asyncio.create_task(store.commit(batch(2)))
        await asyncio.sleep(0.05)
        assert not commit.done()
        link.cut()
        link.resume()
        with pytest.raises(StoreFault, match="the batch is not stored"):
            await commit
        assert (numbers(tmp_path), store.last_event) == ([1], 1)
        await again(store, batch(2))
        assert (numbers(tmp_path), store.last_event) == ([1, 2], 2)


async def test_lost_behind_the_commit(link: BadLink, tmp_path: Path) -> None:
    """A commit whose answer never came, and which the server had not finished: nobody knows what becomes of
    it, every other call is refused, and it returns as stored when the server says so."""
    schema = schema_of(tmp_path)
    async with through(link, tmp_path) as store:
        await store.commit(batch(1))
        with psycopg.connect(shared().url(schema)) as other:
            other.execute("LOCK TABLE journal IN SHARE MODE")
            commit = asyncio.create_task(store.commit(batch(2)))
            await waits_for_a_lock(tmp_path)
            link.cut()
            await in_doubt(store)
            with pytest.raises(StoreFault, match="cannot be asked yet"):
                await store.settled()
            assert not commit.done()
            other.rollback()
        async with asyncio.timeout(PATIENCE):
            await commit
        assert (numbers(tmp_path), store.last_event) == ([1, 2], 2)
        await again(store, batch(3))


async def in_doubt(store: PostgresStore) -> None:
    """Wait until the store has noticed that its connection is lost."""
    async with asyncio.timeout(PATIENCE):
        while not store._link._in_doubt:  # noqa: ASYNC110 - the product has no event for tests
            await asyncio.sleep(0.001)


async def test_a_caller_that_is_cancelled_ends_no_commit(tmp_path: Path) -> None:
    """A commit that has begun is stored although nobody waits for it any more."""
    schema = schema_of(tmp_path)
    store = PostgresStore.open(url_of(tmp_path))
    with psycopg.connect(shared().url(schema)) as other:
        other.execute("LOCK TABLE journal IN SHARE MODE")
        commit = asyncio.create_task(store.commit(batch(1)))
        await waits_for_a_lock(tmp_path)
        commit.cancel()
        other.rollback()
    await store.close()
    assert numbers(tmp_path) == [1]


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_who_meets_another_transaction_runs_again(tmp_path: Path, state: str) -> None:
    """A serialisation failure and a deadlock are no fault: the batch is run again; a stubborn one is."""
    schema = schema_of(tmp_path)
    store = PostgresStore.open(url_of(tmp_path))

    def meet(times: int) -> None:
        """So often a commit meets another transaction."""
        for statement in (
            "CREATE SEQUENCE IF NOT EXISTS tries",
            "ALTER SEQUENCE tries RESTART",
            f"""CREATE OR REPLACE FUNCTION met() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') <= {times} THEN RAISE 'met another' USING ERRCODE = '{state}'; END IF;
            RETURN NULL; END $$""",
            "CREATE OR REPLACE TRIGGER met BEFORE INSERT ON journal EXECUTE FUNCTION met()",
        ):
            shared().execute(statement, schema)

    meet(TRIES - 1)
    await store.commit(batch(1))
    meet(TRIES)
    with pytest.raises(StoreFault, match="met another"):
        await store.commit(batch(2))
    await store.commit(batch(3))
    await store.close()
    assert numbers(tmp_path) == [1, 3]


async def test_who_has_lost_the_store_writes_no_more(tmp_path: Path) -> None:
    """When an owner has been silent too long another one takes the store; from then on the first writes
    nothing, and says why."""
    first = PostgresStore.open(url_of(tmp_path))
    await first.commit(batch(1))
    with pytest.raises(StoreInUse, match="stop it or set"):
        PostgresStore.open(url_of(tmp_path))
    shared().execute("UPDATE node SET until = clock_timestamp()", schema_of(tmp_path))
    second = PostgresStore.open(url_of(tmp_path))
    for _ in range(2):
        with pytest.raises(StoreFault, match="another gateway has taken this store"):
            await first.commit(batch(2))
        with pytest.raises(StoreFault, match="another gateway has taken this store"):
            await first.next_run()
    await second.commit(batch(3))
    await first.close()
    with pytest.raises(StoreInUse):
        PostgresStore.open(url_of(tmp_path))
    await second.close()
    assert numbers(tmp_path) == [1, 3]


async def test_an_owner_whose_connection_is_gone_owns_it_no_more(tmp_path: Path) -> None:
    """A process that died leaves no connection: the next one need not wait for the end of its claim."""
    first = PostgresStore.open(url_of(tmp_path))
    await first.commit(batch(1))
    schema = schema_of(tmp_path)
    shared().execute("SELECT pg_terminate_backend(pid, 5000) FROM node", schema)
    second = PostgresStore.open(url_of(tmp_path))
    with pytest.raises(InDoubt, match="another gateway has taken this store"):
        await first.commit(batch(2))
    with pytest.raises(StoreFault, match="another gateway has taken this store"):
        await first.commit(batch(2))
    await second.commit(batch(3))
    await second.close()
    await first.close()
    assert numbers(tmp_path) == [1, 3]


async def test_every_transaction_renews_the_claim(tmp_path: Path) -> None:
    """A gateway that is idle keeps its store by what it does every few seconds."""
    schema = schema_of(tmp_path)
    store = PostgresStore.open(url_of(tmp_path))
    for write in (store.commit(batch(1)), store.forget(0, 10), store.forget_candidates(0, 10)):
        shared().execute("UPDATE node SET until = clock_timestamp()", schema)
        await write
        [(left,)] = shared().execute(
            "SELECT extract(epoch FROM until - clock_timestamp())::integer FROM node WHERE number = 0", schema
        )
        assert LEASE - 10 < left <= LEASE
    await store.close()


async def test_text_that_postgresql_cannot_keep(tmp_path: Path) -> None:
    """NUL, which no TEXT holds, comes back, and so does what looks like its JSON form."""
    texts = ["a\0b", "\0", "\\u0000", "\\\0\\u0000", "飞信\x7f\u2028"]
    store = PostgresStore.open(url_of(tmp_path))
    rows = [received(number)._replace(text=text, detail={"t": text}) for number, text in enumerate(texts)]
    customer = Customer(ALICE, nickname="\0x", orders=())
    outgoing = [leaving(number, text=text) for number, text in enumerate(texts)]
    await store.commit(Commit(messages=rows, outgoing=outgoing, customers=[customer]))
    assert [sms.text for sms in await store.waiting(-1, 10)] == texts
    assert [sms.text for sms in await store.recent(0, 10)] == texts
    await store.load(LoadKeys({ALICE}), world := World())
    assert world.customers[ALICE] == customer
    with closing(PostgresReader.open(url_of(tmp_path))) as reader:
        assert [(sms.text, sms.detail["t"]) for sms in reader.journal()] == [(text, text) for text in texts]
        assert list(reader.orders()) == []
    await store.close()


async def test_a_value_that_has_no_place_fails_its_batch_alone(tmp_path: Path) -> None:
    """It is a Conflict, so that the caller finds out which SMS it is: a fault would refuse all, again and
    again."""
    store = PostgresStore.open(url_of(tmp_path))
    with pytest.raises(Conflict, match="out of range"):
        await store.commit(Commit(messages=[received(1), received(2)._replace(data_coding=1 << 40)]))
    await store.commit(Commit(messages=[received(1)]))
    await store.close()
    assert numbers(tmp_path) == [1]


async def test_a_refusal_repeats_no_row(tmp_path: Path) -> None:
    """The server's DETAIL of a broken rule holds the row, with its text: no error of the store does."""
    store = PostgresStore.open(url_of(tmp_path))
    spoiled = received(1)._replace(text="hunter77", province=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="null value") as caught:
        await store.commit(Commit(messages=[spoiled]))
    assert "hunter77" not in str(caught.value)
    await store.close()


async def test_a_server_that_is_killed(server: Server) -> None:
    """While the server is away calls are faults; when it is back, what was committed is there and the store
    goes on."""
    store = PostgresStore.open(server.url())
    await store.commit(batch(1))
    server.kill()
    for _ in range(3):
        with pytest.raises(StoreFault):
            await store.load(LoadKeys({ALICE}), World())
    commit = asyncio.create_task(again(store, batch(2)))
    await asyncio.sleep(0.05)
    server.start()
    await commit
    assert [number for (number,) in server.execute("SELECT number FROM journal ORDER BY number")] == [1, 2]
    await store.close()


@pytest.fixture
def small_disk(server: Server) -> Iterator[str]:
    """The URL of a database on a disk of 24 MB, which only root can make."""
    folder = server.folder / "small"
    folder.mkdir()
    words = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        shutil.chown(folder, "nobody", "nogroup")
        server.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        server.execute("CREATE DATABASE small TABLESPACE small")
        yield server.url(database="small")
    finally:
        server.stop(signal.SIGQUIT)
        subprocess.run(["/usr/bin/env", "umount", str(folder)], check=True)


async def test_a_disk_that_is_full(small_disk: str) -> None:
    """A server that has no room is StoreFull, as often as it is tried; nothing of the batch is there, and
    what was stored before can be read."""
    store = PostgresStore.open(small_disk)
    stored = 0

    async def fill() -> None:
        nonlocal stored
        while True:
            rows = [received(stored + n)._replace(text="x" * 140) for n in range(500)]
            await store.commit(Commit(messages=rows, settled=Watermark(stored, START_MS)))
            stored += len(rows)

    for _ in range(2):
        with pytest.raises(StoreFull, match="No space left on device: make room on the disk of the server"):
            await fill()
    assert await store.settled() == Watermark(stored - 500, START_MS)
    with closing(PostgresReader.open(small_disk)) as reader:
        assert sum(1 for _ in reader.journal()) == stored
    await store.close()


async def test_attempts_to_connect_get_rarer(server: Server) -> None:
    """After each failure the next attempt is up to twice as late as after the one before, by chance; one that
    comes earlier is refused without asking the server, and no attempt leaves anything behind."""
    store = PostgresStore.open(server.url())
    await store.commit(batch(1))
    server.kill()
    link, chance = store._link, Drawn()
    link._random = chance
    with pytest.raises(StoreFault):
        await store.settled()
    for _ in range(9):
        link._retry_at = 0.0
        with pytest.raises(StoreFault, match="connection failed"):
            await store.settled()
        link._retry_at = asyncio.get_running_loop().time() + PATIENCE
        with pytest.raises(StoreFault, match="tried again in a moment"):
            await store.settled()
    assert chance.ranges == [(0, min(PAUSE_FIRST * 2**n, PAUSE_MOST)) for n in range(9)]
    assert len(link.owner.holders) == 2
    server.start()
    link._retry_at = 0.0
    await store.commit(batch(2))
    await store.close()


class Drawn(Random):
    """Chance that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(1)
        self.ranges: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        """Something between them."""
        self.ranges.append((a, b))
        return super().uniform(a, b)
