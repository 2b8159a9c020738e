"""Events of a store in memory: gateway.storage.contract.EventStore says what each call does."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.message import StoredEvent
from gateway.storage.contract import Cursor, ForgottenEvents

PARKED_MOST: Final = 10_000
ORIGIN_BITS: Final = 48


@dataclass(slots=True)
class Events:
    """The events that are there, who has taken which, and what was refused for good.

    origin: stands in the ids of the events that are added from now on.
    """

    last: int = 0
    origin: int = 0
    kept: dict[int, StoredEvent] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    parked: dict[str, dict[int, tuple[StoredEvent, str]]] = field(default_factory=dict)

    def opened(self) -> None:
        """From now on ids differ from those of other openings."""
        self.origin = secrets.randbits(ORIGIN_BITS)

    def add(self, events: Sequence[StoredEvent]) -> None:
        """Number them behind the last one."""
        for event in events:
            self.last += 1
            self.kept[self.last] = replace(
                event, data=dict(event.data), sequence=self.last, event_id=f"{self.origin:012x}-{self.last}"
            )


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
    ) -> None:
        cursor = await self.cursor(name)
        mine = self._events.parked.setdefault(name, {})
        new = {event.sequence: (event, reason) for event, reason in parked if event.sequence not in mine}
        mine |= new
        for number in sorted(mine)[:-PARKED_MOST]:
            del mine[number]
        self._events.cursors[name] = replace(
            cursor, sequence=max(cursor.sequence, sequence), parked=cursor.parked + len(new)
        )

    async def parked_events(self, name: str, limit: int) -> list[tuple[StoredEvent, str]]:
        mine = self._events.parked.get(name, {})
        return [mine[number] for number in sorted(mine)[:limit]]

    async def forget_events(self, before: int, most: int, limit: int) -> ForgottenEvents:
        events = self._events
        for mine in events.parked.values():
            for number in [number for number, (event, _) in mine.items() if event.at < before]:
                del mine[number]
        passed = min((cursor.sequence for cursor in events.cursors.values()), default=0)
        oldest = list(events.kept)[:limit]
        old = max((number for number in oldest if events.kept[number].at < before), default=0)
        gone = [number for number in oldest if number <= max(passed, events.last - most, old)]
        if not gone:
            return ForgottenEvents(0)
        dropped = {}
        for name, cursor in events.cursors.items():
            if count := sum(number > cursor.sequence for number in gone):
                dropped[name] = count
                events.cursors[name] = replace(cursor, sequence=gone[-1], dropped=cursor.dropped + count)
        for number in gone:
            del events.kept[number]
        return ForgottenEvents(len(gone), gone[-1], dropped)
