"""Sums what commits add, and folds it into the figures of the store: one task beside the batches."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from gateway.events.pauses import pause
from gateway.events.relay import wait
from gateway.message import StoredEvent
from gateway.observer import Observer
from gateway.processing.figures import add, days_of
from gateway.storage.contract import StorageError, Store
from gateway.storage.figures import Figures

NAME: Final = "figures"
EVERY: Final = 0.5
"""Seconds between two rounds: figures are that late, and their commits as rare."""
IDLE: Final = 10.0
"""Seconds after which it looks whether it has taken over what another node left."""
PAGE: Final = 100
"""Events that are read at once."""
MOST: Final = 1000
"""Events of one round."""
FOLDED: Final = 200
"""Customers with which a fold ends: on SQLite it takes 3 to 7 ms, for which SMS wait."""
WAITING: Final = 1_000_000
"""Events that may wait to be folded; beyond them the oldest go."""
SHARE: Final = 0.25
"""Part of the time that folding may take."""
SHARE_WHEN_BUSY: Final = 0.03
"""The same while the event loop is busy: SMS come first, and figures are late then."""
LONGEST_REST: Final = 5.0
"""Seconds of a rest at most: a store that took long to answer has not kept the event loop busy so long."""
TIDY_EVERY: Final = 3600.0
"""Seconds between two looks for who was active too long ago."""
FORGOTTEN: Final = 1000
"""Rows that one step forgets."""
DROPPED: Final = 200
"""Events that one step drops."""
STEP_PAUSE: Final = 0.1
"""Seconds between two such steps."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much time folding may take. busy: whether the event loop is. monotonic: seconds. most: how many
    events may wait."""

    busy: Callable[[], bool]
    monotonic: Callable[[], float]
    most: int = WAITING

    def rest(self, began: float) -> float:
        """Seconds to pause behind a fold that began then."""
        share = SHARE_WHEN_BUSY if self.busy() else SHARE
        return min(LONGEST_REST, (self.monotonic() - began) * (1 / share - 1))


UNHURRIED: Final = Pace(lambda: False, lambda: 0.0)
"""For whom no SMS waits."""


class FigureConsumer:
    """Counts, from start() to close(). active_days: for which it is kept who was active. today: gives the day
    of the service. incomplete: hears how many commits are counted in no figure, and of which days.

    folding: held while figures are written: who replaces a day holds it too. place: the last event that is
    folded.
    """

    def __init__(
        self,
        store: Store,
        today: Callable[[], date],
        active_days: int,
        incomplete: Callable[[int, list[str]], None],
        random: Random,
        observer: Observer,
        pace: Pace,
    ) -> None:
        self.folding = asyncio.Lock()
        self.place = 0
        self._store = store
        self._today = today
        self._active_days = active_days
        self._incomplete = incomplete
        self._random = random
        self._observer = observer
        self._pace = pace
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._failures = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with what is in the store."""
        self._tasks = [
            asyncio.create_task(self._run(), name="figures"),
            asyncio.create_task(self._keep_tidy(), name="old figures"),
        ]

    def wake(self) -> None:
        """A commit is done."""
        self._news.set()

    async def close(self, seconds: float = 0) -> None:
        """Fold what is there, and end within so many seconds; the next start folds the rest."""
        self._stop.set()
        self._news.set()
        tasks, self._tasks = self._tasks, []
        try:
            if tasks and seconds:
                await asyncio.wait(tasks[:1], timeout=seconds)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def backlog(self) -> int:
        """How many commits are not in the figures yet."""
        return max(0, self._store.last_counted - self.place)

    async def catch_up(self, most: int | None = None) -> None:
        """Fold what is there, so many events at most. What comes meanwhile is for the next time. Raises
        StorageError."""
        self.place = await self._store.folded(NAME)
        left = self.backlog if most is None else min(most, self.backlog)
        while left > 0 and (events := await self._store.counted_after(self.place, min(PAGE, left))):
            left -= len(events)
            await self.take(events)

    async def take(self, events: list[StoredEvent]) -> None:
        """Fold events, so many at a time that nobody waits long. Raises StorageError."""
        while events:
            async with self.folding:
                began = self._pace.monotonic()  # who replaces a day held it for long, perhaps
                events = await self._fold_some(events)
            await asyncio.sleep(0)  # the store need not have waited: others have their turn
            await wait(self._stop, self._pace.rest(began))

    async def _fold_some(self, events: list[StoredEvent]) -> list[StoredEvent]:
        """Fold the first of these events. Gives those that are left."""
        figures, count = Figures(), 0
        for event in events:
            add(figures, event.data)
            count += 1
            if len(figures.active) >= FOLDED:
                break
        first, last = events[0].sequence, events[count - 1].sequence
        if await self._store.fold(NAME, last, figures, first - 1):
            self.place = last
            return events[count:]
        # After a fault some were folded, and nobody heard of it.
        self.place = await self._store.folded(NAME)
        return [event for event in events if event.sequence > self.place]

    async def _run(self) -> None:
        """Round after round, until the stop."""
        while True:
            try:
                self._news.clear()
                await self.catch_up(MOST)
                self._succeeded()
            except StorageError as error:
                await self._failed(error, self._observer.events_deferred)
            except Exception as error:  # the boundary for bugs in counting
                await self._failed(error, self._observer.events_broken)
            if self._stop.is_set() and (self._failures or not self.backlog):
                return
            await wait(self._stop, EVERY)  # events gather
            if not self.backlog:
                await wait(self._news, IDLE)

    async def _failed(self, error: Exception, tell: Callable[[str, Exception, int, float], None]) -> None:
        self._failures += 1
        seconds = pause(self._random, self._failures)
        if self._failures & (self._failures - 1) == 0:  # 1, 2, 4, 8 ...: it may last for days
            tell(NAME, error, self._failures, seconds)
        await wait(self._stop, seconds)

    def _succeeded(self) -> None:
        if self._failures:
            self._observer.events_resumed(NAME, self._failures, 0.0)
            self._failures = 0

    # What is old

    async def _keep_tidy(self) -> None:
        while True:
            with contextlib.suppress(StorageError):  # told by those who need the store; this has time
                await self.tidy()
            await asyncio.sleep(TIDY_EVERY)

    async def tidy(self) -> None:
        """Forget who was active too long ago, and what waits beyond the bound. Raises StorageError."""
        gone = DROPPED
        while gone >= DROPPED:
            gone = await self._drop_some()
            await asyncio.sleep(STEP_PAUSE)
        before, gone = (self._today() - timedelta(days=self._active_days)).isoformat(), FORGOTTEN
        while gone >= FORGOTTEN:
            gone = await self._store.forget_active(before, FORGOTTEN)
            await asyncio.sleep(STEP_PAUSE)

    async def _drop_some(self) -> int:
        """Drop the oldest events beyond the bound, and mark their days. Gives how many."""
        async with self.folding:
            place, beyond = await self._store.folded(NAME), self._store.last_counted - self._pace.most
            if place >= beyond:
                return 0
            events = await self._store.counted_after(place, min(DROPPED, beyond - place))
            if not events:
                return 0
            days = sorted(set[str]().union(*(days_of(event.data) for event in events)))
            gone = await self._store.drop_counted(NAME, events[-1].sequence, days)
        if gone:
            self._incomplete(gone, days)
        return gone
