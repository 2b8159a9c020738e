"""The events of every Store: numbered in the order of commits, kept until every consumer has passed them."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.message import Commit, StoredEvent
from gateway.storage.contract import Conflict, Cursor, ForgottenEvents, Store, StoreFull
from tests.contracts.engines import Engine, opening, put
from tests.support import ALICE, BOB, START_MS, leaving, received


def event(version: int, at: int = START_MS, msisdn: str = ALICE) -> StoredEvent:
    """One that is to be committed."""
    return StoredEvent(at, 7, msisdn, "400000001", "100", "buddy", "added", version, {"other": BOB})


async def fill(store: Store, count: int, at: int = START_MS) -> None:
    """Commit so many."""
    first = store.last_event + 1
    await put(store, Commit(events=[event(first + n, at) for n in range(count)]))


async def sequences(store: Store) -> list[int]:
    """What is there."""
    return [each.sequence for each in await store.events_after(0, 10_000)]


async def test_events_come_back_in_the_order_of_commits(engine: Engine, tmp_path: Path) -> None:
    """Whatever the number of their cause: whole, numbered without gaps, the same after another opening."""
    events = [replace(event(1), cause=99), event(1, msisdn=BOB), replace(event(2), cause=3, data={})]
    async with opening(engine, tmp_path) as store:
        assert (store.last_event, await store.events_after(0, 10)) == (0, [])
        await put(store, Commit(messages=[received(9)], events=events[:2]))
        await put(store, Commit(messages=[received(3)]))
        await put(store, Commit(events=events[2:]))
        found = await store.events_after(0, 10)
        assert store.last_event == 3
    assert [replace(each, sequence=0, event_id="") for each in found] == events
    assert [each.sequence for each in found] == [1, 2, 3]
    async with opening(engine, tmp_path) as store:
        assert (store.last_event, await store.events_after(0, 10)) == (3, found)
        assert await store.events_after(1, 1) == [found[1]]
        await fill(store, 1)
        [new] = await store.events_after(3, 10)
        assert len({each.event_id for each in [*found, new]}) == 4


async def test_an_id_is_not_given_twice_where_a_backup_is_restored(engine: Engine, tmp_path: Path) -> None:
    """Two openings of the same state number their events alike, but the ids differ."""
    ids = []
    for name in ("one", "two"):
        async with opening(engine, tmp_path / name) as store:
            await fill(store, 1)
            ids += [each.event_id for each in await store.events_after(0, 10)]
    assert len(set(ids)) == 2


async def test_a_batch_that_is_not_stored_leaves_no_events(engine: Engine, store: Store) -> None:
    """Neither their rows nor their numbers: after a Conflict and after StoreFull the next ones take them."""
    await put(store, Commit(messages=[received(1)]))
    with pytest.raises(Conflict):
        await put(store, Commit(messages=[received(1)], events=[event(1)]))
    engine.fill(store)
    with pytest.raises(StoreFull):
        await put(store, Commit(outgoing=[leaving(n, text="x" * 140) for n in range(900)], events=[event(1)]))
    engine.make_room(store)
    assert (store.last_event, await sequences(store)) == (0, [])
    await put(store, Commit(messages=[received(2)]))
    assert store.last_event == 0
    await fill(store, 1)
    assert (store.last_event, await sequences(store)) == (1, [1])


async def test_a_cursor_moves_forward_only(engine: Engine, tmp_path: Path) -> None:
    """Each consumer has its own; it outlives the process, and never goes back."""
    async with opening(engine, tmp_path) as store:
        await fill(store, 9)
        assert await store.cursor("a") == Cursor()
        await store.move_cursor("a", 5)
        await store.move_cursor("a", 4)
        await store.move_cursor("b", 7)
    async with opening(engine, tmp_path) as store:
        assert [(await store.cursor(name)).sequence for name in "abc"] == [5, 7, 0]


async def test_what_is_refused_is_kept_and_counted_once(store: Store) -> None:
    """A parked event is there with its reason, whole, also when the event itself is gone; told again, it does
    not count again."""
    await fill(store, 3)
    first, second, _ = await store.events_after(0, 10)
    for _ in range(2):
        await store.move_cursor("a", 2, [(first, "too long"), (second, "denied")])
    await store.move_cursor("a", 3)
    await store.forget_events(0, 100, 100)
    assert await store.cursor("a") == Cursor(3, 2)
    assert await store.parked_events("a", 10) == [(first, "too long"), (second, "denied")]
    assert await store.parked_events("a", 1) == [(first, "too long")]
    assert await store.parked_events("b", 10) == []
    assert await store.parked_events("a", 10, after=1) == [(second, "denied")]
    assert (await store.forget_events(START_MS + 1, 100, 100)).dropped == {"a": 2}
    assert (await store.parked_events("a", 10), await store.cursor("a")) == ([], Cursor(3, 2, 2))


async def test_what_is_taken_after_all_is_parked_no_more(engine: Engine, tmp_path: Path) -> None:
    """It is gone for good, for that consumer alone, and is not dropped; an unknown one is nothing."""
    async with opening(engine, tmp_path) as store:
        await fill(store, 3)
        found = await store.events_after(0, 10)
        for name in "ab":
            await store.move_cursor(name, 3, [(each, "denied") for each in found])
        await store.unpark_events("a", [1, 3, 9])
        await store.unpark_events("new", [1])
    async with opening(engine, tmp_path) as store:
        assert [each.sequence for each, _ in await store.parked_events("a", 10)] == [2]
        assert [each.sequence for each, _ in await store.parked_events("b", 10)] == [1, 2, 3]
        assert await store.cursor("a") == Cursor(3, 3)


async def test_what_everybody_has_passed_goes(store: Store) -> None:
    """Not what one consumer has still before it, however far others are, and no more than asked for."""
    await fill(store, 10)
    assert await store.forget_events(0, 100, 100) == ForgottenEvents(0)
    await store.cursor("slow")
    await store.move_cursor("fast", 10)
    assert (await store.forget_events(0, 100, 100)).gone == 0
    await store.move_cursor("slow", 6)
    assert await store.forget_events(0, 100, 4) == ForgottenEvents(4, 4)
    assert await store.forget_events(0, 100, 4) == ForgottenEvents(2, 6)
    assert await sequences(store) == [7, 8, 9, 10]


async def test_too_many_events_lose_the_oldest(store: Store) -> None:
    """Beyond the bound the oldest go, step by step, counted for each consumer that had not passed them."""
    await fill(store, 10)
    await store.move_cursor("a", 4)
    await store.move_cursor("b", 10)
    await store.cursor("new")
    assert await store.forget_events(0, 4, 5) == ForgottenEvents(5, 5, {"a": 1, "new": 5})
    assert await store.forget_events(0, 4, 5) == ForgottenEvents(1, 6, {"a": 1, "new": 1})
    assert (await store.forget_events(0, 4, 5)).gone == 0
    assert await sequences(store) == [7, 8, 9, 10]
    assert [await store.cursor(n) for n in ("a", "b", "new")] == [
        Cursor(6, 0, 2),
        Cursor(10),
        Cursor(6, 0, 6),
    ]


async def test_old_events_go(store: Store) -> None:
    """What is older than `before` goes, untold or not; what is not stays."""
    await fill(store, 3)
    await fill(store, 2, START_MS + 1000)
    await store.cursor("a")
    assert await store.forget_events(START_MS + 1000, 100, 2) == ForgottenEvents(2, 2, {"a": 2})
    assert await store.forget_events(START_MS + 1000, 100, 2) == ForgottenEvents(1, 3, {"a": 1})
    assert await sequences(store) == [4, 5]


async def test_numbers_do_not_come_again(engine: Engine, tmp_path: Path) -> None:
    """Not even when every event is gone and the store was opened anew: a cursor would be behind them."""
    async with opening(engine, tmp_path) as store:
        await fill(store, 3)
        await store.move_cursor("a", 3)
        assert (await store.forget_events(0, 100, 100)).gone == 3
    async with opening(engine, tmp_path) as store:
        await fill(store, 1)
        assert await sequences(store) == [4]
