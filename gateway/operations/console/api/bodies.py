"""What pages and the API read of a request's body, with a bound."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway.operations.console.refused import Refused

LONGEST: Final = 16_384
"""Octets of a body."""
MOST_FIELDS: Final = 50


async def body_of(request: Request, longest: int = LONGEST) -> str:
    """The body as text. Raises Refused 413 for one that is too long, 400 for one that is not UTF-8."""
    octets = bytearray()
    async for chunk in request.stream():
        octets += chunk
        if len(octets) > longest:
            reason = f"the body has more than {longest} octets: shorten it"
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is no UTF-8 text: send UTF-8") from error


async def form_of(request: Request, longest: int = LONGEST) -> dict[str, str]:
    """The fields of a form; of several of one name the last. Raises Refused."""
    text = await body_of(request, longest)
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is no form: send it from its page") from error
