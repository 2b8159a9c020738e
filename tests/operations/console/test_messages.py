"""What happened to my SMS: the section messages, through a gateway on real sockets."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.message import number_of
from gateway.operations.console.messages import lives
from gateway.operations.console.rights import Role
from gateway.operations.timeline.records import utc
from gateway.operations.timeline.steps import Life
from gateway.simulator.esme import Esme
from gateway.storage.reader import Reader
from gateway.storage.sqlite.store import SqliteStore
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, Browser, browser
from tests.proofs.served import accepted, bind, delivered, sms, text_of, until
from tests.support import ALICE, BOB

SHANGHAI, BEIJING, GUANGDONG = "210", "100", "200"
SCRIPT = "<script>alert(1)</script>"


@asynccontextmanager
async def talking(folder: Path) -> AsyncIterator[tuple[RunningGateway, Esme]]:
    """A gateway with a console, and a centre that is bound to it."""
    async with (
        running_gateway(folder, CONSOLE) as gateway,
        await bind(gateway.account.port) as esme,
    ):
        yield gateway, esme


async def said(gateway: RunningGateway, esme: Esme, sender: str, text: str, to: str = "161") -> str:
    """The id of an SMS in, after all that it led to."""
    name = await accepted(esme, sms(sender, to, text))
    await gateway.settle()
    return name


async def buddies(gateway: RunningGateway, esme: Esme) -> str:
    """Alice and Bob have Fetion; the id of Alice's SMS that asks Bob."""
    for each in (ALICE, BOB):
        await said(gateway, esme, each, "KTFX")
    return await said(gateway, esme, ALICE, f"HY#{BOB}")


def operator(gateway: RunningGateway, province: str = "000") -> Browser:
    """Somebody who may open SMS."""
    return browser(gateway, Role.OPERATOR, province)


async def found(visitor: Browser, query: str = "") -> list[dict[str, Any]]:
    """What the API finds."""
    answer = await visitor.get(f"/api/v1/messages?{query}")
    assert answer.status == 200, answer.text
    messages: list[dict[str, Any]] = answer.json["messages"]
    return messages


async def test_from_the_search_to_one_sms(tmp_path: Path) -> None:
    """It is found by handset, instruction and result; its page tells what happened, the effects lead to the
    SMS out and back. Numbers are masked, in both languages."""
    async with talking(tmp_path) as (gateway, esme):
        name = await said(gateway, esme, ALICE, "KTFX")
        visitor = browser(gateway, Role.CUSTOMER_SERVICE)
        page = await visitor.get(f"/messages?handset={ALICE}&result=done", accept_language="en")
        one = await visitor.get(f"/messages/{name}", accept_language="en")
        [reply] = (await visitor.get(f"/api/v1/messages/{name}")).json["effects"]
        out = await visitor.get(f"/messages/{reply['id']}", accept_language="zh")
        moved = await visitor.get(f"/messages?id={name.upper()}")
    assert page.status == one.status == out.status == 200
    assert f'href="/messages/{name}"' in page.text
    assert "138****8000" in page.text
    assert "Beijing" in page.text
    for each in ("received", "executed", "stored", "sent", "138****8000"):
        assert each in one.text
    assert f'href="/messages/{reply["id"]}"' in one.text
    assert f'href="/messages/{name}"' in out.text
    assert "已发送" in out.text
    assert ALICE not in page.text[page.text.index("<table") :]
    assert ALICE not in one.text + out.text
    assert (moved.status, moved.headers["location"]) == (303, f"/messages/{name}")


async def test_the_search(tmp_path: Path) -> None:
    """Each field, alone and together; the newest first, both directions."""
    async with talking(tmp_path) as (gateway, esme):
        first = await said(gateway, esme, ALICE, "KTFX")
        between = gateway.clock.now_ms() + 1_000
        await gateway.advance(minutes=5)
        second = await said(gateway, esme, BOB, "what is this")
        visitor = operator(gateway)
        rows = await found(visitor)
        by = {
            query: [row["message_id"] for row in await found(visitor, query)]
            for query in (
                f"handset={ALICE}",
                f"handset={quote('+86' + BOB)}",
                "handset=138",
                f"instruction={rows[1]['instruction']}",
                f"result={rows[1]['result']}",
                f"handset={BOB}&result={rows[1]['result']}",
                f"to={quote(utc(between))}",
                f"from={quote(utc(between))}",
            )
        }
        out = await found(visitor, f"direction=out&handset={ALICE}&result=sent")
    assert [row["message_id"] for row in rows] == [second, first]
    assert [row["home_province"] for row in rows] == [SHANGHAI, BEIJING]
    assert list(by.values()) == [[first], [second], [first], [first], [first], [], [first], [second]]
    assert {row["to"] for row in out} == {"138****8000"}


async def test_a_search_does_not_unmask(tmp_path: Path) -> None:
    """Digits that are masked cannot be searched for one by one; whole numbers can, and the audit has each,
    also those that a search by `before` or for a number of another province names."""
    async with talking(tmp_path) as (gateway, esme):
        name = await said(gateway, esme, ALICE, "KTFX")
        visitor, foreign = operator(gateway), operator(gateway, GUANGDONG)
        narrower = [await visitor.get(f"/api/v1/messages?handset={ALICE[:4]}{digit}") for digit in range(10)]
        pages = [
            await visitor.get(f"/messages?handset={ALICE[:7]}"),
            await visitor.get("/messages?handset=138"),
        ]
        nothing = await gateway.app.store.audit(1 << 62, 10)
        await visitor.get(f"/messages?handset={quote('+86' + ALICE)}")
        await found(visitor, f"handset={ALICE}&before={name}")
        assert await found(foreign, f"handset={ALICE}") == []
        noted = [(each.action, each.subject) for _, each in await gateway.app.store.audit(1 << 62, 10)]
    assert {answer.status for answer in narrower} == {400}
    assert [page.status for page in pages] == [400, 200]
    assert nothing == []
    assert noted == [("searched", ALICE)] * 3


async def test_pages_go_on(tmp_path: Path) -> None:
    """`before` of one answer, and the link of one page, lead to the next; each SMS comes once."""
    async with talking(tmp_path) as (gateway, esme):
        names = [await accepted(esme, sms(ALICE, "161", f"hello {n}")) for n in range(60)]
        await gateway.settle()
        visitor = operator(gateway)
        first = (await visitor.get("/api/v1/messages")).json
        second = (await visitor.get(f"/api/v1/messages?before={first['before']}")).json
        page = await visitor.get("/messages?handset=138")
    ids = [row["message_id"] for row in first["messages"] + second["messages"]]
    assert ids == names[::-1]
    assert second["before"] is None
    assert f"/messages?handset=138&amp;before={first['before']}" in page.text


async def test_an_sms_is_opened(tmp_path: Path) -> None:
    """With a reason, which the audit has; numbers and text stand on that answer only. Without one, nothing
    is shown and nothing written down."""
    async with talking(tmp_path) as (gateway, esme):
        name = await said(gateway, esme, ALICE, "hello there")
        visitor = operator(gateway)
        masked = await visitor.get(f"/messages/{name}")
        refused = await visitor.post(f"/messages/{name}", {"reason": "  "})
        before = await gateway.app.store.audit(1 << 62, 10)
        opened = await visitor.post(f"/messages/{name}", {"reason": "complaint 7"})
        [(_, entry), *_] = await gateway.app.store.audit(1 << 62, 10)
        again = await visitor.get(f"/messages/{name}")
    assert "hello there" in opened.text
    assert ALICE in opened.text
    assert "EventSource" not in opened.text
    assert "data-live" not in opened.text
    for other in (masked, refused, again):
        assert "hello there" not in other.text
        assert ALICE not in other.text
    assert refused.status == 400
    assert not [each for _, each in before if each.action == "opened"]
    assert (entry.account, entry.action, entry.subject) == ("somebody", "opened", name)
    assert entry.reason == "complaint 7"


async def test_passwords_are_shown_to_nobody(tmp_path: Path) -> None:
    """Neither one that a customer writes nor one that the gateway draws; not even what the SMS says around
    it."""
    async with talking(tmp_path) as (gateway, esme):
        await said(gateway, esme, ALICE, "KTFX")
        written = await said(gateway, esme, ALICE, "abc12345", to="12520050")
        drawn = await said(gateway, esme, ALICE, "P")
        visitor = browser(gateway, Role.ADMINISTRATOR)
        names = [written, drawn]
        for name in tuple(names):
            effects = (await visitor.get(f"/api/v1/messages/{name}")).json["effects"]
            names += [each["id"] for each in effects]
        pages = [await visitor.post(f"/messages/{name}", {"reason": "r"}) for name in names]
        told = [text_of(await delivered(esme)) for _ in range(esme.inbox.qsize())]
    [secret] = [match[1] for text in told if (match := re.search(r"新密码是(\w+)", text))]
    assert len(names) == 4
    assert all(page.status == 200 for page in pages)
    for page in pages:
        assert "abc12345" not in page.text
        assert secret not in page.text
        assert "新密码是" not in page.text
    assert "任何人都不能查看" in pages[0].text
    assert "任何人都不能查看" in pages[-1].text


async def test_a_province_sees_its_own(tmp_path: Path) -> None:
    """Alice of Beijing asks Bob of Shanghai: each province finds what its customer sent or got, with the
    other's number masked, opened or not; nobody else finds anything."""
    async with talking(tmp_path) as (gateway, esme):
        name = await buddies(gateway, esme)
        everybody = (await operator(gateway).get(f"/api/v1/messages/{name}")).json
        to_bob = next(each["id"] for each in everybody["effects"] if "139****9000" in each["way"])
        beijing, shanghai = operator(gateway, BEIJING), operator(gateway, SHANGHAI)
        mine = await beijing.post(f"/messages/{name}", {"reason": "r"})
        effects = (await beijing.get(f"/api/v1/messages/{name}")).json["effects"]
        theirs = await shanghai.post(f"/messages/{to_bob}", {"reason": "r"})
        causes = (await shanghai.get(f"/api/v1/messages/{to_bob}")).json["causes"]
        refused = [
            await operator(gateway, GUANGDONG).get(f"/messages/{name}"),
            await operator(gateway, GUANGDONG).get(f"/messages/{to_bob}"),
            await operator(gateway, GUANGDONG).get(f"/live/messages/{name}"),
            await operator(gateway, GUANGDONG).get(f"/api/v1/messages/{name}"),
            await operator(gateway, GUANGDONG).post(f"/messages/{name}", {"reason": "r"}),
            await shanghai.get(f"/messages/{name}"),
            await beijing.get(f"/messages/{to_bob}"),
        ]
        absent = await operator(gateway, GUANGDONG).get("/messages/0000000100ffffff")
        rows = {code: await found(operator(gateway, code)) for code in (BEIJING, SHANGHAI, GUANGDONG)}
        out = await found(shanghai, "direction=out")
        noted = [each.subject for _, each in await gateway.app.store.audit(1 << 62, 50)]
    assert ALICE in mine.text
    assert "HY#139****9000" in mine.text
    assert BOB not in mine.text
    assert {each["open"] for each in effects if "139****9000" in each["way"]} == {False}
    assert BOB in theirs.text
    assert ALICE not in theirs.text
    assert causes == []
    assert {answer.status for answer in refused} == {404}
    assert refused[0].text.replace(name, "") == absent.text.replace("0000000100ffffff", "")
    assert {row["home_province"] for row in rows[BEIJING]} == {BEIJING}
    assert {row["home_province"] for row in rows[SHANGHAI]} == {SHANGHAI}
    assert rows[GUANGDONG] == []
    assert out
    assert noted == [to_bob, name]


async def test_what_there_is_not(tmp_path: Path) -> None:
    """What is no id, an id of nothing, and one that retention has deleted: 404 says which, and what an id
    looks like."""
    async with talking(tmp_path) as (gateway, esme):
        old = await said(gateway, esme, ALICE, "KTFX")
        await gateway.advance(days=2)
        await said(gateway, esme, ALICE, "hello")
        store, visitor = gateway.app.store, operator(gateway)
        assert await store.forget(gateway.clock.now_ms() - 1_000, 1_000)
        wrong = await visitor.get("/messages/17", accept_language="en")
        unknown = await visitor.get("/messages/7fffffffffffffff", accept_language="en")
        gone = await visitor.get(f"/messages/{old}", accept_language="en")
        api = await visitor.get("/api/v1/messages/17", accept_language="en")
    assert [each.status for each in (wrong, unknown, gone, api)] == [404] * 4
    assert "16 hexadecimal digits" in wrong.text
    assert "never answered" in unknown.text
    assert "older than all that are kept" in gone.text
    assert "16 hexadecimal digits" in api.json["error"]


async def test_wrong_fields_are_said(tmp_path: Path) -> None:
    """The form comes back as it was filled in, with the sentence; the API names the field."""
    async with talking(tmp_path) as (gateway, _):
        visitor = operator(gateway)
        page = await visitor.get("/messages?handset=alice&result=done", accept_language="en")
        api = await visitor.get("/api/v1/messages?from=never")
        strange = await visitor.get(f"/messages?handset={quote(SCRIPT)}&before={quote(SCRIPT)}")
    assert page.status == api.status == strange.status == 400
    assert "no mobile" in page.text
    assert 'value="alice"' in page.text
    assert api.json["error"].startswith("from: ")
    assert SCRIPT not in strange.text


async def test_what_customers_write_is_no_markup(tmp_path: Path) -> None:
    """In a text, a nickname and a name for a buddy: it is shown as it was written."""
    async with talking(tmp_path) as (gateway, esme):
        await said(gateway, esme, ALICE, "KTFX")
        names = [await said(gateway, esme, ALICE, text) for text in (SCRIPT, f"NC#{SCRIPT}"[:40])]
        visitor = operator(gateway)
        pages = [await visitor.post(f"/messages/{name}", {"reason": SCRIPT}) for name in names]
        pages += [await visitor.get(f"/messages/{name}") for name in names]
    assert all(page.status == 200 for page in pages)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[0].text
    assert not any("<script>" in page.text for page in pages)


async def test_names_of_accounts_and_what_peers_say_are_no_markup(tmp_path: Path) -> None:
    """system_id, and the id that the peer gives: on the page, in the live part and in the API."""
    account = {"system_id": "<i>x</i>", "password": "p", "default": True, "allow_from": ["127.0.0.0/8"]}
    config = {**CONSOLE, "smpp": {"accounts": [account]}}
    async with running_gateway(tmp_path, config) as gateway:
        connecting = Esme.connect("127.0.0.1", gateway.account.port, "<i>x</i>", "p", bind="transmitter")
        async with await connecting as esme:
            name = await accepted(esme, sms(ALICE, "161", "KTFX"))
            await gateway.settle()
        visitor = operator(gateway)
        page = await visitor.get(f"/messages/{name}")
        async with visitor.live(f"/live/messages/{name}") as told:
            _, data = await anext(told)
        api = await visitor.get(f"/api/v1/messages/{name}")
    assert "&lt;i&gt;x&lt;/i&gt;" in page.text
    assert "<i>" not in page.text
    assert "<i>" not in json.loads(data)["html"]
    assert api.json["account"] == "<i>x</i>"
    assert api.headers["content-type"] == "application/json"


async def test_what_cannot_be_written_down_is_not_shown(tmp_path: Path) -> None:
    """The store has no room for the audit: from then on nothing is opened."""
    async with talking(tmp_path) as (gateway, esme):
        name = await said(gateway, esme, ALICE, "hello there")
        visitor, store = operator(gateway), gateway.app.store
        assert isinstance(store, SqliteStore)
        store._db.execute("PRAGMA max_page_count=1")
        for _ in range(100):  # until the last page is full
            answer = await visitor.post(f"/messages/{name}", {"reason": "r" * 200}, accept_language="en")
            if answer.status != 200:
                break
            assert "hello there" in answer.text
        store._db.execute("PRAGMA max_page_count=1000000")
    assert answer.status == 503
    assert "hello there" not in answer.text
    assert ALICE not in answer.text
    assert "written down" in answer.text


async def test_an_sms_is_followed(tmp_path: Path) -> None:
    """While nobody takes the reply it waits; the stream tells when it has left, and ends."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        async with await bind(gateway.account.port, "transmitter") as sender:
            name = await accepted(sender, sms(ALICE, "161", "KTFX"))
            await gateway.settle()
        visitor = operator(gateway)
        page = await visitor.get(f"/messages/{name}")
        async with visitor.live(f"/live/messages/{name}") as told:
            kind, data = await anext(told)
            assert kind == "life"
            waits = json.loads(data)
            async with await bind(gateway.account.port, "receiver") as receiver:
                await delivered(receiver)
                await gateway.settle()
                moved = [(kind, json.loads(data)) async for kind, data in told]
        assert gateway.app.console is not None
        over = await visitor.get(f"/messages/{name}")
    assert f'data-live="/live/messages/{name}"' in page.text
    assert not waits["over"]
    assert "没有接收短信的连接" in waits["html"]
    assert moved[-1] == ("end", {})
    assert moved[-2][1]["over"]
    assert ALICE not in waits["html"] + moved[-2][1]["html"]
    assert "data-live" not in over.text


async def test_followers_share_one_reading(tmp_path: Path) -> None:
    """However many watch an SMS, it is read at most twice a second; nothing is kept of it afterwards; after
    ten minutes a stream ends by itself."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        async with await bind(gateway.account.port, "transmitter") as sender:
            name = await accepted(sender, sms(ALICE, "161", "KTFX"))
            await gateway.settle()
        console = gateway.app.console
        assert console is not None
        services, readings = console.application.services, list[int]()

        async def read(function: Callable[[Reader], Life]) -> Life:
            readings.append(1)
            return await services.read(function)

        streams = [services.lives.watch(number_of(name), read) for _ in range(5)]
        for each in streams:
            assert len((await anext(each)).outgoing) == 1
        assert len(readings) == 1
        assert services.lives.watched == 1
        await gateway.advance(seconds=lives.LONGEST + 1)
        for each in streams:
            assert [life async for life in each] == []
    assert services.lives.watched == 0
    assert len(readings) <= 3


async def test_nothing_is_kept_of_a_follower_who_goes_away(tmp_path: Path) -> None:
    """The browser closes its stream; the SMS goes on waiting."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        async with await bind(gateway.account.port, "transmitter") as sender:
            name = await accepted(sender, sms(ALICE, "161", "KTFX"))
            await gateway.settle()
        console = gateway.app.console
        assert console is not None
        known = console.application.services.lives
        async with operator(gateway).live(f"/live/messages/{name}") as told:
            await anext(told)
            assert known.watched == 1
        await until(lambda: not known.watched, "the end of the stream")
