"""Reads what a visitor sends, a form or JSON, as a model."""

import json
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.operations.console.customers.saying import is_api, refused
from gateway.operations.console.page import Refused, Visit

LONGEST: Final = 16_384
"""Octets of a body."""

M = TypeVar("M", bound=BaseModel)


async def sent(visit: Visit, model: type[M]) -> M:
    """What came. Raises Refused, which names the field that is wrong."""
    given = await _json(visit) if is_api(visit) else await visit.form()
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        if not is_api(visit) and field in model.model_fields:
            raise refused(visit, HTTPStatus.BAD_REQUEST, f"wrong_{field}") from None
        raise Refused(HTTPStatus.BAD_REQUEST, f"{field or 'the body'}: {first['msg']}") from None


async def _json(visit: Visit) -> Any:
    try:
        return json.loads(await visit.request.body())
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON: send an object") from error
