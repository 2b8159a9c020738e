"""Live pages: server-sent events."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response, StreamingResponse

from gateway.operations.console.page import Visit


def stream(visit: Visit, events: AsyncGenerator[tuple[str, Any], None]) -> Response:
    """Answer with a stream of these events."""
    del visit
    return StreamingResponse(_lines(events), media_type="text/event-stream")


async def _lines(events: AsyncGenerator[tuple[str, Any], None]) -> AsyncGenerator[str, None]:
    async for name, value in events:
        yield f"event: {name}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n"
