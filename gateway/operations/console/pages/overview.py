"""The section overview of the console: the gateway as it is now, live."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from starlette.responses import Response

from gateway.operations.console.overview.board import Board
from gateway.operations.console.page import Kind, Page, Section, Visit
from gateway.operations.console.rights import Right
from gateway.operations.console.streams import stream

EVERY: Final = 1.0
"""Seconds between two events of the stream."""


async def show(visit: Visit) -> Response:
    """The page itself."""
    return await visit.drawn("overview.html", board=await board_of(visit))


async def live(visit: Visit) -> Response:
    """The same again each second."""
    return stream(visit, _events(visit))


async def board_of(visit: Visit) -> Board:
    """What the visitor sees."""

    def text(key: str, **values: object) -> str:
        try:
            return visit.text(f"overview.{key}", **values)
        except KeyError:  # a purpose or outcome that is newer than the texts
            return key.partition("_")[2] or key

    return await visit.services.boards.of(visit.viewer, visit.language, text)


async def _events(visit: Visit) -> AsyncGenerator[tuple[str, Any], None]:
    while True:
        yield "overview", (await board_of(visit)).as_event()
        await asyncio.sleep(EVERY)


SECTION = Section(
    "overview",
    "/",
    Right.OVERVIEW,
    (
        Page("/", show, Right.OVERVIEW),
        Page("/live/overview", live, Right.OVERVIEW, Kind.STREAM),
    ),
)
