"""The figures of reports against a count of the single SMS, over any days, weeks and months."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.console.statistics.asking import Question
from gateway.operations.console.statistics.catalogue import load_catalogue
from gateway.operations.console.statistics.counting import Scope
from gateway.operations.console.statistics.periods import DAY, Span, following, pieces, shifted
from gateway.operations.console.statistics.result import answer, change_of
from gateway.operations.figures.table import registered
from gateway.storage.figures import Amount, FigureKey, FigureQuery, FigureRow, Figures, PeriodKind, begin_of
from gateway.storage.memory.figures import Counted

TODAY = date(2007, 3, 7)  # a Wednesday
CATALOGUE = load_catalogue()
HOMES = {"13800000001": "100", "13800000002": "100", "13800000003": "200", "13800000004": "000"}


@dataclass(frozen=True, slots=True)
class Sms:
    """An SMS from a customer."""

    day: date
    msisdn: str
    way: int
    what: str
    outcome: str
    parts: int


SMS = st.builds(
    Sms,
    day=st.integers(0, 120).map(lambda days: TODAY - timedelta(days=days)),
    msisdn=st.sampled_from(sorted(HOMES)),
    way=st.integers(0, 2),
    what=st.sampled_from(["chat", "service.open", ""]),
    outcome=st.sampled_from(["chat", "done", "refused"]),
    parts=st.integers(1, 3),
)
KINDS = st.sampled_from(list(PeriodKind))
WAYS = ("161", "12520", "10086")


class Figured:
    """A FigureReader of these SMS."""

    def __init__(self, sent: list[Sms], opened: Figures | None = None) -> None:
        self._counted = Counted()
        for sms in sent:
            self._counted.add(_figures(sms))
        if opened is not None:
            self._counted.add(opened)

    def figures(self, query: FigureQuery) -> list[FigureRow]:
        """As a store finds them."""
        assert all(query.only.values()), "a driver need not take an empty list"
        return self._counted.find(query)

    def first_figure(self) -> str:
        """The first day."""
        return self._counted.first()

    def incomplete_days(self, first: str, last: str) -> list[str]:
        """As a store finds them."""
        return self._counted.incomplete(first, last)

    def open_mobiles(self) -> Iterator[str]:
        """Nobody asks."""
        raise NotImplementedError


def _figures(sms: Sms) -> Figures:
    day, home = sms.day.isoformat(), HOMES[sms.msisdn]
    key = FigureKey(day, "uplink", home, WAYS[sms.way], sms.what, sms.outcome)
    return Figures({key: Amount(1, sms.parts)}, {(day, sms.msisdn): (home, 1 << sms.way)})


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Successive periods that end today or before."""
    kind = draw(KINDS)
    last = shifted(kind, begin_of(kind, TODAY), -draw(st.integers(0, 5)))
    return Span(kind, shifted(kind, last, -draw(st.integers(0, 6))), last)


@given(
    st.lists(SMS, max_size=40), spans(), st.sampled_from([None, "100", "200"]), st.sampled_from([None, *WAYS])
)
def test_uplink_is_what_was_sent(sent: list[Sms], span: Span, province: str | None, way: str | None) -> None:
    """Each row, total, ranking and row by way and instruction: nothing twice, nothing left out."""
    scope = Scope(province, way)
    result = answer(Figured(sent), CATALOGUE.by_id["uplink"], Question(span, scope, TODAY))
    counted = [
        sms
        for sms in sent
        if (province is None or HOMES[sms.msisdn] == province) and (way is None or WAYS[sms.way] == way)
    ]
    inside = [sms for sms in counted if span.first <= sms.day <= span.last_day]
    first = min((sms.day for sms in sent), default=None)
    assert [row.begin for row in result.rows] == list(span)
    for row in result.rows:
        mine = [sms for sms in inside if row.begin <= sms.day <= row.last_day]
        if first is None or row.last_day < first:
            assert set(row.values.values()) == {None}
            continue
        assert row.values["messages"] == len(mine)
        assert row.values["sms"] == sum(sms.parts for sms in mine)
        assert row.values["refused"] == sum(sms.outcome == "refused" for sms in mine)
        assert row.complete == (row.last_day < TODAY)
    if first is not None and span.last_day >= first:
        assert result.total["messages"] == len(inside)
    if first is not None:
        by_instruction = {part.code: part.values["messages"] for part in result.breakdown["instruction"]}
        assert by_instruction == _times(sms.what for sms in inside)
        by_way = {part.code: part.values["messages"] for part in result.breakdown["way"]}
        assert by_way == _times(WAYS[sms.way] for sms in inside)
    if province is None and first is not None:
        ranked = {part.code: part.values["messages"] for part in result.ranking}
        assert ranked == _times(HOMES[sms.msisdn] for sms in inside)
        values = [part.values["messages"] or 0 for part in result.ranking]
        assert values == sorted(values, reverse=True)


def _times(values: Iterator[str]) -> dict[str, int]:
    times: dict[str, int] = {}
    for value in values:
        times[value] = times.get(value, 0) + 1
    return times


@given(st.lists(SMS, min_size=1, max_size=40), spans(), st.sampled_from([None, "100"]))
def test_active_customers_are_told_apart(sent: list[Sms], span: Span, province: str | None) -> None:
    """Once in a period, once for each way; never a sum over periods; SMS per customer follow from it."""
    question = Question(span, Scope(province), TODAY)
    active = answer(Figured(sent), CATALOGUE.by_id["active"], question)
    averages = answer(Figured(sent), CATALOGUE.by_id["averages"], question)
    assert active.total["active"] is None
    first = min(sms.day for sms in sent)
    for row, average in zip(active.rows, averages.rows, strict=True):
        mine = [
            sms
            for sms in sent
            if row.begin <= sms.day <= row.last_day and (province is None or HOMES[sms.msisdn] == province)
        ]
        if row.last_day < first:
            assert row.values["active"] is None
            continue
        assert row.values["active"] == len({sms.msisdn for sms in mine})
        assert row.values["short"] == len({sms.msisdn for sms in mine if sms.way == 0})
        each = average.values["sms_each"]
        assert each is None if not mine else each == sum(sms.parts for sms in mine) / row.values["active"]


@given(st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=30), spans(), st.integers(0, 50))
def test_registered_customers(changes: list[tuple[int, bool]], span: Span, base: int) -> None:
    """Those of the day on which counting began, and since then opened less cancelled."""
    figures = Figures()
    begun = TODAY - timedelta(days=120)
    if base:
        figures.amounts[FigureKey(begun.isoformat(), "base", "100", "", "", "")] = Amount(base, 0)
    for days, opens in changes:
        what = "service/opened" if opens else "service/cancelled"
        key = FigureKey((TODAY - timedelta(days=days)).isoformat(), "event", "100", "161", what, "")
        figures.amounts[key] = Amount(figures.amounts.get(key, Amount(0, 0)).times + 1, 0)
    reader = Figured([], figures)
    result = answer(reader, CATALOGUE.by_id["customers"], Question(span, Scope("100"), TODAY))
    for row in result.rows:
        until = [opens for days, opens in changes if TODAY - timedelta(days=days) <= row.last_day]
        if not changes or row.last_day.isoformat() < reader.first_figure():
            assert row.values["registered"] is None
        else:
            assert row.values["registered"] == base + until.count(True) - until.count(False)


def test_a_comparison_takes_complete_periods_only() -> None:
    """This week goes on: the week before it is compared with the one before that."""
    days = [TODAY, TODAY - 7 * DAY, TODAY - 7 * DAY, TODAY - 14 * DAY]
    sent = [Sms(day, "13800000001", 0, "chat", "chat", 1) for day in [*days, TODAY - 70 * DAY]]
    monday = begin_of(PeriodKind.WEEK, TODAY)
    span = Span(PeriodKind.WEEK, shifted(PeriodKind.WEEK, monday, -1), monday)
    result = answer(Figured(sent), CATALOGUE.by_id["uplink"], Question(span, Scope(), TODAY))
    assert result.comparison is not None
    assert result.comparison.span.last == monday - 7 * DAY
    assert result.comparison.change == change_of(2, 1)
    assert [row.complete for row in result.rows] == [True, False]
    assert result.rows[1].change.by is None


def test_changes() -> None:
    """In percent of what was before, where there was something."""
    assert change_of(3, 2).percent == 50
    assert change_of(0, 4).percent == -100
    assert (change_of(3, 0).by, change_of(3, 0).percent) == (3, None)
    assert change_of(None, 4).by is None
    assert change_of(4, None).by is None


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.integers(0, 500))
def test_pieces_are_each_day_once(first: date, days: int) -> None:
    """Whole months as months, all else as days, in order."""
    last = first + timedelta(days=days)
    found: list[date] = []
    for span in pieces(first, last):
        assert span.kind is not PeriodKind.WEEK
        for begin in span:
            end = following(span.kind, begin)
            found += [begin + timedelta(days=number) for number in range((end - begin).days)]
    assert found == [first + timedelta(days=number) for number in range(days + 1)]
    assert sum(len(span) for span in pieces(first, last) if span.kind is PeriodKind.DAY) <= 60


@given(KINDS, st.dates(date(2001, 1, 1), date(2030, 1, 1)), st.integers(1, 200))
def test_periods_follow_one_another(kind: PeriodKind, day: date, count: int) -> None:
    """No gap, none twice, over the ends of months and years; a shift there and back leads to the same."""
    begin = begin_of(kind, day)
    span = Span(kind, begin, shifted(kind, begin, count - 1))
    listed = list(span)
    assert len(span) == len(listed) == count
    assert all(following(kind, each) == after for each, after in itertools.pairwise(listed))
    assert shifted(kind, shifted(kind, begin, count), -count) == begin
    assert span.before.last_day + DAY == begin
    assert len(span.before) == count


def test_registered_customers_before_the_base() -> None:
    """Days before counting began were rebuilt: the pages say of them what `stats` says."""
    figures = Figures()
    begun, opened = TODAY - 2 * DAY, TODAY - 20 * DAY
    figures.amounts[FigureKey(begun.isoformat(), "base", "100", "", "", "")] = Amount(10, 0)
    figures.amounts[FigureKey(opened.isoformat(), "event", "100", "161", "service/opened", "")] = Amount(3, 0)
    reader = Figured([], figures)
    for kind in PeriodKind:
        span = Span(kind, begin_of(kind, opened), begin_of(kind, TODAY))
        question = Question(span, Scope(), TODAY)
        result = answer(reader, CATALOGUE.by_id["customers"], question)
        periods = [row.begin.isoformat() for row in result.rows]
        shown = {row.begin.isoformat(): row.values["registered"] for row in result.rows}
        assert shown == registered(reader, kind, periods, {})
        assert set(shown.values()) == {13}
        assert [part.values["registered"] for part in result.ranking] == [13]
