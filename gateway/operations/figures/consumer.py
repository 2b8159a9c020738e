"""The consumer of the family FIGURES: sums what commits add, and folds it into the figures of the store."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Final

from gateway.events.contract import MOST, RefusedEvent
from gateway.message import StoredEvent
from gateway.processing.figures import add
from gateway.storage.contract import StorageError, Store
from gateway.storage.figures import STEP, Figures

NAME: Final = "figures"
EVERY: Final = 0.5
"""Seconds between two takes: figures are that late, and a commit of theirs is as rare."""
TIDY_FIRST: Final = 60.0
TIDY_EVERY: Final = 3600.0
"""Seconds from the start to the first look for who was active too long ago, and between two looks."""
FORGOTTEN: Final = 1000
"""Rows that one step forgets."""
STEP_PAUSE: Final = 0.1
"""Seconds between two such steps."""
TOUCHED: Final = 100
"""Days of which it is remembered which event changed them last."""


class FigureConsumer:
    """Counts. active_days: for which it is kept who was active. today: gives the day of the service.

    folding: held while figures are written: who replaces a day holds it too. touched: day -> the last event
    that changed its figures since the start.
    """

    name = NAME
    most = MOST
    every = EVERY

    def __init__(
        self, store: Store, today: Callable[[], date], active_days: int, incomplete: Callable[[int], None]
    ) -> None:
        self.folding = asyncio.Lock()
        self.touched: dict[str, int] = {}
        self.place = 0
        self._store = store
        self._today = today
        self._active_days = active_days
        self._incomplete = incomplete

    async def take(self, events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
        """Fold them, so many at a time that nobody waits long. Raises StorageError."""
        left = list(events)
        while left:
            async with self.folding:
                left = await self._fold_some(left)
            await asyncio.sleep(0)  # the store need not have waited: others have their turn
        return ()

    async def _fold_some(self, events: list[StoredEvent]) -> list[StoredEvent]:
        """Fold the first of these events. Gives those that are left."""
        figures, count = Figures(), 0
        for event in events:
            add(figures, event.data)
            count += 1
            if len(figures.active) >= STEP:
                break
        first, last = events[0].sequence, events[count - 1].sequence
        if await self._store.fold(self.name, last, figures, first - 1):
            self._note({key.day for key in figures.amounts}, last)
            self.place = last
            return events[count:]
        # After a fault some were folded, and nobody heard of it.
        self.place = (await self._store.cursor(self.name)).sequence
        return [event for event in events if event.sequence > self.place]

    def _note(self, days: set[str], last: int) -> None:
        for day in days:
            self.touched.pop(day, None)
            self.touched[day] = last
        while len(self.touched) > TOUCHED:
            del self.touched[next(iter(self.touched))]

    def lost(self, count: int) -> None:
        """So many commits are counted in no figure."""
        self._incomplete(count)

    async def catch_up(self) -> None:
        """Fold what is there, where no gateway runs. Raises StorageError."""
        self.place = (await self._store.cursor(self.name)).sequence
        while events := await self._store.events_after(self.place, MOST):
            await self.take([event for event in events if event.family == NAME])
            self.place = events[-1].sequence

    # Beside the events

    async def ready(self) -> None:
        """At any time."""

    async def run(self) -> None:
        """Forget, now and then, who was active too long ago."""
        await asyncio.sleep(TIDY_FIRST)
        while True:
            with contextlib.suppress(StorageError):  # told by those who need the store; this has time
                await self.tidy()
            await asyncio.sleep(TIDY_EVERY)

    async def tidy(self) -> None:
        """One such look. Raises StorageError."""
        before = (self._today() - timedelta(days=self._active_days)).isoformat()
        gone = FORGOTTEN
        while gone >= FORGOTTEN:
            gone = await self._store.forget_active(before, FORGOTTEN)
            await asyncio.sleep(STEP_PAUSE)
