"""Errors of requests that reach no page: unknown paths and wrong methods. Below /api they are JSON."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

API: Final = "/api"
"""Where the addresses of the API begin."""


async def no_page(request: Request, error: Exception) -> Response:
    """The answer to a request for which there is no page (an exception handler of Starlette)."""
    assert isinstance(error, HTTPException)
    status, path = error.status_code, request.url.path
    allowed = ", ".join(sorted(_methods(request.scope)))
    headers = dict(error.headers or {})
    if status == 405:
        reason = f"this address takes {allowed}"
        headers["Allow"] = allowed
    elif status == 404 and _below(path):
        reason = "there is no such address in the API: /api/v1 lists all"
    elif status == 404:
        reason = "there is no such page: begin at /"
    else:
        reason = error.detail
    if _below(path):
        return JSONResponse({"error": reason}, status, headers)
    return PlainTextResponse(reason, status, headers)


def _below(path: str) -> bool:
    return path == API or path.startswith(f"{API}/")


def _methods(scope: Scope) -> set[str]:
    """What all routes of a path together take."""
    found: set[str] = set()
    for route in scope["app"].routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found
