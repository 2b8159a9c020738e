"""The section phones of the console."""

from starlette.responses import Response

from gateway.operations.console.page import Page, Section, Visit
from gateway.operations.console.rights import Right


async def show(visit: Visit) -> Response:
    """The page itself."""
    return visit.page("phones.html")


SECTION = Section(
    "phones",
    "/phones",
    Right.PHONES,
    (Page("/phones", show, Right.PHONES),),
)
