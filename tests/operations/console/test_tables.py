"""The section tables: every value with its provenance, the explain boxes, and the reload."""

import asyncio
import fcntl
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commands.tables import HANDLING, Tables
from gateway.operations.console.rights import Role
from gateway.operations.console.services import Services
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, Answer, Browser, browser
from tests.operations.swapped import write_version
from tests.operations.test_tables_waiting import standing

ENGLISH = {"accept_language": "en"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with version A in an operator's folder."""
    write_version(tmp_path / "tables", "A")
    async with running_gateway(tmp_path, {**CONSOLE, "tables": {"folder": "tables"}}) as running:
        yield running


async def test_every_table_has_a_page(gateway: RunningGateway) -> None:
    """Each says at its top that nothing in it is the document's text, in both languages."""
    reader = browser(gateway, Role.READER)
    index = await reader.get("/tables", **ENGLISH)
    assert index.status == 200
    links = re.findall(r'<th scope="row"><a href="(/tables/[^"]+)"', index.text)
    assert len(links) == len(gateway.app._in_force.tables.digests)
    for link in links:
        english, chinese = await reader.get(link, **ENGLISH), await reader.get(link, accept_language="zh")
        assert (english.status, chinese.status) == (200, 200), link
        assert "Nothing here is the text of the source document" in english.text
        assert "本页内容不是源文档附录的原文" in chinese.text


async def test_values_carry_their_provenance(gateway: RunningGateway) -> None:
    """A filter by provenance keeps only such values, and a text finds rows; each row can be linked to."""
    reader = browser(gateway, Role.READER)
    answer = await reader.get("/tables/appendix7?provenance=reconstructed&find=161", **ENGLISH)
    rows = re.findall(r'<tr id="([^"]+)">(.*?)</tr>', answer.text, re.DOTALL)
    assert rows
    for anchor, row in rows:
        assert f'href="#{anchor}"' in row
        assert 'class="mark reconstructed"' in row
        assert 'class="mark attested"' not in row
    assert len({anchor for anchor, _ in rows}) == len(rows)
    assert "sub-codes are attested under 12520, to which 161 was moving" in answer.text
    assert "invented example" in (await reader.get("/tables/appendix6", **ENGLISH)).text


async def test_long_tables_have_pages(gateway: RunningGateway) -> None:
    """Each row of segments.csv stands on one of them."""
    reader = browser(gateway, Role.READER)
    first = await reader.get("/tables/segments", **ENGLISH)
    assert "page 1 of 14" in first.text
    assert 'href="?provenance=&amp;find=&amp;page=2"' in first.text
    seen = [
        anchor
        for page in range(1, 15)
        for anchor in re.findall(
            r'<tr id="([^"]+)">', (await reader.get(f"/tables/segments?page={page}")).text
        )
    ]
    assert len(set(seen)) == len(seen) == 2630


ODD_REQUESTS = (
    ("/tables/nothing", 404),
    ("/tables/ported", 404),
    ("/tables/..%2f..%2fconfig.yaml", 404),
    ("/tables/appendix7?provenance=invented", 400),
    ("/tables/appendix7?page=0", 400),
    ("/tables/appendix7?page=%EF%BC%91", 400),
    ("/tables/appendix7?page=" + "9" * 300, 400),
    ("/tables/appendix7?page=999999", 200),
    ("/tables/appendix7?find=" + "x" * 101, 400),
    ("/tables/appendix7?find=%00%ff%3Cscript%3E", 200),
)


async def test_odd_requests(gateway: RunningGateway) -> None:
    """Each is answered sensibly, and nothing of it becomes HTML."""
    for path, status in ODD_REQUESTS:
        answer = await browser(gateway, Role.READER).get(path, **ENGLISH)
        assert answer.status == status, path
        assert "<script>" not in answer.text


async def test_numbers_of_customers_are_not_listed(gateway: RunningGateway) -> None:
    """Ported mobiles are counted; the folder of the machine is shown to headquarters only."""
    (gateway.folder / "tables" / "ported.csv").write_text(
        "# provenance: attested, source: invented\nmsisdn,province_code,operator\n13800138000,200,cmcc\n"
    )
    gateway.app._in_force.tables = Tables.load(gateway.folder / "tables")
    page = await browser(gateway, Role.READER).get("/tables/ported", **ENGLISH)
    assert "The 1 rows of this table are numbers of customers" in page.text
    assert "13800138000" not in page.text
    central = await browser(gateway, Role.OPERATOR).get("/tables")
    province = await browser(gateway, Role.OPERATOR, "200").get("/tables")
    assert str(gateway.folder) in central.text
    assert str(gateway.folder) not in province.text


async def test_an_address_is_explained(gateway: RunningGateway) -> None:
    """With every row that was considered, and the province of the sender."""
    answer = await browser(gateway, Role.READER).get(
        "/tables/explain?box=route&destination=1252003300042&sender=%2B8613800138000", **ENGLISH
    )
    assert answer.status == 200
    explanation = gateway.app._in_force.tables.routing.explain("1252003300042", "13800138000")
    assert explanation.considered
    for row in explanation.considered:
        assert row.purpose in answer.text
    assert answer.text.count('<b class="good">yes</b>') == 1


async def test_a_text_is_explained(gateway: RunningGateway) -> None:
    """Also one that is not understood: with the sentence of the reply."""
    reader = browser(gateway, Role.READER)
    understood = await reader.get("/tables/explain?box=text&text=CXFA&destination=161", **ENGLISH)
    assert 'href="/tables/appendix8?find=service.state"' in understood.text
    other = await reader.get("/tables/explain?box=text&text=%3Cb%3EXYZ&destination=161", **ENGLISH)
    assert other.status == 200
    assert "misunderstood" in other.text
    assert "<b>XYZ" not in other.text
    refused = await reader.get("/tables/explain?box=text&text=KTFX&destination=999", **ENGLISH)
    assert "begins with no access code" in refused.text


ODD_INPUT = (
    ("box=text&text=&destination=161", 400, "text is missing"),
    ("box=text&text=" + "x" * 1001 + "&destination=161", 400, "more than 1000 characters"),
    ("box=route&destination=161&sender=abc", 400, "sender is no mobile number"),
    ("box=route", 400, "destination is missing"),
    ("box=nothing", 200, "An address"),
    ("box=text&text=%00%ff%F0%9F%98%80%0a%0a&destination=161", 200, "misunderstood"),
    ("box=text&text=" + "%E9%A3%9E" * 1000 + "&destination=161", 200, "misunderstood"),
    ("box=route&destination=%D9%A1%D9%A6%D9%A1", 200, "begins with no access code"),
)


async def test_odd_input_is_explained_too(gateway: RunningGateway) -> None:
    """What is missing, too long or no text."""
    for query, status, said in ODD_INPUT:
        answer = await browser(gateway, Role.READER).get(f"/tables/explain?{query}", **ENGLISH)
        assert (answer.status, said in answer.text) == (status, True), query


async def test_a_province_explains_senders_of_its_own(gateway: RunningGateway) -> None:
    """Where a mobile of another province is at home, it does not learn."""
    home = gateway.app._in_force.home("13800138000")
    query = "/tables/explain?box=route&destination=161&sender=13800138000"
    own = await browser(gateway, Role.READER, home).get(query, **ENGLISH)
    foreign = await browser(gateway, Role.READER, "591").get(query, **ENGLISH)
    assert home != "591"
    assert (own.status, foreign.status) == (200, 403)
    assert "no customer of your province" in foreign.text


async def test_what_is_typed_is_logged_nowhere(gateway: RunningGateway) -> None:
    """Passwords that somebody types do not reach the log or the store."""
    await browser(gateway, Role.READER).get("/tables/explain?box=text&text=SZMM%23s3cr3tXY&destination=161")
    log = gateway.log_file().read_text("utf-8")
    stored = b"".join(file.read_bytes() for file in gateway.folder.glob("fetion.db*") if file.is_file())
    assert "s3cr3tXY" not in log
    assert b"s3cr3tXY" not in stored


def services_of(gateway: RunningGateway) -> Services:
    """What the pages of a gateway use."""
    assert gateway.app.console is not None
    return gateway.app.console.application.services


def form_in(answer: Answer) -> dict[str, str]:
    """The hidden fields of the reload's form."""
    return dict(re.findall(r'<input type="hidden" name="(was|version)" value="([^"]+)"', answer.text))


async def post(who: Browser, form: dict[str, str], reason: str = "new words") -> Answer:
    """Put tables in force."""
    return await who.post("/tables/reload", {**form, "reason": reason}, **ENGLISH)


async def test_a_reload_shows_its_difference_first(gateway: RunningGateway) -> None:
    """Then a reason puts it in force, which the audit keeps."""
    operator, before = browser(gateway, Role.OPERATOR), gateway.app._in_force.tables.version
    write_version(gateway.folder / "tables", "B")
    preview = await operator.get("/tables/reload", **ENGLISH)
    assert gateway.app._in_force.tables.version == before
    assert "<del>CXFA</del>" in preview.text
    assert "<ins>CXFB</ins>" in preview.text
    form = form_in(preview)
    assert (await post(operator, form, "")).status == 400
    assert (await post(operator, form, "x" * 201)).status == 400
    assert gateway.app._in_force.tables.version == before
    gateway.clock.move_to(gateway.clock.now_ms() + 60_000)
    done = await post(operator, form)
    assert (done.status, done.headers["location"]) == (303, f"/tables?reloaded={form['version']}")
    assert gateway.app._in_force.tables.version == form["version"] != before
    [(_, entry)] = await gateway.app.store.audit(1 << 62, 10)
    assert (entry.account, entry.action, entry.subject, entry.reason) == (
        *("somebody", "tables.reload"),
        *(form["version"], "new words"),
    )
    index = await operator.get(done.headers["location"], **ENGLISH)
    assert f"Version {form['version']} is in force" in index.text


async def test_files_that_change_after_the_preview_are_not_put_in_force(gateway: RunningGateway) -> None:
    """The visitor sees the new difference instead."""
    operator, before = browser(gateway, Role.OPERATOR), gateway.app._in_force.tables.version
    write_version(gateway.folder / "tables", "B")
    form = form_in(await operator.get("/tables/reload"))
    write_version(gateway.folder / "tables", "C")
    answer = await post(operator, form)
    assert answer.status == 409
    assert "<ins>CXFC</ins>" in answer.text
    assert gateway.app._in_force.tables.version == before
    assert await gateway.app.store.audit(1 << 62, 10) == []
    assert form_in(answer)["version"] != form["version"]
    assert (await post(operator, form_in(answer))).status == 303


async def test_two_people_at_once(gateway: RunningGateway) -> None:
    """One of two does it; the other one is told that the tables have changed meanwhile."""
    operator = browser(gateway, Role.OPERATOR)
    write_version(gateway.folder / "tables", "B")
    form = form_in(await operator.get("/tables/reload"))
    both = await asyncio.gather(post(operator, form, "one"), post(operator, form, "two"))
    assert sorted(each.status for each in both) == [303, 409]


@pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="leases of files are Linux's")
async def test_a_disk_that_hangs(gateway: RunningGateway) -> None:
    """Who asks hears of it; the tables stay in force, and their pages are shown all the while."""
    operator, tables = browser(gateway, Role.OPERATOR), services_of(gateway).tables
    write_version(gateway.folder / "tables", "B")
    form, tables.patience = form_in(await operator.get("/tables/reload")), 0.2
    with standing(gateway.folder / "tables" / "appendix8.yaml"):
        for answer in (await operator.get("/tables/reload", **ENGLISH), await post(operator, form)):
            assert answer.status == 503
            assert "has not answered for 0.2 s" in answer.text
        assert (await operator.get("/tables/appendix8")).status == 200
    tables.patience = 60
    assert (await post(operator, form)).status == 303


async def test_faulty_files_stay_out_of_force(gateway: RunningGateway) -> None:
    """The page names file, line and key, before and after the form is sent."""
    operator, before = browser(gateway, Role.OPERATOR), gateway.app._in_force.tables.version
    write_version(gateway.folder / "tables", "B")
    form = form_in(await operator.get("/tables/reload"))
    file = gateway.folder / "tables" / "appendix8.yaml"
    file.write_text("x<b>: 1\n" + file.read_text("utf-8"), "utf-8")
    for answer, status in (
        (await operator.get("/tables/reload", **ENGLISH), 200),
        (await post(operator, form), 409),
    ):
        assert answer.status == status
        assert f"{file}:1: x&lt;b&gt;</code>: unknown key" in answer.text
        assert "<form" not in answer.text.partition("<main")[2]
    assert gateway.app._in_force.tables.version == before


async def test_who_may_not_reload(gateway: RunningGateway) -> None:
    """No province, and no reader: neither sees the difference nor puts it in force."""
    before = gateway.app._in_force.tables.version
    write_version(gateway.folder / "tables", "B")
    for role, province in ((Role.OPERATOR, "200"), (Role.ADMINISTRATOR, "200"), (Role.READER, "000")):
        visitor = browser(gateway, role, province)
        assert (await visitor.get("/tables/reload")).status == 403
        assert "/tables/reload" not in (await visitor.get("/tables")).text
        assert (await post(visitor, {"was": before, "version": "x"})).status == 403
    assert gateway.app._in_force.tables.version == before


async def test_forms_that_no_page_sends(gateway: RunningGateway) -> None:
    """Too long, or no text: refused, and nothing is put in force."""
    operator = browser(gateway, Role.OPERATOR)
    assert (await post(operator, {}, "x" * 20_000)).status == 413
    assert (await operator.post("/tables/reload", {"reason": "x"}, sec_fetch_site="cross-site")).status == 403
    assert (await post(operator, {})).status == 409


def test_every_table_has_a_name_in_both_languages() -> None:
    """So that its page can be shown."""
    from gateway.operations.console.rendering import load_texts
    from gateway.operations.console.tables.views import key_of

    texts: dict[str, Any] = load_texts()
    assert all({"zh", "en"} <= texts[f"tables.name_{key_of(name)}"].keys() for name in HANDLING)
