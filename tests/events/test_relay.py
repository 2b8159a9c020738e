"""The relay: every event in order, whatever the consumer and the store do meanwhile."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from gateway.events.contract import MOST
from gateway.events.pauses import RETRY_FIRST, RETRY_MOST
from gateway.events.relay import MOVE_EVERY, PAGE, Relay, Relays
from gateway.message import PROVINCE, Commit
from gateway.storage.contract import Cursor, StoreFault
from gateway.storage.sqlite.store import SqliteStore
from tests.events.support import (
    WITHIN,
    Crash,
    Notebook,
    Telling,
    Told,
    away,
    broken,
    confirm,
    crash,
    happened,
    put,
    refuse,
)
from tests.proofs.served import until
from tests.support import HandClock, at_once, store_at

DAY_MS = 86_400_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


def test_batches_are_bounded(store: SqliteStore) -> None:
    """A consumer gets as many events at once as it takes, in order, and the cursor follows."""
    put(store, 120)
    for most, name in ((50, "a"), (7, "b"), (1, "c")):
        consumer = Notebook(name, most)
        Telling(store, consumer).drain()
        assert consumer.sequences == list(range(1, 121))
        assert max(map(len, consumer.calls)) == most
        assert at_once(store.cursor(name)) == Cursor(120)


@pytest.mark.parametrize("most", [0, MOST + 1])
def test_a_consumer_that_takes_too_many(store: SqliteStore, most: int) -> None:
    """It is told so at once."""
    with pytest.raises(ValueError, match="1 to 1000"):
        Telling(store, Notebook(most=most))


def test_two_consumers_of_one_name(store: SqliteStore) -> None:
    """They would share a cursor: refused."""
    with pytest.raises(ValueError, match="one name"):
        Relays([Notebook(), Notebook()], store, HandClock(), Random(7), Told(), DAY_MS)


def test_it_goes_on_where_it_was(store: SqliteStore) -> None:
    """Another relay of the same name gets what the first one did not, and nothing twice."""
    put(store, 3)
    first, second = Notebook(), Notebook()
    Telling(store, first).drain()
    put(store, 2)
    Telling(store, second).drain()
    assert (first.sequences, second.sequences) == ([1, 2, 3], [4, 5])


def test_a_crash_repeats_what_was_not_stored(store: SqliteStore) -> None:
    """What was confirmed, but whose cursor is not in the store, comes again under the same ids."""
    put(store, 3)
    first, second = Notebook(most=1), Notebook(most=1)
    first.answers = [confirm, confirm, crash]
    with pytest.raises(Crash):
        Telling(store, first).drain()
    Telling(store, second).drain()
    assert (first.sequences, second.sequences) == ([1, 2], [1, 2, 3])
    assert [each.event_id for each in first.taken] == [each.event_id for each in second.taken[:2]]


async def run(telling: Telling, consumer: Notebook, last: int) -> None:
    """Let it run until the consumer has that event."""
    consumer.after = lambda: telling.relay.stop() if consumer.sequences[-1:] == [last] else None
    async with asyncio.timeout(WITHIN):
        await telling.relay.run()


async def test_pauses_grow_to_a_bound(store: SqliteStore) -> None:
    """A consumer that is away is asked again with the same events, after pauses drawn below a bound that
    doubles; the 1st, 2nd, 4th, 8th failure is told, and its return."""
    put(store, 2)
    consumer = Notebook()
    consumer.answers = [away] * 20
    telling = Telling(store, consumer)
    await run(telling, consumer, 2)
    bounds = [min(RETRY_FIRST * 2**n, RETRY_MOST) for n in range(20)]
    assert len(telling.waits) == 20
    assert all(0 <= pause <= bound for pause, bound in zip(telling.waits, bounds, strict=True))
    assert len(set(telling.waits)) == 20
    assert max(telling.waits) > RETRY_MOST / 2
    assert consumer.calls == [[1, 2]] * 21
    told = [("deferred", "notebook", "TemporaryFault", n) for n in (1, 2, 4, 8, 16)]
    assert telling.log.lines == [*told, ("resumed", "notebook", 20)]


async def test_one_refused_event_stops_nobody(store: SqliteStore) -> None:
    """It is parked with its reason and counted; those before and behind it are taken."""
    put(store, 5)
    consumer = Notebook(most=2)
    consumer.answers = [confirm, refuse]
    telling = Telling(store, consumer)
    await run(telling, consumer, 5)
    assert consumer.sequences == [1, 2, 4, 5]
    assert at_once(store.cursor("notebook")) == Cursor(5, 1)
    assert [(e.sequence, why) for e, why in at_once(store.parked_events("notebook", 9))] == [(3, "never")]
    assert telling.log.lines == [("parked", "notebook", 3, "never")]
    assert telling.relay.parked == 1


async def test_a_bug_stops_only_what_is_behind_it(store: SqliteStore) -> None:
    """After a bug events come one by one, so that only the one that meets it waits; then all come."""
    put(store, 60)
    consumer = Notebook()
    consumer.answers = [broken, *[confirm] * 2, broken, broken]
    telling = Telling(store, consumer)
    await run(telling, consumer, 60)
    assert consumer.calls[:7] == [list(range(1, 51)), [1], [2], [3], [3], [3], [4]]
    assert consumer.sequences == list(range(1, 61))
    assert telling.log.lines == [
        ("broken", "notebook", "ZeroDivisionError", 1),
        ("resumed", "notebook", 1),
        ("broken", "notebook", "ZeroDivisionError", 1),
        ("broken", "notebook", "ZeroDivisionError", 2),
        ("resumed", "notebook", 2),
    ]


async def test_a_store_that_fails_is_asked_again(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the store while a place is read or a cursor is stored delays, and loses nothing."""
    put(store, 3)
    faults = {"cursor": 2, "events_after": 2, "move_cursor": 2}
    for name in faults:
        asked = getattr(store, name)

        async def once(*values: object, name: str = name, asked: object = asked) -> object:
            faults[name] -= 1
            if faults[name] >= 0:
                raise StoreFault(name)
            assert callable(asked)
            return await asked(*values)

        monkeypatch.setattr(store, name, once)
    consumer = Notebook()
    telling = Telling(store, consumer)
    task = asyncio.create_task(telling.relay.run())
    async with asyncio.timeout(WITHIN):
        await until(lambda: at_once(SqliteStore.cursor(store, "notebook")).sequence == 3, "the cursor")
        telling.relay.stop()
        await task
    assert consumer.sequences == [1, 2, 3]
    assert all(left < 0 for left in faults.values())


async def test_cursors_are_stored_now_and_then(store: SqliteStore) -> None:
    """While events keep coming the cursor is stored every 50 ms only; when they end, as soon."""
    consumer = Notebook(most=1)
    telling = Telling(store, consumer)
    put(store, 1)

    def more() -> None:
        telling.clock.now += MOVE_EVERY / 5
        if len(consumer.taken) < 100:
            put(store, 1)
            telling.relay.wake()
        else:
            telling.relay.stop()

    consumer.after = more
    async with asyncio.timeout(WITHIN):
        await telling.relay.run()
    assert consumer.sequences == list(range(1, 101))
    assert telling.moves <= 100 / 5 + 1
    assert at_once(store.cursor("notebook")).sequence == 100


def moved(telling: Telling, count: int) -> bool:
    """Whether its cursor was stored so often."""
    return telling.moves == count


async def test_it_does_nothing_while_nothing_happens(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without news neither the store nor the consumer is asked; a commit with events wakes it."""
    asked: list[str] = []
    for name in ("events_after", "move_cursor"):
        call = getattr(store, name)

        async def counted(*values: object, name: str = name, call: object = call) -> object:
            asked.append(name)
            assert callable(call)
            return await call(*values)

        monkeypatch.setattr(store, name, counted)
    consumer = Notebook()
    telling = Telling(store, consumer)
    task = asyncio.create_task(telling.relay.run())
    for count in (1, 2):
        for _ in range(100):
            await asyncio.sleep(0)
        assert asked == ["events_after", "move_cursor"] * (count - 1)
        put(store)
        telling.relay.wake()
        await until(partial(moved, telling, count), "the cursor")
    telling.relay.stop()
    await task
    assert (consumer.sequences, telling.relay.backlog) == ([1, 2], 0)


class Relaying:
    """Relays with real waits."""

    def __init__(self, store: SqliteStore, *consumers: Notebook, most: int = 1000) -> None:
        self.log = Told()
        self.clock = HandClock()
        self.relays = Relays(consumers, store, self.clock, Random(7), self.log, DAY_MS, most)


async def test_two_consumers_at_their_own_pace(store: SqliteStore) -> None:
    """One that hangs costs the other nothing; what only one has passed stays; when both have, it goes."""
    put(store, 5)
    fast, slow = Notebook("fast"), Notebook("slow")
    go = asyncio.Event()
    take = slow.take

    async def hangs(events: object) -> object:
        await go.wait()
        return await take(events)  # type: ignore[arg-type]

    slow.take = hangs  # type: ignore[method-assign, assignment]
    home = Relaying(store, fast, slow)
    home.relays.start()
    await until(lambda: fast.sequences == [1, 2, 3, 4, 5], "the consumer")
    put(store)
    home.relays.wake()
    await until(lambda: len(fast.taken) == 6, "the consumer")
    assert home.relays.backlog == {"fast": 0, "slow": 6}
    assert len(at_once(store.events_after(0, 10))) == 6
    go.set()
    await until(lambda: slow.sequences == fast.sequences, "the consumer")
    await until(lambda: at_once(store.events_after(0, 10)) == [], "the consumer")
    await home.relays.close(1)
    assert home.relays.counts == {"fast": (0, 0), "slow": (0, 0)}


def test_what_is_for_a_province_is_not_told_to_others(store: SqliteStore) -> None:
    """A consumer without topics gets none of it, and is done with it."""
    mo = replace(happened(0), family=PROVINCE, name="mo")
    at_once(store.commit(Commit(events=[mo, happened(1), mo])))
    at_once(store.commit(Commit(events=[mo])))
    notebook = Notebook()
    telling = Telling(store, notebook)
    telling.drain()
    assert notebook.sequences == [2]
    assert at_once(store.cursor("notebook")) == Cursor(4)


async def test_a_long_backlog_leaves_the_loop_to_others(store: SqliteStore) -> None:
    """Neither store nor consumer suspends; others have their turn after each 50 events all the same."""
    put(store, 1000)
    consumer = Notebook(most=1)
    telling = Telling(store, consumer)
    told_at: list[int] = []
    telling.relay.stop()
    task = asyncio.create_task(telling.relay.run())
    while not task.done():
        await asyncio.sleep(0)
        told_at.append(len(consumer.taken))
    assert len(set(told_at)) >= 1000 / PAGE
    assert len(consumer.taken) == 1000


async def test_one_that_is_away_for_long(store: SqliteStore) -> None:
    """Beyond the bound the oldest events go, counted and told; the rest comes in order when it is back."""
    consumer = Notebook(most=10)
    consumer.answers = [away] * 1000
    home = Relaying(store, consumer, most=100)
    home.relays.start()
    for _ in range(30):
        put(store, 10)
        home.relays.wake()
    await until(lambda: home.relays.backlog == {"notebook": 100}, "the consumer")
    assert (at_once(store.cursor("notebook")).dropped, home.relays.counts["notebook"]) == (200, (0, 200))
    assert ("dropped", "notebook", 200) in home.log.lines
    consumer.answers.clear()
    await until(lambda: consumer.sequences[-1:] == [300], "the consumer")
    await home.relays.close(1)
    assert consumer.sequences[-100:] == list(range(201, 301))
    assert len(consumer.sequences) <= 100 + PAGE  # with what it had been given before


async def test_old_events_go_at_the_next_start(store: SqliteStore) -> None:
    """What is older than the retention goes although nobody has taken it."""
    put(store, 3)
    consumer = Notebook()
    consumer.answers = [away] * 1000
    at_once(store.cursor("notebook"))
    home = Relaying(store, consumer)
    home.clock.now += 2 * DAY_MS / 1000
    home.relays.start()
    await until(lambda: home.relays.counts == {"notebook": (0, 3)}, "the consumer")
    await home.relays.close(0)
    assert at_once(store.events_after(0, 10)) == []


@pytest.mark.parametrize("answers", [[away] * 1000, [broken] * 1000])
async def test_it_ends_at_once_where_nobody_takes(store: SqliteStore, answers: list[object]) -> None:
    """A consumer that fails is not waited for; what it did not take is there at the next start."""
    put(store, 3)
    consumer = Notebook()
    consumer.answers = answers  # type: ignore[assignment]
    home = Relaying(store, consumer)
    home.relays.start()
    await until(lambda: consumer.calls, "the consumer")
    async with asyncio.timeout(1):
        await home.relays.close(100)
    again = Notebook()
    Relay(again, store, home.clock, Random(7), home.log, lambda: None)
    home = Relaying(store, again)
    home.relays.start()
    await home.relays.close(1)
    assert again.sequences == [1, 2, 3]


async def test_it_ends_within_its_deadline(store: SqliteStore) -> None:
    """A consumer that hangs is cancelled; what it confirmed before is stored."""
    put(store, 3)
    consumer = Notebook(most=1)
    take = consumer.take

    async def hangs(events: object) -> object:
        if len(consumer.taken) == 2:
            await asyncio.Event().wait()
        return await take(events)  # type: ignore[arg-type]

    consumer.take = hangs  # type: ignore[method-assign, assignment]
    home = Relaying(store, consumer)
    home.relays.start()
    await until(lambda: len(consumer.taken) == 2, "the consumer")
    async with asyncio.timeout(1):
        await home.relays.close(0.05)
    assert at_once(store.cursor("notebook")) == Cursor(2)
