"""The ASGI application of the console: every route passes here, and is refused without its right."""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from importlib import resources
from typing import Final, Protocol
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from gateway.operations.console.api.errors import other_methods
from gateway.operations.console.hosts import Hosts, same_origin
from gateway.operations.console.pace import Pace, Turns
from gateway.operations.console.page import Kind, Page, Section, Visit
from gateway.operations.console.refused import Refused, Said
from gateway.operations.console.rendering import LANGUAGES, Rendering
from gateway.operations.console.rights import Role, Viewer
from gateway.operations.console.services import Services
from gateway.storage.contract import StorageError

LOGIN: Final = "/login"
LANGUAGE: Final = "language"
"""Name of the cookie that keeps the language."""
THEME: Final = "theme"
"""Name of the cookie that keeps light or dark."""
THEMES: Final = ("light", "dark")
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
HSTS: Final = ("strict-transport-security", "max-age=31536000")
"""Where browsers come by TLS: never ask this host without it."""
CLOSE: Final = {"connection": "close"}
STATIC: Final = "/static"
API: Final = "/api/"
PACKAGE: Final = "gateway.operations.console"


class _Crowded(Exception):
    """Too many requests wait for their turn."""


class Visitors(Protocol):
    """Knows who asks."""

    async def viewer(self, request: Request, *, used: bool = True) -> Viewer | None:
        """The account that a request comes from, by its session or token; None: nobody's. used False: a page
        that lasts asks for itself, which does not keep a session."""


class Application:
    """Routes, rights and headers. visitors: who asks; replaced at will by tests."""

    def __init__(self, services: Services, sections: Sequence[Section], visitors: Visitors) -> None:
        self.visitors = visitors
        self.pages: tuple[Page, ...] = tuple(page for section in sections for page in section.pages)
        self.services = services
        self._rendering = Rendering(sections)
        self._hosts = Hosts(services.settings)
        self._pace = Pace(time.monotonic)
        self._turns = Turns(
            time.monotonic, lambda: self._rendering.spent, lambda: services.metrics.loop_time.busy
        )
        self._fixed = fixed_headers(secure=services.sessions.secure)
        routes: list[BaseRoute] = [
            Route(page.path, self._endpoint(page), methods=[page.method]) for page in self.pages
        ]
        routes += [
            Route(page.path, self._endpoint(page), methods=methods)
            for page, methods in other_methods(self.pages)
        ]
        static = StaticFiles(directory=str(resources.files(PACKAGE) / "static"))
        self._router = Router([*routes, Mount(STATIC, static)], redirect_slashes=False, default=self._missing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        answer = _Answer(self._fixed, scope["path"], send)
        request = Request(scope)
        remote = self.services.sessions.remote(request)
        if not self._pace.allows(remote):
            said = self._plain(request, "too_fast")
            await PlainTextResponse(said, HTTPStatus.TOO_MANY_REQUESTS, CLOSE)(scope, receive, answer.send)
            return
        server = scope.get("server") or ("", None)
        if not self._hosts.knows(request.headers.getlist("host"), server[0]):
            self.services.observer.console_refused("", scope["path"], remote, "foreign host")
            said = self._plain(request, "foreign_host")
            await PlainTextResponse(said, HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, answer.send)
            return
        await self._guarded(scope, receive, answer)

    async def _guarded(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Answer; what goes wrong in a page is said in the log, and to the browser as a number only."""
        try:
            await self._router(scope, receive, answer.send)
        except ClientDisconnect:
            return
        except HTTPException as refused:  # of a file that is not there
            await PlainTextResponse(refused.detail, refused.status_code)(scope, receive, answer.send)
        except Exception as error:  # the boundary for bugs of pages
            number = secrets.token_hex(4)
            self.services.observer.console_broken(number, scope["path"], error)
            if answer.started:
                raise  # the connection ends: what was sent is not whole
            await self._broken(Request(scope), number)(scope, receive, answer.send)

    def _broken(self, request: Request, number: str) -> Response:
        """The page of a bug. It needs no template, which may be what is broken."""
        if request.url.path.startswith(API):
            body = {"error": f"an error of the gateway: its log says more under {number}"}
            return JSONResponse(body, HTTPStatus.INTERNAL_SERVER_ERROR)
        language = language_of(request)
        keys = ("fault", "fault_text", "home")
        title, text, home = (self._rendering.text(language, f"base.{key}", {}) for key in keys)
        return HTMLResponse(
            f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            f'<title>{title}</title>\n<link rel="stylesheet" href="/static/console.css">\n</head>\n'
            f"<body>\n<main>\n<h1>{title}</h1>\n<p>{text} <code>{number}</code></p>\n"
            f'<p><a href="/">{home}</a></p>\n</main>\n</body>\n</html>',
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )

    async def _missing(self, scope: Scope, receive: Receive, send: Send) -> None:
        """No page has that path."""

        async def missing(_: Visit) -> Response:
            raise Refused(HTTPStatus.NOT_FOUND, "base.missing")

        kind = Kind.API if scope["path"].startswith(API) else Kind.PAGE
        answer = self._endpoint(Page(scope["path"], missing, None, kind))
        response = await answer(Request(scope, receive))
        await response(scope, receive, send)

    def _endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            visit = Visit(
                request, NOBODY, self.services, self._rendering, language_of(request), theme_of(request)
            )
            try:
                await self._turn(page, request)
                viewer = await self.visitors.viewer(request)
                visit.viewer = viewer or NOBODY
                visit.still = self._still(page, request, visit.viewer)
                response = self._refusal(page, viewer, visit)
                if response is not None:
                    return response
                if page.method != "GET":
                    visit.request = await bounded(request, page.body)
                return await page.endpoint(visit)
            except _Crowded:
                return self._crowded(page, request)
            except Refused as refused:
                if isinstance(refused.__cause__, StorageError):
                    self._tell(page, visit, refused.__cause__)
                return self._refuse(page, visit, refused)
            except StorageError as error:
                self._tell(page, visit, error)
                return self._refuse(page, visit, Refused(HTTPStatus.SERVICE_UNAVAILABLE, "base.no_store"))

        return answer

    async def _turn(self, page: Page, request: Request) -> None:
        """Wait until a request may begin. What watches the gateway does not wait. Raises _Crowded."""
        if page.kind is Kind.API and page.right is None and page in self.pages:  # a path of none waits
            return
        sessions = self.services.sessions
        if not await self._turns.turn(sessions.remembered(request), sessions.remote(request)):
            raise _Crowded

    def _still(self, page: Page, request: Request, viewer: Viewer) -> Callable[[], Awaitable[bool]]:
        async def still() -> bool:
            try:
                now = await self.visitors.viewer(request, used=False)
            except StorageError:
                return True  # nobody knows at the moment
            return page.right is None or now == viewer

        return still

    def _refusal(self, page: Page, viewer: Viewer | None, visit: Visit) -> Response | None:
        """Why a visitor may not have a page; None: it may."""
        if page.method != "GET" and not sent_by_us(visit.request):
            return self._forbid(page, visit, "foreign_site")
        if page.right is None:
            return None
        if viewer is None:
            if page.kind is Kind.PAGE:
                back = quote(visit.here if page.method == "GET" else "/")
                return RedirectResponse(f"{LOGIN}?next={back}", HTTPStatus.SEE_OTHER)
            return self._refuse(page, visit, Refused(HTTPStatus.UNAUTHORIZED, "base.log_in"))
        if not viewer.may(page.right):
            lacks = Said(f"base.right_{page.right}")
            return self._forbid(page, visit, "lacks", name=viewer.name, right=lacks)
        return None

    def _tell(self, page: Page, visit: Visit, error: StorageError) -> None:
        """Say in the log why the store could not be used: visitors are not told places of this machine."""
        self.services.observer.console_refused(visit.viewer.name, page.path, visit.remote, str(error))

    def _forbid(self, page: Page, visit: Visit, key: str, **values: object) -> Response:
        """Refuse, with a text of base.yaml; the log has it too."""
        refused = Refused(HTTPStatus.FORBIDDEN, f"base.{key}", **values)
        observer = self.services.observer
        observer.console_refused(visit.viewer.name, page.path, visit.remote, refused.said(self._english))
        return self._refuse(page, visit, refused)

    def _refuse(self, page: Page, visit: Visit, refused: Refused) -> Response:
        """Say why; programs are told in English."""
        if page.kind is Kind.API:
            return JSONResponse({"error": refused.said(self._english)}, refused.status)
        missing = refused.status == HTTPStatus.NOT_FOUND
        reason = refused.said(visit.text)
        return visit.page("refused.html", refused.status, reason=reason, missing=missing)

    def _crowded(self, page: Page, request: Request) -> Response:
        """Too many wait: a line, which costs little. A page that says so would itself be drawn."""
        status = HTTPStatus.SERVICE_UNAVAILABLE
        if page.kind is Kind.API:
            return JSONResponse({"error": self._english("base.too_many")}, status)
        return PlainTextResponse(self._plain(request, "too_many"), status)

    def _english(self, key: str, **values: object) -> str:
        return self._rendering.text("en", key, values)

    def _plain(self, request: Request, key: str) -> str:
        """A text of base.yaml as a line, for answers that need no template."""
        language = "en" if request.url.path.startswith(API) else language_of(request)
        return f"{self._rendering.text(language, f'base.{key}', {})}\n"


class _Answer:
    """Sends an answer, with the headers that every answer has. started: its head has left."""

    def __init__(self, fixed: Sequence[tuple[bytes, bytes]], path: str, send: Send) -> None:
        self.started = False
        self._fixed = fixed
        self._static = path.startswith(f"{STATIC}/")
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass a part of it on."""
        if message["type"] == "http.response.start":
            self.started = True
            headers = list(message.get("headers", ()))
            if self._static:
                headers.append((b"cache-control", b"no-cache"))  # the browser asks whether it has changed
            known = {name.lower() for name, _ in headers}
            message["headers"] = [*headers, *(each for each in self._fixed if each[0] not in known)]
        await self._send(message)


def fixed_headers(*, secure: bool) -> list[tuple[bytes, bytes]]:
    """HEADERS as they are sent."""
    wanted = (*HEADERS, HSTS) if secure else HEADERS
    return [(name.encode(), value.encode()) for name, value in wanted]


async def bounded(request: Request, most: int) -> Request:
    """Read a body. Gives a request that has it. Raises Refused for one that is longer, or not a length."""
    said = request.headers.get("content-length", "0")
    if not (said.isascii() and said.isdigit()):
        raise Refused(HTTPStatus.BAD_REQUEST, "base.bad_length")
    if int(said[:20]) > most:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "base.too_large", most=most)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "base.too_large", most=most)
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def receive() -> Message:
        return whole.pop() if whole else await request.receive()

    return Request(request.scope, receive)


def sent_by_us(request: Request) -> bool:
    """Whether a request that changes something comes from a page of ours, or from a machine with a token."""
    if "sec-fetch-site" in request.headers or "origin" in request.headers:
        return same_origin(request)
    return request.headers.get("authorization", "") != ""  # without one a cookie counts


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


def theme_of(request: Request) -> str:
    """light or dark; "": as the browser's system has it."""
    chosen = request.cookies.get(THEME, "")
    return chosen if chosen in THEMES else ""
