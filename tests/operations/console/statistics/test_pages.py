"""The section Statistics over HTTP: who sees what, what may be asked, and what comes out as a file."""

import csv
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import openpyxl
import pytest_asyncio

from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.operations.console.statistics.asking import MOST
from gateway.operations.console.statistics.catalogue import load_catalogue
from gateway.storage.figures import Amount, FigureKey, Figures
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, browser
from tests.operations.figures.test_gateway import folded

# The clock of a gateway under test begins on 2007-06-01, a Friday.
FIRST, BEFORE, LAST, TODAY = "2007-05-20", "2007-05-30", "2007-05-31", "2007-06-01"
REPORTS = [report.id for report in load_catalogue().reports]
JUNE = "from=2007-05-30&to=2007-06-01"


def figures() -> Figures:
    """Some SMS of Guangdong (200) and Beijing (100), and who sent them."""
    found = Figures()
    amounts = (
        (FIRST, "100", "161", "help", "done", 1),
        (BEFORE, "200", "161", "chat", "chat", 4),
        (LAST, "200", "161", "chat", "chat", 5),
        (LAST, "200", "12520", "", "misunderstood", 1),
        (LAST, "100", "12520", "service.open", "done", 1234),
        (TODAY, "200", "161", "service.open", "done", 7),
    )
    for day, province, way, what, outcome, times in amounts:
        found.amounts[FigureKey(day, "uplink", province, way, what, outcome)] = Amount(times, times + 1)
        if what == "service.open":
            found.amounts[FigureKey(day, "event", province, way, "service/opened", "")] = Amount(times, 0)
    for day, mobile, province in ((LAST, "13800000001", "200"), (TODAY, "13800000001", "200")):
        found.active[(day, mobile)] = (province, 1)
    return found


@pytest_asyncio.fixture
async def counted(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with these figures."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        assert await gateway.app.store.fold("test", 1, figures())
        yield gateway


async def test_every_report_answers_in_both_languages(counted: RunningGateway) -> None:
    """As a page by day, week and month, with its definitions; as a file, and for machines."""
    visitor = browser(counted, Role.OPERATOR)
    for report in load_catalogue().reports:
        for period, language in (("day", "zh"), ("week", "en"), ("month", "zh")):
            page = await visitor.get(f"/statistics/{report.id}?period={period}", accept_language=language)
            assert page.status == 200, page.text
            assert f"<h1>{report.title.of(language)}" in page.text
            assert "style=" not in page.text
            assert "<script" not in page.text
        assert (await visitor.get(f"/statistics/{report.id}/xlsx")).status == 200
        answer = await visitor.get(f"/api/v1/statistics/{report.id}")
        assert [column["id"] for column in answer.json["report"]["columns"]] == [c.id for c in report.shown]
        assert len(answer.json["rows"]) == 31
    listed = (await visitor.get("/api/v1/statistics")).json["reports"]
    assert [report["id"] for report in listed] == REPORTS


async def test_the_key_figures(counted: RunningGateway) -> None:
    """Of the last complete day, against the day before; the tile grid has a value for each province."""
    page = await browser(counted, Role.READER).get("/statistics", accept_language="en")
    assert "Key figures of 2007-05-31" in page.text
    assert '<td class="number">1,240</td>\n<td class="number">+1,236</td>' in page.text
    assert page.text.count('class="tile row-') == 31
    assert '<a href="/statistics/uplink?province=200"' in page.text
    opened = await browser(counted, Role.READER).get("/statistics?figure=customers.registered")
    assert '<span class="tile-value">1234</span>' in opened.text


async def test_a_report_for_machines(counted: RunningGateway) -> None:
    """Rows with 0 where nothing happened, null before the first figure, the current day marked."""
    asked = f"/api/v1/statistics/uplink?from=2007-05-18&to={TODAY}"
    answer = (await browser(counted, Role.READER).get(asked)).json
    rows = {row["period"]: row for row in answer["rows"]}
    assert rows["2007-05-18"]["values"]["messages"] is None
    assert rows["2007-05-21"]["values"]["messages"] == 0
    assert rows[LAST]["values"]["messages"] == 1240
    assert rows[LAST]["values"]["chat"] == 5
    assert rows[LAST]["change"] == {"value": 1240, "before": 4, "by": 1236, "percent": 30900.0}
    assert [row["period"] for row in answer["rows"] if not row["complete"]] == [TODAY]
    assert answer["total"]["messages"] == 1 + 4 + 1240 + 7
    assert [part["code"] for part in answer["provinces"]] == ["100", "200"]
    assert {part["code"] for part in answer["breakdown"]["instruction"]} == {
        "chat",
        "help",
        "service.open",
        "",
    }


async def test_it_is_narrowed_and_drilled(counted: RunningGateway) -> None:
    """By way and instruction; a month leads to its days, a province to its own figures."""
    visitor = browser(counted, Role.OPERATOR)
    narrowed = await visitor.get(f"/api/v1/statistics/uplink?{JUNE}&way=161&instruction=chat&province=200")
    assert narrowed.json["total"]["messages"] == 9
    nothing = await visitor.get(f"/api/v1/statistics/uplink?{JUNE}&instruction=-")
    assert nothing.json["total"]["messages"] == 1
    month = await visitor.get("/statistics/uplink?period=month&from=2007-05&to=2007-06")
    link = "/statistics/uplink?period=day&amp;from=2007-05-01&amp;to=2007-05-31&amp;province=000"
    assert link in month.text
    assert "province=200" in month.text
    assert (await visitor.get(link.replace("&amp;", "&"))).status == 200


async def test_a_line_ends_with_the_last_day_that_is_over(counted: RunningGateway) -> None:
    """The day that goes on is in the table; the only day of a trend is drawn as it is."""
    visitor = browser(counted, Role.READER)
    page = (await visitor.get(f"/statistics/uplink?period=day&{JUNE}")).text
    assert TODAY in page
    lines = [each.split() for each in re.findall(r'class="line-1" points="([^"]*)"', page)]
    assert [len(points) for points in lines] == [2]
    alone = (await visitor.get(f"/statistics/uplink?period=day&from={TODAY}&to={TODAY}")).text
    assert 'class="line-1" points="' in alone


async def test_a_province_sees_itself_only(counted: RunningGateway) -> None:
    """On pages, in files and for machines; not the network, not another one, not their values."""
    mine = browser(counted, Role.OPERATOR, "200")
    paths = [f"/statistics/uplink{end}" for end in ("", "/csv", "/xlsx")]
    for path in ["/statistics", "/api/v1/statistics/uplink", *paths]:
        for other in ("100", HEADQUARTERS):
            refused = await mine.get(f"{path}?province={other}")
            assert refused.status == 403, path
            assert b"1,234" not in refused.body
        assert (await mine.get(f"{path}?province=200")).status == 200
        assert (await mine.get(path)).status == 200
    answer = (await mine.get(f"/api/v1/statistics/uplink?{JUNE}")).json
    assert (answer["province"], answer["total"]["messages"], answer["provinces"]) == ("200", 17, [])
    first = await mine.get("/statistics", accept_language="en")
    assert "1,240" not in first.text
    assert "tile-grid" not in first.text
    page = await mine.get("/statistics/uplink", accept_language="en")
    assert 'name="province"' not in page.text


async def test_files_have_a_right_of_their_own(counted: RunningGateway) -> None:
    """A reader sees figures and no files."""
    for path in ("/statistics/uplink/csv", "/statistics/uplink/xlsx"):
        assert (await browser(counted, Role.READER).get(path)).status == 403
        assert (await browser(counted).get(path)).status == 401
    page = await browser(counted, Role.READER).get("/statistics/uplink")
    assert "/csv" not in page.text


WRONG = [
    ("period=year", "day, week"),
    ("from=yesterday", "2026-11-27"),
    ("from=2007-02-30", "2026-11-27"),
    ("from=20070530", "2026-11-27"),
    ("from=２００７-05-30", "2026-11-27"),
    ("from=2007-06-01&to=2007-05-01", "later"),
    ("to=2007-06-02", "between"),
    ("from=1999-01-01&to=1999-02-01", "between"),
    ("from=2000-01-01", "between"),
    ("from=2006-01-01&to=2007-06-01", f"At most {MOST[next(iter(MOST))]}"),
    ("province=999", "such as 200"),
    ("province=2%0000", "such as 200"),
    ("way=162", "12520"),
    ("instruction=%3Cscript%3E", "service.open"),
    ("instruction=a' OR 1=1", "service.open"),
    ("period=day&period=week", "twice"),
    ("colour=red", "period, from, to"),
]


async def test_a_wrong_question_is_refused(counted: RunningGateway) -> None:
    """With what is allowed; nothing of it comes back as markup."""
    visitor = browser(counted, Role.OPERATOR)
    for asked, says in WRONG:
        path = _ascii(f"/statistics/uplink?{asked}".replace(" ", "%20"))
        answer = await visitor.get(f"/api/v1{path}", accept_language="en")
        assert answer.status == 400, asked
        assert says in answer.json["error"], asked
        page = await visitor.get(path)
        assert page.status == 400
        assert "<script>" not in page.text


def _ascii(path: str) -> str:
    """Every other octet as %XX."""
    return "".join(each if each.isascii() else "".join(f"%{o:02X}" for o in each.encode()) for each in path)


async def test_other_wrong_addresses(counted: RunningGateway) -> None:
    """A report that is none, a filter that a report has not, a table that is not there."""
    visitor = browser(counted, Role.OPERATOR)
    assert (await visitor.get("/statistics/none")).status == 404
    assert (await visitor.get("/api/v1/statistics/..%2Fetc")).status == 404
    assert (await visitor.get("/statistics/active?way=161")).status == 400
    assert (await visitor.get("/statistics/chat?instruction=chat")).status == 400
    assert (await visitor.get("/statistics?figure=uplink.none")).status == 400
    assert (await visitor.get("/statistics/active/csv?table=way")).status == 400


async def test_csv(counted: RunningGateway) -> None:
    """The file has a name with report and period, and the values as numbers."""
    visitor = browser(counted, Role.OPERATOR)
    answer = await visitor.get(f"/statistics/uplink/csv?{JUNE}&province=200", accept_language="en")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = "uplink_day_2007-05-30_2007-06-01_200.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.body.startswith(b"\xef\xbb\xbf")
    header, *rows = csv.reader(io.StringIO(answer.body.decode("utf-8-sig"), newline=""))
    assert header[:6] == ["Period", "From", "To", "Complete", "Messages", "SMS"]
    assert [row[:6] for row in rows] == [
        [BEFORE, BEFORE, BEFORE, "yes", "4", "5"],
        [LAST, LAST, LAST, "yes", "6", "8"],
        [TODAY, TODAY, TODAY, "no", "7", "8"],
    ]
    parts = await visitor.get(f"/statistics/uplink/csv?{JUNE}&table=instruction", accept_language="en")
    assert "service.open,KTFX (service.open),1241" in parts.text
    assert "\r\n,(no instruction understood),1,2" in parts.text


async def test_xlsx(counted: RunningGateway) -> None:
    """All tables; the definitions and the question on the second sheet."""
    visitor = browser(counted, Role.OPERATOR)
    answer = await visitor.get(f"/statistics/uplink/xlsx?{JUNE}", accept_language="en")
    book = openpyxl.load_workbook(io.BytesIO(answer.body))
    assert book.sheetnames[1:] == ["Definitions", "Province", "Instruction", "Way of access"]
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert rows[2][:6] == (LAST, LAST, LAST, "yes", 1240, 1243)
    told = {str(row[0]): row[1] for row in book["Definitions"].iter_rows(values_only=True)}
    assert told["Report"] == "SMS from customers"
    assert told["Province"] == "Whole network"
    assert (told["From"], told["To"]) == (BEFORE, TODAY)


async def test_days_that_are_not_complete(counted: RunningGateway) -> None:
    """Every page of a range that touches them says so, in both languages; the API and the workbook too."""
    store, visitor = counted.app.store, browser(counted, Role.OPERATOR)
    sentence = "The figures of these days may not be complete"
    assert sentence not in (await visitor.get("/statistics", accept_language="en")).text
    await store.mark_days([FIRST, BEFORE, LAST])
    for path in ("/statistics", "/statistics/uplink"):
        page = await visitor.get(path, accept_language="en")
        assert f"{sentence}: {FIRST}, {BEFORE} - {LAST}. When" in page.text
        assert f"数据可能不完整：{FIRST}、{BEFORE} - {LAST}。" in (await visitor.get(path)).text
    asked = f"from={LAST}&to={TODAY}"
    page = await visitor.get(f"/statistics/uplink?{asked}", accept_language="en")
    assert f"{sentence}: {LAST}. When" in page.text
    assert (await visitor.get(f"/api/v1/statistics/uplink?{asked}")).json["incomplete_days"] == [LAST]
    assert sentence not in (await visitor.get(f"/statistics/uplink?from={TODAY}", accept_language="en")).text
    registered = (await visitor.get(f"/api/v1/statistics/customers?from={TODAY}")).json
    assert registered["incomplete_days"] == [FIRST, BEFORE, LAST]  # they add up to the customers there are
    content = await visitor.get(f"/statistics/uplink/xlsx?{asked}", accept_language="en")
    book = openpyxl.load_workbook(io.BytesIO(content.body))
    told = {str(row[0]): row[1] for row in book["Definitions"].iter_rows(values_only=True)}
    assert told["Days that may not be complete"] == LAST


async def test_without_any_figure(tmp_path: Path) -> None:
    """The pages say so, also that counting is switched off, and have "-"."""
    off = {**CONSOLE, "statistics": {"enabled": False}}
    async with running_gateway(tmp_path, off) as gateway:
        visitor = browser(gateway, Role.OPERATOR)
        for path in ("/statistics", *(f"/statistics/{report}" for report in REPORTS)):
            page = await visitor.get(path, accept_language="en")
            assert page.status == 200
            assert "There are no figures yet" in page.text
            assert "statistics.enabled: false" in page.text
        answer = (await visitor.get("/api/v1/statistics/customers")).json
        assert answer["first_figure"] is None
        assert {value for row in answer["rows"] for value in row["values"].values()} == {None}


async def test_an_sms_is_in_the_reports(tmp_path: Path) -> None:
    """Opened by an SMS to 161 and one to 10086: customers, ways, who was active, what was answered."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        for mobile, base in (("13800138000", "161"), ("13900000002", "10086")):
            phone = await gateway.handset(mobile)
            await phone.send("KTFX", base)
        await folded(gateway)
        visitor = browser(gateway, Role.READER)
        asked = f"from={TODAY}&to={TODAY}"
        (row,) = (await visitor.get(f"/api/v1/statistics/customers?{asked}")).json["rows"]
        assert row["values"] == {"opened": 2, "cancelled": 0, "net": 2, "registered": 2}
        (row,) = (await visitor.get(f"/api/v1/statistics/opened-by-way?{asked}")).json["rows"]
        assert (row["values"]["short"], row["values"]["hotline"], row["values"]["other"]) == (1, 1, 0)
        (row,) = (await visitor.get(f"/api/v1/statistics/active?{asked}")).json["rows"]
        assert (row["values"]["active"], row["values"]["hotline"]) == (2, 1)
        (row,) = (await visitor.get(f"/api/v1/statistics/downlink?{asked}")).json["rows"]
        assert row["values"]["sent"] == row["values"]["messages"] >= 2
        month = (await visitor.get("/api/v1/statistics/customers?period=month")).json["rows"][-1]
        assert (month["complete"], month["values"]["registered"]) == (False, 2)
        # No day is over yet: who looks is led to the reports.
        assert f"统计从 {TODAY} 开始" in (await visitor.get("/statistics")).text


async def test_the_audit_has_each_file(counted: RunningGateway) -> None:
    """Who took which report, of which days and province; not what was refused, or only looked at."""
    visitor = browser(counted, Role.OPERATOR, "200")
    for path, status in (
        (f"csv?{JUNE}", 200),
        ("xlsx?period=month&from=2007-05-01&to=2007-05-31", 200),
        (f"csv?{JUNE}&table=nothing", 400),
        (f"csv?{JUNE}&province=100", 403),
    ):
        assert (await visitor.get(f"/statistics/uplink/{path}")).status == status, path
    for path in (f"/statistics/uplink?{JUNE}", f"/api/v1/statistics/uplink?{JUNE}"):
        assert (await visitor.get(path)).status == 200, path
    found = [entry for _, entry in await counted.app.store.audit(1 << 62, 10)]
    assert [(each.account, each.action, each.subject, each.remote) for each in found[::-1]] == [
        ("somebody", "exported", "uplink_day_2007-05-30_2007-06-01_200.csv", "127.0.0.1"),
        ("somebody", "exported", "uplink_month_2007-05-01_2007-05-31_200.xlsx", "127.0.0.1"),
    ]
