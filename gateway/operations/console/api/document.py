"""The description of the API in OpenAPI 3.1, made from the table of pages. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.operations.console.page import Kind, Page, Section

OPENAPI: Final = "3.1.0"
TOKEN: Final = "token"
"""Name of the security scheme."""
ERROR: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "what is wrong, and what to do"}},
}
ERRORS: Final[Mapping[int, str]] = {
    400: "a parameter or the body is wrong",
    401: "no token, or one that is not valid (any more)",
    403: "the account of the token lacks the right, or asks for another province",
    404: "there is no such thing",
    409: "what it was based on has changed meanwhile",
    413: "the body is too long",
    415: "the body is no JSON",
    503: "the gateway cannot answer now: try again later",
}
"""Status -> what it means. Each such answer is an Error."""
_IN_PATH: Final = re.compile(r"{(\w+)(?::\w+)?}")


@dataclass(frozen=True, slots=True)
class Operation:
    """A route of the API, and the section that it belongs to."""

    section: str
    page: Page

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it: its parameters without their forms."""
        return _IN_PATH.sub(r"{\1}", self.page.path)

    @property
    def id(self) -> str:
        """A name that no other operation has."""
        return re.sub(r"\W+", "_", f"{self.page.method.lower()} {self.path}").strip("_")

    @property
    def in_path(self) -> frozenset[str]:
        """The parameters that are part of the path."""
        return frozenset(_IN_PATH.findall(self.page.path))

    @property
    def errors(self) -> tuple[int, ...]:
        """Which of ERRORS it may answer."""
        wanted = {503}
        if self.page.parameters:
            wanted.add(400)
        if self.page.right is not None:
            wanted |= {401, 403}
        if self.in_path:
            wanted.add(404)
        if self.page.method == "POST":
            wanted |= {400, 409, 413, 415}
        return tuple(sorted(wanted))


def operations(sections: Sequence[Section]) -> list[Operation]:
    """Every route of the API, by section."""
    return [
        Operation(section.name, page)
        for section in sections
        for page in section.pages
        if page.kind is Kind.API
    ]


def document(sections: Sequence[Section], version: str) -> dict[str, Any]:
    """The description. version: of the gateway."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations(sections):
        paths.setdefault(each.path, {})[each.page.method.lower()] = _described(each)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Fetion gateway",
            "version": version,
            "description": "What operators, provinces and machines ask the gateway. docs/api.md says how.",
        },
        "security": [{TOKEN: []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                TOKEN: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "a token of an account, which has the rights of the account",
                }
            },
            "schemas": {"Error": ERROR},
            "responses": {
                f"Error{status}": {
                    "description": meaning,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
                for status, meaning in ERRORS.items()
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    page = operation.page
    found: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.section],
        "summary": page.summary,
        "responses": {
            # A POST may answer 201 or 202 too.
            "200" if page.method == "GET" else "2XX": _answer(page),
            **{str(each): {"$ref": f"#/components/responses/Error{each}"} for each in operation.errors},
        },
    }
    if parameters := list(_parameters(operation)):
        found["parameters"] = parameters
    if body := _body(operation):
        found["requestBody"] = body
    if page.right is None:
        found["security"] = []
    else:
        found["x-right"] = page.right.value
    return found


def _answer(page: Page) -> dict[str, Any]:
    if not page.answer:
        return {"description": "text", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"description": "the answer", "content": {"application/json": {"schema": dict(page.answer)}}}


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    """Those of the path, and of a GET also those of the query."""
    for name, meaning in operation.page.parameters.items():
        place = "path" if name in operation.in_path else "query"
        if place == "path" or operation.page.method == "GET":
            found = {"name": name, "in": place, "description": meaning, "schema": {"type": "string"}}
            yield found | ({"required": True} if place == "path" else {})


def _body(operation: Operation) -> dict[str, Any]:
    """The JSON object that a POST takes."""
    page = operation.page
    fields = {name: text for name, text in page.parameters.items() if name not in operation.in_path}
    if page.method != "POST" or not fields:
        return {}
    properties = {name: {"description": meaning} for name, meaning in fields.items()}
    schema = {"type": "object", "properties": properties}
    return {"required": True, "content": {"application/json": {"schema": schema}}}
