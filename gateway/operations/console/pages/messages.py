"""The section messages of the console: what happened to an SMS."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import JSONResponse, RedirectResponse, Response

from gateway.message import message_id, number_of
from gateway.operations.console.audited import Did
from gateway.operations.console.masks import masking
from gateway.operations.console.messages.description import FOUND, ID, ONE, SEARCHED
from gateway.operations.console.messages.query import (
    FIELDS,
    OUTCOMES,
    STATES,
    Query,
    Unclear,
    query_of,
    written,
)
from gateway.operations.console.messages.searching import PER_PAGE, Results, search
from gateway.operations.console.messages.showing import ShownSms, Sight, shown_sms
from gateway.operations.console.messages.wording import Wording
from gateway.operations.console.page import Kind, Page, Refused, Section, Visit
from gateway.operations.console.reasons import LONGEST_REASON, is_reason
from gateway.operations.console.rights import Right
from gateway.operations.console.streams import stream
from gateway.operations.timeline.records import utc
from gateway.operations.timeline.steps import Life
from gateway.storage.contract import StorageError
from gateway.storage.reader import ENDLESS, Reader, Wanted

API: Final = "/api/"


async def find(visit: Visit) -> Response:
    """The form, and what a search found."""
    given = visit.request.query_params
    if name := given.get("id", "").strip():
        number = _number(name)
        return RedirectResponse(f"/messages/{message_id(number)}", HTTPStatus.SEE_OTHER)
    fields = {name: given.get(name, "") for name in FIELDS}
    try:
        query = query_of(given, visit.services.in_force.tables, visit.services.zone)
    except Unclear as unclear:
        why = visit.text(f"messages.{unclear.key}", value=unclear.value)
        return await _found(visit, fields, None, HTTPStatus.BAD_REQUEST, wrong=unclear.field, why=why)
    return await _found(visit, fields, await _search(visit, query))


async def show(visit: Visit) -> Response:
    """One SMS, with its numbers masked."""
    return await _page(visit, await _seen(visit, await _life(visit)))


async def show_opened(visit: Visit) -> Response:
    """The same with numbers and text, after it was written down who wanted that and why."""
    number = _number(visit.request.path_params["id"])
    sms = await _seen(visit, await _life(visit))
    reason = (await visit.form()).get("reason", "").strip()
    if not is_reason(reason):
        why = visit.text("messages.bad_reason", most=LONGEST_REASON)
        return await _page(visit, sms, HTTPStatus.BAD_REQUEST, why)
    try:
        await visit.note(Did.OPENED, message_id(number), reason)
    except StorageError as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "messages.not_noted") from error
    return await _page(visit, await _seen(visit, await _life(visit), opened=True))


async def follow(visit: Visit) -> Response:
    """Tell of one SMS while it moves: `life` (JSON: html, over) at each change, then `end`."""
    number = _number(visit.request.path_params["id"])
    await _seen(visit, await _life(visit))
    return stream(visit, _told(visit, number))


async def _told(visit: Visit, number: int) -> AsyncGenerator[tuple[str, Any], None]:
    async with aclosing(visit.services.lives.watch(number, visit.services.read)) as lives:
        async for life in lives:
            sms = _shown(visit, life, number)
            if sms is None:
                break
            html = bytes(visit.page("messages_life.html", **_values(visit, sms)).body).decode()
            yield "life", {"html": html, "over": sms.over}
    yield "end", {}


async def find_api(visit: Visit) -> Response:
    """The search for programs."""
    given = visit.request.query_params
    try:
        query = query_of(given, visit.services.in_force.tables, visit.services.zone)
    except Unclear as unclear:
        key, values = f"messages.{unclear.key}", {"value": unclear.value}
        why = visit.rendering.text("en", key, values)
        raise Refused(HTTPStatus.BAD_REQUEST, "messages.wrong", field=unclear.field, why=why) from unclear
    results = await _search(visit, query)
    mask = masking()
    found = [
        {
            "message_id": message_id(hit.number),
            "direction": query.direction,
            "at": utc(hit.at),
            "from": mask(hit.source),
            "to": mask(hit.destination),
            "instruction": hit.instruction,
            "result": hit.result,
            "home_province": hit.home,
        }
        for hit in results.hits
    ]
    answer = {
        "messages": found,
        "before": written(results.before) or None,
        "looked_at": results.rows,
        "back_to": utc(results.at) if results.at else None,
    }
    return JSONResponse(answer)


async def show_api(visit: Visit) -> Response:
    """One SMS for programs."""
    return JSONResponse((await _seen(visit, await _life(visit))).for_programs())


def _number(text: str) -> int:
    """Read a message id. Raises Refused."""
    try:
        return number_of(text)
    except ValueError as error:
        raise Refused(HTTPStatus.NOT_FOUND, "messages.bad_id", value=text[:LONGEST_REASON]) from error


async def _life(visit: Visit) -> Life:
    number = _number(visit.request.path_params["id"])
    return await visit.services.lives.read(number, visit.services.read)


async def _seen(visit: Visit, life: Life, *, opened: bool = False) -> ShownSms:
    """The SMS of the path, as this viewer may see it. Raises Refused: there is none, or none for it."""
    number = _number(visit.request.path_params["id"])
    sms = _shown(visit, life, number, opened=opened)
    if sms is not None:
        return sms
    gone = await visit.services.read(lambda reader: _is_gone(reader, number))
    key = "messages.gone" if gone else "messages.unknown_id"
    raise Refused(HTTPStatus.NOT_FOUND, key, value=message_id(number))


def _shown(visit: Visit, life: Life, number: int, *, opened: bool = False) -> ShownSms | None:
    language = "en" if visit.request.url.path.startswith(API) else visit.language
    limits = visit.services.lives.limits
    return shown_sms(life, number, _sight(visit), limits, opened=opened, language=language)


def _is_gone(reader: Reader, number: int) -> bool:
    """Whether an SMS is older than all that are kept of its node."""
    return not reader.search_in(Wanted(), (min(number + 1, ENDLESS),), 1, 1).rows


def _sight(visit: Visit) -> Sight:
    viewer, home = visit.viewer, visit.services.in_force.home
    return Sight(lambda msisdn: viewer.sees(home(msisdn)), home, viewer.sees_all)


async def _search(visit: Visit, query: Query) -> Results:
    """Search. Who asks for a whole number learns what is masked where he tries many: each time is written
    down. Raises StorageError where it cannot be."""
    if query.whole_number:
        await visit.note(Did.SEARCHED, query.whole_number)
    home, viewer = visit.services.in_force.home, visit.viewer
    sees = None if viewer.sees_all else viewer.sees
    return await visit.services.read(lambda reader: search(reader, query, home, sees))


async def _found(
    visit: Visit,
    fields: Mapping[str, str],
    results: Results | None,
    status: int = HTTPStatus.OK,
    *,
    wrong: str = "",
    why: str = "",
) -> Response:
    """The page of a search. results: None where the fields were wrong."""
    older, hits, wording = "", list[dict[str, str]](), _wording(visit)
    if results is not None:
        hits = [wording.row(hit) for hit in results.hits]
        if results.before:
            asked = {name: value for name, value in fields.items() if value}
            older = "?" + urlencode({**asked, "before": written(results.before)})
    return await visit.drawn(
        "messages.html",
        status,
        fields=fields,
        results=results,
        hits=hits,
        full=len(hits) == PER_PAGE,
        older=older,
        wrong=wrong,
        why=why,
        instructions=wording.instructions,
        outcomes=OUTCOMES,
        states=tuple(STATES),
        wording=wording,
    )


async def _page(visit: Visit, sms: ShownSms, status: int = HTTPStatus.OK, why: str = "") -> Response:
    return await visit.drawn(
        "messages_one.html",
        status,
        back=visit.request.url.path,
        why=why,
        most=LONGEST_REASON,
        **_values(visit, sms),
    )


def _values(visit: Visit, sms: ShownSms) -> dict[str, Any]:
    wording = _wording(visit)
    return {"sms": sms, "facts": wording.facts(sms), "wording": wording}


def _wording(visit: Visit) -> Wording:
    services = visit.services
    return Wording(visit.text, visit.language, services.zone, services.in_force.tables)


SECTION = Section(
    "messages",
    "/messages",
    Right.MESSAGES,
    (
        Page("/messages", find, Right.MESSAGES),
        Page("/messages/{id}", show, Right.MESSAGES),
        Page("/messages/{id}", show_opened, Right.UNMASK, method="POST"),
        Page("/live/messages/{id}", follow, Right.MESSAGES, Kind.STREAM),
        Page(
            "/api/v1/messages",
            find_api,
            Right.MESSAGES,
            Kind.API,
            summary="Search SMS, newest first, numbers masked",
            parameters=SEARCHED,
            answer=FOUND,
        ),
        Page(
            "/api/v1/messages/{id}",
            show_api,
            Right.MESSAGES,
            Kind.API,
            summary="What happened to one SMS, with its cause and its effects; numbers masked, no text",
            parameters=ID,
            answer=ONE,
        ),
    ),
)
