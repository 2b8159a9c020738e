"""The section messages of the console."""

from starlette.responses import Response

from gateway.operations.console.page import Page, Section, Visit
from gateway.operations.console.rights import Right


async def show(visit: Visit) -> Response:
    """The page itself."""
    return visit.page("messages.html")


SECTION = Section(
    "messages",
    "/messages",
    Right.MESSAGES,
    (Page("/messages", show, Right.MESSAGES),),
)
