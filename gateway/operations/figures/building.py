"""Builds what counts: in the batch, behind it, and again from the records."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from commands.tables import InForce
from gateway.clock import Clock
from gateway.observer import Observer
from gateway.operations.figures.consumer import FigureConsumer, Pace
from gateway.operations.figures.mending import Mending
from gateway.operations.figures.rebuild import Rebuilding
from gateway.operations.logs import Log
from gateway.processing.figures import Counting
from gateway.settings import Settings
from gateway.storage.contract import Store
from gateway.storage.reader import SLACK_MS, Reader

PAGE: Final = 5000
"""Customers that are counted at once for the base."""
RECALLED: Final = 500
"""SMS that are looked at once for what test numbers caused."""


@dataclass(slots=True)
class FigureParts:
    """What counts; counting, consumer, mending: None where nothing is counted (statistics.enabled)."""

    store: Store
    today: Callable[[], date]
    rebuilding: Rebuilding
    counting: Counting | None = None
    consumer: FigureConsumer | None = None
    mending: Mending | None = None

    def start(self) -> None:
        """Fold, and rebuild what is marked."""
        if self.consumer is not None and self.mending is not None:
            self.consumer.start()
            self.mending.start()

    async def close(self, seconds: float = 0) -> None:
        """Fold what is there, and end within so many seconds."""
        if self.mending is not None:
            await self.mending.close()
        if self.consumer is not None:
            await self.consumer.close(seconds)

    def wake(self) -> None:
        """A commit is done."""
        if self.consumer is not None:
            self.consumer.wake()

    def waiting(self) -> int:
        """Commits that are in no figure yet."""
        return 0 if self.consumer is None else self.consumer.backlog

    async def begin(self) -> None:
        """At a start, before any SMS: count the customers there are, once, and note from when to when this
        gateway counts nothing. Raises StorageError."""
        if self.counting is not None and self.counting.leaves_out_some:
            await recall(self.store, self.counting)
        today, begun = self.today().isoformat(), await self.store.figures_begun()
        if self.counting is None:
            if begun:
                await self.store.note_uncounted(today)
            return
        if not begun:
            await self.store.begin_figures(today, await base_of(self.store, self.counting.home))
        await self.store.settle_uncounted(today, counting=True)


async def recall(store: Store, counting: Counting) -> None:
    """Learn which of the SMS that wait to leave were caused by test numbers. Raises StorageError."""
    after = -1
    while waiting := await store.waiting(after, RECALLED):
        after = waiting[-1].number
        for cause in await store.find(sorted({sms.cause for sms in waiting})):
            if counting.home(cause.msisdn) is None:
                counting.leave_out(cause.number)
        await asyncio.sleep(0)


async def base_of(store: Store, home: Callable[[str], str | None]) -> dict[str, int]:
    """How many customers each province has. Raises StorageError."""
    found: Counter[str] = Counter()
    after = ""
    while mobiles := await store.open_mobiles(after, PAGE):
        found.update(province for each in mobiles if (province := home(each)) is not None)
        after = mobiles[-1]
    return dict(found)


def build_figures(
    settings: Settings,
    store: Store,
    open_reader: Callable[[], Reader],
    in_force: InForce,
    clock: Clock,
    log: Log,
    observer: Observer,
    pace: Pace,
) -> FigureParts:
    """For a gateway."""
    zone = ZoneInfo(settings.service.timezone)
    phones = settings.console.test_numbers
    excluded = phones.__contains__ if len(phones) else None

    def today(ago_ms: int = 0) -> date:
        return datetime.fromtimestamp((clock.now_ms() - ago_ms) / 1000, UTC).astimezone(zone).date()

    def incomplete(count: int, days: list[str]) -> None:
        log.logger.error("figures.incomplete", commits=count, days=" ".join(days))

    def rebuilt(day: str, records: int) -> None:
        log.logger.info("figures.rebuilt", day=day, records=records)

    def counting() -> Counting:
        return Counting(in_force, zone, excluded)

    if not settings.statistics.enabled:
        return FigureParts(store, today, Rebuilding(store, open_reader, counting, settings, today, None))
    active_days = settings.statistics.active_days
    consumer = FigureConsumer(store, today, active_days, incomplete, Random(), observer, pace)
    live = Counting(in_force, zone, excluded, lambda error: observer.broken("figures", error))
    rebuilding = Rebuilding(store, open_reader, counting, settings, today, consumer)
    mending = Mending(store, rebuilding, consumer, lambda: today(SLACK_MS), rebuilt, observer, pace.busy)
    return FigureParts(store, today, rebuilding, live, consumer, mending)
