"""Ten million SMS in a year and 31 provinces: how long every page of the statistics takes, how large the
figures are, and how fast they are folded."""

import itertools
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from commands.tables import Tables
from gateway.operations.console.rights import Role
from gateway.operations.console.statistics.asking import MOST
from gateway.operations.console.statistics.catalogue import load_catalogue
from gateway.storage.contract import Store
from gateway.storage.figures import ORDER, Amount, FigureKey, Figures, PeriodKind, begin_of
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE, Browser, browser

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

TODAY = date(2007, 6, 1)
"""Of the clock of a gateway under test."""
DAYS = 365
SMS = 10_000_000
CUSTOMERS = 100_000
ACTIVE_DAYS = 14
"""Days of which the proof writes who was active: no page reads it, and it says how large a day is."""
EVENT = 256
"""SMS of one event: the largest batch."""
FOLDS = 400
WAYS = ("161", "12520", "10086", "province")
EVENTS = {
    "service.open": "service/opened",
    "service.cancel": "service/cancelled",
    "buddy.add": "buddy/asked",
    "voice.invite": "voice/invited",
}
OUTCOMES = ("done", "refused", "usage", "failed", "asked")
WITHIN = 1.0
"""Seconds of the processor for a page: others may be at work on the machine."""


class Traffic:
    """SMS of random customers, always the same: provinces and instructions are used unequally."""

    def __init__(self) -> None:
        tables = Tables.load()
        self._random = Random(31)
        provinces = [code for code in tables.routing.provinces if code != "000"]
        self._instructions = [*tables.commands.table.rows, ""]
        self._homes = self._random.choices(provinces, _falling(len(provinces)), k=CUSTOMERS)

    def figures(self, day: str, count: int) -> Figures:
        """What that many SMS of a day add."""
        pick, figures = self._random.choices, Figures()
        customers = self._random.choices(range(CUSTOMERS), k=count)
        ways = pick(range(len(WAYS)), (50, 40, 8, 2), k=count)
        whats = pick(self._instructions, _falling(len(self._instructions)), k=count)
        outcomes = pick(OUTCOMES, (85, 6, 3, 1, 5), k=count)
        for customer, way, what, outcome in zip(customers, ways, whats, outcomes, strict=True):
            home = self._homes[customer]
            keys = [("uplink", what, outcome), ("downlink", "", "sent")]
            if outcome == "done" and what in EVENTS:
                keys.append(("event", EVENTS[what], ""))
            for measure, *rest in keys:
                key = FigureKey(day, measure, home, WAYS[way], *rest)
                known = figures.amounts.get(key, Amount(0, 0))
                figures.amounts[key] = Amount(known.times + 1, known.parts + 1)
            mobile = (day, f"138{customer:08}")
            figures.active[mobile] = (home, figures.active.get(mobile, ("", 0))[1] | 1 << way)
        return figures


def fill(path: Path, traffic: Traffic) -> None:
    """Write a year of figures, as folding leaves them: each day is like that weekday of every week."""
    weekdays = [traffic.figures("", SMS // DAYS) for _ in range(7)]
    active: dict[frozenset[int], Counter[FigureKey]] = {}
    with closing(sqlite3.connect(path)) as db, db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
            db.execute(f"PRAGMA {pragma}")
        for kind in PeriodKind:
            periods: dict[str, list[int]] = {}
            for number in range(DAYS, 0, -1):
                day = TODAY - timedelta(days=number)
                periods.setdefault(begin_of(kind, day).isoformat(), []).append(day.weekday())
            for period, days in periods.items():
                if (told := frozenset(days)) not in active:
                    active[told] = _active([weekdays[day] for day in told])
                times = active[told] + _amounts([weekdays[day] for day in days])
                rows = sorted(times.items(), key=_place)
                db.executemany(
                    "INSERT INTO figure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(kind, key[1], period, *key[2:], count, count) for key, count in rows],
                )
        for number in range(ACTIVE_DAYS, 0, -1):
            day = TODAY - timedelta(days=number)
            there = weekdays[day.weekday()].active.items()
            customers = sorted(("day", day.isoformat(), int(mobile), *each) for (_, mobile), each in there)
            db.executemany("INSERT INTO active_customer VALUES (?, ?, ?, ?, ?)", customers)


def _place(figure: tuple[FigureKey, int]) -> tuple[str, ...]:
    """Where it stands in the order of the table."""
    return tuple(getattr(figure[0], column) for column in ORDER[1:])


def _active(days: Sequence[Figures]) -> Counter[FigureKey]:
    """Customers who were active in these days, each once; by way too."""
    active: dict[str, tuple[str, int]] = {}
    for figures in days:
        for (_, mobile), (home, ways) in figures.active.items():
            active[mobile] = (home, active.get(mobile, ("", 0))[1] | ways)
    times: Counter[FigureKey] = Counter()
    for home, ways in active.values():
        for way in ("", *(way for bit, way in enumerate(WAYS) if ways >> bit & 1)):
            times[FigureKey("", "active", home, way, "", "")] += 1
    return times


def _amounts(days: Sequence[Figures]) -> Counter[FigureKey]:
    """The figures of some days together."""
    times: Counter[FigureKey] = Counter()
    for figures in days:
        for key, amount in figures.amounts.items():
            times[key] += amount.times
    return times


def sizes(path: Path) -> Iterator[str]:
    """How large the two tables are."""
    with closing(sqlite3.connect(path)) as db:
        for table in ("figure", "active_customer"):
            (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            (octets,) = db.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (table,)).fetchone()
            yield f"{table}: {rows:,} rows, {octets / 1e6:,.0f} MB, {octets / rows:.0f} octets each"


def _falling(count: int) -> Sequence[float]:
    """Weights of which the first is the greatest."""
    return [1 / (place + 2) for place in range(count)]


def say(line: str) -> None:
    """What the proof has measured."""
    sys.stdout.write(f"{line}\n")


async def test_ten_million_sms(tmp_path: Path) -> None:
    """Every page, file and API answer within a second, of every report, in every kind of period."""
    traffic = Traffic()
    async with running_gateway(tmp_path, CONSOLE):
        """It makes the store."""
    began = time.monotonic()
    fill(tmp_path / "fetion.db", traffic)
    say(f"{SMS:,} SMS of {DAYS} days written in {time.monotonic() - began:.0f} s")
    for line in sizes(tmp_path / "fetion.db"):
        say(line)
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        store = gateway.app.store
        await _fold_events(store, traffic)
        slowest = [await _timed(browser(gateway, Role.OPERATOR), path) for path in _paths()]
        slowest.sort(reverse=True)
        for cpu, seconds, path in slowest[:8]:
            say(f"{1000 * seconds:6.0f} ms, {1000 * cpu:.0f} of the processor: {path}")
        middle, longest = slowest[len(slowest) // 2][0], max(seconds for _, seconds, _ in slowest)
        say(f"{len(slowest)} addresses: {1000 * middle:.0f} ms of the processor in the middle")
        say(f"the longest answer, one asked right after the other: {1000 * longest:.0f} ms")
    assert slowest[0][0] < WITHIN, slowest[0]


async def _fold_events(store: Store, traffic: Traffic) -> None:
    """Fold events as they come from the batch, of today."""
    events = [traffic.figures(TODAY.isoformat(), EVENT) for _ in range(FOLDS)]
    began = time.monotonic()
    for number, figures in enumerate(events):
        assert await store.fold("scale", number + 1, figures)
    seconds = time.monotonic() - began
    say(f"{FOLDS / seconds:,.0f} events of {EVENT} SMS folded a second: {EVENT * FOLDS / seconds:,.0f} SMS")


async def _timed(visitor: Browser, path: str) -> tuple[float, float, str]:
    """Seconds of the processor, seconds."""
    began, used = time.monotonic(), time.process_time()
    answer = await visitor.get(path)
    assert answer.status == 200, (path, answer.text)
    return time.process_time() - used, time.monotonic() - began, path


def _paths() -> Iterator[str]:
    """Every report in its longest range, for the network and a province, and narrowed."""
    catalogue = load_catalogue()
    yield from (f"/statistics?figure={name}" for name in catalogue.key)
    yield "/statistics?province=200"
    for report, (kind, most) in itertools.product(catalogue.reports, MOST.items()):
        days = {PeriodKind.DAY: most - 1, PeriodKind.WEEK: 364, PeriodKind.MONTH: 364}[kind]
        asked = f"period={kind.value}&from={TODAY - timedelta(days=days)}&to={TODAY}"
        yield f"/statistics/{report.id}?period={kind.value}"
        yield f"/statistics/{report.id}?{asked}"
        yield f"/statistics/{report.id}?{asked}&province=200"
        if report.filters:
            yield f"/statistics/{report.id}?{asked}&way=161"
        yield f"/statistics/{report.id}/csv?{asked}"
        yield f"/statistics/{report.id}/xlsx?{asked}"
        yield f"/api/v1/statistics/{report.id}?{asked}"
