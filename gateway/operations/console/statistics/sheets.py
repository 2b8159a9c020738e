"""A report as tables of cells, for files: figures, provinces, ways, instructions, and what they mean."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.operations.console.statistics.catalogue import Report
from gateway.operations.console.statistics.naming import Names
from gateway.operations.console.statistics.periods import label_of
from gateway.operations.console.statistics.result import PartRow, Result

Cell: TypeAlias = str | int | float | None
"""None: an empty cell."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """name: by which an address asks for it."""

    name: str
    title: str
    header: list[str]
    rows: list[list[Cell]]


def sheets_of(result: Result, names: Names) -> list[Sheet]:
    """The tables of a report, the periods first."""
    sheets = [_periods(result, names)]
    if result.ranking:
        sheets.append(_parts(result.report, "province", result.ranking, names))
    sheets += [_parts(result.report, dimension, rows, names) for dimension, rows in result.breakdown.items()]
    return sheets


def explanation(result: Result, names: Names) -> Sheet:
    """What was asked, and what the columns mean."""
    say, report, question = names.say, result.report, result.question
    where = say("whole_network")
    if question.scope.province is not None:
        where = f"{question.scope.province} {names.province(question.scope.province)}"
    rows: list[list[Cell]] = [
        [say("report"), report.title.of(names.language)],
        [say("ground"), f"{say(report.ground)}: {report.source.of(names.language)}"],
        [say("period"), say(f"unit_{question.span.kind.value}")],
        [say("from"), question.span.first.isoformat()],
        [say("to"), question.span.last_day.isoformat()],
        [say("province"), where],
        [say("way"), names.way(question.scope.way) if question.scope.way else say("all")],
    ]
    asked = question.scope.instruction
    rows.append([say("instruction"), say("all") if asked is None else names.instruction(asked)])
    rows.append([say("first_figure"), result.first_figure or say("none_yet")])
    if result.incomplete_days:
        rows.append([say("incomplete_title"), names.days(result.incomplete_days)])
    rows += [
        [column.title.of(names.language), column.definition.of(names.language)] for column in report.shown
    ]
    return Sheet("definitions", say("definitions"), [say("what"), say("meaning")], rows)


def _periods(result: Result, names: Names) -> Sheet:
    say, report = names.say, result.report
    header = [say("period"), say("from"), say("to"), say("complete"), *_titles(report, names.language)]
    rows: list[list[Cell]] = []
    for row in result.rows:
        cells: list[Cell] = [row.label, row.begin.isoformat(), row.last_day.isoformat()]
        cells.append(say("yes") if row.complete else say("no"))
        cells += [row.values[column.id] for column in report.shown]
        rows.append([*cells, row.change.by, _rounded(row.change.percent)])
    kind = result.question.span.kind
    title = f"{label_of(kind, result.question.span.first)} - {label_of(kind, result.question.span.last)}"
    return Sheet("period", title, [*header, say("change"), say("change_percent")], rows)


def _parts(report: Report, dimension: str, parts: list[PartRow], names: Names) -> Sheet:
    say: Callable[..., str] = names.say
    header = [say("code"), say(dimension), *_titles(report, names.language), say("share_percent")]
    rows: list[list[Cell]] = [
        [
            part.code,
            names.part(dimension, part.code),
            *(part.values[column.id] for column in report.shown),
            None if part.share is None else _rounded(100 * part.share),
        ]
        for part in parts
    ]
    return Sheet(dimension, say(dimension), header, rows)


def _titles(report: Report, language: str) -> list[str]:
    return [column.title.of(language) for column in report.shown]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
