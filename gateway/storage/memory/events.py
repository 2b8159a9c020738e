"""Events of a store in memory: gateway.storage.contract.EventStore says what each call does."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.message import FIGURES, StoredEvent
from gateway.storage.contract import Cursor, ForgottenEvents

PARKED_MOST: Final = 10_000
ORIGIN_BITS: Final = 48


@dataclass(slots=True)
class Events:
    """The events that are there, who has taken which, and what was refused for good; counted, folded: those
    of the family FIGURES.

    origin: stands in the ids of the events that are added from now on.
    """

    last: int = 0
    origin: int = 0
    kept: dict[int, StoredEvent] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    parked: dict[str, dict[int, tuple[StoredEvent, str]]] = field(default_factory=dict)
    last_counted: int = 0
    counted: dict[int, StoredEvent] = field(default_factory=dict)
    folded: dict[str, int] = field(default_factory=dict)

    def opened(self) -> None:
        """From now on ids differ from those of other openings."""
        self.origin = secrets.randbits(ORIGIN_BITS)

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Number them behind the last one."""
        for event in events:
            if event.family == FIGURES:
                self.last_counted += 1
                self.counted[self.last_counted] = replace(
                    event, data=dict(event.data), sequence=self.last_counted
                )
                continue
            self.last += 1
            self.kept[self.last] = replace(
                event, data=dict(event.data), sequence=self.last, event_id=f"{self.origin:012x}-{self.last}"
            )

    def fold(self, consumer: str, sequence: int) -> None:
        """They are in the figures."""
        self.folded[consumer] = sequence
        for number in [n for n in self.counted if n <= sequence]:
            del self.counted[number]


class EventCalls:
    """The calls; the rest of the store is MemoryStore."""

    _events: Events

    @property
    def last_event(self) -> int:
        return self._events.last

    async def events_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        numbers = [number for number in self._events.kept if number > sequence][:limit]
        return [replace(self._events.kept[number]) for number in numbers]

    async def cursor(self, name: str) -> Cursor:
        return self._events.cursors.setdefault(name, Cursor())

    async def move_cursor(
        self, name: str, sequence: int, parked: Sequence[tuple[StoredEvent, str]] = ()
    ) -> int:
        cursor = await self.cursor(name)
        mine = self._events.parked.setdefault(name, {})
        new = {event.sequence: (event, reason) for event, reason in parked if event.sequence not in mine}
        mine |= new
        gone = sorted(mine)[:-PARKED_MOST]
        for number in gone:
            del mine[number]
        self._events.cursors[name] = replace(
            cursor,
            sequence=max(cursor.sequence, sequence),
            parked=cursor.parked + len(new),
            dropped=cursor.dropped + len(gone),
        )
        return len(gone)

    async def parked_events(self, name: str, limit: int, after: int = 0) -> list[tuple[StoredEvent, str]]:
        mine = self._events.parked.get(name, {})
        return [mine[number] for number in sorted(mine) if number > after][:limit]

    async def unpark_events(self, name: str, sequences: Sequence[int]) -> None:
        mine = self._events.parked.get(name, {})
        for number in sequences:
            mine.pop(number, None)

    async def forget_events(self, before: int, most: int, limit: int) -> ForgottenEvents:
        events = self._events
        dropped: Counter[str] = Counter()
        for name, mine in events.parked.items():
            for number in [number for number, (event, _) in mine.items() if event.at < before]:
                del mine[number]
                dropped[name] += 1
        passed = min((cursor.sequence for cursor in events.cursors.values()), default=0)
        oldest = list(events.kept)[:limit]
        old = max((number for number in oldest if events.kept[number].at < before), default=0)
        gone = [number for number in oldest if number <= max(passed, events.last - most, old)]
        last = gone[-1] if gone else 0
        for name, cursor in events.cursors.items():
            dropped[name] += sum(number > cursor.sequence for number in gone)
            if dropped[name]:
                events.cursors[name] = replace(
                    cursor, sequence=max(cursor.sequence, last), dropped=cursor.dropped + dropped[name]
                )
        for number in gone:
            del events.kept[number]
        return ForgottenEvents(len(gone), last, +dropped)
