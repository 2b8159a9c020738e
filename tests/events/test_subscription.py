"""A subscription at a real Mosquitto: it comes back, and it is bounded."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from random import Random

import aiomqtt
import pytest
import pytest_asyncio

from gateway.clock import SystemClock
from gateway.events.broker import MqttSettings
from gateway.events.reading import Incoming
from gateway.events.subscription import (
    UNPROMISED,
    Subscription,
    Subscriptions,
    Surroundings,
    Take,
    Wanted,
)
from gateway.observer import Observer
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.proofs.served import until

pytestmark = needs_mosquitto


class Told(Observer):
    """What is told of connections."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def consumer_connected(self, consumer: str, peer: str, failures: int) -> None:
        """Noted."""
        del peer
        self.lines.append(("connected", consumer, failures))

    def consumer_disconnected(self, consumer: str, peer: str, reason: str, failures: int) -> None:
        """Noted."""
        del peer
        self.lines.append(("disconnected", consumer, reason, failures))

    def broken(self, where: str, error: Exception) -> None:
        """Noted."""
        self.lines.append(("broken", where, type(error).__name__))


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """One that runs."""
    made = Mosquitto(tmp_path)
    await made.start()
    yield made
    made.kill()


async def published(broker: Mosquitto, topic: str, *payloads: bytes) -> None:
    """Publish from somewhere else."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for payload in payloads:
            await client.publish(topic, payload, 1)


def made(broker: Mosquitto, wanted: Wanted, take: Take, told: Observer) -> Subscription:
    """One at that broker."""
    around = Surroundings(SystemClock(), Random(7), told)
    return Subscription(MqttSettings(url=broker.url), wanted, take, around)


@contextlib.asynccontextmanager
async def started(subscription: Subscription) -> AsyncIterator[None]:
    """Run it."""
    subscriptions = Subscriptions([subscription])
    subscriptions.start()
    try:
        yield
    finally:
        await subscriptions.close()


async def test_a_bug_and_a_broker_that_goes(broker: Mosquitto) -> None:
    """What a bug meets is not acknowledged and comes again, to the end; after a broker's restart it is
    subscribed again."""
    told, came = Told(), list[bytes]()

    async def take(messages: Sequence[Incoming]) -> Iterable[tuple[str, bytes]]:
        came.extend(message.payload for message in messages)
        if len(came) < 3:
            raise ZeroDivisionError
        return ()

    async with started(made(broker, Wanted("it", "it", "a/+"), take, told)):
        await until(lambda: told.lines, "the subscription")
        await published(broker, "a/b", b"1")
        await until(lambda: len(came) >= 3, "the third time")
        assert set(came) == {b"1"}
        assert ("broken", "it", "ZeroDivisionError") in told.lines
        broker.kill()
        await until(lambda: told.lines[-1][0] == "disconnected", "the end")
        await broker.start()
        await until(lambda: told.lines[-1][0] == "connected", "the next one")
        came.clear()
        await published(broker, "a/c", b"2")
        await until(lambda: b"2" in came, "the message")


async def test_without_a_promise(broker: Mosquitto) -> None:
    """Messages with QoS 0, which no window bounds, wait in a bounded number; those with QoS 1 are not
    counted among them."""

    async def take(_messages: Sequence[Incoming]) -> Iterable[tuple[str, bytes]]:
        await asyncio.Event().wait()
        return ()

    subscription = made(broker, Wanted("it", "it", "a"), take, Told())
    for _ in range(UNPROMISED + 50):
        subscription._came(Incoming("a", b"", 0))
    subscription._came(Incoming("a", b"", 7))
    assert len(subscription._waiting) == UNPROMISED + 1
    assert subscription.lost == 50


def test_a_subscription_needs_a_broker() -> None:
    """Without mqtt.url there is none."""

    async def nothing(_messages: Sequence[Incoming]) -> Iterable[tuple[str, bytes]]:
        return ()

    with pytest.raises(ValueError, match=r"mqtt\.url is not set"):
        Subscription(
            MqttSettings(),
            Wanted("it", "it", "a"),
            nothing,
            Surroundings(SystemClock(), Random(7), Observer()),
        )
