"""The figures of every Store: added once, replaced by day, read by period."""

import random
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from commands.model import Customer, CustomerState
from gateway.message import FIGURES, Commit, StoredEvent
from gateway.storage.contract import Conflict, Store
from gateway.storage.figures import (
    STEP,
    Amount,
    FigureKey,
    FigureQuery,
    FigureRow,
    Figures,
    Measure,
    PeriodKind,
    begin_of,
)
from gateway.storage.reader import Reader
from tests.contracts.engines import Engine, opening, put
from tests.contracts.test_store_events import event as event_of_buddy
from tests.contracts.test_store_events import fill
from tests.support import ALICE, BOB, received

FIRST, LAST = "2000-01-01", "2100-01-01"
LATE = 1 << 60
DAY = "2007-02-28"  # a Wednesday: its week ends in the next month
NEXT = "2007-03-01"


def uplink(day: str = DAY, province: str = "100", way: str = "161", what: str = "service.open") -> FigureKey:
    """An SMS from a customer."""
    return FigureKey(day, "uplink", province, way, what, "done")


def event(day: str, what: str, province: str = "100") -> FigureKey:
    """Something that happened to a customer."""
    return FigureKey(day, "event", province, "161", what, "")


def of(reader: Reader, measure: str, kind: str = "day", *by: str) -> dict[tuple[str, ...], tuple[int, int]]:
    """All figures of a measure."""
    rows = reader.figures(FigureQuery(PeriodKind(kind), Measure(measure), FIRST, LAST, by=by))
    return {row.keys: (row.times, row.parts) for row in rows}


def active(reader: Reader, kind: str = "day") -> dict[tuple[str, ...], int]:
    """How many customers were active, by period, province and way."""
    return {
        keys: times for keys, (times, _) in of(reader, "active", kind, "period", "province", "way").items()
    }


async def test_a_fold_adds_once_and_moves_its_cursor(store: Store, reader: Reader) -> None:
    """To the figures of day, week and month; under a sequence that was folded it does nothing."""
    await fill(store, 9)
    figures = Figures({uplink(): Amount(2, 3), uplink(NEXT): Amount(1, 1)})
    assert await store.fold("figures", 4, figures)
    assert not await store.fold("figures", 4, figures)
    assert not await store.fold("figures", 3, figures)
    assert await store.folded("figures") == 4
    assert of(reader, "uplink", "day", "period") == {(DAY,): (2, 3), (NEXT,): (1, 1)}
    assert of(reader, "uplink", "week", "period") == {("2007-02-26",): (3, 4)}
    assert of(reader, "uplink", "month", "period") == {("2007-02-01",): (2, 3), (NEXT,): (1, 1)}
    assert await store.fold("figures", 9, Figures({uplink(): Amount(1, 1)}))
    assert of(reader, "uplink", "day", "period") == {(DAY,): (3, 4), (NEXT,): (1, 1)}
    assert await store.folded("figures") == 9


async def test_a_fold_outlives_the_process(engine: Engine, tmp_path: Path) -> None:
    """With its cursor, so that a repeat after a crash adds nothing."""
    async with opening(engine, tmp_path) as store:
        await fill(store, 2)
        await store.fold("figures", 1, Figures({uplink(): Amount(2, 3)}, {(DAY, ALICE): ("100", 1)}))
    async with opening(engine, tmp_path) as store:
        assert not await store.fold("figures", 1, Figures({uplink(): Amount(2, 3)}))
        assert await store.fold("figures", 2, Figures({}, {(DAY, ALICE): ("100", 1)}))
        with closing(engine.read(tmp_path)) as reader:
            assert of(reader, "uplink") == {(): (2, 3)}
            assert active(reader) == {(DAY, "100", ""): 1, (DAY, "100", "161"): 1}


async def test_a_query_tells_columns_apart_and_leaves_others_out(store: Store, reader: Reader) -> None:
    """In the order that is asked for; what does not exist is no row."""
    amounts = {
        uplink(province="100"): Amount(1, 1),
        uplink(province="200"): Amount(2, 2),
        uplink(province="200", way="12520"): Amount(4, 5),
        uplink(NEXT, "200", "12520"): Amount(8, 8),
    }
    await store.fold("figures", 1, Figures(amounts))
    day, uplinks = PeriodKind.DAY, Measure.UPLINK
    rows = reader.figures(FigureQuery(day, uplinks, FIRST, LAST, {"province": ["200"]}, ("way", "period")))
    assert rows == [
        FigureRow(("12520", DAY), 4, 5),
        FigureRow(("12520", NEXT), 8, 8),
        FigureRow(("161", DAY), 2, 2),
    ]
    assert reader.figures(FigureQuery(day, uplinks, NEXT, NEXT, by=("province",))) == [
        FigureRow(("200",), 8, 8)
    ]
    assert reader.figures(FigureQuery(day, uplinks, FIRST, LAST)) == [FigureRow((), 15, 16)]
    assert reader.figures(FigureQuery(day, uplinks, LAST, LAST)) == []
    assert reader.figures(FigureQuery(day, uplinks, FIRST, LAST, {"way": []})) == []
    assert reader.figures(FigureQuery(day, Measure.ORDER, FIRST, LAST, by=("what",))) == []


async def test_the_first_figure(store: Store, reader: Reader) -> None:
    """Of any measure that is counted; the base is none."""
    assert reader.first_figure() == ""
    await store.begin_figures("2007-01-01", {"100": 3})
    assert reader.first_figure() == ""
    await store.fold(
        "figures", 1, Figures({uplink(NEXT): Amount(1, 1), event(DAY, "service/opened"): Amount(1, 0)})
    )
    assert reader.first_figure() == DAY


async def test_a_customer_counts_once_in_a_period(store: Store, reader: Reader) -> None:
    """However often he writes, and under each way that he used; his first province is his."""
    for sequence, (day, msisdn, province, ways) in enumerate(
        [
            (DAY, ALICE, "100", 1),
            (DAY, ALICE, "100", 1),
            (DAY, ALICE, "100", 2),
            (NEXT, ALICE, "200", 1),
            (DAY, BOB, "200", 1),
        ],
        1,
    ):
        await store.fold("figures", sequence, Figures({}, {(day, msisdn): (province, ways)}))
    assert active(reader) == {
        (DAY, "100", ""): 1,
        (DAY, "100", "161"): 1,
        (DAY, "100", "12520"): 1,
        (DAY, "200", ""): 1,
        (DAY, "200", "161"): 1,
        (NEXT, "200", ""): 1,
        (NEXT, "200", "161"): 1,
    }
    assert active(reader, "week") == {
        ("2007-02-26", "100", ""): 1,
        ("2007-02-26", "100", "161"): 1,
        ("2007-02-26", "100", "12520"): 1,
        ("2007-02-26", "200", ""): 1,
        ("2007-02-26", "200", "161"): 1,
    }
    assert active(reader, "month")[NEXT, "200", ""] == 1


async def test_the_base_is_noted_once(store: Store, reader: Reader) -> None:
    """Also where nobody was open yet."""
    assert not await store.figures_begun()
    assert await store.begin_figures(DAY, {"100": 3, "200": 1})
    assert await store.figures_begun()
    assert not await store.begin_figures(NEXT, {"100": 9})
    assert of(reader, "base", "day", "period", "province") == {(DAY, "100"): (3, 0), (DAY, "200"): (1, 0)}


async def test_the_base_of_a_new_store(store: Store, reader: Reader) -> None:
    """It has no rows, and is noted all the same."""
    assert await store.begin_figures(DAY, {})
    assert not await store.begin_figures(NEXT, {"100": 9})
    assert of(reader, "base") == {}


async def test_customers_at_the_end_of_a_day_stay_what_they_are(store: Store, reader: Reader) -> None:
    """Where a day up to that of the base is counted anew, its base follows; later days leave it alone."""
    await store.begin_figures(DAY, {"100": 3})
    opened, cancelled = event(DAY, "service/opened"), event(DAY, "service/cancelled", "200")
    await store.fold("figures", 1, Figures({opened: Amount(1, 0)}))
    await store.replace_day(DAY, Figures({opened: Amount(3, 0), cancelled: Amount(1, 0)}))
    assert of(reader, "base", "month", "province") == {("100",): (1, 0), ("200",): (1, 0)}
    await store.replace_day(NEXT, Figures({event(NEXT, "service/opened"): Amount(7, 0)}))
    assert of(reader, "base", "day", "province") == {("100",): (1, 0), ("200",): (1, 0)}


@dataclass
class Model:
    """Figures by brute force: of each day what was added or put in its place."""

    days: dict[str, Figures]

    def amounts(self, kind: PeriodKind) -> dict[tuple[str, ...], tuple[int, int]]:
        """Of all measures but ACTIVE, by (period, province, way, what)."""
        times: Counter[tuple[str, ...]] = Counter()
        parts: Counter[tuple[str, ...]] = Counter()
        for day, figures in self.days.items():
            period = begin_of(kind, date.fromisoformat(day)).isoformat()
            for key, amount in figures.amounts.items():
                place = (period, key.province, key.way, key.what)
                times[place] += amount.times
                parts[place] += amount.parts
        return {place: (times[place], parts[place]) for place in times if times[place]}

    def active(self, kind: PeriodKind) -> dict[tuple[str, ...], int]:
        """By period, province and way."""
        of: dict[tuple[str, str], tuple[str, int]] = {}
        for day, figures in sorted(self.days.items()):
            period = begin_of(kind, date.fromisoformat(day)).isoformat()
            for (_, msisdn), (province, ways) in figures.active.items():
                first, before = of.get((period, msisdn), (province, 0))
                of[period, msisdn] = first, before | ways
        counted: Counter[tuple[str, ...]] = Counter()
        for (period, _), (province, ways) in of.items():
            for way in ("", *(way for bit, way in enumerate(("161", "12520")) if ways >> bit & 1)):
                counted[period, province, way] += 1
        return dict(counted)


def drawn(random_: random.Random, day: str, mobiles: Iterable[int]) -> Figures:
    """What some SMS of a day add. A mobile has one province for good."""
    figures = Figures()
    for mobile in mobiles:
        province = f"{1 + mobile % 3}00"
        key = uplink(day, province, random_.choice(["161", "12520"]))
        times, parts = figures.amounts.get(key, Amount(0, 0))
        figures.amounts[key] = Amount(times + 1, parts + random_.randint(1, 3))
        figures.active[day, str(mobile)] = (province, random_.randint(1, 3))
    return figures


def add(into: Figures, more: Figures) -> None:
    """Sum two of one day."""
    for key, amount in more.amounts.items():
        times, parts = into.amounts.get(key, Amount(0, 0))
        into.amounts[key] = Amount(times + amount.times, parts + amount.parts)
    for place, (province, ways) in more.active.items():
        first, before = into.active.get(place, (province, 0))
        into.active[place] = first, before | ways


async def test_figures_equal_a_brute_force_count(store: Store, reader: Reader) -> None:
    """Folds and replaced days in any order, over weeks and months, and more customers than one step takes."""
    random_ = random.Random(11)
    model = Model({})
    days = [(date(2007, 2, 24) + timedelta(days=n)).isoformat() for n in range(12)]
    for sequence in range(1, 40):
        day = random_.choice(days)
        most = STEP + 200 if sequence in {7, 21, 22} else 12
        figures = drawn(random_, day, random_.sample(range(13_900_000_000, 13_900_000_000 + 2 * most), most))
        if sequence % 3:
            await store.fold("figures", sequence, figures)
            add(model.days.setdefault(day, Figures()), figures)
        else:
            await store.replace_day(day, figures)
            model.days[day] = figures
    for kind in PeriodKind:
        assert of(reader, "uplink", kind, "period", "province", "way", "what") == model.amounts(kind)
        assert active(reader, kind) == model.active(kind)


async def test_an_empty_day_leaves_nothing(store: Store, reader: Reader) -> None:
    """A figure that becomes 0 is gone, of its week and month too."""
    figures = Figures({uplink(): Amount(2, 3)}, {(DAY, ALICE): ("100", 1)})
    await store.fold("figures", 1, figures)
    await store.replace_day(DAY, Figures())
    for kind in PeriodKind:
        assert (of(reader, "uplink", kind, "period"), active(reader, kind)) == ({}, {})
    await store.fold("figures", 2, figures)  # nothing of it is remembered
    assert active(reader) == {(DAY, "100", ""): 1, (DAY, "100", "161"): 1}


async def test_who_was_active_is_forgotten_and_figures_stay(store: Store, reader: Reader) -> None:
    """In steps; a day that is counted anew behind that keeps its ACTIVE, and a period that began before it
    only grows."""
    for sequence, day in enumerate(["2007-01-30", "2007-02-10", "2007-02-20"], 1):
        await store.fold("figures", sequence, Figures({}, {(day, ALICE): ("100", 1), (day, BOB): ("100", 1)}))
    before = {kind: active(reader, kind) for kind in PeriodKind}
    assert await store.forget_active("2007-02-15", 3) == 3
    assert await store.forget_active("2007-02-15", 100) == 7  # 2 days, 2 weeks and 1 month, of 2 customers
    assert await store.forget_active("2007-02-15", 100) == 0
    assert {kind: active(reader, kind) for kind in PeriodKind} == before
    await store.replace_day("2007-02-10", Figures())
    assert {kind: active(reader, kind) for kind in PeriodKind} == before
    await store.replace_day("2007-02-20", Figures({}, {("2007-02-20", BOB): ("100", 1)}))
    assert active(reader)["2007-02-20", "100", ""] == 1
    assert active(reader, "week")["2007-02-19", "100", ""] == 1
    assert active(reader, "month")["2007-02-01", "100", ""] == 2


async def test_open_mobiles(store: Store) -> None:
    """Of customers who are open or suspended, in order, page by page."""
    states = {
        "13900000001": "open",
        "13900000002": "none",
        "13900000003": "suspended",
        "13900000004": "closed",
    }
    customers = [Customer(msisdn, CustomerState(state)) for msisdn, state in states.items()]
    await put(store, Commit(customers=customers, parts_gone=[1]))
    assert await store.open_mobiles("", 9) == ["13900000001", "13900000003"]
    assert await store.open_mobiles("", 1) == ["13900000001"]
    assert await store.open_mobiles("13900000001", 9) == ["13900000003"]


async def test_a_fold_of_events_of_which_some_are_folded(store: Store, reader: Reader) -> None:
    """It adds nothing: after a fault, who counts may sum the same events in other groups."""
    await fill(store, 5)
    one = Figures({uplink(): Amount(1, 1)})
    assert await store.fold("figures", 2, one, after=0)
    assert not await store.fold("figures", 4, one, after=1)
    assert await store.fold("figures", 4, one, after=3)  # what others were told lies between
    assert of(reader, "uplink") == {(): (2, 2)}


def counted(at: int) -> StoredEvent:
    """What a commit adds."""
    return StoredEvent(at, 0, "", "", "", FIGURES, "counted", 0, {"n": [at]})


async def test_events_of_figures_have_a_series_of_their_own(engine: Engine, tmp_path: Path) -> None:
    """Nobody else is given them, nor has their numbers; they go with their fold, and outlive the process."""
    async with opening(engine, tmp_path) as store:
        await fill(store, 2)
        await put(store, Commit(events=[counted(1)]))
        await fill(store, 1)
        await put(store, Commit(events=[counted(2), event_of_buddy(4), counted(3)]))
        assert (store.last_event, store.last_counted) == (4, 3)
        assert [each.sequence for each in await store.events_after(0, 10)] == [1, 2, 3, 4]
        assert [(each.sequence, each.at) for each in await store.counted_after(1, 10)] == [(2, 2), (3, 3)]
        await store.move_cursor("mqtt", 4)
        assert (await store.forget_events(LATE, 0, 10)).gone == 4
        assert len(await store.counted_after(0, 10)) == 3
        await store.fold("figures", 2, Figures())
    async with opening(engine, tmp_path) as store:
        assert (store.last_event, store.last_counted, await store.folded("figures")) == (4, 3, 2)
        assert [each.sequence for each in await store.counted_after(0, 10)] == [3]
        await store.fold("figures", 3, Figures())
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(events=[counted(4)]))
        assert [each.sequence for each in await store.counted_after(0, 10)] == [4]


async def test_a_batch_that_is_not_stored_counts_nothing(store: Store) -> None:
    """Its event is not there, and its number is the next one's."""
    await put(store, Commit(messages=[received(1)], events=[counted(1)]))
    with pytest.raises(Conflict):
        await put(store, Commit(messages=[received(1)], events=[counted(2)]))
    await put(store, Commit(messages=[received(2)], events=[counted(3)]))
    assert [(each.sequence, each.at) for each in await store.counted_after(0, 9)] == [(1, 1), (2, 3)]
