"""Random histories: SMS over midnight, month's end and changes of the clock, repeats, faults, crashes and
rebuilds, in the figures as a brute-force count of the records has them."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.tables import InForce
from gateway.message import OPERATOR, PART, Commit, Delivery, Kind, ProductRecord
from gateway.observer import Observer
from gateway.operations.figures.building import FigureParts
from gateway.operations.figures.consumer import MOST, NAME, UNHURRIED, FigureConsumer
from gateway.operations.figures.mending import Mending
from gateway.operations.figures.rebuild import Rebuilding
from gateway.processing.figures import Counting
from gateway.settings import Settings, load
from gateway.storage.contract import StoreFault
from gateway.storage.figures import PeriodKind
from gateway.storage.memory import MemoryStores
from gateway.storage.reader import Reader
from tests.operations.figures.counts import Count, stored
from tests.support import leaving, received, tables

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo")
MOMENTS = tuple(
    round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
    for text in (
        *("2007-02-28T16:00", "2007-03-25T00:00", "2007-03-25T01:00", "2007-03-31T22:00"),
        *("2007-10-14T03:00", "2007-10-28T01:00", "2007-12-31T16:00", "2008-02-17T02:00"),
    )
)
"""Midnights, ends of months and changes of the clock in these zones."""
MOBILES = tuple(f"1380013800{n}" for n in range(5))
TEST_PHONE = "13900000009"
PLACE = Path("store")
TODAY = date(2008, 3, 1)
OFF, ON = date(2007, 3, 23), date(2007, 3, 29)
"""Days of starts with and without counting; what is not counted happens between them."""
OFF_MS = MOMENTS[1]
BEGIN_MS = MOMENTS[0] - 100 * 86_400_000
"""When the first SMS came."""


@dataclass(frozen=True)
class Step:
    """What happens: an SMS in, an SMS out, or something to those who count. at: ms. draw: makes the rest."""

    what: str
    at: int
    draw: int


steps = st.builds(
    Step,
    st.sampled_from(
        [
            *("in", "in", "in", "out", "out", "fold", "again", "fault", "crash", "rebuild"),
            *("drop", "off", "on"),
        ]
    ),
    st.builds(
        lambda moment, off: moment + off,
        st.sampled_from(MOMENTS),
        st.sampled_from([-3_600_000, -1, 0, 1, 3_599_999, 86_400_000]),
    ),
    st.integers(0, 1 << 30),
)


class History:
    """A store, and who counts in it."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self.stores = MemoryStores()
        self.store = self.stores.open_store(PLACE)
        self.in_force = InForce(tables())
        self.counting = Counting(self.in_force, self.zone, TEST_PHONE.__eq__)
        self.settings = _settings(zone)
        self.taken: list[Any] = []
        self.number = 0
        self.most = 1 << 30
        self.counts = True
        self.senders: dict[int, str] = {}
        self.restart()

    def restart(self) -> None:
        """Another process."""
        self.consumer = FigureConsumer(
            self.store,
            lambda: TODAY,
            400,
            lambda *_: None,
            Random(1),
            Observer(),
            replace(UNHURRIED, most=self.most),
        )
        self.faults = 0
        fold = type(self.store).fold

        async def faulty(*values: Any) -> bool:
            done = await fold(self.store, *values)
            if self.faults:
                self.faults -= 1
                raise StoreFault("nobody heard of it")
            return done

        self.store.fold = faulty  # type: ignore[method-assign,assignment]

    async def play(self, each: Step) -> None:
        """One step."""
        random = Random(each.draw)
        if not self.counts and each.what not in {"in", "out", "on", "crash"}:
            return
        if each.what in {"in", "out"}:
            await self.store.commit(self._commit(each, random))
        elif each.what == "fault":
            self.faults = 1
        elif each.what == "crash":
            self.restart()
        elif each.what == "rebuild":
            await self.fold(MOST)
            day = datetime.fromtimestamp(each.at / 1000, UTC).astimezone(self.zone).date().isoformat()
            async for _ in self.rebuilding().run(day, day):
                pass
        elif each.what == "drop":
            await self.drop(random.randint(0, 3))
        elif each.what == "off":
            await self.switch(counts=False)
        elif each.what == "on":
            await self.switch(counts=True)
        elif each.what == "again":
            with contextlib.suppress(StoreFault):
                await self.consumer.take(self.taken[-random.randint(1, 5) :])
        else:
            await self.fold(random.randint(1, 4))

    async def drop(self, most: int) -> None:
        """More wait than may."""
        self.most = most
        self.restart()
        while await self.consumer._drop_some():
            pass
        self.most = 1 << 30
        self.restart()

    async def switch(self, *, counts: bool) -> None:
        """A start with statistics.enabled so."""
        self.counts = counts
        self.senders = {0: ""}
        parts = FigureParts(self.store, lambda: ON if counts else OFF, self.rebuilding())
        if counts:
            parts.counting, parts.consumer = self.counting, self.consumer
        await parts.begin()

    def rebuilding(self) -> Rebuilding:
        """Of this store."""
        return Rebuilding(
            self.store, self._reader, self._recounting, self.settings, lambda: TODAY, self.consumer
        )

    async def mend(self) -> list[str]:
        """What a gateway does by itself. Gives the days."""
        days: list[str] = []
        mending = Mending(
            self.store,
            self.rebuilding(),
            self.consumer,
            lambda: TODAY,
            lambda day, _: days.append(day),
            Observer(),
            lambda: False,
        )
        for day in await mending._days():
            await mending._rebuild(day)
        return days

    def _reader(self) -> Any:
        return self.stores.open_reader(PLACE)

    def _recounting(self) -> Counting:
        return Counting(self.in_force, self.zone, TEST_PHONE.__eq__)

    async def fold(self, most: int) -> None:
        """So many events; again after a fault."""
        self.taken += await self.store.counted_after(await self.store.folded(NAME), most)
        try:
            await self.consumer.catch_up(most)
        except StoreFault:
            await self.consumer.catch_up(most)

    def _commit(self, each: Step, random: Random) -> Commit:
        commit = Commit()
        for _ in range(random.randint(1, 3)):
            self.number += 2
            msisdn = random.choice([*MOBILES, TEST_PHONE])
            at = self._when(each) + random.randint(0, 2)
            address = random.choice(["161", "12520", "12520100", "161034"])
            if each.what == "in":
                self._receive(commit, msisdn, at, address, random)
            else:
                sms = replace(leaving(self.number, msisdn), source=address)
                sms.cause = random.choice([*self.senders])
                sms.state = random.choice([Delivery.SENT, Delivery.FAILED, Delivery.EXPIRED])
                sms.closed_at, sms.parts_done = at, random.randint(0, 3)
                sms.kind = random.choice([Kind.SMS, Kind.SMS, Kind.RECEIPT])
                commit.outgoing.append(replace(sms))
                commit.closed += [sms] * random.randint(1, 2)
        if self.counts:
            self.counting.note(commit, each.at)
        return commit

    def _when(self, each: Step) -> int:
        return each.at if self.counts else OFF_MS + each.at % (2 * 86_400_000)

    def _receive(self, commit: Commit, msisdn: str, at: int, address: str, random: Random) -> None:
        events = [
            {"event": event, "msisdn": random.choice(MOBILES)}
            for event in random.choice([(), ("service/opened",), ("service/cancelled", "buddy/added")])
        ]
        sms = received(self.number, source=msisdn, at=at)._replace(
            destination=address,
            account=random.choice(["smsc", "smsc", OPERATOR]),
            outcome=random.choice(["done", "refused", PART]),
            instruction=random.choice(["service.open", ""]),
            parts=random.randint(1, 3),
            detail={"events": events, "tables": "1"} if events else None,
        )
        if sms.outcome != PART:
            self.senders[sms.number] = msisdn
        if sms.outcome == PART:
            sms = sms._replace(detail=None)
        elif random.random() < 0.5 and msisdn != TEST_PHONE:
            operation = random.choice(["order", "cancel"])
            commit.products.append(
                ProductRecord(sms.number, msisdn, "MCHAT", operation, at, trial=False, province="200")
            )
        commit.messages.append(sms)

    def check(self) -> None:
        """By brute force."""
        routing, reader = self.in_force.tables.routing, self._reader()

        def way(address: str) -> str:
            return "province" if address == "12520100" else routing.resolve(address).access_code

        counted = Count(cast(Reader, _Without(reader)), self.zone, routing.home, way)
        for kind in PeriodKind:
            assert stored(reader, kind) == counted.of(kind)


class _Without:
    """A Reader of everybody's records but the test phone's."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def journal(self) -> list[Any]:
        """SMS in."""
        return [each for each in self._reader.journal() if each.msisdn != TEST_PHONE]

    def closed(self, begin: int, end: int) -> list[Any]:
        """SMS out."""
        journal = {sms.number: sms.msisdn for sms in self._reader.journal()}
        return [
            each
            for each in self._reader.closed(begin, end)
            if TEST_PHONE not in {each.sms.msisdn, journal.get(each.sms.cause)}
        ]

    def products(self, begin: int, end: int) -> list[Any]:
        """Products."""
        return list(self._reader.products(begin, end))


def _settings(zone: str) -> Settings:
    environ = {
        "FETION__SERVICE__TIMEZONE": zone,
        "FETION__STORAGE__RETENTION__JOURNAL_DAYS": "3650",
    }
    return load(None, environ)


async def play(zone: str, history: Sequence[Step]) -> History:
    """All of it, and in the end everything is folded."""
    played = History(zone)
    await played.switch(counts=True)
    first = received(1, source=MOBILES[0], at=BEGIN_MS)._replace(outcome=PART)
    await played.store.commit(Commit(messages=[first]))
    for each in history:
        await played.play(each)
    played.faults = 0
    await played.switch(counts=True)
    await played.fold(MOST)
    await played.mend()
    assert await played.store.marked_days() == []
    return played


@pytest.mark.long
@settings(max_examples=500)
@given(st.sampled_from(ZONES), st.lists(steps, max_size=60))
def test_long_histories(zone: str, history: list[Step]) -> None:
    """The same for longer."""
    asyncio.run(play(zone, history)).check()


@settings(max_examples=25)
@given(st.sampled_from(ZONES), st.lists(steps, max_size=20))
def test_figures_equal_a_brute_force_count(zone: str, history: list[Step]) -> None:
    """Whatever happens, and in whatever order."""
    asyncio.run(play(zone, history)).check()
