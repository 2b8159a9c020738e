"""The section phones: pages, stream and API, over HTTP."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.channels.phones.channel import LONGEST, Fault
from gateway.channels.phones.conversations import State
from gateway.errors import Verdict
from gateway.operations.console.rendering import load_texts
from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.channels.phones import ANN, BEN, PHONES, gets, writes
from tests.operations.console.browser import CONSOLE, browser
from tests.support import ALICE, REFUSED_SECOND, SECOND, operators_tables

JIANGSU, GUANGDONG = "250", "200"
"""Provinces: the home of the phones, and another one."""


async def test_a_conversation_without_scripts(tmp_path: Path) -> None:
    """Choose a number, write KTFX, see the SMS as sent and the reply, each with its timeline."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        chosen = await operator.get(f"/phones?number={ANN}&number={BEN}&number=")
        where = chosen.headers["location"]
        empty = await operator.get(where, accept_language="en")
        sent = await operator.post(where, {"phone": ANN, "to": "161", "text": "KTFX"})
        reply = await gets(gateway, ANN, "飞信")
        page = await operator.get(where, accept_language="en")
    assert (chosen.status, where) == (303, f"/phones/{ANN}?with={BEN}")
    assert empty.text.count("No SMS yet") == 2
    assert (sent.status, sent.headers["location"]) == (303, f"{where}#phone-{ANN}")
    assert page.status == 200
    assert ">KTFX</p>" in page.text
    assert reply.text in page.text
    assert f'href="/messages/{reply.message_id}"' in page.text
    assert '<th scope="row">KTFX' in page.text
    assert "open Fetion" in page.text


async def test_live(tmp_path: Path) -> None:
    """The stream has what was there, what a phone sends with its state, and what comes to it; of other phones
    nothing."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        await writes(gateway, ANN, "earlier")
        async with operator.live(f"/live/phones?number={ANN}") as events:
            await writes(gateway, BEN, "KTFX")
            answer = await operator.post_json(f"/api/v1/phones/{ANN}/messages", {"to": "161", "text": "KTFX"})
            seen = []
            async with asyncio.timeout(10):
                async for name, data in events:
                    if name == "run":
                        assert data == str(gateway.app.store.run)
                        continue
                    seen.append((name, json.loads(data)))
                    if seen[-1][1]["received"] and "欢迎" in seen[-1][1]["text"]:
                        break
    assert {name for name, _ in seen} == {"sms"}
    assert {each["phone"] for _, each in seen} == {ANN}
    assert seen[0][1]["text"] == "earlier"
    assert ("KTFX", "sent") in [(each["text"], each["state"]) for _, each in seen]
    assert (answer.status, answer.json["state"]) == (200, "sent")
    ids = {each["message_id"] for _, each in seen if each["number"] == answer.json["number"]}
    assert answer.json["message_id"] in ids


async def test_api(tmp_path: Path) -> None:
    """The phones, and the SMS of one."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        await writes(gateway, BEN, "KTFX")
        await gets(gateway, BEN, "飞信")
        phones = (await operator.get("/api/v1/phones")).json
        messages = (await operator.get(f"/api/v1/phones/{BEN}/messages")).json["messages"]
        failed = (await operator.post_json(f"/api/v1/phones/{ANN}/messages", {"to": "999", "text": "x"})).json
    assert phones["total"] == len(phones["phones"]) == 10
    assert phones["phones"][0] == {"number": BEN, "province": JIANGSU, "messages": 2}
    assert [each["received"] for each in messages] == [False, True]
    assert (failed["state"], failed["reason"]) == ("failed", "unknown_destination")


async def test_a_number_outside_the_range(tmp_path: Path) -> None:
    """It is nobody's phone: every way refuses it."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        for number in (ALICE, "13912345610", f"86{ANN}", "x"):
            answers = [
                await operator.get(f"/phones/{number}"),
                await operator.get(f"/phones/{ANN}?with={number}"),
                await operator.get(f"/phones?number={number}"),
                await operator.post(f"/phones/{number}", {"phone": number, "to": "161", "text": "KTFX"}),
                await operator.get(f"/live/phones?number={number}"),
                await operator.get(f"/api/v1/phones/{number}/messages"),
                await operator.post_json(f"/api/v1/phones/{number}/messages", {"to": "161", "text": "KTFX"}),
            ]
            assert [each.status for each in answers] == [404] * len(answers), number
        forged = await operator.post(f"/phones/{ANN}", {"phone": ALICE, "to": "161", "text": "KTFX"})
        assert forged.status == 400
        assert gateway.app.binds.totals()[0] == 0


async def test_a_province_plays_its_own(tmp_path: Path) -> None:
    """The operator of another province sees none of the phones, and may play none; that of their home may."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        own, other = (browser(gateway, Role.OPERATOR, each) for each in (JIANGSU, GUANGDONG))
        assert (await own.get(f"/phones/{ANN}")).status == 200
        assert ANN in (await own.get("/phones")).text
        assert ANN not in (await other.get("/phones")).text
        assert (await other.get("/api/v1/phones")).json["phones"] == []
        answers = [
            await other.get(f"/phones/{ANN}"),
            await other.post(f"/phones/{ANN}", {"to": "161", "text": "KTFX"}),
            await other.get(f"/live/phones?number={ANN}"),
            await other.get(f"/api/v1/phones/{ANN}/messages"),
            await other.post_json(f"/api/v1/phones/{ANN}/messages", {"to": "161", "text": "KTFX"}),
        ]
        assert [each.status for each in answers] == [403] * len(answers)
        reader = await browser(gateway, Role.READER).get(f"/phones/{ANN}")
        assert reader.status == 403
        assert gateway.app.binds.totals()[0] == 0


async def test_a_second_number_is_nobodys_phone(tmp_path: Path) -> None:
    """It would write in the name of the customer whose main number counts for it. Of a range that is too long
    for a list, a number may be typed."""
    operators_tables(tmp_path / "tables")
    settings = {
        "console": {**PHONES["console"], "phones": [SECOND, REFUSED_SECOND, f"{ANN}-13912399999"]},
        "tables": {"folder": str(tmp_path / "tables")},
    }
    async with running_gateway(tmp_path, settings) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        for number in (SECOND, REFUSED_SECOND):
            page = await operator.get(f"/phones/{number}", accept_language="en")
            assert (page.status, "second number" in page.text) == (403, True)
            api = f"/api/v1/phones/{number}/messages"
            assert (await operator.post_json(api, {"to": "161", "text": "KTFX"})).status == 403
        assert (await operator.get("/phones/13912399999")).status == 200
        choose = (await operator.get("/phones", accept_language="en")).text
        assert f"Or another test number (of {2 + 99999 - 45600 + 1})" in choose
        assert choose.count('type="checkbox"') == 100
        assert gateway.app.binds.totals()[0] == 0


async def test_faults_are_said_at_the_phone(tmp_path: Path) -> None:
    """What cannot be sent stays in the form, with the reason; with a status that a program understands."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        long = "<b>字" * (LONGEST // 3)
        page = await operator.post(f"/phones/{ANN}", {"to": "161", "text": long}, accept_language="en")
        api = f"/api/v1/phones/{ANN}/messages"
        answers = [
            await operator.post_json(api, {"to": "161", "text": "字" * 1000}),
            await operator.post_json(api, {"to": "161", "text": ""}),
            await operator.post_json(api, {"to": "161", "text": "\ud83d"}),
            await operator.post_json(api, {"to": "x", "text": "KTFX"}),
            await operator.post_json(api, {"to": 161, "text": "KTFX"}),
            await operator.post_json(api, ["161", "KTFX"]),
            await operator.post(api, {"to": "161", "text": "KTFX"}),
        ]
    assert page.status == 400
    assert f"The text is too long: {LONGEST} characters at most" in page.text
    assert "<b>字" not in page.text
    assert "&lt;b&gt;字" in page.text
    assert [each.status for each in answers] == [400] * len(answers)
    assert all(each.json["error"] for each in answers)


async def test_html_is_text(tmp_path: Path) -> None:
    """A text with HTML is shown as it was typed. The audit has who wrote from which number, never what."""
    text = "<script>alert(1)</script>\"'&"
    async with running_gateway(tmp_path, PHONES) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        await operator.post(f"/phones/{ANN}", {"to": "161", "text": text})
        page = (await operator.get(f"/phones/{ANN}")).text
        ((_, entry),) = await gateway.app.store.audit((1 << 63) - 1, 10)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;" in page
    assert (entry.account, entry.action, entry.subject, entry.reason) == ("somebody", "phone.send", ANN, "")


async def test_rate_limit(tmp_path: Path) -> None:
    """A phone is limited as any handset is, by the gateway's own rule."""
    limited = {**PHONES, "limits": {"instructions_per_minute": 2}}
    async with running_gateway(tmp_path, limited) as gateway:
        for _ in range(3):
            await writes(gateway, ANN, "KTFX")
        await gateway.settle()
        assert "limited" in gateway.log_file().read_text()


async def test_no_phones(tmp_path: Path) -> None:
    """Without console.phones the page says how to have some."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        operator = browser(gateway, Role.OPERATOR)
        page = await operator.get("/phones", accept_language="en")
        api = await operator.get("/api/v1/phones")
        one = await operator.get(f"/phones/{ANN}")
    assert "The operator sets console.phones" in page.text
    assert api.json == {"phones": [], "total": 0}
    assert one.status == 404


@pytest.mark.parametrize("prefix", ["state", "verdict", "fault"])
def test_every_state_has_words(prefix: str) -> None:
    """Each state, verdict and fault is told in both languages."""
    members = {"state": State, "verdict": Verdict, "fault": Fault}[prefix]
    texts = load_texts()
    for each in members:
        assert set(texts[f"phones.{prefix}_{each.name.lower()}"]) == {"zh", "en"}
