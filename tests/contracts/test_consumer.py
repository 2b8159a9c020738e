"""Every driver of the Events contract, over a relay and a store: rules 1 to 8 of gateway.events.contract."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from gateway.clock import SystemClock
from gateway.events.broker import MqttSettings
from gateway.events.contract import MOST, Consumer, StoredEvent, TemporaryFault
from gateway.events.inprocess import EventRefused, InProcess
from gateway.events.mqtt import MqttEvents
from gateway.events.relay import Relays
from gateway.message import Commit
from gateway.storage.sqlite.store import SqliteStore
from tests.events.fake_broker import FakeBroker
from tests.events.support import WITHIN, Told, happened
from tests.proofs.served import until
from tests.support import at_once, store_at

CENTURY_MS = 100 * 365 * 86_400_000


@dataclass
class World:
    """What is at the other end of a consumer. taken: ids in order. away: it takes nothing. refused: names of
    events that it never takes."""

    taken: list[str] = field(default_factory=list)
    away: bool = False
    refused: set[str] = field(default_factory=set)


@contextlib.asynccontextmanager
async def in_process(world: World) -> AsyncIterator[Consumer]:
    """A function in this process."""

    async def take(event: StoredEvent) -> None:
        await asyncio.sleep(0)
        if world.away:
            raise TemporaryFault("away")
        if event.name in world.refused:
            raise EventRefused("never")
        world.taken.append(event.event_id)

    yield InProcess("it", take)


@contextlib.asynccontextmanager
async def over_mqtt(world: World) -> AsyncIterator[Consumer]:
    """A broker."""

    class Broker(FakeBroker):
        def _publish(self, body: bytes, writer: asyncio.StreamWriter) -> None:
            before = len(self.published)
            super()._publish(body, writer)
            for topic, items in self.published[before:]:
                if topic.startswith("fetion/events/"):
                    world.taken += [str(item["event_id"]) for item in items]
            if world.away:
                self.cut()

    def answer(topic: str, payload: bytes) -> int | None:
        del payload
        if world.away:
            return None
        return 0x87 if topic.split("/")[-1] in world.refused else 0

    async with Broker(answer) as broker:
        yield MqttEvents(MqttSettings(url=broker.url), "bj1", SystemClock(), Random(7), Told())


DRIVERS = {"in-process": in_process, "mqtt": over_mqtt}
Driver = Callable[[World], contextlib.AbstractAsyncContextManager[Consumer]]


@pytest.fixture(params=list(DRIVERS.values()), ids=list(DRIVERS))
def driver(request: pytest.FixtureRequest) -> Driver:
    """Each of them."""
    made: Driver = request.param
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


def put(store: SqliteStore, names: str) -> list[str]:
    """Commit an event of each name. Gives the ids."""
    last = store.last_event
    told = [replace(happened(last + n), name=name) for n, name in enumerate(names, 1)]
    at_once(store.commit(Commit(events=told)))
    return [event.event_id for event in at_once(store.events_after(last, len(names)))]


@contextlib.asynccontextmanager
async def told(store: SqliteStore, consumer: Consumer) -> AsyncIterator[Relays]:
    """A relay to it."""
    relays = Relays([consumer], store, SystemClock(), Random(7), Told(), CENTURY_MS)
    relays.start()
    try:
        yield relays
    finally:
        async with asyncio.timeout(WITHIN):
            await relays.close(1)


async def test_it_has_a_name_and_a_bound(driver: Driver) -> None:
    """Rule 5: a name that stays, and 1 to MOST events at once."""
    async with driver(World()) as consumer:
        assert consumer.name == consumer.name != ""
        assert 1 <= consumer.most <= MOST


async def test_every_event_in_order(driver: Driver, store: SqliteStore) -> None:
    """Rules 1, 8: all that is there, and then what comes, each once."""
    world = World()
    ids = put(store, "a" * 70)
    async with driver(world) as consumer, told(store, consumer) as relays:
        ids += put(store, "a" * 70)
        relays.wake()
        await until(lambda: len(world.taken) == 140, "all")
    assert world.taken == ids
    assert at_once(store.cursor(consumer.name)).sequence == 140


async def test_one_that_is_away(driver: Driver, store: SqliteStore) -> None:
    """Rules 2, 9: the cursor stays; the same events come under the same ids when it is back."""
    world = World(away=True)
    ids = put(store, "a" * 10)
    async with driver(world) as consumer, told(store, consumer) as relays:
        put(store, "")
        for _ in range(30):
            await asyncio.sleep(0.01)
        assert (world.taken, at_once(store.cursor(consumer.name)).sequence) == ([], 0)
        world.away = False
        await until(lambda: relays.backlog == {consumer.name: 0}, "all")
    assert list(dict.fromkeys(world.taken)) == ids


async def test_what_is_refused_is_parked(driver: Driver, store: SqliteStore) -> None:
    """Rule 1: parked and counted, with a reason; the others are taken."""
    world = World(refused={"b"})
    ids = put(store, "abcabc")
    async with driver(world) as consumer, told(store, consumer) as relays:
        await until(lambda: relays.counts == {consumer.name: (2, 0)}, "the parked ones")
        await until(lambda: len(world.taken) == 4, "the others")
    assert sorted(world.taken) == sorted(ids[n] for n in (0, 2, 3, 5))
    parked = at_once(store.parked_events(consumer.name, 10))
    assert [event.event_id for event, _ in parked] == [ids[1], ids[4]]
    assert all(reason for _, reason in parked)


async def test_a_stop_and_another_start(driver: Driver, store: SqliteStore) -> None:
    """Rules 3, 4: it bears a stop in its midst; after it nothing is missing, and order holds."""
    world = World()
    ids = put(store, "a" * 300)
    for _ in range(2):
        async with driver(world) as consumer, told(store, consumer) as relays:
            await until(lambda: world.taken, "the first ones")
    async with driver(world) as consumer, told(store, consumer) as relays:
        await until(lambda: relays.backlog == {consumer.name: 0}, "all")
    assert list(dict.fromkeys(world.taken)) == ids
