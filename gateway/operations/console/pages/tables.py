"""The section tables: the tables in force with their provenance, the explain boxes, and the reload."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from commands.tables import Tables
from gateway.operations.console.audited import Did
from gateway.operations.console.page import Page, Section, Visit
from gateway.operations.console.reasons import LONGEST_REASON, is_reason
from gateway.operations.console.refused import Refused
from gateway.operations.console.rights import Right, Viewer
from gateway.operations.console.tables.explained import (
    LONGEST_TEXT,
    asked,
    route_explained,
    text_explained,
)
from gateway.operations.console.tables.service import Reloaded
from gateway.operations.console.tables.views import (
    KEYS,
    MOST_ROWS,
    PROVENANCES,
    ShownTable,
    matching,
)
from gateway.operations.control import Item
from gateway.operations.log_lines import escaped
from routing.ported import FILE as PORTED

PAGE_ROWS: Final = 200
"""Rows on one page of a table."""
SHOWN_CHANGES: Final = 500
LONGEST_FIND: Final = 100
LONGEST_FORM: Final = 16_384
"""Octets of the form of a reload."""
_MOBILE: Final = re.compile(r"\b(1\d{2})\d{4}(\d{4})\b")

Explains = Callable[[Tables, Viewer, Mapping[str, str]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows of a table are wanted. provenance, find: "" for all. page: from 1."""

    provenance: str
    find: str
    page: int

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Chosen":
        """What a request asks for. Raises Refused."""
        provenance = query.get("provenance", "")
        if provenance and provenance not in PROVENANCES:
            allowed = ", ".join(PROVENANCES)
            raise Refused(HTTPStatus.BAD_REQUEST, "tables.bad_provenance", allowed=allowed)
        page = query.get("page", "1")
        if not (page.isascii() and page.isdigit() and int(page[:6]) > 0 and len(page) <= 6):
            raise Refused(HTTPStatus.BAD_REQUEST, "tables.bad_page")
        return cls(provenance, asked(query, "find", LONGEST_FIND, wanted=False), int(page))

    def address(self, page: int) -> str:
        """The query of another page of the same rows."""
        return "?" + urlencode({"provenance": self.provenance, "find": self.find, "page": page})


async def table_named(visit: Visit) -> ShownTable:
    """The table that the path names. Raises Refused 404."""
    name = visit.request.path_params["name"]
    for each in await visit.services.tables.shown():
        if each.key == name:
            return each
    if name in KEYS:
        raise Refused(HTTPStatus.NOT_FOUND, "tables.optional", name=name)
    raise Refused(HTTPStatus.NOT_FOUND, "tables.no_table", allowed=", ".join(KEYS))


async def show(visit: Visit) -> Response:
    """Which tables are in force."""
    service = visit.services.tables
    shown = await service.shown()
    tables = service.in_force.tables
    return await visit.drawn(
        "tables.html",
        tables=shown,
        version=tables.version,
        since=_local(visit, service.reloads.since_ms),
        folder=tables.folder,
        provenances=PROVENANCES,
        reloaded=visit.request.query_params.get("reloaded") == tables.version,
    )


async def show_one(visit: Visit) -> Response:
    """The rows of one table."""
    chosen = Chosen.of(visit.request.query_params)
    table = await table_named(visit)
    rows = await visit.services.compute(
        lambda: matching(table, chosen.find, chosen.provenance), visit.viewer.name
    )
    begin = (chosen.page - 1) * PAGE_ROWS
    return await visit.drawn(
        "table.html",
        table=table,
        rows=rows[begin : begin + PAGE_ROWS],
        found=len(rows),
        pages=max(1, -(-len(rows) // PAGE_ROWS)),
        chosen=chosen,
        provenances=PROVENANCES,
        kept=MOST_ROWS,
        longest=LONGEST_FIND,
        escaped=escaped,
    )


async def explain(visit: Visit) -> Response:
    """The explain boxes: `box` says which of both was filled in."""
    query = visit.request.query_params
    status, given = HTTPStatus.OK, {}
    boxes: Mapping[str, Explains] = {"route": route_explained, "text": text_explained}
    values: dict[str, Any] = {}
    wrong, box = "", query.get("box", "")
    if box in boxes:
        given = {name: query.get(name, "")[:LONGEST_TEXT] for name in ("destination", "sender", "text")}
        try:
            values = boxes[box](visit.services.in_force.tables, visit.viewer, query)
        except Refused as refused:
            wrong, status = refused.said(visit.text), HTTPStatus(refused.status)
    considered = values.pop("considered", [])
    return await visit.drawn(
        "explain.html",
        status,
        box=box,
        given=given,
        wrong=wrong,
        values=values,
        considered=considered,
        longest=LONGEST_TEXT,
        sentence=_sentence(visit, values.get("reason", "")),
        escaped=escaped,
    )


async def preview(visit: Visit) -> Response:
    """What a reload would change."""
    return await _reload_page(visit, await visit.services.tables.preview(), HTTPStatus.OK)


async def reload(visit: Visit) -> Response:
    """Put the files in force that the visitor has seen."""
    form = await visit.form()
    was, version, reason = (form.get(name, "").strip() for name in ("was", "version", "reason"))
    service = visit.services.tables
    seen = await service.preview()
    if seen.faults:
        return await _reload_page(visit, seen, HTTPStatus.CONFLICT, "tables.refused", reason)
    if (seen.was, seen.version) != (was, version):
        return await _reload_page(visit, seen, HTTPStatus.CONFLICT, "tables.moved", reason)
    if not is_reason(reason):
        return await _reload_page(visit, seen, HTTPStatus.BAD_REQUEST, "tables.reason_wanted", reason)
    await visit.note(Did.RELOADED, version, reason)  # first: what cannot be written down is not done
    done = await service.reload(was, version)
    if not done.applied and was != version:
        return await _reload_page(visit, done, HTTPStatus.CONFLICT, "tables.moved", reason)
    return RedirectResponse(f"/tables?reloaded={version}", HTTPStatus.SEE_OTHER)


async def _reload_page(
    visit: Visit, reloaded: Reloaded, status: HTTPStatus, problem: str = "", reason: str = ""
) -> Response:
    shown = [_masked(change) for change in reloaded.changes[:SHOWN_CHANGES]]
    return await visit.drawn(
        "reload.html",
        status,
        back="/tables/reload",
        reloaded=reloaded,
        changes=shown,
        more=reloaded.count - sum(change.get("more", 1) for change in reloaded.changes[:SHOWN_CHANGES]),
        problem=problem,
        reason=reason[:LONGEST_REASON],
        longest=LONGEST_REASON,
        folder=visit.services.in_force.tables.folder,
        escaped=escaped,
    )


def _masked(change: Item) -> Item:
    """A change without the numbers of customers."""
    if change["table"] != PORTED:
        return change
    cells = {
        column: {when: _MOBILE.sub(r"\1****\2", text) for when, text in pair.items()}
        for column, pair in change["cells"].items()
    }
    return {**change, "row": _MOBILE.sub(r"\1****\2", change["row"]), "cells": cells}


def _sentence(visit: Visit, name: str) -> str:
    """The sentence of the service with an id, with its placeholders; "" for none."""
    found = visit.services.in_force.tables.commands.sentences.by_id.get(name)
    return "" if found is None else found.render({each: f"{{{each}}}" for each in found.names})


def _local(visit: Visit, ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC).astimezone(visit.services.zone):%Y-%m-%d %H:%M:%S}"


SECTION = Section(
    "tables",
    "/tables",
    Right.TABLES,
    (
        Page("/tables", show, Right.TABLES),
        Page("/tables/explain", explain, Right.TABLES),
        Page("/tables/reload", preview, Right.RELOAD),
        Page("/tables/reload", reload, Right.RELOAD, method="POST", body=LONGEST_FORM),
        Page("/tables/{name}", show_one, Right.TABLES),
    ),
)
