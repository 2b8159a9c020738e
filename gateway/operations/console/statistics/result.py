"""A report with its figures: periods, comparison, ranking of provinces, rows by way or instruction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from gateway.operations.console.statistics.asking import Question
from gateway.operations.console.statistics.catalogue import Report
from gateway.operations.console.statistics.counting import (
    Counts,
    Scope,
    Value,
    Values,
    base_of,
    count_of,
    counted,
    counted_apart,
    net_of,
    over,
    values_of,
)
from gateway.operations.console.statistics.periods import DAY, Span, following, label_of, pieces, shifted
from gateway.storage.figures import FigureReader


@dataclass(frozen=True, slots=True)
class Change:
    """How a value differs from an earlier one. percent: None where the earlier one is 0, or nothing is."""

    value: Value
    before: Value
    by: Value
    percent: float | None


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """A period. complete: it is over. partial: it began before the first figure. change: of the first column,
    against the period before."""

    begin: date
    last_day: date
    label: str
    complete: bool
    partial: bool
    values: Values
    change: Change


@dataclass(frozen=True, slots=True)
class PartRow:
    """The figures of one province, way or instruction. share: of the first column, 0 to 1."""

    code: str
    values: Values
    share: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first column over the complete periods of the question, against as many periods before."""

    span: Span
    before: Span
    change: Change


@dataclass(frozen=True, slots=True)
class Result:
    """A report's answer. total: of the periods; None where they cannot be added. ranking: provinces, the
    greatest first; of ranked, which is the last complete period where periods cannot be added.
    incomplete_days: those whose figures may not be complete."""

    report: Report
    question: Question
    first_figure: str
    rows: list[PeriodRow]
    total: Values
    comparison: Comparison | None
    ranked: Span | None
    ranking: list[PartRow]
    breakdown: Mapping[str, list[PartRow]]
    incomplete_days: list[str]


def change_of(value: Value, before: Value) -> Change:
    """The change from an earlier value."""
    if value is None or before is None:
        return Change(value, before, None, None)
    by = value - before
    return Change(value, before, by, 100 * by / before if before > 0 else None)


def answer(reader: FigureReader, report: Report, question: Question) -> Result:
    """The figures of a report. Reads the store."""
    first_figure = reader.first_figure()
    rows = rows_of(reader, report, question, first_figure)
    sums = report.sums_up(report.columns[0])
    complete = question.span.complete(question.today)
    ranked = _ranked(report, question.span, complete)
    ranking = []
    if question.scope.province is None and ranked is not None and first_figure:
        ranking = parts_of(report, ranking_of(reader, report, question, ranked))
    breakdown: dict[str, list[PartRow]] = {}
    if sums and first_figure:
        breakdown = _breakdown(reader, report, question)
    comparison = None
    if complete is not None and first_figure:
        comparison = _comparison(reader, report, question, complete, rows, first_figure)
    total = _total(report, rows)
    days = incomplete_days(reader, report, question.span, question.today, first_figure)
    return Result(report, question, first_figure, rows, total, comparison, ranked, ranking, breakdown, days)


def incomplete_days(
    reader: FigureReader, report: Report, span: Span, today: date, first_figure: str
) -> list[str]:
    """The days of a report whose figures may not be complete; all before too where it adds them up."""
    first = span.first.isoformat()
    if _runs(report, {}):
        first = min(first, first_figure or first)
    return reader.incomplete_days(first, min(span.last_day, today).isoformat())


def rows_of(reader: FigureReader, report: Report, question: Question, first_figure: str) -> list[PeriodRow]:
    """A row for each period, in order. Those before the first figure have no values."""
    span = question.span
    wider = Span(span.kind, shifted(span.kind, span.first, -1), span.last)
    counts: Counts = {}
    running = _runs(report, {})
    if first_figure:
        counts = counted(reader, report, [wider], question.scope, "period")
        running |= _runs_until(reader, report, wider.first - DAY, question.scope).get("", {})
    rows: list[PeriodRow] = []
    earlier: Value = None
    for begin in wider:
        last_day = following(span.kind, begin) - DAY
        of_period = counts.get(begin.isoformat(), {})
        added = _runs(report, of_period)
        running = {name: until + added[name] for name, until in running.items()}
        values: Values = dict.fromkeys(report.by_id)
        if first_figure and last_day.isoformat() >= first_figure:
            values = values_of(report, of_period, running)
        value = values[report.columns[0].id]
        complete = last_day < question.today
        partial = bool(first_figure) and begin.isoformat() < first_figure <= last_day.isoformat()
        change = change_of(value if complete else None, earlier)
        label = label_of(span.kind, begin)
        rows.append(PeriodRow(begin, last_day, label, complete, partial, values, change))
        earlier = None if partial else value
    return rows[1:]


def _runs(report: Report, counts: Mapping[str, int]) -> dict[str, int]:
    """What these counts add to the running columns."""
    return {
        column.id: net_of(column.running, counts) for column in report.columns if column.running is not None
    }


def _runs_until(reader: FigureReader, report: Report, last: date, scope: Scope, by: str = "") -> Counts:
    """The running columns at the end of a day."""
    if not _runs(report, {}):
        return {}
    counts = over(reader, report, date.min, last, scope, by)
    for key, of_key in base_of(reader, report, scope, by).items():
        counts[key] = counts.get(key, {}) | of_key
    return {key: _runs(report, of_key) for key, of_key in counts.items()}


def _ranked(report: Report, span: Span, complete: Span | None) -> Span | None:
    """The periods over which provinces are compared."""
    if report.sums_up(report.columns[0]):
        return span
    return None if complete is None else Span(span.kind, complete.last, complete.last)


def ranking_of(reader: FigureReader, report: Report, question: Question, ranked: Span) -> dict[str, Values]:
    """The values of each province that has a figure in the periods `ranked`, by its code."""
    if not report.sums_up(report.columns[0]):
        counts = counted(reader, report, [ranked], question.scope, "province")
        return {code: values_of(report, of_code) for code, of_code in counts.items()}
    found = _sums(reader, report, question, "province")
    for code, until in _runs_until(reader, report, ranked.last_day, question.scope, "province").items():
        found.setdefault(code, values_of(report, {})).update(until)
    return found


def _sums(reader: FigureReader, report: Report, question: Question, by: str) -> dict[str, Values]:
    span = question.span
    counts = over(reader, report, span.first, span.last_day, question.scope, by)
    return {key: values_of(report, of_key) for key, of_key in counts.items()}


def _breakdown(reader: FigureReader, report: Report, question: Question) -> dict[str, list[PartRow]]:
    """The rows of each dimension of a report."""
    if not report.breakdown:
        return {}
    by = {("what" if each == "instruction" else each): each for each in report.breakdown}
    span = question.span
    spans = pieces(span.first, span.last_day)
    found = counted_apart(reader, report, spans, question.scope, tuple(by))
    return {
        by[column]: parts_of(report, {key: values_of(report, of_key) for key, of_key in counts.items()})
        for column, counts in found.items()
    }


def parts_of(report: Report, found: Mapping[str, Values]) -> list[PartRow]:
    """Rows with the greatest first column first, and the share of each in it."""
    first = report.columns[0].id
    whole = sum(values[first] or 0 for values in found.values())
    shares = report.columns[0].ratio is None and whole > 0
    rows = [
        PartRow(key, values, (values[first] or 0) / whole if shares else None)
        for key, values in found.items()
    ]
    return sorted(rows, key=lambda row: (-(row.values[first] or 0), row.code))


def _total(report: Report, rows: list[PeriodRow]) -> Values:
    """The sums of the periods; the last value of a running column."""
    total: Values = {}
    for column in report.columns:
        given = [value for row in rows if (value := row.values[column.id]) is not None]
        if column.running is not None:
            total[column.id] = given[-1] if given else None
        else:
            total[column.id] = sum(given) if given and report.sums_up(column) else None
    return total


def _comparison(
    reader: FigureReader,
    report: Report,
    question: Question,
    complete: Span,
    rows: list[PeriodRow],
    first_figure: str,
) -> Comparison:
    """Against as many periods before; against the one before where periods cannot be added."""
    first = report.columns[0]
    if not report.sums_up(first):
        last = rows[len(complete) - 1]
        one = Span(complete.kind, complete.last, complete.last)
        return Comparison(one, one.before, last.change)
    given = [value for row in rows[: len(complete)] if (value := row.values[first.id]) is not None]
    earlier = complete.before
    before: Value = None
    if earlier.first.isoformat() >= first_figure:
        counts = over(reader, report, earlier.first, earlier.last_day, question.scope)
        before = count_of(first, counts.get("", {}))
    return Comparison(complete, earlier, change_of(sum(given) if given else None, before))
