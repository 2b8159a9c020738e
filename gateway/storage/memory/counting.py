"""The calls of gateway.storage.figures.FigureStore on a store in memory."""

from collections.abc import Mapping
from dataclasses import replace

from commands.model import CustomerState
from gateway.message import StoredEvent
from gateway.storage.figures import Amount, FigureKey, Figures, Measure
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
        return True

    async def forget_counted(self, consumer: str, most: int, limit: int) -> int:
        events = self._events
        old = [n for n in events.counted if n <= events.last_counted - most][:limit]
        if old:
            events.fold(consumer, old[-1])
        return len(old)

    async def begin_figures(self, day: str, base: Mapping[str, int]) -> bool:
        if self._counted.begun:
            return False
        self._counted.begun = day
        measure = Measure.BASE.value
        amounts = {FigureKey(day, measure, each, "", "", ""): Amount(n, 0) for each, n in base.items()}
        self._counted.add(Figures(amounts))
        return True

    async def replace_day(self, day: str, figures: Figures) -> None:
        self._counted.replace(day, figures)

    async def forget_active(self, before: str, limit: int) -> int:
        return self._counted.forget(before, limit)
