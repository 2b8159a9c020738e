"""The section statistics of the console."""

from starlette.responses import Response

from gateway.operations.console.page import Page, Section, Visit
from gateway.operations.console.rights import Right


async def show(visit: Visit) -> Response:
    """The page itself."""
    return visit.page("statistics.html")


SECTION = Section(
    "statistics",
    "/statistics",
    Right.FIGURES,
    (Page("/statistics", show, Right.FIGURES),),
)
