"""The key figures as the values of their template."""

from typing import Any

from gateway.operations.console.statistics.catalogue import Catalogue
from gateway.operations.console.statistics.counting import Scope
from gateway.operations.console.statistics.links import PAGES, address
from gateway.operations.console.statistics.naming import Names, percent, signed
from gateway.operations.console.statistics.showing import chart_of, tiles_of, where
from gateway.operations.console.statistics.summary import TREND, KeyFigure, Summary
from gateway.operations.console.tiles import TileGrid, long_number
from gateway.storage.figures import PeriodKind


class Overall:
    """One summary for one visitor."""

    def __init__(
        self, found: Summary, catalogue: Catalogue, names: Names, grid: TileGrid, scope: Scope
    ) -> None:
        self._found = found
        self._catalogue = catalogue
        self._names = names
        self._grid = grid
        self._province = scope.province or ""

    def values(self) -> dict[str, Any]:
        """Those of statistics.html."""
        found, names, language = self._found, self._names, self._names.language
        chosen = found.chosen
        name = self._title(chosen)
        column = chosen.column.id
        return {
            "where": where(self._province or None, names),
            "first_figure": found.first_figure,
            "incomplete_days": names.days(found.incomplete_days),
            "day": found.day.isoformat(),
            "figures": [self._figure(each) for each in found.figures],
            "chosen": name,
            "chart": chart_of(chosen.report, [column], found.trend, PeriodKind.DAY, language),
            "chart_title": names.say("trend_of", name=name, days=TREND),
            "days": [
                {"label": row.label, "value": long_number(row.values[column])}
                for row in reversed(found.trend)
            ],
            "tiles": self._tiles(),
            "ranking": [
                {"name": names.province(code), "value": long_number(value), "link": self._link(code)}
                for code, value in found.provinces.items()
            ],
            "reports": [
                {
                    "title": report.title.of(language),
                    "link": address(report.id, {"province": self._province}),
                    "ground": report.ground,
                    "source": report.source.of(names.language),
                }
                for report in self._catalogue.reports
            ],
            "not_carried": self._catalogue.not_carried,
        }

    def _figure(self, figure: KeyFigure) -> dict[str, Any]:
        language = self._names.language
        return {
            "title": self._title(figure),
            "definition": figure.column.definition.of(language),
            "link": address(figure.report.id, {"province": self._province}),
            "value": long_number(figure.value),
            "day_by": signed(figure.day_before.by),
            "day_percent": percent(figure.day_before.percent),
            "week_by": signed(figure.week_before.by),
            "week_percent": percent(figure.week_before.percent),
            "chosen": figure is self._found.chosen,
            "choose": self._choose(figure.name),
        }

    def _title(self, figure: KeyFigure) -> str:
        """Report and column, or one of them where they are called the same."""
        report, column = (each.title.of(self._names.language) for each in (figure.report, figure.column))
        return column if column == report else self._names.say("named", report=report, column=column)

    def _choose(self, name: str) -> str:
        province = f"&province={self._province}" if self._province else ""
        return f"{PAGES}?figure={name}{province}"

    def _link(self, code: str) -> str:
        """The report of the chosen figure, for a province."""
        if code == "000" or code not in self._names.tables.routing.provinces:
            return ""
        return address(self._found.chosen.report.id, {"province": code})

    def _tiles(self) -> Any:
        if self._province or not self._found.provinces:
            return []
        return tiles_of(self._grid, self._names, self._found.provinces, self._link)
