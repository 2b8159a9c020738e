"""Figures as a table of one line for each period, province, instruction or way."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from gateway.storage.figures import (
    CANCELLED,
    OPENED,
    FigureQuery,
    FigureReader,
    Measure,
    PeriodKind,
    begin_of,
)

Cell = str | int | None


@dataclass(frozen=True, slots=True)
class Form:
    """A table. column: what its lines are of. shown: periods where nobody says which days. columns: see
    _COLUMNS."""

    column: str
    kind: PeriodKind
    shown: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """Times, or parts, of a measure: of those rows whose what or outcome is among these."""

    measure: Measure
    parts: bool = False
    only: tuple[tuple[str, tuple[str, ...]], ...] = ()


_COLUMNS: Final[Mapping[str, Column]] = MappingProxyType(
    {
        "received": Column(Measure.UPLINK),
        "received_parts": Column(Measure.UPLINK, parts=True),
        "sent": Column(Measure.DOWNLINK, only=(("outcome", ("sent",)),)),
        "failed": Column(Measure.DOWNLINK, only=(("outcome", ("failed", "expired")),)),
        "opened": Column(Measure.EVENT, only=(("what", (OPENED,)),)),
        "cancelled": Column(Measure.EVENT, only=(("what", (CANCELLED,)),)),
        "done": Column(Measure.UPLINK, only=(("outcome", ("done", "asked", "chat")),)),
        "active": Column(Measure.ACTIVE, only=(("way", ("",)),)),
    }
)
REGISTERED: Final = "registered"
_LONGEST: Final[Mapping[PeriodKind, int]] = MappingProxyType(
    {PeriodKind.DAY: 1, PeriodKind.WEEK: 7, PeriodKind.MONTH: 31}
)
"""Days of the longest period of a kind."""
_BOTH: Final = ("received", "received_parts", "sent", "failed", "opened", "cancelled")
_PERIOD: Final = (*_BOTH, "active", REGISTERED)
BY: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "day": Form("period", PeriodKind.DAY, 31, _PERIOD),
        "week": Form("period", PeriodKind.WEEK, 13, _PERIOD),
        "month": Form("period", PeriodKind.MONTH, 12, _PERIOD),
        "province": Form("province", PeriodKind.DAY, 31, _BOTH),
        "way": Form("way", PeriodKind.DAY, 31, _BOTH),
        "instruction": Form("what", PeriodKind.DAY, 31, ("received", "received_parts", "done")),
    }
)
"""Tables by what tells their lines apart. ACTIVE does not add up over days, so only periods have it."""


def table(
    reader: FigureReader, by: str, today: date, first: str | None, last: str | None, province: str | None
) -> tuple[list[str], list[list[Cell]]]:
    """Give the header of a table, and its lines in order. first, last: days; None: the latest there are."""
    form = BY[by]
    begin, end = _shown(form, today, first, last)
    span = (begin_of(form.kind, begin).isoformat(), begin_of(form.kind, end).isoformat())
    home: dict[str, Sequence[str]] = {} if province is None else {"province": (province,)}
    lines: dict[str, dict[str, int]] = defaultdict(dict)
    for name in form.columns:
        if name != REGISTERED:
            for key, value in _values(reader, form, _COLUMNS[name], span, home).items():
                lines[key][name] = value
    if REGISTERED in form.columns:
        for key, value in registered(reader, form.kind, sorted(lines), home).items():
            lines[key][REGISTERED] = value
    header = [form.column if form.column != "what" else "instruction", *form.columns]
    return header, [[key, *(lines[key].get(name, 0) for name in form.columns)] for key in sorted(lines)]


def incomplete(reader: FigureReader, by: str, today: date, first: str | None, last: str | None) -> list[str]:
    """The days whose figures may not be complete, of those that a table shows; of all before too where it
    says how many customers there are, to which all days add."""
    form = BY[by]
    begin, end = _shown(form, today, first, last)
    since = begin_of(form.kind, begin).isoformat()
    if REGISTERED in form.columns:
        since = min(since, reader.first_figure() or since)
    until = today
    if end < today:
        behind = begin_of(form.kind, end) + timedelta(days=_LONGEST[form.kind])
        until = min(today, begin_of(form.kind, behind) - timedelta(days=1))
    return reader.incomplete_days(since, until.isoformat())


def spans_of(days: Sequence[str]) -> list[str]:
    """Days in order, successive ones as one span: 2007-03-01 - 2007-03-05."""
    spans: list[list[str]] = []
    for day in days:
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        if spans and spans[-1][-1] == before:
            spans[-1][1:] = [day]
        else:
            spans.append([day])
    return [" - ".join(span) for span in spans]


def _shown(form: Form, today: date, first: str | None, last: str | None) -> tuple[date, date]:
    """A day of the first period that is shown, and one of the last."""
    end = date.fromisoformat(last) if last else today
    return (date.fromisoformat(first) if first else _begin(form, end)), end


def _begin(form: Form, end: date) -> date:
    """A day of the first of the periods that are shown, of which `end` is in the last."""
    if form.kind is PeriodKind.MONTH:
        months = max(12, end.year * 12 + end.month - form.shown)
        return date(months // 12, months % 12 + 1, 1)
    days = (form.shown - 1) * (7 if form.kind is PeriodKind.WEEK else 1)
    return date.fromordinal(max(1, end.toordinal() - days))


def _values(
    reader: FigureReader,
    form: Form,
    column: Column,
    span: tuple[str, str],
    home: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    only: dict[str, Sequence[str]] = {**home, **dict(column.only)}
    rows = reader.figures(FigureQuery(form.kind, column.measure, *span, only, (form.column,)))
    return {row.keys[0]: row.parts if column.parts else row.times for row in rows}


def registered(
    reader: FigureReader, kind: PeriodKind, periods: Sequence[str], home: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """How many customers there were at the end of each of these periods, which are in order: BASE + opened
    - cancelled, of all days up to there."""
    if not periods:
        return {}
    changes: Counter[str] = Counter()
    first, last = "0001-01-01", periods[-1]
    for what, sign in ((OPENED, 1), (CANCELLED, -1)):
        only: dict[str, Sequence[str]] = {**home, "what": (what,)}
        for row in reader.figures(FigureQuery(kind, Measure.EVENT, first, last, only, ("period",))):
            changes[row.keys[0]] += sign * row.times
    base = reader.figures(FigureQuery(kind, Measure.BASE, first, "9999-12-31", home))
    count = sum(row.times for row in base)
    found: dict[str, int] = {}
    for period in sorted({*changes, *periods}):
        count += changes[period]
        found[period] = count
    return {period: found[period] for period in periods}
