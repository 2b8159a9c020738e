"""The result of a report as the values of its template: everything is text by now."""

from collections.abc import Sequence
from typing import Any

from gateway.operations.console.rights import HEADQUARTERS
from gateway.operations.console.statistics.asking import NOTHING_UNDERSTOOD
from gateway.operations.console.statistics.catalogue import Report
from gateway.operations.console.statistics.chart import Chart, chart
from gateway.operations.console.statistics.counting import Values
from gateway.operations.console.statistics.links import address, changed, parameters_of
from gateway.operations.console.statistics.naming import Names, percent, signed
from gateway.operations.console.statistics.periods import Span
from gateway.operations.console.statistics.result import Comparison, PartRow, PeriodRow, Result
from gateway.operations.console.tiles import Tile, TileGrid, long_number
from gateway.storage.figures import SERVICE, WAYS, PeriodKind


class Showing:
    """One result for one visitor."""

    def __init__(
        self, result: Result, names: Names, grid: TileGrid, *, sees_all: bool, exports: bool
    ) -> None:
        self._result = result
        self._report = result.report
        self._question = result.question
        self._names = names
        self._grid = grid
        self._sees_all = sees_all
        self._exports = exports

    def values(self) -> dict[str, Any]:
        """Those of statistics_report.html."""
        report, language = self._report, self._names.language
        columns = [
            {"title": each.title.of(language), "definition": each.definition.of(language)}
            for each in report.shown
        ]
        return {
            "title": report.title.of(language),
            "where": where(self._question.scope.province, self._names),
            "first_figure": self._result.first_figure,
            "incomplete_days": self._names.days(self._result.incomplete_days),
            "action": address(report.id, {}),
            "asked": parameters_of(self._question),
            "choices": list(self._choices()),
            "comparison": self._comparison(self._result.comparison),
            "chart": chart_of(report, report.chart, self._result.rows, self._question.span.kind, language),
            "columns": columns,
            "rows": [self._row(row) for row in self._result.rows],
            "total": cells(report, self._result.total),
            "parts": self._parts(),
            "files": list(self._files()) if self._exports else [],
            "ground": report.ground,
            "source": report.source.of(language),
        }

    def _choices(self) -> Any:
        """The filters of the form, with what may be chosen."""
        say, asked = self._names.say, parameters_of(self._question)
        if self._sees_all:
            provinces = self._names.tables.routing.provinces
            options = [
                (code, f"{code} {self._names.province(code)}") for code in provinces if code != HEADQUARTERS
            ]
            options = [(HEADQUARTERS, say("whole_network_code")), *options]
            yield self._choice("province", options, asked)
        everything = ("", say("all"))
        if "way" in self._report.filters:
            ways = [(way, self._names.way(way)) for way in (*WAYS, SERVICE)]
            yield self._choice("way", [everything, *ways], asked)
        if "instruction" in self._report.filters:
            known = self._names.tables.commands.table.rows
            chosen = asked["instruction"]
            rows = sorted({*known, *([chosen] if chosen not in {"", NOTHING_UNDERSTOOD} else [])})
            instructions = [(name, self._names.instruction(name)) for name in rows]
            nothing = (NOTHING_UNDERSTOOD, say("not_understood"))
            yield self._choice("instruction", [everything, *instructions, nothing], asked)

    def _choice(self, name: str, options: Sequence[tuple[str, str]], asked: dict[str, str]) -> dict[str, Any]:
        title = self._names.say(name)
        return {"name": name, "title": title, "options": options, "chosen": asked[name]}

    def _comparison(self, comparison: Comparison | None) -> dict[str, str] | None:
        if comparison is None:
            return None
        change = comparison.change
        return {
            "name": self._report.columns[0].title.of(self._names.language),
            "span": span_text(comparison.span),
            "before_span": span_text(comparison.before),
            "value": long_number(change.value),
            "before": long_number(change.before),
            "by": signed(change.by),
            "percent": percent(change.percent),
        }

    def _row(self, row: PeriodRow) -> dict[str, Any]:
        kind, link = self._question.span.kind, ""
        if kind is not PeriodKind.DAY:
            first, last = row.begin.isoformat(), min(row.last_day, self._question.today).isoformat()
            link = changed(self._report.id, self._question, period="day", from_=first, to=last)
        change = [signed(row.change.by), percent(row.change.percent)]
        week = kind is PeriodKind.WEEK
        return {
            "label": row.label,
            "span": f"{row.begin:%m-%d} - {row.last_day:%m-%d}" if week else "",
            "complete": row.complete,
            "partial": row.partial,
            "link": link,
            "cells": [*cells(self._report, row.values), *change],
        }

    def _parts(self) -> list[dict[str, Any]]:
        result, say = self._result, self._names.say
        name = self._report.columns[0].title.of(self._names.language)
        found = []
        if result.ranking and result.ranked is not None:
            part = self._part("province", say("ranking"), result.ranking)
            part["caption"] = say("ranking_caption", name=name, span=span_text(result.ranked))
            part["tiles"] = self._tiles(result.ranking)
            found.append(part)
        for dimension, rows in result.breakdown.items():
            part = self._part(dimension, say(f"breakdown_{dimension}"), rows)
            span = span_text(self._question.span)
            part["caption"] = say("ranking_caption", name=name, span=span)
            found.append(part)
        return found

    def _part(self, dimension: str, title: str, rows: list[PartRow]) -> dict[str, Any]:
        return {
            "name": dimension,
            "title": title,
            "what": self._names.say(dimension),
            "tiles": [],
            "rows": [
                {
                    "name": self._names.part(dimension, row.code),
                    "link": self._part_link(dimension, row.code),
                    "cells": [
                        *cells(self._report, row.values),
                        "-" if row.share is None else f"{100 * row.share:.1f}%",
                    ],
                }
                for row in rows
            ],
        }

    def _part_link(self, dimension: str, code: str) -> str:
        """Where a row leads: to its figures alone; "" where that is no filter."""
        if dimension == "province":
            return self._province_link(code) if code in self._names.tables.routing.provinces else ""
        value = code or NOTHING_UNDERSTOOD
        return changed(self._report.id, self._question, **{dimension: value})

    def _province_link(self, code: str) -> str:
        return "" if code == HEADQUARTERS else changed(self._report.id, self._question, province=code)

    def _tiles(self, ranking: list[PartRow]) -> list[Tile]:
        first = self._report.columns[0].id
        values = {row.code: row.values[first] for row in ranking}
        return tiles_of(self._grid, self._names, values, self._province_link)

    def _files(self) -> Any:
        say, asked = self._names.say, parameters_of(self._question)
        tables = ["period"]
        if self._result.ranking:
            tables.append("province")
        for table in [*tables, *self._result.breakdown]:
            name = say("csv_of", name=say(table))
            yield {"name": name, "link": address(f"{self._report.id}/csv", {**asked, "table": table})}
        yield {"name": say("xlsx"), "link": address(f"{self._report.id}/xlsx", asked)}


def where(province: str | None, names: Names) -> str:
    """Whose figures these are."""
    return names.say("whole_network") if province is None else names.province(province)


def tiles_of(grid: TileGrid, names: Names, values: Values, link: Any) -> list[Tile]:
    """A tile for each province; 0 for one without a figure."""
    provinces = {code: each for code, each in names.tables.routing.provinces.items() if code != HEADQUARTERS}
    return grid.tiles(provinces, {code: values.get(code, 0) for code in provinces}, names.language, link)


def cells(report: Report, values: Values) -> list[str]:
    """The values of the columns that are shown."""
    return [long_number(values[column.id]) for column in report.shown]


def chart_of(
    report: Report, columns: Sequence[str], rows: Sequence[PeriodRow], kind: PeriodKind, language: str
) -> Chart:
    """The trend of some columns: bars for weeks and months, lines for days.

    A line ends at the last day that is over: what the running day has so far would look like a fall.
    """
    titles = [report.by_id[name].title.of(language) for name in columns]
    over = any(row.complete for row in rows) and kind is PeriodKind.DAY
    values = [[row.values[name] if row.complete or not over else None for row in rows] for name in columns]
    return chart(titles, values, [row.label for row in rows], language, bars=kind is not PeriodKind.DAY)


def span_text(span: Span) -> str:
    """Its first and last day."""
    first, last = span.first.isoformat(), span.last_day.isoformat()
    return first if first == last else f"{first} - {last}"
