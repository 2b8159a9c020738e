"""Customers are written whole, and the indexes follow, whatever was loaded before."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.model import Customer, CustomerState, LoadKeys, Order, World
from gateway.message import Commit, Watermark
from gateway.storage.contract import Conflict
from gateway.storage.sqlite.store import SqliteStore
from tests.support import START_MS, at_once, store_at

MOBILES = [f"1380013800{digit}" for digit in range(4)]
NUMBERS = ["", *(f"40000000{digit}" for digit in range(4))]

step = st.tuples(
    st.sets(st.sampled_from(MOBILES)),  # loaded before
    st.dictionaries(
        st.sampled_from(MOBILES), st.tuples(st.sampled_from(NUMBERS), st.booleans(), st.text(max_size=3))
    ),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


def customer(msisdn: str, number: str, matching: bool, nickname: str) -> Customer:
    """One with these properties."""
    orders = (Order("MCHAT", START_MS),) if matching else ()
    return Customer(msisdn, CustomerState.OPEN, fetion_number=number, nickname=nickname, orders=orders)


def put(store: SqliteStore, customers: list[Customer]) -> None:
    """Commit them."""
    at_once(store.commit(Commit(customers=customers, settled=Watermark(1, START_MS))))


def known(store: SqliteStore) -> dict[str, Customer]:
    """All that are in the store."""
    world = World()
    at_once(store.load(LoadKeys(set(MOBILES)), world))
    return {msisdn: found for msisdn, found in world.customers.items() if found is not None}


@settings(max_examples=60, deadline=None)
@given(st.lists(step, max_size=8))
def test_indexes_follow(steps: list[tuple[set[str], dict[str, tuple[str, bool, str]]]]) -> None:
    """Customers who were loaded before a commit, or were not, get and lose numbers and matching, some commits
    break a rule: who holds a number and who may be found as a partner is always what a plain table says."""
    with TemporaryDirectory() as folder:
        store = store_at(Path(folder) / "fetion.db")
        store._db.execute("PRAGMA synchronous=OFF")  # no power is cut here
        table: dict[str, Customer] = {}
        for loaded, written in steps:
            at_once(store.load(LoadKeys(loaded), World()))
            after = table | {msisdn: customer(msisdn, *values) for msisdn, values in written.items()}
            try:
                put(store, [after[msisdn] for msisdn in written])
            except Conflict:
                pass  # two had a number at some moment
            else:
                table = after
            world = World()
            at_once(store.load(LoadKeys(holders=set(NUMBERS[1:])), world))
            assert world.holders == {
                number: next((c.msisdn for c in table.values() if c.fetion_number == number), None)
                for number in NUMBERS[1:]
            }
            assert sorted(at_once(store.matching(0.0, 9))) == sorted(
                c.msisdn for c in table.values() if c.has("MCHAT")
            )
        assert known(store) == table
        store.release()


def test_who_is_known_touches_no_index(store: SqliteStore) -> None:
    """A nickname of a customer who was loaded changes pages of his table only, not those of an index."""
    put(
        store,
        [
            customer(msisdn, number, matching=True, nickname="")
            for msisdn, number in zip(MOBILES, NUMBERS[1:], strict=True)
        ],
    )
    changed = known(store)
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for msisdn in MOBILES:
        changed[msisdn].nickname = "other"
    put(store, list(changed.values()))
    pages = store._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    assert pages <= 2  # the table, and meta
    assert known(store) == changed
