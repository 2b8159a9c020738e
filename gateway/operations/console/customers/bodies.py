"""Reads what a visitor sends, a form or JSON, as a model."""

import json
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.operations.console.customers.saying import is_api
from gateway.operations.console.page import Visit
from gateway.operations.console.refused import Refused

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
            raise Refused(HTTPStatus.BAD_REQUEST, f"customers.wrong_{field}") from None
        place = field or "the body"
        raise Refused(HTTPStatus.BAD_REQUEST, "customers.wrong", field=place, why=first["msg"]) from None


async def _json(visit: Visit) -> Any:
    try:
        return json.loads(await visit.request.body())
    except (ValueError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "customers.no_json") from error
