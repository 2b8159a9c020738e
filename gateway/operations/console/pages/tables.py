"""The section tables of the console."""

from starlette.responses import Response

from gateway.operations.console.page import Page, Section, Visit
from gateway.operations.console.rights import Right


async def show(visit: Visit) -> Response:
    """The page itself."""
    return visit.page("tables.html")


SECTION = Section(
    "tables",
    "/tables",
    Right.TABLES,
    (Page("/tables", show, Right.TABLES),),
)
