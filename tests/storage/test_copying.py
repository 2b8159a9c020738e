"""A store on SQLite is copied to PostgreSQL: whole, checked, or not at all."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from commands.model import Buddy, Customer, CustomerState, LoadKeys, Order, World
from gateway.cli.main import main
from gateway.message import (
    Acted,
    Asked,
    Commit,
    CompletePart,
    Delivery,
    EarlyReceipt,
    PartHeader,
    PartReceipt,
    Posted,
    ProductRecord,
    StoredEvent,
    StoredPart,
    Uncertain,
    Watermark,
)
from gateway.storage.accounts import Account, AuditEntry, Session
from gateway.storage.contract import Store, StoreInUse, StoreUnusable
from gateway.storage.copying import BOOLEANS, TABLES
from gateway.storage.engines import copy_store
from gateway.storage.figures import Amount, FigureKey, FigureQuery, Figures, Measure, PeriodKind
from gateway.storage.postgresql.reader import PostgresReader
from gateway.storage.postgresql.store import PostgresStore
from gateway.storage.sqlite.reader import SqliteReader
from gateway.storage.sqlite.store import SqliteStore
from tests.postgresql import PASSWORD, missing, schema_of, shared, url_of
from tests.support import ALICE, BOB, SESSIONS, START_MS, attempt_of, leaving, received

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
SPAN = 0, 2 * START_MS
DAY = "2008-01-10"
OF_NODES = {
    *((table, "node") for table in ("outbox", "part", "uncertain", "event", "consumer", "parked_event")),
    *(("event", "number"), ("parked_event", "number"), ("outbox", "moved"), ("customer", "revision")),
    ("candidate", "used_by"),
}
"""Columns of the server that say which of several nodes; of a copy they have their defaults."""


def quiet(_table: str, _done: int, _count: int) -> None:
    """No progress is shown."""


def part(number: int) -> StoredPart:
    """A part that waits."""
    header = PartHeader("udh8", 7, 3, 2)
    return StoredPart(
        number, "smsc", ALICE, "161", header, 8, b"\0\xff", START_MS, ALICE, 1, 2, START_MS, b"d"
    )


async def filled(store: Store) -> None:
    """Something of every kind, in every state."""
    secret = leaving(104, text="password")
    secret.secret, secret.sealed = True, b"\0sealed"
    outgoing = [leaving(100, text="a\0b"), leaving(101), leaving(102), leaving(103), secret]
    outgoing[2].state, outgoing[3].state, outgoing[3].closed_at = Delivery.PARKED, Delivery.SENT, START_MS
    await store.commit(
        Commit(
            messages=[received(n, digest=b"%d" % n)._replace(text=f"飞信\0{n}") for n in range(1, 60)],
            customers=[
                Customer(ALICE, CustomerState.OPEN, "400000001", orders=(Order("MCHAT", 1),), nickname="\0"),
                Customer(BOB),
            ],
            buddies={(ALICE, BOB): Buddy(ALICE, BOB, "b", 1, blocked=True)},
            outgoing=outgoing,
            parts=[part(200), part(201)],
            parts_complete=[CompletePart(START_MS, 201)],
            products=[ProductRecord(1, ALICE, "MCHAT", "order", START_MS, trial=True, province="100")],
            uncertain=[Uncertain(SESSIONS + 1, 1, 3, START_MS), Uncertain(SESSIONS + 1, 4, 9, START_MS)],
            settled=Watermark(50, START_MS),
            asked=[Asked(1, START_MS, "200", ALICE, "1612008", START_MS + 60_000)],
            posted=[Posted("200", "a", START_MS, 100)],
            events=[
                StoredEvent(START_MS, 1, ALICE, "4", "100", "buddy", "added", n, {"n": n}) for n in (1, 2)
            ],
        )
    )
    await store.commit(Commit(changed=[outgoing[2]], closed=[outgoing[3]], attempts=[attempt_of(102, 1)]))
    early = EarlyReceipt("smsc", "b", "", "B\0", 1, Delivery.DELIVERED, "DELIVRD", "", 1, ALICE, "161")
    await store.commit(
        Commit(
            receipts=[PartReceipt(103, 1, 1, ALICE, "smsc", "0A", 1, 2, Delivery.DELIVERED, "DELIVRD\0")],
            outcomes={103: Delivery.DELIVERED},
            acted=[Acted("request", 1, START_MS, "agent", "unlock", ALICE, "he asks\0")],
            early=[early, early._replace(key="c", reported=True)],
        )
    )
    await store.set_key_check(77, None)
    await store.expect(2)
    first, _ = await store.events_after(0, 2)
    await store.move_cursor("mqtt", 1, [(first, "denied")])
    await filled_for_the_console(store)


async def filled_for_the_console(store: Store) -> None:
    """Figures and accounts."""
    figures = Figures({FigureKey(DAY, Measure.UPLINK, "100", "161", "chat", "chat"): Amount(3, 4)})
    figures.active[(DAY, ALICE)] = ("100", 1)
    await store.fold("figures", 2, figures)
    await store.put_account(Account("agent", "hash", "operator", "000", START_MS, disabled=True))
    await store.put_session(Session(b"\0digest", "agent", "", START_MS, START_MS, START_MS))
    await store.note(AuditEntry(START_MS, "agent", "login", "agent", "", "127.0.0.1"))


async def assert_alike_for_the_console(one: Store, other: Store) -> None:
    """Whatever they give of figures and accounts."""
    assert await one.accounts() == await other.accounts() != []
    assert await one.sessions("agent") == await other.sessions("agent") != []
    assert await one.audit(1 << 60, 9) == await other.audit(1 << 60, 9) != []
    assert await one.actions(["request"]) == await other.actions(["request"]) == {"request": 1}
    assert await one.cursor("figures") == await other.cursor("figures")


async def test_everything_is_copied(tmp_path: Path) -> None:
    """Whatever a reader or a store gives of the one, it gives of the other, and the copy goes on."""
    path = tmp_path / "fetion.db"
    store = SqliteStore.open(path)
    await filled(store)
    await store.close()
    counts = copy_store(path, url_of(tmp_path), quiet)
    assert counts["journal"] == 59
    assert all(counts.values()), "every table has something, or nothing is shown of it"
    with closing(SqliteReader.open(path)) as old, closing(PostgresReader.open(url_of(tmp_path))) as new:
        assert list(new.journal()) == list(old.journal())
        assert list(new.closed(*SPAN)) == list(old.closed(*SPAN))
        assert new.waiting(10) == old.waiting(10)
        assert new.attempts(102) == old.attempts(102) != []
        assert list(new.products(*SPAN)) == list(old.products(*SPAN))
        assert list(new.orders()) == list(old.orders())
        for measure in (Measure.UPLINK, Measure.ACTIVE):
            wanted = FigureQuery(PeriodKind.MONTH, measure, "2008-01-01", "2008-01-01")
            assert new.figures(wanted) == old.figures(wanted) != []
    one, other = SqliteStore.open(path), PostgresStore.open(url_of(tmp_path))
    assert one.run == other.run == 3  # the copying took one
    assert one.last_event == other.last_event
    for each in (one, other):
        assert await each.key_check() == 77
        assert await each.settled() == (50, START_MS)
    await assert_alike_for_the_console(one, other)
    assert await one.parts() == await other.parts()
    assert await one.parked_events("mqtt", 9) == await other.parked_events("mqtt", 9)
    assert await one.events_after(0, 9) == await other.events_after(0, 9)
    assert await one.cursor("mqtt") == await other.cursor("mqtt")
    assert await one.expect(100) == await other.expect(100)
    digests = [b"%d" % n for n in range(1, 60)]
    assert sorted(await one.candidates(digests, 0)) == sorted(await other.candidates(digests, 0))
    keys = LoadKeys({ALICE, BOB}, {"400000001"}, {(ALICE, BOB)}, {ALICE})
    await one.load(keys, here := World())
    await other.load(keys, there := World())
    assert (here.customers, here.holders, here.buddies) == (there.customers, there.holders, there.buddies)
    await filled_further(other)
    await one.close()
    await other.close()


async def filled_further(store: Store) -> None:
    """What the server numbers begins behind what was copied."""
    record = ProductRecord(2, BOB, "IIC", "order", START_MS, trial=False, province="100")
    await store.commit(Commit(products=[record], uncertain=[Uncertain(0, 1, 1, START_MS)]))


def test_no_table_and_no_column_is_left_out(tmp_path: Path) -> None:
    """A copy has every table and column of both engines, but for what belongs to one alone."""
    SqliteStore.open(tmp_path / "a.db").release()
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: {row[1] for row in db.execute(f"PRAGMA table_info({name})")} for name in names}
    listed = {table: set(columns.split(", ")) for table, columns in TABLES.items()}
    assert found.keys() == listed.keys()
    for table, columns in found.items():
        assert columns - listed[table] <= {"listed"}
        assert listed[table] - columns <= {"sealed", "id"}
    PostgresStore.open(url_of(tmp_path))
    rows = shared().execute(
        "SELECT table_name, column_name, data_type = 'boolean' FROM information_schema.columns"
        " WHERE table_schema = current_schema()"
        " AND table_name NOT IN ('fetion_store', 'node', 'answered', 'holding')",
        schema_of(tmp_path),
    )
    copied = {(table, column) for table, columns in listed.items() for column in columns}
    assert {(table, column) for table, column, _ in rows} - copied == OF_NODES
    assert copied <= {(table, column) for table, column, _ in rows}
    assert {column for _, column, boolean in rows if boolean} == BOOLEANS | {"moved"}


async def test_a_named_node_goes_on_with_a_copy(tmp_path: Path) -> None:
    """With a name instead of none, what waits, parts, events and doubts are taken over at once."""
    path = tmp_path / "fetion.db"
    store = SqliteStore.open(path)
    await filled(store)
    await store.close()
    copy_store(path, url_of(tmp_path), quiet)
    node = PostgresStore.open(url_of(tmp_path), "bj1")
    await node.recover(START_MS)
    taken = [each for _ in range(5) for each in await node.take_over(START_MS, 100)]
    assert {(each.number, each.name) for each in taken} == {(0, "")}
    assert sum(each.sms for each in taken) == 4
    assert sum(each.parts for each in taken) == 2
    assert sum(each.events for each in taken) == 2
    assert sum(each.candidates for each in taken) == 16
    assert [sms.number for sms in await node.take_in(10)] == [100, 101, 104]
    assert await node.key_check() == 77
    await node.close()


async def test_what_prevents_a_copy(tmp_path: Path) -> None:
    """A store that is not there, or in use; a target that has a store already: nothing is changed."""
    path = tmp_path / "fetion.db"
    with pytest.raises(StoreUnusable, match="there is no store"):
        copy_store(path, url_of(tmp_path), quiet)
    assert not path.exists()
    store = SqliteStore.open(path)
    await filled(store)
    with pytest.raises(StoreInUse, match="another gateway has this store open"):
        copy_store(path, url_of(tmp_path), quiet)
    await store.close()
    with pytest.raises(StoreUnusable, match="a store is copied to postgresql://"):
        copy_store(path, "mysql://a/b", quiet)
    copy_store(path, url_of(tmp_path), quiet)
    with pytest.raises(StoreUnusable, match="journal has rows already: a copy needs an empty store"):
        copy_store(path, url_of(tmp_path), quiet)


async def test_a_copy_that_differs_is_none(tmp_path: Path) -> None:
    """Where the server has other rows than it was given, the copy is refused and taken back."""
    path = tmp_path / "fetion.db"
    store = SqliteStore.open(path)
    await filled(store)
    await store.close()
    await PostgresStore.open(url_of(tmp_path)).close()
    schema = schema_of(tmp_path)
    for statement in (
        "DELETE FROM meta",
        """CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.sub_code := 'x'; RETURN NEW; END $$""",
        "CREATE TRIGGER spoil BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION spoil()",
    ):
        shared().execute(statement, schema)
    with pytest.raises(StoreUnusable, match="journal: 59 rows of 59 are there, or some are not as they were"):
        copy_store(path, url_of(tmp_path), quiet)
    assert shared().execute("SELECT count(*) FROM journal", schema) == [(0,)]


async def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`store migrate` says how many rows each table has, and what to do next; twice it says why not."""
    monkeypatch.chdir(tmp_path)
    store = SqliteStore.open(tmp_path / "var" / "fetion.db")
    await filled(store)
    await store.close()
    assert main(["store", "migrate", "--to", url_of(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "journal" in said.out
    assert "59 rows" in said.out
    assert "journal: 59\n" in said.err
    assert "all rows are the same in both stores: set storage.url to the new one" in said.out
    assert main(["store", "migrate", "--to", url_of(tmp_path)]) == 1
    again = capsys.readouterr()
    assert "a copy needs an empty store" in again.err
    assert PASSWORD not in said.out + said.err + again.out + again.err
