"""Tells consumers what is in the store: one task, one cursor and one pace for each of them.

A relay reads as many events behind its place as the consumer takes at once, hands them over, and moves its
place behind what the consumer confirmed or refused. The cursor in the store follows, MOVE_EVERY later at
most: that is a commit of its own, and SMS need the disk too; a crash in between repeats what was told in that
time. While a consumer is away its relay holds what it has read, and asks the store for nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Final

from gateway.clock import Clock
from gateway.events.contract import (
    MOST,
    Consumer,
    RefusedEvent,
    Running,
    StoredEvent,
    TemporaryFault,
    TopicConsumer,
)
from gateway.events.parking import Parking
from gateway.events.pauses import RETRY_MOST, pause
from gateway.message import PROVINCE
from gateway.observer import Observer
from gateway.storage.contract import EventStore, StorageError

PAGE: Final = 50
"""Events that are read at once."""
MOVE_EVERY: Final = 0.05
"""Seconds between two moves of a stored cursor while there is more to tell."""
FORGET_EVERY: Final = 0.1
"""Seconds between two steps of deleting events, at least; while nothing moves, FORGET_IDLE."""
FORGET_IDLE: Final = 600.0
FORGOTTEN: Final = 2000
"""Events that one step deletes at most: 2 to 3 ms."""
WAITS_AT_MOST: Final = 1_000_000
"""Events that are kept for consumers that do not take them."""

Wait = Callable[[asyncio.Event, float], Awaitable[None]]
"""Waits for an event to be set, or for so many seconds."""


async def wait(event: asyncio.Event, seconds: float) -> None:
    """The Wait of a real clock. Not asyncio.wait_for: before Python 3.12 it swallows a cancellation that
    meets the event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Relay:
    """Tells one consumer. `run` is its task, which ends after `stop` with the last event or a failure.

    place: the last event that the consumer is done with; the stored cursor is there, or behind it.
    parked, dropped: how many events it refused, and how many went before it took them, since its first day.
    """

    def __init__(
        self,
        consumer: Consumer,
        store: EventStore,
        clock: Clock,
        random: Random,
        observer: Observer,
        moved: Callable[[], None],
        wait: Wait = wait,
    ) -> None:
        if not 1 <= consumer.most <= MOST:
            raise ValueError(
                f"consumer {consumer.name} takes {consumer.most} events at once, not 1 to {MOST}"
            )
        self.name = consumer.name
        self.place = 0
        self.parked = 0
        self.dropped = 0
        self._consumer = consumer
        self._store = store
        self._clock = clock
        self._random = random
        self._observer = observer
        self._moved = moved
        self._wait = wait
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._known = False
        self._read: list[StoredEvent] = []  # not yet handed over, or not yet confirmed
        self._one_by_one = 0
        self._stored = 0
        self._stored_at = clock.monotonic()
        self._to_park: list[RefusedEvent] = []
        self._failures = 0
        self._failing_since = 0.0
        self._running = consumer if isinstance(consumer, Running) else None
        self._parking = (
            Parking(consumer, store, clock, random, observer) if isinstance(consumer, TopicConsumer) else None
        )

    @property
    def backlog(self) -> int:
        """How many events wait for the consumer."""
        return self._store.last_event - self.place

    def wake(self) -> None:
        """There may be more to tell."""
        self._news.set()

    def stop(self) -> None:
        """Tell what is there, and end; end at once where the consumer does not take it."""
        self._stop.set()
        self._news.set()

    def drop(self, last: int, count: int) -> None:
        """The events up to `last` are gone, `count` of which were not taken."""
        self.dropped += count
        self.place = max(self.place, last)
        self._read = [event for event in self._read if event.sequence > last]
        self._stored = max(self._stored, last)
        self._observer.events_dropped(self.name, count)

    async def run(self) -> None:
        """Tell until stop(). A bug, of the consumer or here, is logged, and tried again after a pause."""
        while True:
            try:
                await self._step()
                if self._stop.is_set() and self._done:
                    return
                # Neither store nor consumer need have waited: others have their turn between two steps.
                await asyncio.sleep(0)
            except (TemporaryFault, StorageError) as error:
                seconds = self._failed()
                if self._worth_a_line:
                    self._observer.events_deferred(self.name, error, self._failures, seconds)
            except Exception as error:  # the boundary for bugs of consumers, and of relays
                self._one_by_one = self._consumer.most
                seconds = self._failed()
                if self._worth_a_line:
                    self._observer.events_broken(self.name, error, self._failures, seconds)
            else:
                continue
            await self._wait(self._stop, seconds)
            if self._stop.is_set():
                return

    @property
    def _done(self) -> bool:
        return self._known and not self._read and not self._unstored and self.place >= self._store.last_event

    @property
    def _unstored(self) -> bool:
        return self.place > self._stored or bool(self._to_park)

    async def _step(self) -> None:
        """Hand over what is there, or store the cursor, or wait for something to do."""
        if not self._known:
            await self._begin()
        if self._to_park:
            await self.store_cursor()
        await self._offer_again()
        if not self._read:
            self._news.clear()
            if self.place < self._store.last_event:
                await self._read_on()
                if not self._read:  # they were deleted; drop() is about to say so
                    await self._wait(self._news, FORGET_EVERY)
                    return
        while self._read:
            await self._hand_over()
        if self._unstored:
            await self._follow()
        elif self.place >= self._store.last_event and not self._stop.is_set():
            if self._parking and (seconds := self._parking.wait) is not None:
                await self._wait(self._news, seconds)
            else:
                await self._news.wait()

    async def _begin(self) -> None:
        found = await self._store.cursor(self.name)
        self.place = self._stored = found.sequence
        self.parked, self.dropped = found.parked, found.dropped
        if self._parking:
            await self._parking.begin()
        self._known = True

    async def _read_on(self) -> None:
        """As many as the consumer takes at once, page by page."""
        last = self.place
        while len(self._read) < self._consumer.most and last < self._store.last_event:
            found = await self._store.events_after(last, PAGE)
            if not found:
                return
            self._read += found
            last = found[-1].sequence
            await asyncio.sleep(0)  # the store need not have waited: others have their turn

    async def _offer_again(self) -> None:
        """What was refused for a while, when that is due."""
        if self._parking and self._parking.wait == 0 and not self._stop.is_set():
            if self._running:
                await self._running.ready()
            await self._parking.offer()
            self._succeeded(0)

    async def _hand_over(self) -> None:
        """The next events of those that were read; they stay until the consumer is done with them."""
        if self._running:
            await self._running.ready()
        most = 1 if self._one_by_one else self._consumer.most
        events = self._read[:most]
        if not events:  # they went while the consumer was away
            return
        if self._parking:
            free, behind = self._parking.split(events)
        else:
            free, behind = [event for event in events if event.family != PROVINCE], []
        refused = [*behind, *(await self._consumer.take(free) if free else ())]
        self._succeeded(len(events))
        self._read = [event for event in self._read if event.sequence > events[-1].sequence]
        self._to_park += refused
        if self._parking:
            self._parking.note(refused)
        self.place = max(self.place, events[-1].sequence)

    async def _follow(self) -> None:
        """Store the cursor when that is due, or when nothing comes until then."""
        left = self._stored_at + MOVE_EVERY - self._clock.monotonic()
        if left > 0 and not self._stop.is_set():
            if self.place < self._store.last_event:
                return
            await self._wait(self._news, left)
            if self._news.is_set():
                return
        await self.store_cursor()

    async def finish(self) -> None:
        """The task has ended: what is confirmed is stored. Raises StorageError."""
        if self._unstored:
            await self.store_cursor()

    async def store_cursor(self) -> None:
        """Put the place into the store, and what was refused with it."""
        place, parked = self.place, self._to_park
        gone = await self._store.move_cursor(self.name, place, [(each.event, each.reason) for each in parked])
        self._to_park = self._to_park[len(parked) :]
        self._stored = max(self._stored, place)
        self._stored_at = self._clock.monotonic()
        self.parked += len(parked)
        for each in parked:
            self._observer.event_parked(self.name, each.event, each.reason)
        if gone:
            self.dropped += gone
            self._observer.events_dropped(self.name, gone)
        self._moved()

    def _failed(self) -> float:
        """Count it; gives the seconds to wait."""
        if not self._failures:
            self._failing_since = self._clock.monotonic()
        self._failures += 1
        return pause(self._random, self._failures)

    @property
    def _worth_a_line(self) -> bool:
        return self._failures & (self._failures - 1) == 0  # 1, 2, 4, 8 ...: it may last for days

    def _succeeded(self, count: int) -> None:
        self._one_by_one = max(0, self._one_by_one - count)
        if self._failures:
            self._observer.events_resumed(
                self.name, self._failures, self._clock.monotonic() - self._failing_since
            )
            self._failures = 0


class Relays:
    """The relays of a gateway, and the deletion of what they have passed. Without consumers it does nothing.

    keep_ms: how long an event, or a parked one, is kept at most. most: how many events wait at most.
    """

    def __init__(
        self,
        consumers: Sequence[Consumer],
        store: EventStore,
        clock: Clock,
        random: Random,
        observer: Observer,
        keep_ms: int,
        most: int = WAITS_AT_MOST,
    ) -> None:
        names = [each.name for each in consumers]
        if len(set(names)) != len(names):
            raise ValueError(f"two consumers of events have one name: {', '.join(sorted(names))}")
        self._store = store
        self._clock = clock
        self._observer = observer
        self._keep_ms = keep_ms
        self._most = most
        self._untidy = asyncio.Event()
        self._consumers = consumers
        self._running = [each for each in consumers if isinstance(each, Running)]
        self._relays = [Relay(each, store, clock, random, observer, self._untidy.set) for each in consumers]
        self._tasks: list[asyncio.Task[None]] = []
        self._woken_for = store.last_event

    def start(self) -> None:
        """Begin with what is in the store."""
        for relay in self._relays:
            self._tasks.append(asyncio.create_task(relay.run(), name=f"events to {relay.name}"))
        if self._relays:
            self._tasks.append(asyncio.create_task(self._tidy(), name="deletion of events"))
        for consumer in self._running:
            task = self._keep_running(consumer)
            self._tasks.append(asyncio.create_task(task, name="a consumer of events"))

    def wake(self) -> None:
        """A commit is done. Called after each: a look, unless it held events."""
        last = self._store.last_event
        if last != self._woken_for:
            self._woken_for = last
            for relay in self._relays:
                relay.wake()
            if last - min((relay.place for relay in self._relays), default=last) > self._most:
                self._untidy.set()

    @property
    def backlog(self) -> Mapping[str, int]:
        """How many events wait, by consumer."""
        return {relay.name: relay.backlog for relay in self._relays}

    @property
    def counts(self) -> Mapping[str, tuple[int, int]]:
        """(parked, dropped) since its first day, by consumer."""
        return {relay.name: (relay.parked, relay.dropped) for relay in self._relays}

    async def close(self, seconds: float) -> None:
        """Tell what is there, and end within so many seconds. What was not told by then is told after the
        next start."""
        for relay in self._relays:
            relay.stop()
        tasks, self._tasks = self._tasks, []
        try:
            if relays := tasks[: len(self._relays)]:
                await asyncio.wait(relays, timeout=seconds)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for relay in self._relays:
                with contextlib.suppress(StorageError):  # then it is told again
                    await relay.finish()

    async def _keep_running(self, consumer: Running) -> None:
        """A bug in it ends it for a while, and nothing else."""
        while True:
            try:
                await consumer.run()
            except Exception as error:  # the boundary for bugs of what a consumer keeps up
                self._observer.events_broken("run", error, 1, RETRY_MOST)
            await asyncio.sleep(RETRY_MOST)

    async def _tidy(self) -> None:
        """Delete events, in small steps, when a cursor has moved or too many wait."""
        self._untidy.set()
        while True:
            await wait(self._untidy, FORGET_IDLE)
            self._untidy.clear()
            try:
                await self._forget()
            except StorageError as error:
                self._observer.events_deferred("deletion", error, 1, FORGET_EVERY)
            except Exception as error:  # the boundary for bugs beside the relays
                self._observer.events_broken("deletion", error, 1, FORGET_EVERY)
            await asyncio.sleep(FORGET_EVERY)

    async def _forget(self) -> None:
        before = self._clock.now_ms() - self._keep_ms
        forgotten = await self._store.forget_events(before, self._most, FORGOTTEN)
        for relay in self._relays:
            if count := forgotten.dropped.get(relay.name):
                relay.drop(forgotten.last, count)
        if forgotten.gone >= FORGOTTEN:
            self._untidy.set()
