"""The section of the API as a whole: index, description, and what is asked about the gateway itself."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from starlette.responses import JSONResponse, Response

from gateway.operations.console.api.document import ERRORS, document, operations
from gateway.operations.console.api.schemas import (
    LINK,
    NUMBER,
    OBJECT,
    OUTBOX,
    READ,
    ROUTE,
    STATUS,
    TABLE,
    TEXT,
    VALUE,
    listed,
    record,
)
from gateway.operations.console.page import Endpoint, Kind, Page, Section, Visit
from gateway.operations.console.pages.tables import Chosen, table_named
from gateway.operations.console.rights import Right
from gateway.operations.console.tables.explained import (
    LONGEST_ADDRESS,
    LONGEST_TEXT,
    route_explained,
    text_explained,
)
from gateway.operations.console.tables.views import KEYS, PROVENANCES, matching, row_value, table_value

LIMIT: Final = 500
"""Rows of a table in one answer."""

SENDER: Final = "mobile that texted it; a province may give its own customers (optional)"


async def tables(visit: Visit) -> Response:
    """Which tables are in force."""
    service = visit.services.tables
    shown = await service.shown()
    found = {
        "version": service.in_force.tables.version,
        "since": service.reloads.since_ms,
        "tables": [table_value(each) for each in shown],
    }
    return JSONResponse(found)


async def table(visit: Visit) -> Response:
    """The rows of a table."""
    chosen = Chosen.of(visit.request.query_params)
    shown = await table_named(visit)

    def work() -> Response:
        rows = matching(shown, chosen.find, chosen.provenance)
        begin = (chosen.page - 1) * LIMIT
        found = {
            **table_value(shown),
            "found": len(rows),
            "page": chosen.page,
            "pages": max(1, -(-len(rows) // LIMIT)),
            "items": [row_value(each) for each in rows[begin : begin + LIMIT]],
        }
        return JSONResponse(found)

    return await visit.services.compute(work, visit.viewer.name)


async def route(visit: Visit) -> Response:
    """How an address is interpreted."""
    query = visit.request.query_params
    return JSONResponse(route_explained(visit.services.in_force.tables, visit.viewer, query))


async def text(visit: Visit) -> Response:
    """How a text is interpreted."""
    query = visit.request.query_params
    return JSONResponse(text_explained(visit.services.in_force.tables, visit.viewer, query))


async def status(visit: Visit) -> Response:
    """The state of the gateway, without what only the machine is concerned with."""
    report = await visit.services.status()
    return JSONResponse({key: value for key, value in report.items() if key != "pid"})


async def links(visit: Visit) -> Response:
    """The links to SMS centres."""
    return JSONResponse({"links": (await visit.services.status())["links"]})


async def outbox(visit: Visit) -> Response:
    """What waits to leave."""
    return JSONResponse((await visit.services.status())["outbox"])


ASKED: Final = (
    Page(
        "/api/v1/tables",
        tables,
        Right.TABLES,
        Kind.API,
        summary="The tables in force, and how many of their values are attested, standard, reconstructed",
        answer=record({"version": TEXT, "since": NUMBER, "tables": listed(record(TABLE))}),
    ),
    Page(
        "/api/v1/tables/{name}",
        table,
        Right.TABLES,
        Kind.API,
        summary="The rows of a table, each value with its provenance",
        parameters={
            "name": f"one of {', '.join(KEYS)}",
            "provenance": f"only values of this one: {', '.join(PROVENANCES)} (optional)",
            "find": "only rows that hold this text (optional)",
            "page": f"from 1, {LIMIT} rows each (optional)",
        },
        answer=record(
            {
                **TABLE,
                **dict.fromkeys(("found", "page", "pages"), NUMBER),
                "items": listed(record({"section": TEXT, "row": TEXT, "values": listed(VALUE)})),
            }
        ),
    ),
    Page(
        "/api/v1/explain/route",
        route,
        Right.TABLES,
        Kind.API,
        summary="How an address is interpreted, with every row that was considered",
        parameters={
            "destination": f"number that was texted, {LONGEST_ADDRESS} characters at most",
            "sender": SENDER,
        },
        answer=ROUTE,
    ),
    Page(
        "/api/v1/explain/text",
        text,
        Right.TABLES,
        Kind.API,
        summary="How a text is interpreted",
        parameters={
            "text": f"what was texted, {LONGEST_TEXT} characters at most",
            "destination": "number that was texted",
            "sender": SENDER,
        },
        answer=READ,
    ),
    # METRICS is the right of headquarters to look at the gateway itself.
    Page("/api/v1/status", status, Right.METRICS, Kind.API, summary="State of the gateway", answer=STATUS),
    Page(
        "/api/v1/links",
        links,
        Right.METRICS,
        Kind.API,
        summary="The links to SMS centres",
        answer=record({"links": listed(LINK)}),
    ),
    Page("/api/v1/outbox", outbox, Right.METRICS, Kind.API, summary="How many SMS wait", answer=OUTBOX),
)
"""What is asked about tables and the gateway itself."""


def section(others: Sequence[Section]) -> Section:
    """The section that describes the API of all sections: the others, and itself."""
    described: list[Section] = [*others]

    async def index(visit: Visit) -> Response:
        """The routes that the visitor may use."""
        routes = [
            {"method": each.page.method, "path": each.path, "summary": each.page.summary}
            for each in operations(described)
            if each.page.right is None or (visit.viewer.name and visit.viewer.may(each.page.right))
        ]
        return JSONResponse({"description": "/api/v1/openapi.json", "docs": "/docs", "routes": routes})

    async def openapi(visit: Visit) -> Response:
        """The description in OpenAPI."""
        del visit
        return JSONResponse(document(described, version("fetion-gateway")))

    async def docs(visit: Visit) -> Response:
        """The description for people."""
        schemas = {
            each.id: json.dumps(each.page.answer, indent=2, ensure_ascii=False) if each.page.answer else ""
            for each in operations(described)
        }
        return await visit.drawn(
            "docs.html", operations=operations(described), schemas=schemas, errors=ERRORS
        )

    found = Section("api", "/docs", None, (*_described(index, openapi), Page("/docs", docs, None), *ASKED))
    described.append(found)
    return found


def _described(index: Endpoint, openapi: Endpoint) -> tuple[Page, ...]:
    """The pages of the description, which everybody may read: it holds nothing of this gateway."""
    routes = listed(record({"method": TEXT, "path": TEXT, "summary": TEXT}))
    return (
        Page(
            "/api/v1",
            index,
            None,
            Kind.API,
            summary="The routes that you may use",
            answer=record({"description": TEXT, "docs": TEXT, "routes": routes}),
        ),
        Page(
            "/api/v1/openapi.json",
            openapi,
            None,
            Kind.API,
            summary="The description of this API in OpenAPI 3.1",
            answer=record(
                {
                    "openapi": TEXT,
                    "security": listed(OBJECT),
                    **dict.fromkeys(("info", "paths", "components"), OBJECT),
                }
            ),
        ),
    )
