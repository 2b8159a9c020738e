"""Rebuilds by itself the days that are marked: whose figures may not be complete.

A day is rebuilt when it has been over for a while, all commits are folded, and the event loop is not busy. Of
several nodes one does it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import aclosing
from datetime import date
from typing import Final

from gateway.events.relay import wait
from gateway.observer import Observer
from gateway.operations.figures.consumer import FigureConsumer
from gateway.operations.figures.rebuild import NotRebuilt, Rebuilding
from gateway.storage.contract import StorageError, Store
from gateway.storage.nodes import SharedStore

NAME: Final = "figures"
"""What a node holds that rebuilds days (SharedStore.hold)."""
EVERY: Final = 30.0
"""Seconds between two looks at what is marked."""
CAUGHT_UP: Final = 1000
"""Commits that may wait to be folded: what comes within a moment."""
PAUSE: Final = 1.0
"""Seconds between two days."""


class Mending:
    """Rebuilds, from start() to close(). today: gives the day of a moment ago, by which SMS of the day before
    are committed. rebuilt: hears of a day and how many records it has. busy: whether the event loop is."""

    def __init__(
        self,
        store: Store,
        rebuilding: Rebuilding,
        consumer: FigureConsumer,
        today: Callable[[], date],
        rebuilt: Callable[[str, int], None],
        observer: Observer,
        busy: Callable[[], bool],
    ) -> None:
        self._store = store
        self._rebuilding = rebuilding
        self._consumer = consumer
        self._today = today
        self._rebuilt = rebuilt
        self._observer = observer
        self._busy = busy
        self._gone: set[str] = set()  # marked days of which records are gone
        self._gone_at = ""  # the day on which that was seen
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with what is marked."""
        self._task = asyncio.create_task(self._run(), name="marked figures")

    async def close(self) -> None:
        """End; the next start goes on with what is left."""
        self._stop.set()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self.look()
            except Exception as error:  # the boundary for bugs in rebuilding: SMS are handled all the same
                self._observer.broken(NAME, error)
            await wait(self._stop, EVERY)

    async def look(self) -> None:
        """Rebuild what is marked, as far as it can be done now."""
        with contextlib.suppress(StorageError):  # told by those who need the store; this has time
            for day in await self._days():
                if self._stop.is_set() or self._consumer.backlog > CAUGHT_UP or self._busy():
                    return
                with contextlib.suppress(NotRebuilt):  # SMS of that day still come to an end
                    await self._rebuild(day)
                await wait(self._stop, PAUSE)

    async def _days(self) -> list[str]:
        """The days that may be rebuilt. Raises StorageError."""
        today = self._today().isoformat()
        await self._store.settle_uncounted(today, counting=True)
        marked = await self._store.marked_days()
        self._gone.intersection_update(marked)
        if self._gone_at != today:  # a clock that was wrong for a while has other days gone
            self._gone_at = today
            self._gone.clear()
        days = [day for day in marked if day < today and day not in self._gone]
        if days and isinstance(self._store, SharedStore) and not await self._store.hold(NAME):
            return []
        return days

    async def _rebuild(self, day: str) -> None:
        """One day. Raises NotRebuilt, StorageError."""
        if (await self._store.day_state(day)).waits:
            return  # perhaps for long, of a node that is away: `stats rebuild` has its turn meanwhile
        done = gone = False
        async with aclosing(self._rebuilding.run(day, day)) as told:
            async for items in told:
                for item in items:
                    gone = gone or item.get("days") == 0 or bool(item.get("gone"))
                    if item.get("done"):
                        self._rebuilt(day, int(item["records"]))
                        done = True
        if gone and not done:
            self._gone.add(day)
