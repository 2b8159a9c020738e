"""The ASGI application of the console: every route passes here, and is refused without its right."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib import resources
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from gateway.operations.console.api.errors import no_page
from gateway.operations.console.page import Kind, Page, Refused, Section, Visit
from gateway.operations.console.rendering import LANGUAGES, Rendering
from gateway.operations.console.rights import Role, Viewer
from gateway.operations.console.services import Services

LOGIN: Final = "/login"
LANGUAGE: Final = "language"
"""Name of the cookie that keeps the language."""
NOBODY: Final = Viewer("", Role.READER, province="-")
"""Who looks at what everybody may see without being logged in. It sees no province, and no page asks it."""
HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
"""Of every answer that does not say otherwise."""


class Visitors(Protocol):
    """Knows who asks."""

    async def viewer(self, request: Request) -> Viewer | None:
        """The account that a request comes from, by its session or token; None: nobody's."""


class Application:
    """Routes, rights and headers. visitors: who asks; replaced at will by tests."""

    def __init__(self, services: Services, sections: Sequence[Section], visitors: Visitors) -> None:
        self.visitors = visitors
        self.pages: tuple[Page, ...] = tuple(page for section in sections for page in section.pages)
        self._services = services
        self._rendering = Rendering(sections)
        routes: list[BaseRoute] = [
            Route(page.path, self._endpoint(page), methods=[page.method]) for page in self.pages
        ]
        static = resources.files("gateway.operations.console") / "static"
        self._starlette = Starlette(
            routes=[*routes, Mount("/static", StaticFiles(directory=str(static)))],
            exception_handlers={HTTPException: no_page},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await self._starlette(scope, receive, send)

    def _endpoint(self, page: Page):  # type: ignore[no-untyped-def]
        async def answer(request: Request) -> Response:
            viewer = await self.visitors.viewer(request)
            language = language_of(request)
            visit = Visit(request, viewer or NOBODY, self._services, self._rendering, language)
            response = self._refusal(page, viewer, visit)
            if response is None:
                try:
                    response = await page.endpoint(visit)
                except Refused as refused:
                    response = self._refuse(page, visit, refused.status, str(refused))
            for name, value in HEADERS:
                response.headers.setdefault(name, value)
            return response

        return answer

    def _refusal(self, page: Page, viewer: Viewer | None, visit: Visit) -> Response | None:
        """Why a visitor may not have a page; None: it may."""
        if page.method == "POST" and not same_origin(visit.request):
            return self._refuse(page, visit, HTTPStatus.FORBIDDEN, "the request came from another site")
        if page.right is None:
            return None
        if viewer is None:
            if page.kind is Kind.PAGE:
                back = quote(visit.request.url.path)
                return RedirectResponse(f"{LOGIN}?next={back}", HTTPStatus.SEE_OTHER)
            return self._refuse(page, visit, HTTPStatus.UNAUTHORIZED, "log in, or send a token")
        if not viewer.may(page.right):
            reason = f"{viewer.name} lacks the right {page.right.value}"
            return self._refuse(page, visit, HTTPStatus.FORBIDDEN, reason)
        return None

    def _refuse(self, page: Page, visit: Visit, status: int, reason: str) -> Response:
        if page.kind is Kind.API:
            return JSONResponse({"error": reason}, status)
        return visit.page("refused.html", status, reason=reason)


def language_of(request: Request) -> str:
    """zh or en: what the visitor chose, else what the browser prefers."""
    chosen = request.cookies.get(LANGUAGE)
    if chosen in LANGUAGES:
        return chosen
    for each in request.headers.get("accept-language", "").split(","):
        found = each.strip()[:2].lower()
        if found in LANGUAGES:
            return found
    return LANGUAGES[0]


def same_origin(request: Request) -> bool:
    """Whether a request comes from a page of ours: by Sec-Fetch-Site, else by Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
