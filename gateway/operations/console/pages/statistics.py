"""The section statistics of the console: key figures, reports, their files, and the API of figures."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial
from http import HTTPStatus
from typing import Final

from starlette.responses import JSONResponse, Response

from gateway.operations.console.audited import Did
from gateway.operations.console.page import Kind, Page, Refused, Section, Visit
from gateway.operations.console.rights import Right
from gateway.operations.console.statistics.asking import PARAMETERS, Asking, Question
from gateway.operations.console.statistics.catalogue import Catalogue, Report, load_catalogue
from gateway.operations.console.statistics.counting import Scope
from gateway.operations.console.statistics.csv_file import csv_of
from gateway.operations.console.statistics.interface import ANSWER, LIST, PARAMETERS_TOLD, json_of, list_of
from gateway.operations.console.statistics.links import PAGES
from gateway.operations.console.statistics.naming import Names
from gateway.operations.console.statistics.overall import Overall
from gateway.operations.console.statistics.result import answer
from gateway.operations.console.statistics.sheets import Sheet, explanation, sheets_of
from gateway.operations.console.statistics.showing import Showing
from gateway.operations.console.statistics.summary import summary
from gateway.operations.console.statistics.xlsx_file import xlsx_of
from gateway.operations.console.tiles import TileGrid
from gateway.storage.reader import Reader

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV: Final = "text/csv; charset=utf-8"


class StatisticsPages:
    """The pages, around the table of reports."""

    def __init__(self, catalogue: Catalogue, grid: TileGrid) -> None:
        self._catalogue = catalogue
        self._grid = grid

    async def show(self, visit: Visit) -> Response:
        """The key figures."""
        asking = self._asking(visit)
        asked = asking.parameters(visit.request.query_params.multi_items(), ("province", "figure"))
        scope = Scope(asking.province(asked.get("province", "")))
        chosen = asked.get("figure", self._catalogue.key[0])
        if chosen not in self._catalogue.key:
            allowed = ", ".join(self._catalogue.key)
            raise Refused(HTTPStatus.BAD_REQUEST, "statistics.bad_figure", allowed=allowed)
        today = _today(visit)

        def work(reader: Reader) -> Response:
            found = summary(reader, self._catalogue, scope, chosen, today)
            shown = Overall(found, self._catalogue, _names(visit), self._grid, scope)
            return visit.page("statistics.html", enabled=visit.services.counting, **shown.values())

        return await visit.services.read(work, paced=True, account=visit.viewer.name)

    async def report(self, visit: Visit) -> Response:
        """A report."""
        report = self._report(visit)
        question = self._asking(visit).question(report, visit.request.query_params.multi_items())
        viewer = visit.viewer
        exports = viewer.may(Right.EXPORT)

        def work(reader: Reader) -> Response:
            result = answer(reader, report, question)
            showing = Showing(result, _names(visit), self._grid, sees_all=viewer.sees_all, exports=exports)
            return visit.page("statistics_report.html", enabled=visit.services.counting, **showing.values())

        return await visit.services.read(work, paced=True, account=visit.viewer.name)

    async def csv(self, visit: Visit) -> Response:
        """A table of a report as CSV."""
        asking = self._asking(visit)
        asked = asking.parameters(visit.request.query_params.multi_items(), (*PARAMETERS, "table"))
        table = asked.pop("table", "period")
        write = partial(_csv, table)
        return await self._file(visit, asked.items(), write, CSV, "csv")

    async def xlsx(self, visit: Visit) -> Response:
        """All tables of a report, and what they mean, as a workbook."""
        asked = visit.request.query_params.multi_items()
        return await self._file(visit, asked, xlsx_of, XLSX, "xlsx")

    async def reports(self, visit: Visit) -> Response:
        """The reports, for machines."""
        self._asking(visit).parameters(visit.request.query_params.multi_items(), ())
        return JSONResponse(list_of(self._catalogue, visit.language))

    async def figures(self, visit: Visit) -> Response:
        """A report, for machines."""
        report = self._report(visit)
        question = self._asking(visit).question(report, visit.request.query_params.multi_items())

        def work(reader: Reader) -> Response:
            return JSONResponse(json_of(answer(reader, report, question), visit.language))

        return await visit.services.read(work, paced=True, account=visit.viewer.name)

    async def _file(
        self,
        visit: Visit,
        asked: Iterable[tuple[str, str]],
        write: Callable[[list[Sheet]], bytes],
        media: str,
        ending: str,
    ) -> Response:
        """A file of a report: read and written in the same thread."""
        report = self._report(visit)
        question = self._asking(visit).question(report, asked)
        names = _names(visit)

        def work(reader: Reader) -> bytes:
            result = answer(reader, report, question)
            first, *others = sheets_of(result, names)
            return write([first, explanation(result, names), *others])

        content = await visit.services.read(work, paced=True, account=visit.viewer.name)
        name = f"{report.id}_{_file_name(question)}.{ending}"
        await visit.note(Did.EXPORTED, name)  # what cannot be written down does not leave
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type=media, headers=headers)

    def _report(self, visit: Visit) -> Report:
        found = self._catalogue.by_id.get(visit.request.path_params["report"])
        if found is None:
            allowed = ", ".join(self._catalogue.by_id)
            raise Refused(HTTPStatus.NOT_FOUND, "statistics.unknown_report", allowed=allowed)
        return found

    def _asking(self, visit: Visit) -> Asking:
        provinces = visit.services.in_force.tables.routing.provinces
        return Asking(_say(visit), visit.viewer, provinces, _today(visit))


def _csv(table: str, sheets: list[Sheet]) -> bytes:
    for sheet in sheets:
        if sheet.name == table:
            return csv_of(sheet)
    allowed = ", ".join(sheet.name for sheet in sheets)
    raise Refused(HTTPStatus.BAD_REQUEST, "statistics.bad_table", allowed=allowed)


def _file_name(question: Question) -> str:
    span = question.span
    parts = [span.kind.value, span.first.isoformat(), span.last_day.isoformat(), question.province]
    return "_".join(parts)


def _today(visit: Visit) -> date:
    """In service.timezone."""
    return datetime.fromtimestamp(visit.services.clock.now_ms() / 1000, visit.services.zone).date()


def _say(visit: Visit) -> Callable[..., str]:
    return lambda key, **values: visit.text(f"statistics.{key}", **values)


def _names(visit: Visit) -> Names:
    return Names(visit.services.in_force.tables, visit.language, _say(visit))


def _section() -> Section:
    pages = StatisticsPages(load_catalogue(), TileGrid())
    api = "/api/v1/statistics"
    one = f"{PAGES}/{{report}}"
    return Section(
        "statistics",
        PAGES,
        Right.FIGURES,
        (
            Page(PAGES, pages.show, Right.FIGURES),
            Page(one, pages.report, Right.FIGURES),
            Page(f"{one}/csv", pages.csv, Right.EXPORT, Kind.FILE),
            Page(f"{one}/xlsx", pages.xlsx, Right.EXPORT, Kind.FILE),
            Page(api, pages.reports, Right.FIGURES, Kind.API, summary="The reports of figures", answer=LIST),
            Page(
                f"{api}/{{report}}",
                pages.figures,
                Right.FIGURES,
                Kind.API,
                summary="A report of figures",
                parameters=PARAMETERS_TOLD,
                answer=ANSWER,
            ),
        ),
    )


SECTION: Final = _section()
