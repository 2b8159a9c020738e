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
from gateway.storage.contract import StoreFault, StoreFull, StoreInUse, StoreUnusable
from gateway.storage.engines import obstacle
from gateway.storage.postgresql.link import PAUSE_FIRST, PAUSE_MOST, TRIES
from gateway.storage.postgresql.owner import LEASE
from gateway.storage.postgresql.place import Place
from gateway.storage.postgresql.reader import PostgresReader
from gateway.storage.postgresql.store import PostgresStore
from gateway.testing import BadLink
from tests.postgresql import PASSWORD, Server, missing, schema_of, shared, url_of
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
    SELECT EXISTS (SELECT FROM pg_locks JOIN fetion_store USING (pid) WHERE NOT granted)
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
    shared().execute("UPDATE fetion_store SET until = clock_timestamp()", schema_of(tmp_path))
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
    shared().execute("SELECT pg_terminate_backend(pid, 5000) FROM fetion_store", schema)
    second = PostgresStore.open(url_of(tmp_path))
    with pytest.raises(StoreFault):
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
        shared().execute("UPDATE fetion_store SET until = clock_timestamp()", schema)
        await write
        [(left,)] = shared().execute(
            "SELECT extract(epoch FROM until - clock_timestamp())::integer FROM fetion_store", schema
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


async def test_a_refusal_repeats_no_row(tmp_path: Path) -> None:
    """The server's DETAIL of a broken rule holds the row, with its text: no error of the store does."""
    store = PostgresStore.open(url_of(tmp_path))
    spoiled = received(1)._replace(text="hunter77", province=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="null value") as caught:
        await store.commit(Commit(messages=[spoiled]))
    assert "hunter77" not in str(caught.value)
    await store.close()


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
        shared().execute("SELECT pg_terminate_backend(pid, 5000) FROM fetion_store", schema_of(tmp_path))
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
    assert len(link._holders) == 2
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
