"""A consumer that refuses topics for a while: what is parked, and how it comes when it is taken again."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events.contract import RefusedEvent, StoredEvent, TemporaryFault
from gateway.events.parking import AGAIN_MOST, BEHIND
from gateway.message import Commit
from gateway.storage.contract import Cursor, StoreFault
from gateway.storage.sqlite import events
from gateway.storage.sqlite.store import SqliteStore
from tests.events.support import WITHIN, Notebook, Telling, happened
from tests.proofs.served import until
from tests.support import at_once, store_at


class Broker(Notebook):
    """Refuses events of the families in `denied`. offered: every event that it was given."""

    def __init__(self, most: int = 50) -> None:
        super().__init__(most=most)
        self.denied: set[str] = set()
        self.unreadable: set[int] = set()
        self.offered: list[int] = []

    def topic(self, event: StoredEvent) -> str:
        """Its family."""
        return event.family

    async def take(self, events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
        """But for what is denied."""
        self.offered += [event.sequence for event in events]
        refused = [RefusedEvent(e, "denied", again=True) for e in events if e.family in self.denied]
        refused += [RefusedEvent(e, "unreadable") for e in events if e.sequence in self.unreadable]
        gone = {each.event.sequence for each in refused}
        self.taken += [event for event in events if event.sequence not in gone]
        return refused


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


def put(store: SqliteStore, families: str) -> None:
    """Commit one event for each letter, of that family."""
    told = [replace(happened(1), family=family) for family in families]
    at_once(store.commit(Commit(events=told)))


def parked(store: SqliteStore) -> list[int]:
    """What is parked."""
    return [event.sequence for event, _ in at_once(store.parked_events("notebook", 100_000))]


@contextlib.asynccontextmanager
async def telling(store: SqliteStore, consumer: Broker) -> AsyncIterator[Telling]:
    """A relay that runs; its time passes where it waits."""
    running = Telling(store, consumer)
    task = asyncio.create_task(running.relay.run())
    try:
        yield running
    finally:
        running.relay.stop()
        async with asyncio.timeout(WITHIN):
            await task


async def test_one_denied_lane_stops_nobody_else(store: SqliteStore) -> None:
    """What follows on it is parked unseen, in order; other topics go on; offers are few and of one event."""
    consumer = Broker(most=2)
    consumer.denied = {"a"}
    put(store, "abaabba")
    async with telling(store, consumer) as running:
        await until(lambda: consumer.sequences == [2, 5, 6], "the other topic")
        await until(lambda: parked(store) == [1, 3, 4, 7], "the parked ones")
        await until(lambda: len(running.waits) > 20, "the offers")
        put(store, "ab")
        running.relay.wake()
        await until(lambda: consumer.sequences == [2, 5, 6, 9], "the other topic")
    assert set(consumer.offered) - set(consumer.sequences) == {1}
    assert all(0 <= seconds <= AGAIN_MOST for seconds in running.waits)
    assert sum(running.waits) > 5 * AGAIN_MOST
    assert at_once(store.cursor("notebook")) == Cursor(9, 5)
    assert [each for each in running.log.lines if each[0] == "parked"] == [
        ("parked", "notebook", 1, "denied"),
        *[("parked", "notebook", n, BEHIND) for n in (3, 4, 7, 8)],
    ]


async def test_what_was_denied_comes_when_it_is_taken(store: SqliteStore) -> None:
    """Each topic in order, before what is new on it; parked no more, told once, never counted as dropped."""
    consumer = Broker(most=3)
    consumer.denied = {"a", "b"}
    put(store, "ab" * 100 + "c")
    async with telling(store, consumer) as running:
        await until(lambda: len(parked(store)) == 200, "the parked ones")
        consumer.denied = {"b"}
        await until(lambda: len(parked(store)) == 100, "the first topic")
        assert consumer.sequences == [201, *range(1, 201, 2)]
        put(store, "ab")
        running.relay.wake()
        await until(lambda: consumer.sequences[-1] == 202, "the new event")
        consumer.denied = set()
        await until(lambda: parked(store) == [], "the second topic")
    assert consumer.sequences[102:] == [*range(2, 201, 2), 203]
    assert ("unparked", "notebook", 100) in running.log.lines
    assert at_once(store.cursor("notebook")) == Cursor(203, 201)


async def test_after_a_restart_parked_events_come_first(store: SqliteStore) -> None:
    """Another relay offers what the first one parked before anything new of that topic."""
    consumer = Broker()
    consumer.denied = {"a"}
    put(store, "aab")
    async with telling(store, consumer):
        await until(lambda: parked(store) == [1, 2], "the parked ones")
    put(store, "ab")
    again = Broker()
    async with telling(store, again):
        await until(lambda: len(again.sequences) == 4, "all")
    assert again.sequences == [1, 2, 4, 5]


async def test_what_is_refused_for_good_holds_nothing(store: SqliteStore) -> None:
    """It stays parked, also among events that wait: those behind it are offered."""
    consumer = Broker()
    consumer.unreadable = {1, 4}
    put(store, "aa")
    async with telling(store, consumer):
        await until(lambda: consumer.sequences == [2], "the second")
        consumer.denied = {"a"}
        put(store, "aaa")
        await until(lambda: store.last_event == 5, "the commit")
    consumer.denied = {"a"}
    async with telling(store, consumer):
        await until(lambda: parked(store) == [1, 3, 4, 5], "the parked ones")
        consumer.denied = set()
        await until(lambda: parked(store) == [1, 4], "what is taken")
    assert consumer.sequences == [2, 3, 5]


@pytest.mark.parametrize("fault", [TemporaryFault("away"), StoreFault("full")])
async def test_a_fault_while_parked_events_are_offered(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """They stay, and come after the pause: once more where the store failed after they were taken."""
    consumer = Broker()
    consumer.denied = {"a"}
    put(store, "aaaa")
    faults = [fault] * 3
    async with telling(store, consumer) as running:
        await until(lambda: len(parked(store)) == 4, "the parked ones")
        target, name = (consumer, "take") if isinstance(fault, TemporaryFault) else (store, "unpark_events")
        asked = getattr(target, name)

        async def fails(*values: object) -> object:
            if faults:
                raise faults.pop()
            return await asked(*values)

        monkeypatch.setattr(target, name, fails)
        consumer.denied = set()
        await until(lambda: parked(store) == [], "all")
        assert ("resumed", "notebook", 3) in running.log.lines
    assert list(dict.fromkeys(consumer.sequences)) == [1, 2, 3, 4]


async def test_parked_events_that_are_too_many(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, counted and told; the topic is not held by what is gone."""
    monkeypatch.setattr(events, "PARKED_MOST", 5)
    consumer = Broker(most=1)
    consumer.denied = {"a", "b"}
    put(store, "a" + "b" * 10)
    async with telling(store, consumer) as running:
        await until(lambda: parked(store) == [7, 8, 9, 10, 11], "the last ones")
        consumer.denied = {"b"}
        put(store, "a")
        running.relay.wake()
        await until(lambda: 12 in consumer.sequences or 12 in parked(store), "the new one")
        consumer.denied = set()
        await until(lambda: parked(store) == [], "all")
    dropped = sum(int(str(each[2])) for each in running.log.lines if each[0] == "dropped")
    assert sorted(consumer.sequences)[-5:] == [8, 9, 10, 11, 12]
    assert len(consumer.sequences) + dropped == 12
    assert at_once(store.cursor("notebook")).dropped == dropped


@given(
    st.lists(st.tuples(st.text("abc", max_size=30), st.sets(st.sampled_from("abc"))), max_size=6),
    st.sampled_from([1, 3, 50]),
)
@settings(max_examples=60)
def test_whatever_is_denied(steps: list[tuple[str, set[str]]], most: int) -> None:
    """Each topic comes whole and in order, none twice, whatever is denied meanwhile."""

    async def play(folder: Path) -> None:
        store, consumer = store_at(folder / "fetion.db"), Broker(most)
        async with telling(store, consumer) as running:
            for families, denied in steps:
                consumer.denied = denied
                put(store, families)
                running.relay.wake()
                for _ in range(len(families)):
                    await asyncio.sleep(0)
            consumer.denied = set()
            await until(lambda: len(consumer.taken) == store.last_event, "all events")
        for topic in "abc":
            came = [event.sequence for event in consumer.taken if event.family == topic]
            assert came == sorted(set(came))
        assert parked(store) == []
        store.release()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))
