"""The section phones of the console: whoever looks is a handset with a test number."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import JSONResponse, RedirectResponse, Response

from gateway.channels.phones.channel import LONGEST
from gateway.channels.phones.conversations import KEPT, PhoneSms
from gateway.operations.console.page import Kind, Page, Refused, Section, Visit
from gateway.operations.console.phones.shown import (
    LISTED,
    channel_of,
    listed,
    numbers_of,
    playable,
    shown,
    submit,
)
from gateway.operations.console.rights import Right
from gateway.operations.console.streams import stream

BESIDE: Final = 4
"""Phones that are shown side by side."""
ANSWERED: Final = 2.0
"""Seconds that the answer to an SMS is waited for before the page is shown without it."""
BODY_MOST: Final = 16_384
"""Octets of a form or a JSON body: a text of LONGEST, encoded."""
PHONES: Final = {
    "type": "object",
    "properties": {
        "phones": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "number": {"type": "string"},
                    "province": {"type": "string", "description": "code of its home"},
                    "messages": {"type": "integer", "description": "SMS that are kept of it"},
                },
            },
        },
        "total": {"type": "integer", "description": "numbers of console.phones"},
    },
}
SMS: Final = {
    "type": "object",
    "required": ["number", "phone", "received", "other", "text", "at", "message_id", "state", "reason"],
    "properties": {
        "number": {"type": "integer", "description": "counts the SMS of all phones since the start"},
        "phone": {"type": "string"},
        "received": {"type": "boolean", "description": "it came to the phone"},
        "other": {"type": "string", "description": "the number that it was sent to, or came from"},
        "text": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "time": {"type": "string", "description": "the same, hours to seconds"},
        "message_id": {
            "type": "string",
            "description": "as trace and log have it; empty: none yet",
        },
        "state": {"enum": ["under_way", "sent", "failed", "unknown", "received"]},
        "reason": {"type": "string", "description": "why it failed, empty if it did not"},
        "said": {"type": "string", "description": "state and reason in words"},
    },
}


async def choose(visit: Visit) -> Response:
    """Choose one or several phones."""
    wanted = [each.strip() for each in visit.request.query_params.getlist("number") if each.strip()]
    if wanted:
        numbers = [playable(visit, each) for each in _some(wanted)]
        return RedirectResponse(address(numbers), HTTPStatus.SEE_OTHER)
    if visit.services.phones is None:
        return visit.page("phones.html", phones=[], total=0, listed=LISTED)
    return visit.page("phones.html", phones=listed(visit), total=len(numbers_of(visit)), listed=LISTED)


async def show(visit: Visit) -> Response:
    """One phone, and those of ?with= beside it."""
    return await _show(visit, _numbers(visit))


async def send(visit: Visit) -> Response:
    """What the form of a phone sends; then the page again. A fault is shown at its phone, with what was
    typed."""
    numbers, form = _numbers(visit), await visit.form()
    number, to, text = form.get("phone", numbers[0]), form.get("to", ""), form.get("text", "")
    if number not in numbers:
        raise Refused(HTTPStatus.BAD_REQUEST, "phones.fault_no_phone")
    try:
        sms = await submit(visit, number, to, text)
    except Refused as refused:
        typed = {"phone": number, "to": to, "text": text, "fault": refused.said(visit.text)}
        return await _show(visit, numbers, typed, refused.status)
    await _answered(visit, sms)
    return RedirectResponse(f"{address(numbers)}#phone-{number}", HTTPStatus.SEE_OTHER)


async def live(visit: Visit) -> Response:
    """Each SMS of the phones that were asked for, when it is new or its state changes."""
    numbers = [playable(visit, each) for each in _some(visit.request.query_params.getlist("number"))]
    if not numbers:
        raise Refused(HTTPStatus.BAD_REQUEST, "phones.fault_no_phone")
    return stream(visit, _changes(visit, numbers))


async def _changes(visit: Visit, numbers: list[str]) -> AsyncGenerator[tuple[str, Any], None]:
    """The run of the gateway, by which a page sees that numbers count anew; then all that is kept: what came
    between the page and its stream is in it."""
    conversations, seen = channel_of(visit).conversations, 0
    yield "run", visit.services.store.run
    with conversations.watched() as event:
        while True:
            event.clear()
            fresh = [sms for number in numbers for sms in conversations.of(number, seen)]
            for sms in sorted(fresh, key=lambda each: each.revision):
                seen = sms.revision
                yield "sms", shown(visit, sms)
            await event.wait()


async def api_phones(visit: Visit) -> Response:
    """The phones."""
    if visit.services.phones is None:
        return JSONResponse({"phones": [], "total": 0})
    phones = [
        {"number": each.number, "province": each.province, "messages": each.kept} for each in listed(visit)
    ]
    return JSONResponse({"phones": phones, "total": len(numbers_of(visit))})


async def api_messages(visit: Visit) -> Response:
    """The SMS of one."""
    number = playable(visit, visit.request.path_params["number"])
    kept = channel_of(visit).conversations.of(number)
    return JSONResponse({"messages": [shown(visit, sms) for sms in kept]})


async def api_send(visit: Visit) -> Response:
    """Send an SMS from one."""
    try:
        said = json.loads(await visit.request.body())
        to, text = said["to"], said["text"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "phones.no_json") from error
    if not (isinstance(to, str) and isinstance(text, str)):
        raise Refused(HTTPStatus.BAD_REQUEST, "phones.no_texts")
    sms = await submit(visit, visit.request.path_params["number"], to, text)
    await _answered(visit, sms)
    return JSONResponse(shown(visit, sms))


async def _answered(visit: Visit, sms: PhoneSms) -> None:
    """Wait a little for the gateway's answer: a page without scripts can then show it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANSWERED):
            await channel_of(visit).conversations.settled(sms)


def address(numbers: list[str]) -> str:
    """The page of some phones."""
    first, *others = numbers
    return f"/phones/{first}" + (f"?{urlencode([('with', each) for each in others])}" if others else "")


def _numbers(visit: Visit) -> list[str]:
    """The phones of a page. Raises Refused for any that this viewer may not be."""
    others = visit.request.query_params.getlist("with")
    return [playable(visit, each) for each in _some([visit.request.path_params["number"], *others])]


def _some(numbers: list[str]) -> list[str]:
    return list(dict.fromkeys(numbers))[:BESIDE]


async def _show(
    visit: Visit, numbers: list[str], typed: dict[str, str] | None = None, status: int = HTTPStatus.OK
) -> Response:
    conversations = channel_of(visit).conversations
    phones = []
    for number in numbers:
        kept = [shown(visit, sms) for sms in conversations.of(number)]
        to = next((sms["other"] for sms in reversed(kept)), "161")
        mine = (
            typed if typed is not None and typed["phone"] == number else {"to": to, "text": "", "fault": ""}
        )
        phones.append({"number": number, "messages": kept, **mine})
    return visit.page(
        "phone.html",
        status,
        phones=phones,
        back=address(numbers),
        address=address(numbers),
        live=f"/live/phones?{urlencode([('number', each) for each in numbers])}",
        hints=await visit.services.hints.of(visit.services.in_force.tables),
        longest=LONGEST,
        kept=KEPT,
        beside=BESIDE,
    )


PATH: Final = "/phones/{number}"
API: Final = "/api/v1/phones/{number}/messages"
NUMBER: Final = {"number": "a mobile of console.phones, 11 digits"}

SECTION = Section(
    "phones",
    "/phones",
    Right.PHONES,
    (
        Page("/phones", choose, Right.PHONES),
        Page(PATH, show, Right.PHONES),
        Page(PATH, send, Right.PHONES, method="POST", body=BODY_MOST),
        Page("/live/phones", live, Right.PHONES, Kind.STREAM),
        Page(
            "/api/v1/phones",
            api_phones,
            Right.PHONES,
            Kind.API,
            summary=f"Phones that the caller may be, {LISTED} at most, and how many there are in all.",
            answer=PHONES,
        ),
        Page(
            API,
            api_messages,
            Right.PHONES,
            Kind.API,
            summary=f"The last {KEPT} SMS of a phone since the start of the gateway, the oldest first.",
            parameters=NUMBER,
            answer={"type": "object", "properties": {"messages": {"type": "array", "items": SMS}}},
        ),
        Page(
            API,
            api_send,
            Right.PHONES,
            Kind.API,
            "POST",
            BODY_MOST,
            summary="Send an SMS from a phone. The answer says how far it is within two seconds.",
            parameters={
                **NUMBER,
                "to": "the number that it is sent to, as text: 161, 12520, somebody's number behind 12520",
                "text": f"what it says, {LONGEST} characters at most",
            },
            answer=SMS,
        ),
    ),
)
