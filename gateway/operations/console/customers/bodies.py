"""Reads what a visitor sends: a form, or JSON. Both are short."""

import json
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway.operations.console.refused import Refused

LONGEST: Final = 16_384
"""Octets."""
_FIELDS: Final = 20


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form. Raises Refused."""
    try:
        text = (await _octets(request)).decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS))
    except ValueError as error:
        reason = "the form is not encoded as a browser does it: send it from the page"
        raise Refused(HTTPStatus.BAD_REQUEST, reason) from error


async def json_of(request: Request) -> Any:
    """A JSON value. Raises Refused."""
    try:
        return json.loads(await _octets(request))
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON: send an object") from error


async def _octets(request: Request) -> bytes:
    octets = b""
    async for chunk in request.stream():
        octets += chunk
        if len(octets) > LONGEST:
            reason = f"the body has more than {LONGEST} octets: shorten the reason"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
    return octets
