"""What a page of the console is: its path, the right that it asks for, and the function that answers."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from gateway.operations.console.refused import Refused as Refused
from gateway.operations.console.rights import Right, Viewer
from gateway.operations.console.services import Services


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


@dataclass(slots=True)
class Visit:
    """One request that was let in. viewer: who asks; nobody has come so far without the right of the page.

    language: zh or en.
    """

    request: Request
    viewer: Viewer
    services: Services
    rendering: Renders
    language: str

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """Render a template, which gets these values, `viewer`, `language` and `t` (texts)."""
        return self.rendering.page(self, template, status, values)

    def text(self, key: str, **values: object) -> str:
        """A text of gateway/operations/console/texts in the visitor's language."""
        return self.rendering.text(self.language, key, values)


Endpoint: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One route. right: None for what everybody may see, logged in or not. method: GET or POST.

    A POST comes from our own pages (gateway.operations.console.application checks that), or with a token.
    summary, parameters, answer: for the description of the API (kind API): parameters name -> what it is,
    answer: a JSON Schema.
    """

    path: str
    endpoint: Endpoint
    right: Right | None
    kind: Kind = Kind.PAGE
    method: str = "GET"
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
