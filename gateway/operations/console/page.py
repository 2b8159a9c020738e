"""What a page of the console is: its path, the right that it asks for, and the function that answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from gateway.operations.console.audited import Did
from gateway.operations.console.refused import Refused as Refused
from gateway.operations.console.rights import Right, Viewer
from gateway.operations.console.services import Services
from gateway.storage.accounts import AuditEntry

BODY_MOST: Final = 65_536
"""Octets of a body, unless a page says more."""
FIELDS_MOST: Final = 500


class Kind(Enum):
    """How a route answers, and so how it refuses."""

    PAGE = "page"  # HTML; who is not logged in is sent to the login
    API = "api"  # JSON; 401 and 403 as JSON
    STREAM = "stream"  # server-sent events
    FILE = "file"  # a download


class Renders(Protocol):
    """Makes pages (gateway.operations.console.rendering)."""

    def page(self, visit: "Visit", template: str, status: int, values: Mapping[str, Any]) -> Response:
        """Render a template."""

    def text(self, language: str, key: str, values: Mapping[str, object]) -> str:
        """A text. Raises KeyError for one that is in no file."""


async def _always() -> bool:
    return True


@dataclass(slots=True)
class Visit:
    """One request that was let in. viewer: who asks; nobody has come so far without the right of the page.

    language: zh or en. theme: light or dark; "": as the browser's system has it. still: whether the viewer is
    still logged in, and has the right: for what lasts.
    """

    request: Request
    viewer: Viewer
    services: Services
    rendering: Renders
    language: str
    theme: str = ""
    still: Callable[[], Awaitable[bool]] = _always

    @property
    def remote(self) -> str:
        """The address of the browser."""
        return self.services.sessions.remote(self.request)

    @property
    def here(self) -> str:
        """Path and query of this page."""
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    def time(self, at: int) -> str:
        """A time (ms since the epoch) in service.timezone; "" for 0."""
        moment = datetime.fromtimestamp(at / 1000, self.services.zone)
        return moment.strftime("%Y-%m-%d %H:%M:%S") if at else ""

    async def form(self) -> dict[str, str]:
        """The fields of a form (application/x-www-form-urlencoded). Of several of one name the last counts.

        Raises Refused for what is no form.
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "base.no_form")
        try:
            text = (await self.request.body()).decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MOST)
            if any("\0" in value for _, value in pairs):  # not every store keeps it
                raise ValueError("NUL")
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, "base.bad_form") from error
        return dict(pairs)

    async def note(self, action: Did, subject: str, reason: str = "") -> None:
        """Write down in the audit what the viewer has done. subject: a mobile, an account, an id."""
        now = self.services.clock.now_ms()
        entry = AuditEntry(now, self.viewer.name, action, subject, reason, self.remote)
        await self.services.store.note(entry)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Render a template, which gets these values, `viewer`, `language` and `t` (texts)."""
        return self.rendering.page(self, template, status, values)

    async def drawn(self, template: str, status: int = 200, **values: Any) -> Response:
        """The same beside the event loop, for pages that may be large. Raises Refused 503: too many wait."""
        return await self.services.compute(lambda: self.page(template, status, **values), self.viewer.name)

    def text(self, key: str, **values: object) -> str:
        """A text of gateway/operations/console/texts in the visitor's language."""
        return self.rendering.text(self.language, key, values)


Endpoint: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One route. right: None for what everybody may see, logged in or not. method: GET or POST.

    A POST comes from our own pages (gateway.operations.console.application checks that), or with a token.
    body: octets that its body may have. summary, parameters, answer: for the description of the API (kind
    API): parameters name -> what it is, answer: a JSON Schema.
    """

    path: str
    endpoint: Endpoint
    right: Right | None
    kind: Kind = Kind.PAGE
    method: str = "GET"
    body: int = BODY_MOST
    summary: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """A group of pages. name: key of its texts (texts/NAME.yaml). path: where the navigation leads; "" for
    what stands in no navigation. right: who sees it there."""

    name: str
    path: str
    right: Right | None
    pages: Sequence[Page]
