"""The API as a whole: its description holds for every route, and every error is JSON."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.console.api.document import operations
from gateway.operations.console.building import SECTIONS
from gateway.operations.console.rights import ROLES, Right, Role
from gateway.testing import RunningGateway, running_gateway
from tests.channels.small_centre import SmallCentre
from tests.channels.test_links import link
from tests.operations.console.browser import CONSOLE, DESCRIPTION, Browser, browser
from tests.operations.console.schemas import answer_faults, openapi_faults
from tests.proofs.served import until


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with the shipped tables."""
    async with running_gateway(tmp_path, CONSOLE) as running:
        yield running


async def checked(who: Browser, path: str) -> Any:
    """The answer to a path; Browser looks whether it is as the description says."""
    answer = await who.get(path)
    assert answer.status == 200, (path, answer.text)
    assert answer.headers["content-type"] == "application/json"
    return answer.json


def test_the_description_is_openapi() -> None:
    """By the rules of OpenAPI 3.1; a description that breaks one is found."""
    assert list(openapi_faults(DESCRIPTION)) == []
    for broken in (
        {**DESCRIPTION, "openapi": "2.0"},
        {**DESCRIPTION, "components": {**DESCRIPTION["components"], "responses": {}}},
        {**DESCRIPTION, "paths": {"/a/{b}": DESCRIPTION["paths"]["/api/v1"]}},
        {**DESCRIPTION, "paths": {**DESCRIPTION["paths"], "/twice": DESCRIPTION["paths"]["/api/v1"]}},
    ):
        assert list(openapi_faults(broken))


def test_every_route_describes_itself() -> None:
    """Summary, parameters of its path and schema of its answer; nothing below /api is anything else."""
    for each in operations(SECTIONS):
        page = each.page
        assert page.summary, f"{page.path} has no summary"
        assert each.in_path <= page.parameters.keys(), f"{page.path} does not describe {each.in_path}"
        if page.path.startswith("/api"):
            assert page.answer, f"{page.path} has no schema of its answer"


def test_rights_are_in_the_description() -> None:
    """A route with a right asks for a token; the others say that they ask for none."""
    for each in operations(SECTIONS):
        described = DESCRIPTION["paths"][each.path][each.page.method.lower()]
        if each.page.right is None:
            assert described["security"] == []
        else:
            assert described["x-right"] == each.page.right
            assert {"401", "403"} <= described["responses"].keys()


def test_an_answer_that_is_not_as_described_is_found() -> None:
    """A field that is missing, unknown, of another type; an error without its text."""
    good = {"depth": 0, "in_flight": 0, "limit": 1, "full": False}
    assert answer_faults(DESCRIPTION, "GET", "/api/v1/outbox", 200, good) == []
    broken: tuple[Any, ...] = (
        {**good, "depth": "0"},
        {**good, "depth": True},
        {**good, "more": 1},
        {"depth": 0},
        [],
    )
    for wrong in broken:
        assert answer_faults(DESCRIPTION, "GET", "/api/v1/outbox", 200, wrong)
    assert answer_faults(DESCRIPTION, "GET", "/api/v1/outbox", 404, {"detail": "no"})


async def test_answers_are_as_described(gateway: RunningGateway) -> None:
    """Those of this section, for usual and odd questions."""
    who = browser(gateway, Role.ADMINISTRATOR)
    for path in (
        *("/api/v1", "/api/v1/openapi.json", "/api/v1/tables", "/api/v1/status"),
        *("/api/v1/links", "/api/v1/outbox"),
        *(f"/api/v1/tables/{each.removesuffix('.yaml')}" for each in ("appendix6", "appendix7", "zh")),
        "/api/v1/tables/segments?page=6",
        "/api/v1/tables/appendix7?provenance=reconstructed&find=161",
        "/api/v1/explain/route?destination=161&sender=13800138000",
        "/api/v1/explain/route?destination=12520033",
        "/api/v1/explain/route?destination=nothing",
        "/api/v1/explain/text?text=KTFX&destination=161&sender=8613800138000",
        "/api/v1/explain/text?text=%00&destination=161",
        "/api/v1/explain/text?text=KTFX&destination=0",
    ):
        await checked(who, path)


async def test_links_are_as_described(tmp_path: Path) -> None:
    """Bound and paused ones, on their own and in the status."""
    async with SmallCentre() as centre:
        links = [link(centre, bind="pair"), link(centre, name="south", paused=True)]
        async with running_gateway(tmp_path, {**CONSOLE, "smpp": {"links": links}}) as gateway:
            await until(lambda: len(gateway.app.binds.all()) == 2, "the pair")
            who = browser(gateway, Role.OPERATOR)
            found = (await checked(who, "/api/v1/links"))["links"]
            assert [each["name"] for each in found] == ["north", "north", "south"]
            assert len((await checked(who, "/api/v1/status"))["links"]) == 3


async def test_tables_are_told_whole(gateway: RunningGateway) -> None:
    """All pages of a table together have each row once, and each value its provenance."""
    who, rows, page = browser(gateway, Role.READER), [], 1
    while True:
        answer = await checked(who, f"/api/v1/tables/segments?page={page}")
        rows += [each["row"] for each in answer["items"]]
        if page == answer["pages"]:
            break
        page += 1
    assert len(set(rows)) == len(rows) == answer["rows"] == answer["found"]


async def test_the_same_answers_as_on_the_command_line(gateway: RunningGateway) -> None:
    """explain route and explain text."""
    who, tables = browser(gateway, Role.READER), gateway.app._in_force.tables
    route = await checked(who, "/api/v1/explain/route?destination=12520050&sender=13800138000")
    assert route == tables.routing.explain("12520050", "13800138000").as_dict()
    text = await checked(who, "/api/v1/explain/text?text=HY%2313900139000&destination=161")
    parser = tables.commands.parser
    assert text == parser.explain("HY#13900139000", tables.routing.resolve("161")).as_dict()


async def test_the_index_lists_what_one_may_use(gateway: RunningGateway) -> None:
    """Nobody sees the description; headquarters more than a province."""
    nobody = await checked(browser(gateway), "/api/v1")
    province = await checked(browser(gateway, Role.OPERATOR, "200"), "/api/v1")
    central = await checked(browser(gateway, Role.OPERATOR), "/api/v1")
    paths = [{each["path"] for each in answer["routes"]} for answer in (nobody, province, central)]
    assert "/api/v1/tables" not in paths[0]
    assert "/api/v1/status" in paths[2] - paths[1]


async def test_errors_are_json(gateway: RunningGateway) -> None:
    """Unknown paths, wrong methods, no token, no right: each says what is wrong, and nothing else."""
    reader, nobody = browser(gateway, Role.READER), browser(gateway)
    serving, province = browser(gateway, Role.CUSTOMER_SERVICE), browser(gateway, Role.READER, "200")
    asked: Mapping[str, tuple[Any, int]] = {
        "unknown": (await reader.get("/api/v1/nothing"), 404),
        "unknown for nobody": (await nobody.get("/api/nothing/../v1"), 404),
        "no such table": (await reader.get("/api/v1/tables/nothing"), 404),
        "POST": (await reader.post_json("/api/v1/tables", {}), 405),
        "nobody": (await nobody.get("/api/v1/tables"), 401),
        "no right": (await serving.get("/api/v1/status"), 403),
        "a province": (await province.get("/api/v1/status"), 403),
        "wrong": (await reader.get("/api/v1/tables/appendix7?page=x"), 400),
        "too long": (await reader.get("/api/v1/explain/text?destination=161&text=" + "x" * 1001), 400),
    }
    for what, (answer, status) in asked.items():
        assert answer.status == status, what
        assert answer.headers["content-type"] == "application/json", what
        assert answer.json.keys() == {"error"}, what
        assert answer.json["error"], what
    assert asked["POST"][0].headers["allow"] == "GET, HEAD"


async def test_the_description_for_people(gateway: RunningGateway) -> None:
    """/docs has every route, in both languages, for everybody, and nothing from another host."""
    for language in ("en", "zh"):
        page = await browser(gateway).get("/docs", accept_language=language)
        assert page.status == 200
        for each in operations(SECTIONS):
            assert f"<code>{each.page.method} {each.path}</code>" in page.text
        assert "<script" not in page.text.replace('<script src="/static', "").replace(
            '<script type="module" src="/static', ""
        )
    assert (await browser(gateway).get("/api/v1/openapi.json")).json["paths"].keys() == DESCRIPTION[
        "paths"
    ].keys()


def test_status_is_for_headquarters() -> None:
    """The right that the routes about the gateway itself ask for belongs to no province."""
    assert all(Right.METRICS in ROLES[role] for role in (Role.ADMINISTRATOR, Role.OPERATOR))
