"""The calls of gateway.storage.figures.FigureStore on a store in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from json import dumps

from commands.model import CustomerState
from gateway.message import StoredEvent
from gateway.storage.figures import Amount, DayState, FigureKey, Figures, Measure
from gateway.storage.marks import is_of, settled
from gateway.storage.memory.events import Events
from gateway.storage.memory.figures import Counted
from gateway.storage.memory.reader import Content


class FigureCalls:
    """The calls; the rest of the store is MemoryStore."""

    _events: Events
    _content: Content

    @property
    def _counted(self) -> Counted:
        return self._content.counted

    @property
    def last_counted(self) -> int:
        return self._events.last_counted

    async def counted_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        found = [event for number, event in self._events.counted.items() if number > sequence]
        return [replace(event) for event in found[:limit]]

    async def folded(self, consumer: str) -> int:
        return self._events.folded.get(consumer, 0)

    async def figures_begun(self) -> bool:
        return bool(self._counted.begun)

    async def open_mobiles(self, after: str, limit: int) -> list[str]:
        open_ = {CustomerState.OPEN, CustomerState.SUSPENDED}
        customers = sorted(self._content.customers.items())
        return [msisdn for msisdn, each in customers if each.state in open_ and msisdn > after][:limit]

    async def fold(self, consumer: str, sequence: int, figures: Figures, after: int | None = None) -> bool:
        cursor = self._events.folded.get(consumer, 0)
        if cursor >= sequence or (after is not None and cursor > after):
            return False
        self._events.fold(consumer, sequence)
        self._counted.add(figures)
        self._counted.touched.update(figures.days())
        return True

    async def drop_counted(self, consumer: str, sequence: int, days: Sequence[str]) -> int:
        events = self._events
        gone = len([n for n in events.counted if n <= sequence])
        if gone:
            events.fold(consumer, sequence)
            self._counted.mark(days)
        return gone

    async def day_state(self, day: str) -> DayState:
        counted = self._counted
        waits = any(is_of(dumps(event.data), day) for event in self._events.counted.values())
        return DayState(counted.touched[day], counted.marks.get(day, 0), waits)

    async def mark_days(self, days: Sequence[str]) -> None:
        self._counted.mark(days)

    async def marked_days(self) -> list[str]:
        return sorted(self._counted.marks)

    async def note_uncounted(self, day: str) -> None:
        self._counted.uncounted = min(day, self._counted.uncounted or day)

    async def settle_uncounted(self, today: str, *, counting: bool) -> None:
        counted = self._counted
        if not counted.uncounted:
            return
        days, counted.uncounted = settled(counted.uncounted, today, over=counting)
        counted.mark(days)

    async def begin_figures(self, day: str, base: Mapping[str, int]) -> bool:
        if self._counted.begun:
            return False
        self._counted.begun = day
        measure = Measure.BASE.value
        amounts = {FigureKey(day, measure, each, "", "", ""): Amount(n, 0) for each, n in base.items()}
        self._counted.add(Figures(amounts))
        return True

    async def replace_day(self, day: str, figures: Figures, state: DayState | None = None) -> bool:
        if state is not None and (state.waits or await self.day_state(day) != state):
            return False
        self._counted.replace(day, figures)
        self._counted.marks.pop(day, None)
        return True

    async def forget_active(self, before: str, limit: int) -> int:
        return self._counted.forget(before, limit)
