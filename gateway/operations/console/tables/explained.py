"""The explain boxes: what was typed, bounded and checked, and what the tables make of it. Nothing is kept."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from commands.tables import Tables
from gateway.operations.console.refused import Refused
from gateway.operations.console.rights import Viewer
from gateway.operations.explaining import REFUSED, refusal, text_values

LONGEST_ADDRESS: Final = 64
LONGEST_TEXT: Final = 1000
"""Characters. The longest SMS of 15 parts in UCS-2 has 1,005."""


def asked(query: Mapping[str, str], name: str, longest: int, *, wanted: bool = True) -> str:
    """A parameter. Raises Refused 400 for one that is too long, or missing although it is wanted."""
    given = query.get(name, "")
    if len(given) > longest:
        raise Refused(HTTPStatus.BAD_REQUEST, "tables.long_parameter", name=name, longest=longest)
    if wanted and not given:
        raise Refused(HTTPStatus.BAD_REQUEST, "tables.no_parameter", name=name)
    return given


def route_explained(tables: Tables, viewer: Viewer, query: Mapping[str, str]) -> dict[str, Any]:
    """The answer of `explain route` for the address `destination`, texted by `sender` (optional).

    Raises Refused.
    """
    destination = asked(query, "destination", LONGEST_ADDRESS)
    return tables.routing.explain(destination, _sender(tables, viewer, query) or None).as_dict()


def text_explained(tables: Tables, viewer: Viewer, query: Mapping[str, str]) -> dict[str, Any]:
    """The answer of `explain text` for the text `text` that `sender` (optional) texted to `destination`.

    Raises Refused.
    """
    text = asked(query, "text", LONGEST_TEXT)
    to, sender = asked(query, "destination", LONGEST_ADDRESS), _sender(tables, viewer, query)
    if refused := refusal(tables.routing, to, sender):
        return {"instruction": REFUSED, "refused": ": ".join(refused)}
    return text_values(tables.routing, tables.commands.parser, text, to, sender).as_dict()


def _sender(tables: Tables, viewer: Viewer, query: Mapping[str, str]) -> str:
    """The 11 digits of the sender; "" without one. Raises Refused."""
    given = asked(query, "sender", LONGEST_ADDRESS, wanted=False).strip()
    if not given:
        return ""
    msisdn = tables.msisdn(given)
    if msisdn is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "tables.bad_sender")
    # Where a mobile was ported to is a fact about a customer: a province learns it of its own ones only.
    if not viewer.sees(tables.home(tables.routing.main_number(msisdn) or msisdn)):
        raise Refused(HTTPStatus.FORBIDDEN, "tables.foreign_sender")
    return msisdn
