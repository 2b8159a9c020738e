"""What the tests of events share: consumers that fail on demand, a log that is a list, time that is moved."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from gateway.events.contract import RefusedEvent, StoredEvent, TemporaryFault
from gateway.events.relay import Relay
from gateway.message import Commit
from gateway.observer import Observer
from gateway.storage.sqlite.store import SqliteStore
from tests.support import ALICE, START_MS, HandClock, at_once

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "events.md"
WITHIN = 10.0


def program() -> str:
    """The complete program that docs/events.md shows."""
    return DOCUMENT.read_text("utf-8").split("```python\n")[1].split("```")[0]


def happened(version: int, msisdn: str = ALICE, at: int = START_MS) -> StoredEvent:
    """An event that is to be committed."""
    return StoredEvent(at, 7, msisdn, "400000001", "100", "profile", "mood", version, {"text": f"{version}"})


def put(store: SqliteStore, count: int = 1, at: int = START_MS) -> None:
    """Commit so many events about Alice."""
    first = store.last_event + 1
    at_once(store.commit(Commit(events=[happened(first + n, at=at) for n in range(count)])))


class Crash(BaseException):
    """The process ends here."""


Answer = Callable[[Sequence[StoredEvent]], Sequence[RefusedEvent]]


def away(events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
    """A consumer that cannot take them."""
    raise TemporaryFault(f"{len(events)} events came too early")


def broken(events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
    """A consumer with a bug."""
    raise ZeroDivisionError(f"{len(events)} events")


def crash(events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
    """The process ends while it takes them."""
    raise Crash(f"{len(events)} events")


def refuse(events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
    """The first of them is refused for good."""
    return [RefusedEvent(events[0], "never")]


def confirm(events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
    """All are taken."""
    del events
    return []


class Notebook:
    """A consumer. answers: what the next calls of take lead to; confirm when there is none left. calls: what
    each was given; taken: what was confirmed, in order, repeats too; refused: what was not, for good."""

    def __init__(self, name: str = "notebook", most: int = 50) -> None:
        self.name = name
        self.most = most
        self.answers: list[Answer] = []
        self.calls: list[list[int]] = []
        self.taken: list[StoredEvent] = []
        self.refused: list[StoredEvent] = []
        self.after: Callable[[], None] = lambda: None

    async def take(self, events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
        """As it was told to."""
        self.calls.append([event.sequence for event in events])
        refused = (self.answers.pop(0) if self.answers else confirm)(events)
        self.refused += [each.event for each in refused]
        self.taken += [event for event in events if event not in self.refused]
        self.after()
        return refused

    @property
    def sequences(self) -> list[int]:
        """What it took."""
        return [event.sequence for event in self.taken]


class Told(Observer):
    """gateway.observer.Observer, of events, as a list."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def events_deferred(self, consumer: str, error: Exception, failures: int, pause: float) -> None:
        """Noted."""
        del pause
        self.lines.append(("deferred", consumer, type(error).__name__, failures))

    def events_broken(self, consumer: str, error: Exception, failures: int, pause: float) -> None:
        """Noted."""
        del pause
        self.lines.append(("broken", consumer, type(error).__name__, failures))

    def events_resumed(self, consumer: str, failures: int, seconds: float) -> None:
        """Noted."""
        del seconds
        self.lines.append(("resumed", consumer, failures))

    def event_parked(self, consumer: str, event: StoredEvent, reason: str) -> None:
        """Noted."""
        self.lines.append(("parked", consumer, event.sequence, reason))

    def events_unparked(self, consumer: str, count: int) -> None:
        """Noted."""
        self.lines.append(("unparked", consumer, count))

    def events_dropped(self, consumer: str, count: int) -> None:
        """Noted."""
        self.lines.append(("dropped", consumer, count))


class Telling:
    """One relay over a store, with time that passes only in its waits. waits: how long each was."""

    def __init__(self, store: SqliteStore, consumer: Notebook, clock: HandClock | None = None) -> None:
        self.clock = clock or HandClock()
        self.log = Told()
        self.waits: list[float] = []
        self.moves = 0
        self.relay = Relay(consumer, store, self.clock, Random(7), self.log, self._moved, self._wait)

    def drain(self) -> None:
        """Tell what is there, to the last event or the first failure."""
        self.relay.stop()
        asyncio.run(self.relay.run())

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        await asyncio.sleep(0)
        if not event.is_set():
            self.waits.append(seconds)
            self.clock.now += seconds

    def _moved(self) -> None:
        self.moves += 1
