"""The section customers of the console: look a customer up, see how things stand, and do what he asks for."""

import secrets
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse, RedirectResponse, Response

from commands.actions import ACTIONS
from commands.parser import MOBILE_DIGITS
from gateway.operations.console.audited import Did
from gateway.operations.console.customers.acting import Came, Opening, Wanted, act, note
from gateway.operations.console.customers.bodies import LONGEST, sent
from gateway.operations.console.customers.looking import look
from gateway.operations.console.customers.numbers import key_of, msisdn_of, typed
from gateway.operations.console.customers.showing import Showing
from gateway.operations.console.messages.wording import Wording
from gateway.operations.console.page import Kind, Page, Section, Visit
from gateway.operations.console.refused import Refused, Said
from gateway.operations.console.rights import Right

ANSWERS: Final = ("free", "charges", "cancel", "who", "password", "protected", "voice")
"""Standard answers, in their order: keys of texts/customers.yaml."""


async def search(visit: Visit) -> Response:
    """The form to look a customer up, and the standard answers."""
    return visit.page("customers.html", answers=ANSWERS)


async def find(visit: Visit) -> Response:
    """Look a customer up: to his page, whose address does not tell his number."""
    number = (await visit.form()).get("number", "")
    msisdn = await _held(visit, number)
    await note(visit, Did.SEARCHED, msisdn, "")
    key = key_of(visit.services.agents.keys, msisdn)
    return RedirectResponse(f"/customers/{key}", HTTPStatus.SEE_OTHER)


async def show(visit: Visit) -> Response:
    """A customer, his number masked."""
    return await _page(visit, _of_address(visit))


async def unmask(visit: Visit) -> Response:
    """A customer with his number; that is written down first."""
    msisdn = _of_address(visit)
    if not visit.viewer.may(Right.CUSTOMERS):
        lacks = Said(f"base.right_{Right.CUSTOMERS}")
        raise Refused(HTTPStatus.FORBIDDEN, "base.lacks", name=visit.viewer.name, right=lacks)
    opening = await sent(visit, Opening)
    await note(visit, Did.OPENED, msisdn, opening.reason)
    return await _page(visit, msisdn, opened=True)


async def do(visit: Visit) -> Response:
    """Do what an agent asks for, and show what came of it."""
    msisdn = _of_address(visit)
    wanted = await sent(visit, Wanted)
    came = await act(visit, wanted, msisdn)
    return await _page(visit, msisdn, came=came)


async def api_show(visit: Visit) -> Response:
    """A customer as JSON, his number masked."""
    msisdn = await _held(visit, visit.request.path_params["number"])
    await note(visit, Did.SEARCHED, msisdn, "")
    return JSONResponse(await _customer(visit, msisdn, Showing(visit.services.zone, _now(visit))))


async def api_do(visit: Visit) -> Response:
    """Do what a machine asks for."""
    msisdn = await _held(visit, visit.request.path_params["number"])
    wanted = await sent(visit, Wanted)
    came = await act(visit, wanted, msisdn)
    return JSONResponse(Showing(visit.services.zone, _now(visit)).came(came))


def _now(visit: Visit) -> int:
    return visit.services.clock.now_ms()


def _seen(visit: Visit, msisdn: str | None, key: str) -> str:
    """The mobile, if the viewer sees the province of its home. Raises Refused 404, with the same text for
    somebody else's customer as for a number that nobody has."""
    if msisdn is None or not visit.viewer.sees(visit.services.in_force.home(msisdn)):
        raise Refused(HTTPStatus.NOT_FOUND, f"customers.{key}")
    return msisdn


def _of_address(visit: Visit) -> str:
    msisdn = msisdn_of(visit.services.agents.keys, visit.request.path_params["key"])
    return _seen(visit, msisdn, "no_address")


async def _held(visit: Visit, text: str) -> str:
    """The mobile of a number that somebody has typed. Raises Refused 404."""
    msisdn, fetion_number = typed(visit.services.in_force.tables, text)
    found: str | None = msisdn or None
    if fetion_number:
        found = await visit.services.read(lambda reader: reader.holder(fetion_number))
    return _seen(visit, found, "no_number")


async def _customer(visit: Visit, msisdn: str, showing: Showing) -> dict[str, Any]:
    services = visit.services
    seen = await services.read(
        lambda reader: look(reader, msisdn, showing.now, services.zone, services.agents.limits)
    )
    tables = services.in_force.tables
    province = tables.routing.provinces[services.in_force.home(msisdn)]
    foreign = tables.commands.parser.is_foreign(msisdn)
    name = province.zh if visit.language == "zh" else province.en
    return showing.customer(seen, name, foreign=foreign)


async def _page(visit: Visit, msisdn: str, *, opened: bool = False, came: Came | None = None) -> Response:
    showing = Showing(visit.services.zone, _now(visit), opened)
    return await visit.drawn(
        "customer.html",
        back=f"/customers/{visit.request.path_params['key']}",
        customer=await _customer(visit, msisdn, showing),
        key=key_of(visit.services.agents.keys, msisdn),
        opened=opened,
        may_act=visit.viewer.may(Right.ACT),
        may_open=visit.viewer.may(Right.UNMASK),
        came=None if came is None else showing.came(came),
        request_id=secrets.token_hex(16),
        answers=ANSWERS,
        known=tuple(ACTIONS),
        wording=Wording(visit.text, visit.language, visit.services.zone, visit.services.in_force.tables),
    )


_ROW: Final = {
    "type": "object",
    "properties": {
        **{each: {"type": "string"} for each in ("message_id", "at", "way", "instruction", "outcome")},
        **{each: {"type": "string"} for each in ("action", "actor", "reason")},
        "code": {"type": "integer"},
        "replies": {"type": "array", "items": {"type": "string"}},
    },
}
_CUSTOMER: Final = {
    "type": "object",
    "properties": {
        **{each: {"type": "string"} for each in ("msisdn", "province", "state", "fetion_number")},
        **{each: {"type": "string"} for each in ("nickname", "opened_at", "opened_by", "refuses_until")},
        **{each: {"type": "boolean"} for each in ("foreign", "protected", "hides_mobile")},
        **{each: {"type": "integer"} for each in ("buddies", "left_today", "left_this_month")},
        **{each: {"type": "array", "items": {"type": "string"}} for each in ("questions", "actions")},
        **{each: {"type": "array", "items": {"type": "object"}} for each in ("orders", "lost")},
        **{each: {"type": "array", "items": _ROW} for each in ("instructions", "failures")},
        "paused": {"anyOf": [_ROW, {"type": "null"}]},
        "back_to": {"type": "string"},
    },
}
_CAME: Final = {
    "type": "object",
    "properties": {
        **{each: {"type": "string"} for each in ("action", "request", "message_id", "outcome")},
        "again": {"type": "boolean"},
        "code": {"type": "integer"},
        "replies": {"type": "array", "items": {"type": "string"}},
    },
}
_NUMBER: Final = {"number": f"a mobile of {MOBILE_DIGITS} digits, or a Fetion number of 9"}

SECTION = Section(
    "customers",
    "/customers",
    Right.CUSTOMERS,
    (
        Page("/customers", search, Right.CUSTOMERS),
        Page("/customers", find, Right.CUSTOMERS, method="POST", body=LONGEST),
        Page("/customers/{key}", show, Right.CUSTOMERS),
        Page("/customers/{key}/opened", unmask, Right.UNMASK, method="POST", body=LONGEST),
        Page("/customers/{key}/actions", do, Right.ACT, method="POST", body=LONGEST),
        Page(
            "/api/v1/customers/{number}",
            api_show,
            Right.CUSTOMERS,
            Kind.API,
            summary="A customer: state, products, quotas, the latest instructions. The number is masked.",
            parameters=_NUMBER,
            answer=_CUSTOMER,
        ),
        Page(
            "/api/v1/customers/{number}/actions",
            api_do,
            Right.ACT,
            Kind.API,
            method="POST",
            body=LONGEST,
            summary="Do something for a customer. The same request again gives what came of the first one.",
            parameters={
                **_NUMBER,
                "action": "unlock, reset_password, resend_notice, open, cancel, suspend or resume",
                "reason": "who wants it and why: 1 to 200 characters",
                "request": "drawn by you, another one for each action: 16 to 64 letters, digits, - or _",
            },
            answer=_CAME,
        ),
    ),
)
