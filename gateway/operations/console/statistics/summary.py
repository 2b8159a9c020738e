"""The key figures of the last complete day, with the trend and the ranking of one of them."""

from dataclasses import dataclass
from datetime import date

from gateway.operations.console.statistics.asking import Question
from gateway.operations.console.statistics.catalogue import Catalogue, Column, Report
from gateway.operations.console.statistics.counting import Scope, Value
from gateway.operations.console.statistics.periods import DAY, Span, shifted
from gateway.operations.console.statistics.result import (
    Change,
    PeriodRow,
    change_of,
    incomplete_days,
    ranking_of,
    rows_of,
)
from gateway.storage.figures import FigureReader, PeriodKind

TREND = 30
"""Days of the trend."""


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A key figure of a day. day_before, week_before: against the day before, and the same day of the week
    before."""

    name: str
    report: Report
    column: Column
    value: Value
    day_before: Change
    week_before: Change


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first page of the section shows. trend: days of the chosen figure, the last one is `day`.

    provinces: the chosen figure by home on that day, the greatest first; empty for a viewer of one province.
    incomplete_days: those whose figures may not be complete.
    """

    day: date
    first_figure: str
    figures: list[KeyFigure]
    chosen: KeyFigure
    trend: list[PeriodRow]
    provinces: dict[str, Value]
    incomplete_days: list[str]


def summary(reader: FigureReader, catalogue: Catalogue, scope: Scope, chosen: str, today: date) -> Summary:
    """The key figures of the day before today. chosen: one of catalogue.key. Reads the store."""
    day = today - DAY
    week = Span(PeriodKind.DAY, shifted(PeriodKind.DAY, day, -7), day)
    rows: dict[str, list[PeriodRow]] = {}
    first_figure = reader.first_figure()
    for report, _ in catalogue.key_figures():
        if report.id not in rows:
            rows[report.id] = rows_of(reader, report, Question(week, scope, today), first_figure)
    figures = {
        name: _figure(name, report, column, rows[report.id])
        for name, (report, column) in zip(catalogue.key, catalogue.key_figures(), strict=True)
    }
    picked = figures[chosen]
    month = Question(Span(PeriodKind.DAY, shifted(PeriodKind.DAY, day, 1 - TREND), day), scope, today)
    trend = rows_of(reader, picked.report, month, first_figure)
    provinces: dict[str, Value] = {}
    if scope.province is None and first_figure:
        provinces = _by_province(reader, picked, day, today)
    found = {
        each
        for report, _ in catalogue.key_figures()
        for each in incomplete_days(reader, report, month.span, today, first_figure)
    }
    return Summary(day, first_figure, list(figures.values()), picked, trend, provinces, sorted(found))


def _figure(name: str, report: Report, column: Column, rows: list[PeriodRow]) -> KeyFigure:
    week_ago, day_ago, value = (rows[place].values[column.id] for place in (0, -2, -1))
    return KeyFigure(name, report, column, value, change_of(value, day_ago), change_of(value, week_ago))


def _by_province(reader: FigureReader, picked: KeyFigure, day: date, today: date) -> dict[str, Value]:
    one = Span(PeriodKind.DAY, day, day)
    found = ranking_of(reader, picked.report, Question(one, Scope(), today), one)
    values = {code: of[picked.column.id] for code, of in found.items()}
    return dict(sorted(values.items(), key=lambda each: (-(each[1] or 0), each[0])))
