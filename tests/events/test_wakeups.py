"""Hints between nodes: what is told and heard, and how often at most."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from random import Random

import aiomqtt
import pytest_asyncio

from gateway.clock import SystemClock
from gateway.events.broker import MqttSettings
from gateway.events.payloads import NODE_MOVED
from gateway.events.subscription import Subscription, Subscriptions, Surroundings
from gateway.events.wakeups import GAP, WakeUps
from gateway.observer import Observer
from tests.events.mosquitto import Mosquitto, Subscriber, needs_mosquitto
from tests.proofs.served import until

NONSENSE = (b"", b"[]", b"\xff\x00", b"[" * 50_000, b'[{"schema":"fetion.node_mt/1","sms":-1}]')


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """One that runs."""
    made = Mosquitto(tmp_path)
    await made.start()
    yield made
    made.kill()


class Node:
    """One with hints at a broker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.woken: list[float] = []
        self.wakeups = WakeUps(name, SystemClock(), self._woken)

    def _woken(self) -> None:
        self.woken.append(asyncio.get_running_loop().time())

    @contextlib.asynccontextmanager
    async def at(self, broker: Mosquitto) -> AsyncIterator[None]:
        """Connect, and wait until it may be told."""
        around = Surroundings(SystemClock(), Random(7), Observer())
        wakeups = self.wakeups
        made = Subscription(
            MqttSettings(url=broker.url), wakeups.wanted, wakeups.take, around, talk=wakeups.talk
        )
        subscriptions = Subscriptions([made])
        subscriptions.start()
        try:
            await until(lambda: wakeups._connected, "the connection")
            yield
        finally:
            await subscriptions.close()


async def flood(broker: Mosquitto, node: str, count: int) -> None:
    """Whatever comes, from somewhere else."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for place in range(count):
            await client.publish(f"fetion/nodes/{node}/mt", NONSENSE[place % len(NONSENSE)], place % 2)


def hints(watcher: Subscriber) -> list[tuple[str, int]]:
    """What has been published: topic and number of SMS."""
    return [
        (topic, NODE_MOVED.validate_json(payload, strict=True)[0].sms)
        for topic, payload, _ in list(watcher.messages)
    ]


@needs_mosquitto
async def test_a_node_wakes_another_one(broker: Mosquitto) -> None:
    """Only the one that it names; nothing is kept for one that is away."""
    east, west = Node("east"), Node("west")
    watcher = await Subscriber(broker.port, ["fetion/nodes/+/mt"]).ready()
    async with east.at(broker):
        async with west.at(broker):
            east.wakeups.tell({"west": 3})
            await until(lambda: west.woken, "the call")
        east.wakeups.tell({"west": 1})
        await until(lambda: len(watcher.messages) == 2, "what nobody hears")
        west.woken.clear()
        async with west.at(broker):
            east.wakeups.tell({"west": 2})
            await until(lambda: west.woken, "the call")
    assert hints(watcher) == [("fetion/nodes/west/mt", sms) for sms in (3, 1, 2)]
    assert (len(west.woken), east.woken) == (1, [])
    watcher.close()


@needs_mosquitto
async def test_nothing_is_kept_for_a_broker_that_is_away(broker: Mosquitto) -> None:
    """What is told meanwhile is not said later."""
    east = Node("east")
    async with east.at(broker):
        broker.kill()
        await until(lambda: not east.wakeups._connected, "the end of the connection")
        east.wakeups.tell({"west": 1})
        await broker.start()
        watcher = await Subscriber(broker.port, ["fetion/nodes/+/mt"]).ready()
        await until(lambda: east.wakeups._connected, "the next connection")
        east.wakeups.tell({"west": 2})
        await until(lambda: watcher.messages, "the hint")
        assert hints(watcher) == [("fetion/nodes/west/mt", 2)]
        watcher.close()


@needs_mosquitto
async def test_a_flood_of_nonsense(broker: Mosquitto) -> None:
    """Costs a look each GAP, and the next hint is heard."""
    west = Node("west")
    async with west.at(broker):
        await flood(broker, "west", 60)
        await until(lambda: asyncio.get_running_loop().time() - west.woken[-1] > 3 * GAP, "the end of it")
        pauses = [later - earlier for earlier, later in zip(west.woken, west.woken[1:], strict=False)]
        assert len(west.woken) > 2
        assert min(pauses) >= GAP * 0.9
        count = len(west.woken)
        await flood(broker, "west", 1)
        await until(lambda: len(west.woken) > count, "the next one")


async def test_what_is_told_at_once_is_one_hint() -> None:
    """Without a connection nothing; then the first at once, and what is told meanwhile in one more, GAP
    later, with its sum. A connection that breaks takes what waits with it."""
    east, said = Node("east"), list[list[tuple[str, int]]]()

    async def publish(what: Iterable[tuple[str, bytes]]) -> None:
        said.append([(topic, NODE_MOVED.validate_json(payload)[0].sms) for topic, payload in what])

    east.wakeups.tell({"west": 9})
    for _ in range(2):
        said.clear()
        talk = asyncio.create_task(east.wakeups.talk(publish))
        await until(lambda: east.wakeups._connected, "the connection")
        east.wakeups.tell({"west": 1})
        await until(lambda: said, "the first one")
        for _ in range(1000):
            east.wakeups.tell({"west": 2, "north": 1})
        await until(lambda: len(said) > 1, "the second one")
        assert said[0] == [("fetion/nodes/west/mt", 1)]
        assert sorted(said[1]) == [("fetion/nodes/north/mt", 1000), ("fetion/nodes/west/mt", 2000)]
        east.wakeups.tell({"west": 5})
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
