"""Keeps one subscription at the broker: what comes is handled first and acknowledged then.

The broker bounds what waits here, by the receive maximum of our CONNECT, and keeps the rest, also while there
is no connection. What is not acknowledged comes again, so whoever handles it knows repeats.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Final

from gateway.clock import Clock
from gateway.events.broker import Broker, MqttSettings
from gateway.events.mqtt import FAILURE, FAULTS, STABLE, SubscribingClient, tls_of
from gateway.events.pauses import RETRY_MOST, pause
from gateway.events.reading import Incoming
from gateway.observer import Observer

WINDOW: Final = 20
"""Messages that the broker sends before the oldest of them is acknowledged."""
UNPROMISED: Final = 100
"""Messages with QoS 0 that may wait: the window does not bound them. Those beyond are lost."""
PACKET: Final = 262_144
"""Octets of the longest message that the broker may send: it drops longer ones."""
LOOK: Final = 1.0
"""Seconds between two looks at whether this node is the one that subscribes."""
DENIED_FOR: Final = 60.0
"""Seconds for which nothing is published on a topic that the broker has denied."""
DENIED_MOST: Final = 100
"""Such topics that are remembered."""

Take = Callable[[Sequence[Incoming]], Awaitable[Iterable[tuple[str, bytes]]]]
"""Handles messages, durably; gives what is published, as (topic, payload), before they are acknowledged."""
Publish = Callable[[Iterable[tuple[str, bytes]]], Awaitable[None]]
"""Publishes (topic, payload) each, and waits for the answers."""
Talk = Callable[[Publish], Awaitable[None]]
"""Publishes by itself, beside what is taken, for as long as there is a connection: then it is cancelled."""
Holds = Callable[[], Awaitable[bool]]
"""Says whether this node is the one that subscribes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is subscribed to. name: for the log. client_id: of the session, the same at each start. keep:
    seconds for which the broker keeps what comes while there is no connection."""

    name: str
    client_id: str
    topic: str
    keep: int = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a subscription has of the gateway."""

    clock: Clock
    random: Random
    observer: Observer


async def always() -> bool:
    """The Holds of a gateway that has its store alone, or of a topic that is its own."""
    return True


async def silent(publish: Publish) -> None:
    """The Talk of a subscription that only answers."""
    del publish
    await asyncio.Event().wait()


class Subscription:
    """One of them. `run` is its task.

    lost: messages with QoS 0 that were not taken.
    """

    def __init__(
        self,
        settings: MqttSettings,
        wanted: Wanted,
        take: Take,
        surroundings: Surroundings,
        holds: Holds = always,
        talk: Talk = silent,
    ) -> None:
        broker = settings.broker
        if broker is None:
            raise ValueError("mqtt.url is not set")
        self.lost = 0
        self._settings = settings
        self._broker: Broker = broker
        self._wanted = wanted
        self._take = take
        self._clock = surroundings.clock
        self._random = surroundings.random
        self._observer = surroundings.observer
        self._holds = holds
        self._talk = talk
        self._waiting: list[Incoming] = []
        self._unpromised = 0
        self._news = asyncio.Event()
        self._failures = 0
        self._denied: dict[str, float] = {}  # until when nothing is published there (monotonic seconds)

    async def run(self) -> None:
        """Subscribe again and again until cancelled. A bug in what handles messages ends the connection, and
        the messages come again."""
        while True:
            if not await self._holds():
                self._observer.consumer_left(self._wanted.name)
                await asyncio.sleep(LOOK)
                continue
            began = self._clock.monotonic()
            try:
                await self._connect()
                continue  # another node holds it now
            except FAULTS as error:
                reason = str(error) or type(error).__name__
            except Exception as error:  # the boundary for bugs in what handles messages
                self._observer.broken(self._wanted.name, error)
                reason = type(error).__name__
            if self._clock.monotonic() - began > STABLE:
                self._failures = 0
            self._failures += 1
            self._observer.consumer_disconnected(self._wanted.name, self._broker.peer, reason, self._failures)
            await asyncio.sleep(pause(self._random, self._failures, most=RETRY_MOST))

    async def _connect(self) -> None:
        """One connection. Returns when this node is not the one that subscribes any more."""
        # In a thread: to read the certificates of the machine takes 10 ms and more.
        tls = await asyncio.to_thread(tls_of, self._settings) if self._broker.tls else None
        self._waiting, self._unpromised = [], 0  # of the last connection: they come again
        client = SubscribingClient(
            self._broker, tls, self._wanted.client_id, self._came, WINDOW, PACKET, self._wanted.keep
        )
        await client.connect()
        try:
            await client.receive(self._wanted.topic)
            self._observer.consumer_connected(self._wanted.name, self._broker.peer, self._failures)
            talk = self._talk(functools.partial(self._publish, client))
            await self._first_of(client.lost(), self._until_another_holds(), self._work(client), talk)
        finally:
            await client.disconnect()

    async def _first_of(self, *works: "Awaitable[None]") -> None:
        """Wait for the first of them to end, end the others, and raise what it raised."""
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _until_another_holds(self) -> None:
        held = True
        while held:
            await asyncio.sleep(LOOK)
            held = await self._holds()

    def _came(self, message: Incoming) -> None:
        """A message, within the call that read the socket."""
        if not message.mid:
            if self._unpromised == UNPROMISED:
                self.lost += 1
                return
            self._unpromised += 1
        self._waiting.append(message)
        self._news.set()

    async def _work(self, client: SubscribingClient) -> None:
        """Handle what came, publish what follows, acknowledge."""
        while True:
            await self._news.wait()
            self._news.clear()
            messages, self._waiting, self._unpromised = self._waiting, [], 0
            await self._publish(client, await self._take(messages))
            for message in messages:
                client.acknowledge(message)

    async def _publish(self, client: SubscribingClient, what: Iterable[tuple[str, bytes]]) -> None:
        """Publish what goes to topics that are not denied. Raises TemporaryFault."""
        now = self._clock.monotonic()
        allowed = [each for each in what if self._denied.get(each[0], -inf) <= now]
        await client.publish_all(allowed, self._answered)

    def _answered(self, topic: str, code: int, name: str) -> None:
        """What the broker says to a publish. One that denies it may close the connection as well: without
        that topic the next one gets further."""
        if code < FAILURE:
            return
        if self._denied.get(topic, -inf) <= self._clock.monotonic():
            self._observer.consumer_denied(self._wanted.name, topic, f"0x{code:02X} {name}")
        self._denied.pop(topic, None)
        while len(self._denied) >= DENIED_MOST:
            del self._denied[next(iter(self._denied))]
        self._denied[topic] = self._clock.monotonic() + DENIED_FOR


class Subscriptions:
    """All of a gateway: started and ended together."""

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions = subscriptions
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        for each in self._subscriptions:
            self._tasks.append(asyncio.create_task(each.run(), name="a subscription"))

    async def close(self) -> None:
        """Take nothing more. What is not acknowledged comes after the next start."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
