"""Live pages: server-sent events, a bounded number of streams, each with at most one event under way."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.operations.console.page import Visit
from gateway.operations.console.places import Places

HEARTBEAT: Final = 5.0
"""Seconds without an event after which a comment is sent: it finds browsers that are gone, and it is looked
whether the visitor may still see the stream."""
MEDIA_TYPE: Final = "text/event-stream"

Events = AsyncGenerator[tuple[str, Any], None]
"""Name and value of each event. The value is sent as JSON."""


def stream(visit: Visit, events: Events) -> Response:
    """Answer with a stream of these events.

    The generator is closed when the browser goes away or reads too slowly, when the visitor has logged out or
    lost the right, and at the stop of the gateway. Where too many streams are open the answer is 503.
    """
    full = visit.text("base.too_many_live")
    return _Stream(_lines(visit, events), visit.services.streams, visit.viewer.name, full)


class _Stream(StreamingResponse):
    def __init__(self, lines: AsyncGenerator[str, None], places: Places, holder: str, full: str) -> None:
        super().__init__(lines, media_type=MEDIA_TYPE)
        self._lines = lines
        self._places = places
        self._holder = holder
        self._full = full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, if there is a place."""
        with self._places.one(self._holder) as place:
            if place:
                async with contextlib.aclosing(self._lines):
                    await super().__call__(scope, receive, send)
                return
        # An EventSource does not come again by itself after this status: the page stays as it is.
        full = PlainTextResponse(self._full, HTTPStatus.SERVICE_UNAVAILABLE)
        await full(scope, receive, send)


async def _lines(visit: Visit, events: Events) -> AsyncGenerator[str, None]:
    """The stream as text, with heartbeats, as long as the visitor may see it."""
    loop = asyncio.get_running_loop()
    checked = loop.time()
    coming = _next(events)
    try:
        yield ":\n\n"  # the browser learns at once that it is open
        while True:
            done, _ = await asyncio.wait((coming,), timeout=HEARTBEAT)
            if loop.time() - checked >= HEARTBEAT:
                checked = loop.time()
                if not await visit.still():
                    return
            if not done:
                yield ":\n\n"
                continue
            try:
                name, value = coming.result()
            except StopAsyncIteration:
                return
            yield line_of(name, value)
            coming = _next(events)
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await events.aclose()


def line_of(name: str, value: Any) -> str:
    """One event as it is sent."""
    return f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False, default=str)}\n\n"


def _next(events: AsyncIterator[tuple[str, Any]]) -> "asyncio.Task[tuple[str, Any]]":
    async def one() -> tuple[str, Any]:
        return await anext(events)

    return asyncio.create_task(one(), name="console stream")
