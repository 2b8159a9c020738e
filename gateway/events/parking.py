"""What a consumer refused for a while: what waits behind it, and when it comes again."""

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Final

from gateway.clock import Clock
from gateway.events.contract import RefusedEvent, StoredEvent, TopicConsumer
from gateway.events.pauses import pause
from gateway.observer import Observer
from gateway.storage.contract import EventStore

AGAIN_FIRST: Final = 1.0
AGAIN_MOST: Final = 60.0
"""Seconds: bounds of the pauses between two offers (gateway.events.pauses)."""
PAGE: Final = 50
"""Parked events that are read at once."""
BEHIND: Final = "waits behind one that was refused"


class Parking:
    """Knows which topics are held, and offers their events again. The events themselves are in the store.

    held: for each topic the sequence of its first parked event, or one before it.
    """

    def __init__(
        self, consumer: TopicConsumer, store: EventStore, clock: Clock, random: Random, observer: Observer
    ) -> None:
        self.held: dict[str, int] = {}
        self._consumer = consumer
        self._store = store
        self._clock = clock
        self._random = random
        self._observer = observer
        self._offers = 0
        self._taken = 0
        self._next = 0.0

    @property
    def wait(self) -> float | None:
        """Seconds until events are offered again; None: there are none."""
        return max(0.0, self._next - self._clock.monotonic()) if self.held else None

    async def begin(self) -> None:
        """See what is parked; it is offered at once."""
        after = 0
        while found := await self._store.parked_events(self._consumer.name, PAGE, after):
            for event, _ in found:
                self.held.setdefault(self._consumer.topic(event), event.sequence)
            after = found[-1][0].sequence
        self._next = self._clock.monotonic()

    def split(self, events: Sequence[StoredEvent]) -> tuple[list[StoredEvent], list[RefusedEvent]]:
        """What can be offered, and what has to wait behind others."""
        free, behind = [], []
        for event in events:
            if self._consumer.topic(event) in self.held:
                behind.append(RefusedEvent(event, BEHIND, again=True))
            else:
                free.append(event)
        return free, behind

    def note(self, refused: Sequence[RefusedEvent]) -> None:
        """These are about to be parked."""
        new = False
        for each in refused:
            topic = self._consumer.topic(each.event)
            if each.again and topic not in self.held:
                self.held[topic] = each.event.sequence
                new = True
        if new:
            self._offers = 0
            self._pause()

    async def offer(self) -> None:
        """Offer the first event of each topic, and then the others of those topics whose first one was taken.
        Raises what consumer and store raise."""
        heads: list[StoredEvent] = []
        for topic in list(self.held):
            if found := await self._first(topic, 1):
                heads += found
            else:
                del self.held[topic]  # its events have gone: too many, or too old
        for start in range(0, len(heads), self._consumer.most):
            await self._take(heads[start : start + self._consumer.most])
        for head in heads:
            topic = self._consumer.topic(head)
            if self.held[topic] > head.sequence:
                await self._drain(topic)
        if self._taken:
            self._observer.events_unparked(self._consumer.name, self._taken)
            self._taken = self._offers = 0
        self._pause()

    async def _drain(self, topic: str) -> None:
        """Offer a topic's events until there is none, or one is refused."""
        while events := await self._first(topic, self._consumer.most):
            await self._take(events)
            if self.held[topic] <= events[-1].sequence:
                return
        del self.held[topic]

    async def _first(self, topic: str, limit: int) -> list[StoredEvent]:
        """The first parked events of a topic."""
        events: list[StoredEvent] = []
        after = self.held[topic] - 1
        while len(events) < limit:
            found = await self._store.parked_events(self._consumer.name, PAGE, after)
            if not found:
                break
            events += [event for event, _ in found if self._consumer.topic(event) == topic]
            after = found[-1][0].sequence
            await asyncio.sleep(0)  # the store need not have waited: others have their turn
        return events[:limit]

    async def _take(self, events: Sequence[StoredEvent]) -> None:
        """Offer events. Those that are taken are parked no more; those refused for good hold nothing."""
        refused = {each.event.sequence: each for each in await self._consumer.take(events)}
        taken = [event.sequence for event in events if event.sequence not in refused]
        if taken:
            await self._store.unpark_events(self._consumer.name, taken)
            self._taken += len(taken)
        stuck = set()
        for event in events:
            topic = self._consumer.topic(event)
            if topic in stuck:
                continue
            if (refusal := refused.get(event.sequence)) and refusal.again:
                stuck.add(topic)
            self.held[topic] = event.sequence + (topic not in stuck)

    def _pause(self) -> None:
        self._offers += 1
        seconds = pause(self._random, self._offers, AGAIN_FIRST, AGAIN_MOST)
        self._next = self._clock.monotonic() + seconds
