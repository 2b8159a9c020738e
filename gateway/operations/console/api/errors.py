"""What is said to a request with a method that its path does not take."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.responses import JSONResponse, Response

from gateway.operations.console.page import Kind, Page, Visit

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def other_methods(pages: Sequence[Page]) -> list[tuple[Page, list[str]]]:
    """For each path a page that refuses, and the methods that it is for: those that no page of it takes."""
    taken: dict[str, set[str]] = {}
    for page in pages:
        taken.setdefault(page.path, set()).update({"GET", "HEAD"} if page.method == "GET" else {page.method})
    kinds = {page.path: page.kind for page in pages}
    return [
        (_refusing(path, kinds[path], methods), [each for each in METHODS if each not in methods])
        for path, methods in taken.items()
    ]


def _refusing(path: str, kind: Kind, methods: set[str]) -> Page:
    allowed = ", ".join(sorted(methods))

    async def refuse(visit: Visit) -> Response:
        if kind is Kind.API:
            body = {"error": f"this address takes {allowed}"}
            response: Response = JSONResponse(body, HTTPStatus.METHOD_NOT_ALLOWED)
        else:
            reason = visit.text("base.no_method", methods=allowed)
            response = visit.page("refused.html", HTTPStatus.METHOD_NOT_ALLOWED, reason=reason, missing=False)
        response.headers["allow"] = allowed
        return response

    return Page(path, refuse, None, kind)
