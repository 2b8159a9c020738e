"""Counts days again from the records of the store, with the tables of today, and replaces their figures.

A day is counted in a thread by a Reader. Its figures are replaced only if nothing of it was committed
meanwhile, at whatever node; else it is counted again. Figures of days whose records are gone stay.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from gateway.operations.control import CommandRefused, Item, Stream
from gateway.operations.figures.consumer import FigureConsumer
from gateway.processing.figures import Counting, Span, Tally, day_at
from gateway.settings import Settings
from gateway.storage.contract import StorageError, Store
from gateway.storage.figures import Figures
from gateway.storage.reader import Reader

T = TypeVar("T")

SLICE: Final = 50
"""Records between two turns of other threads."""
LOOK_EVERY: Final = 0.2
"""Seconds between two reports of how far it is."""
LOOKS: Final = 150
"""How often it looks whether other nodes have folded what they have of a day."""
TRIES: Final = 5
"""How often a day is counted, while late SMS change it."""


class NotRebuilt(Exception):
    """Days cannot be counted again; the text says why."""


@dataclass(slots=True)
class Progress:
    """How far the count of a day is. stopped: it is to end."""

    records: int = 0
    stopped: bool = False


class Stopped(Exception):
    """Nobody waits for the count any more."""


def recount(reader: Reader, counting: Counting, span: Span, progress: Progress) -> Figures:
    """Count a day from its records. In a thread. Raises StorageError, Stopped."""

    def counted(records: Iterable[T]) -> Iterator[T]:
        for record in records:
            progress.records += 1
            if progress.records % SLICE == 0:
                if progress.stopped:
                    raise Stopped
                time.sleep(0)  # the loop has its turn
            yield record

    tally, begin, end = Tally(), span.begin, span.end
    products = [*counted(reader.products(begin, end))]
    causes = {record.cause for record in products}
    ways: dict[int, str] = {}

    def uplinks() -> Iterator[Any]:
        for sms in counted(reader.journal(begin, end)):
            if sms.number in causes:
                ways.update(counting.ways_of([sms]))
            yield sms

    counting.begin()
    counting.uplinks(tally, uplinks())
    closed = counted(reader.closed(begin, end))
    counting.downlinks(tally, (each.sms for each in closed if counting.home(each.sender) is not None))
    for number in causes - ways.keys():  # of an SMS just before midnight
        if (sms := reader.journal_record(number)) is not None:
            ways.update(counting.ways_of([sms]))
    counting.orders(tally, products, ways)
    return tally.figures()


@dataclass(slots=True)
class Days:
    """What can be counted again. days: in order. kept: of those that were asked for, how many lack records,
    or are not over."""

    days: list[str] = field(default_factory=list)
    kept: int = 0


def possible(reader: Reader, first: str, last: str, today: date, zone: ZoneInfo, journal_days: int) -> Days:
    """Which days all records are there of, and which are over. "": the first, or the last, there is.

    The oldest SMS may stand on a day whose first ones are deleted already, unless figures began on that day
    or later.
    """
    oldest = next(reader.journal(), None)
    if oldest is None:
        return Days()
    begin = date.fromisoformat(day_at(oldest.at, zone).day)
    if (reader.first_figure() or begin.isoformat()) < begin.isoformat():
        begin += timedelta(days=1)
    begin = max(begin, today - timedelta(days=journal_days - 1))
    end = today - timedelta(days=1)
    wanted = (date.fromisoformat(first) if first else begin, date.fromisoformat(last) if last else end)
    from_, to = max(begin, wanted[0]), min(end, wanted[1])
    days = [(from_ + timedelta(days=n)).isoformat() for n in range((to - from_).days + 1)]
    return Days(days, max(0, (wanted[1] - wanted[0]).days + 1) - len(days))


class Rebuilding:
    """Answers `stats rebuild`, in a running gateway or without one.

    consumer: None where nothing is counted. looks: how often it looks whether other nodes have folded a day.
    """

    def __init__(
        self,
        store: Store,
        open_reader: Callable[[], Reader],
        counting: Callable[[], Counting],
        settings: Settings,
        today: Callable[[], date],
        consumer: FigureConsumer | None,
        looks: int = LOOKS,
    ) -> None:
        self._store = store
        self._open_reader = open_reader
        self._counting = counting
        self._zone = ZoneInfo(settings.service.timezone)
        self._journal_days = settings.storage.retention.journal_days
        self._today = today
        self._consumer = consumer
        self._looks = looks
        self._busy = False

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Return the streams by the names that the control socket uses."""
        return {"stats rebuild": self.stream}

    async def stream(self, first: str, last: str) -> AsyncIterator[list[Item]]:
        """For the control socket. first, last: days such as 2007-03-01, "" for the first or last there is."""
        try:
            async for item in self.run(first, last):
                yield item
        except NotRebuilt as error:
            raise CommandRefused(str(error)) from error
        except StorageError as error:
            raise CommandRefused(f"the store: {error}: days that were told of are rebuilt") from error

    async def run(self, first: str, last: str) -> AsyncGenerator[list[Item], None]:
        """Rebuild days, one after the other; tells how far it is. Raises NotRebuilt, StorageError."""
        for text in (first, last):
            _check(text)
        if self._consumer is None:
            raise NotRebuilt("nothing is counted: statistics.enabled is false")
        if self._busy:
            raise NotRebuilt("another rebuild is under way: wait for its end")
        self._busy = True
        try:
            await self._store.settle_uncounted(self._today().isoformat(), counting=True)
            yield [{"reading": True}]
            days = await asyncio.to_thread(self._possible, first, last)
            yield [{"days": len(days.days), "kept": days.kept}]
            for day in days.days:
                async for items in self._rebuild(day, self._consumer):
                    yield items
        finally:
            self._busy = False

    def _possible(self, first: str, last: str) -> Days:
        with closing(self._open_reader()) as reader:
            return possible(reader, first, last, self._today(), self._zone, self._journal_days)

    async def _rebuild(self, day: str, consumer: FigureConsumer) -> AsyncIterator[list[Item]]:
        span = day_span(day, self._zone)
        for _ in range(TRIES):
            async for items in self._folded(day, consumer):
                yield items
            state = await self._store.day_state(day)
            progress = Progress()
            counting = asyncio.ensure_future(asyncio.to_thread(self._recount, span, progress))
            try:
                while not counting.done():
                    await asyncio.wait((counting,), timeout=LOOK_EVERY)
                    yield [{"day": day, "records": progress.records}]
                figures = await counting
            finally:
                progress.stopped = True
                await asyncio.wait((counting,))
            async for items in self._folded(day, consumer):
                yield items
            if not (await asyncio.to_thread(self._possible, day, day)).days:
                yield [{"day": day, "records": progress.records, "gone": True}]  # retention was there first
                return
            async with consumer.folding:
                replaced = await self._store.replace_day(day, figures, state)
            if replaced:
                yield [{"day": day, "records": progress.records, "done": True}]
                return
        raise NotRebuilt(f"{day}: SMS of that day still come to an end: try again later")

    async def _folded(self, day: str, consumer: FigureConsumer) -> AsyncIterator[list[Item]]:
        """Wait until everything that is committed now is folded; of that day at the other nodes too. Raises
        NotRebuilt."""
        last = self._store.last_counted
        while consumer.place < last:
            yield []
            await asyncio.sleep(LOOK_EVERY)
        for _ in range(self._looks):
            if not (await self._store.day_state(day)).waits:
                return
            yield []
            await asyncio.sleep(LOOK_EVERY)
        raise NotRebuilt(
            f"{day}: commits of that day are not in the figures yet: try again when fetion_figures_waiting is"
            " 0 at every node; of a node that is away, when another one has taken over its work"
        )

    def _recount(self, span: Span, progress: Progress) -> Figures:
        with closing(self._open_reader()) as reader:
            return recount(reader, self._counting(), span, progress)


def day_span(day: str, zone: ZoneInfo) -> Span:
    """A day by its name."""
    begin = date.fromisoformat(day)
    noon = datetime(begin.year, begin.month, begin.day, 12, tzinfo=zone).astimezone(UTC)
    return day_at(round(noon.timestamp()) * 1000, zone)


def _check(text: str) -> None:
    if not text:
        return
    try:
        date.fromisoformat(text)
    except ValueError:
        raise NotRebuilt(f"{text!r} is no day such as 2007-03-01") from None
