"""The figures behind the columns of a report: what is read from the store, and what is made of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from gateway.operations.console.statistics.catalogue import Column, Count, Net, Report
from gateway.operations.console.statistics.periods import Span, pieces
from gateway.storage.figures import FigureQuery, FigureReader, FigureRow, Measure, PeriodKind

Value: TypeAlias = int | float | None
Values: TypeAlias = dict[str, Value]
"""Column -> its value; None: there is none."""
Counts: TypeAlias = dict[str, dict[str, int]]
"""Value of the dimension that is told apart ("" where none is) -> column -> count."""

ANY_WAY: Final = ""
"""The way of the customers who were active, by whichever way."""
_DIMENSIONS: Final = ("way", "what", "outcome")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which figures are counted. None: all. province: home of the customers."""

    province: str | None = None
    way: str | None = None
    instruction: str | None = None


class _Wanted:
    """The columns of one measure, by what tells them apart."""

    def __init__(
        self, measure: Measure, counts: Mapping[str, Count], scope: Scope, by: Sequence[str]
    ) -> None:
        self.measure = measure
        self.of = {name: count.of == "parts" for name, count in counts.items()}
        self._limits = {name: _limits(count, scope) for name, count in counts.items()}
        self.only: dict[str, tuple[str, ...]] = {}
        if scope.province is not None:
            self.only["province"] = (scope.province,)
        apart = []
        for dimension in _DIMENSIONS:
            limits = {limit.get(dimension) for limit in self._limits.values()}
            if None not in limits:
                self.only[dimension] = tuple(sorted({value for limit in limits for value in limit or ()}))
            if dimension not in by and len(limits) > 1:
                apart.append(dimension)
        self.by = (*by, *apart)

    def columns(self, row: FigureRow) -> Iterator[str]:
        """The columns that a row counts in."""
        told = dict(zip(self.by, row.keys, strict=True))
        for name, limits in self._limits.items():
            if all(told[each] in limits[each] for each in told if each in limits):
                yield name


def _limits(count: Count, scope: Scope) -> dict[str, tuple[str, ...]]:
    """Dimension -> the values that count in a column, where not all do."""
    own = {"way": count.way, "what": count.what, "outcome": count.outcome}
    limits = {name: values for name, values in own.items() if values}
    if count.measure is Measure.ACTIVE and not count.way:
        limits["way"] = (ANY_WAY if scope.way is None else scope.way,)
    elif scope.way is not None:
        limits["way"] = tuple(way for way in limits.get("way", (scope.way,)) if way == scope.way)
    if scope.instruction is not None:
        limits["what"] = tuple(
            what for what in limits.get("what", (scope.instruction,)) if what == scope.instruction
        )
    return limits


def counted(reader: FigureReader, report: Report, spans: Iterable[Span], scope: Scope, by: str) -> Counts:
    """The counts of all columns that are counts, summed over spans, told apart by one dimension.

    by: period, province, way or what; "" for none. Not of BASE, which belongs to no period: see base_of.
    """
    return counted_apart(reader, report, spans, scope, (by,))[by]


def counted_apart(
    reader: FigureReader, report: Report, spans: Iterable[Span], scope: Scope, dimensions: Sequence[str]
) -> dict[str, Counts]:
    """The same told apart by each of several dimensions, read at once."""
    found: dict[str, Counts] = {dimension: {} for dimension in dimensions}
    by_measure: dict[Measure, dict[str, Count]] = {}
    for column in report.columns:
        if column.count is not None and column.count.measure is not Measure.BASE:
            by_measure.setdefault(column.count.measure, {})[column.id] = column.count
    by = [dimension for dimension in dimensions if dimension]
    wanted = [_Wanted(measure, counts, scope, by) for measure, counts in by_measure.items()]
    for span in spans:
        for each in wanted:
            if all(each.only.values()):  # else no figure can count
                _add(found, each, reader, span)
    return found


def _add(found: Mapping[str, Counts], wanted: _Wanted, reader: FigureReader, span: Span) -> None:
    query = FigureQuery(
        span.kind,
        wanted.measure,
        span.first.isoformat(),
        span.last.isoformat(),
        wanted.only,
        wanted.by,
    )
    for row in reader.figures(query):
        columns = [*wanted.columns(row)]
        for place, (dimension, counts) in enumerate(found.items()):
            values = counts.setdefault(row.keys[place] if dimension else "", {})
            for name in columns:
                values[name] = values.get(name, 0) + (row.parts if wanted.of[name] else row.times)


def base_of(reader: FigureReader, report: Report, scope: Scope, by: str) -> Counts:
    """The columns of BASE, which is added whichever day is asked for (gateway.storage.figures, rule 5).

    by: province, or "" for none.
    """
    counts = {
        column.id: column.count
        for column in report.columns
        if column.count is not None and column.count.measure is Measure.BASE
    }
    found: Counts = {}
    if counts:
        whole = Span(PeriodKind.MONTH, date.min, date.max)
        _add({by: found}, _Wanted(Measure.BASE, counts, scope, [by] if by else []), reader, whole)
    return found


def over(reader: FigureReader, report: Report, first: date, last: date, scope: Scope, by: str = "") -> Counts:
    """The same over a span of days. Not for customers who were active: they are told apart by period."""
    return counted(reader, report, pieces(first, last), scope, by)


def values_of(report: Report, counts: Mapping[str, int], running: Mapping[str, int] | None = None) -> Values:
    """The values of all columns. running: column -> its sum until now; absent: no value."""
    values: Values = {}
    for column in report.columns:
        values[column.id] = _value(column, counts, running or {})
    return values


def count_of(column: Column, counts: Mapping[str, int]) -> int:
    """The value of a column that is a count, or a net of counts."""
    return counts.get(column.id, 0) if column.net is None else net_of(column.net, counts)


def net_of(net: Net, counts: Mapping[str, int]) -> int:
    """What columns add and take off."""
    added = sum(counts.get(name, 0) for name in net.plus)
    return added - sum(counts.get(name, 0) for name in net.minus)


def _value(column: Column, counts: Mapping[str, int], running: Mapping[str, int]) -> Value:
    if column.running is not None:
        return running.get(column.id)
    if column.ratio is not None:
        by = counts.get(column.ratio.by, 0)
        return counts.get(column.ratio.of, 0) / by if by else None
    return count_of(column, counts)
