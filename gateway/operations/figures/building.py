"""Builds what counts: in the batch, behind it, and again from the records."""

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
from gateway.operations.figures.rebuild import Rebuilding
from gateway.operations.logs import Log
from gateway.processing.figures import Counting
from gateway.settings import Settings
from gateway.storage.contract import Store
from gateway.storage.reader import Reader

PAGE: Final = 5000
"""Customers that are counted at once for the base."""


@dataclass(slots=True)
class FigureParts:
    """What counts; counting, consumer: None where nothing is counted (statistics.enabled)."""

    store: Store
    today: Callable[[], date]
    rebuilding: Rebuilding
    counting: Counting | None = None
    consumer: FigureConsumer | None = None

    def wake(self) -> None:
        """A commit is done."""
        if self.consumer is not None:
            self.consumer.wake()

    def waiting(self) -> int:
        """Commits that are in no figure yet."""
        return 0 if self.consumer is None else self.consumer.backlog

    async def begin(self) -> None:
        """At a start, before any SMS: count the customers there are, once. Raises StorageError."""
        if self.counting is not None and not await self.store.figures_begun():
            base = await base_of(self.store, self.counting.home)
            await self.store.begin_figures(self.today().isoformat(), base)


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

    def today() -> date:
        return datetime.fromtimestamp(clock.now_ms() / 1000, UTC).astimezone(zone).date()

    def incomplete(count: int) -> None:
        log.logger.error("figures.incomplete", commits=count, remedy="fetion-gateway stats rebuild")

    def counting() -> Counting:
        return Counting(in_force, zone, excluded)

    if not settings.statistics.enabled:
        return FigureParts(store, today, Rebuilding(store, open_reader, counting, settings, today, None))
    active_days = settings.statistics.active_days
    consumer = FigureConsumer(store, today, active_days, incomplete, Random(), observer, pace)
    live = Counting(in_force, zone, excluded, lambda error: observer.broken("figures", error))
    rebuilding = Rebuilding(store, open_reader, counting, settings, today, consumer)
    return FigureParts(store, today, rebuilding, live, consumer)
