"""A store of schema 1 is brought up to date with everything in it: it becomes that of node 0."""

from importlib import resources
from pathlib import Path

import psycopg
import pytest

from gateway.message import Commit
from gateway.storage.contract import StoreUnusable
from gateway.storage.postgresql import migration
from gateway.storage.postgresql.store import PostgresStore
from tests.postgresql import missing, schema_of, shared, url_of
from tests.support import START_MS

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

ROWS = """
UPDATE fetion_store SET version = 1, batch = 77;
INSERT INTO meta VALUES ('run', 5), ('settled', 11), ('settled_at', 1200000000000), ('key_check', 9);
INSERT INTO journal SELECT n, 1200000000000, 'smsc', 1, 1, '1', '161', '1', '161', '', '100', 0, 0, 1,
    'service.open', 'done', 'x', NULL, n::text::bytea, 0, '' FROM generate_series(10, 13) n;
INSERT INTO outbox (number, cause, msisdn, account, source, destination, ton, npi, text, secret, reference,
        at, expires_at, state, parts, source_ton, source_npi)
    SELECT n, 10, '1', 'smsc', '161', '1', 0, 1, 't', FALSE, 1, 1, 2, n % 5, 1, 0, 1
    FROM generate_series(20, 29) n;
INSERT INTO customer VALUES (13800138000, 400000001, 'open', 'smsc', '13800138000', 0, 1, NULL, 0);
INSERT INTO part VALUES (30, 'smsc', '1', '161', 'udh8', 7, 3, 2, 8, 'x', 9, '1', 0, 1, 1, 'd', FALSE);
INSERT INTO event SELECT n, 171, 1, 10, '1', '', '100', 'buddy', 'added', n, NULL
    FROM generate_series(4, 6) n;
INSERT INTO consumer VALUES ('mqtt', 4, 1, 2);
INSERT INTO parked_event VALUES ('mqtt', 3, 171, 1, 10, '1', '', '100', 'buddy', 'added', 1, NULL, 'denied');
INSERT INTO candidate (number, digest, session, until) VALUES (10, 'c', 1, 9);
INSERT INTO uncertain (session, first, last, until, done) VALUES (0, 11, 12, 1300000000000, 10);
"""


def old(folder: Path) -> str:
    """The URL of a store of schema 1 with something of each kind."""
    url = url_of(folder)
    with psycopg.connect(url, autocommit=True) as db:
        first = resources.files("gateway.storage.postgresql") / "schema" / "0001.sql"
        db.execute(first.read_bytes())
        db.execute(ROWS)
    return url


async def test_everything_is_kept(tmp_path: Path) -> None:
    """What a gateway had before it has afterwards, and a node with a name takes it over from there."""
    url = old(tmp_path)
    store = PostgresStore.open(url)
    assert (store.node, store.run, store.last_event) == (0, 6, 6)
    assert await store.settled() == (11, START_MS)
    assert await store.key_check() == 9
    assert [each.number for each in await store.waiting(-1, 99)] == [20, 25]
    assert await store.parked(24) is not None
    assert [each.number for each in await store.parts()] == [30]
    assert [each.event_id for each in await store.events_after(4, 9)] == ["0000000000ab-5", "0000000000ab-6"]
    cursor = await store.cursor("mqtt")
    assert (cursor.sequence, cursor.parked, cursor.dropped) == (4, 1, 2)
    assert len(await store.parked_events("mqtt", 9)) == 1
    assert await store.candidates([b"c"], 0) == [(b"c", 10)]
    assert (await store.expect(9)).candidates == 3
    assert len(await store.matching(0, 9)) == 0
    await store.close()
    named = PostgresStore.open(url, "a")
    taken = [each for _ in range(9) for each in await named.take_over(START_MS, 9)]
    assert sum(each.sms for each in taken) == 4
    assert sum(each.events for each in taken) == 3
    assert [each.event_id for each in await named.events_after(0, 9)] == [
        f"0000000000ab-{n}" for n in (3, 5, 6)
    ]
    assert [each.number for each in await named.take_in(9)] == [20, 25]
    await named.close()


def test_not_under_a_running_gateway(tmp_path: Path) -> None:
    """A gateway of the older version that has the store open is not disturbed, and the new one says what to
    do."""
    url, schema = old(tmp_path), schema_of(tmp_path)
    owned = "UPDATE fetion_store SET holder = 'x', until = clock_timestamp() + interval '9 s'"
    shared().execute(owned, schema)
    with pytest.raises(
        StoreUnusable, match=r"older version has this store open: stop it, then start this one"
    ):
        PostgresStore.open(url)
    assert shared().execute("SELECT holder, version FROM fetion_store", schema) == [("x", 1)]


async def test_not_under_running_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of later versions: the schema stays as it is while a node lives."""
    node = PostgresStore.open(url_of(tmp_path), "bj1", 60)
    monkeypatch.setattr(migration, "SCHEMA_VERSION", migration.SCHEMA_VERSION + 1)
    with pytest.raises(StoreUnusable, match=r"node.name: bj1\): stop all of them, then start this one"):
        PostgresStore.open(url_of(tmp_path), "bj2", 60)
    await node.commit(Commit())
    await node.close()
