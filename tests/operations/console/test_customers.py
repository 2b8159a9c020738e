"""The section of customers, over real sockets: look-ups, masks, actions, provinces, the API."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands.model import Customer, CustomerState
from gateway.message import Commit
from gateway.operations.console.rights import Role
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, Answer, browser
from tests.support import ALICE, BOB

AGENT = Role.CUSTOMER_SERVICE
MASKED = f"{ALICE[:3]}****{ALICE[7:]}"
HOSTILE = "<script>alert('x')</script>{{7*7}}"
EN: Mapping[str, str] = {"accept_language": "en"}


async def page_of(gateway: RunningGateway, number: str, **who: Any) -> tuple[str, Answer]:
    """Look a customer up: the address of his page, and the page."""
    visitor = browser(gateway, AGENT, **who)
    found = await visitor.post("/customers", {"number": number})
    assert found.status == 303, found.text
    return found.headers["location"], await visitor.get(found.headers["location"], **EN)


def request_in(page: Answer) -> str:
    """What the form of the actions sends with it."""
    found = re.search(r'name="request" value="([0-9a-f]{32})"', page.text)
    assert found is not None
    return found[1]


async def opened(gateway: RunningGateway, **more: Any) -> None:
    """ALICE has opened Fetion."""
    values = {"fetion_number": "888888888", "opened_at": gateway.clock.now_ms(), **more}
    customer = Customer(ALICE, CustomerState.OPEN, **values)
    await gateway.app.store.commit(Commit(customers=[customer]))


async def test_an_agent_unlocks_a_customer(tmp_path: Path) -> None:
    """Refused with 494 he calls; the agent finds him, unlocks him, and his next SMS gets through."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await opened(gateway, protected=True, nickname=HOSTILE)
        alice = await gateway.handset(ALICE)
        await alice.send("QM#1", to="161")
        await alice.expect("保护")
        address, page = await page_of(gateway, "888888888")
        assert page.status == 200
        assert "account protected (494)" in page.text
        assert "QM#1" not in page.text
        assert "<script" not in page.text
        assert "&lt;script&gt;" in page.text

        form = {"action": "unlock", "reason": "called, <b>angry</b>", "request": request_in(page)}
        done = await browser(gateway, AGENT).post(f"{address}/actions", form, **EN)
        assert done.status == 200
        assert "Unlock the account: done" in done.text
        assert "somebody: called, &lt;b&gt;angry&lt;/b&gt;" in done.text
        await alice.expect("已经解除")
        await alice.send("QM#1", to="161")
        await alice.expect("1")
        link = re.search(r'href="(/messages/[0-9a-f]{16})"', done.text)
        assert link is not None
        timeline = await browser(gateway, AGENT).get(link[1], **EN)
        assert f"somebody at the console: unlock {MASKED}: called, &lt;b&gt;angry" in timeline.text
        again = await browser(gateway, AGENT).post(f"{address}/actions", form, **EN)
        assert "Nothing was done twice" in again.text
        audit = [entry for _, entry in await gateway.app.store.audit(1 << 62, 10)]
    assert [(each.account, each.action, each.subject, each.reason) for each in audit] == [
        ("somebody", "unlock", ALICE, "called, <b>angry</b>"),
        ("somebody", "unlock", ALICE, "called, <b>angry</b>"),
        ("somebody", "searched", ALICE, ""),
    ]


async def test_the_number_is_masked_until_it_is_opened(tmp_path: Path) -> None:
    """Neither the page nor its address has it; who opens it says why, and that is in the audit."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await opened(gateway)
        address, page = await page_of(gateway, f"+86 {ALICE}")
        assert (ALICE in address, ALICE in page.text, MASKED in page.text) == (False, False, True)
        no_reason = await browser(gateway, AGENT).post(f"{address}/opened", {"reason": "  "}, **EN)
        assert no_reason.status == 400
        assert ALICE not in no_reason.text
        shown = await browser(gateway, AGENT).post(f"{address}/opened", {"reason": "calls back"}, **EN)
        assert ALICE in shown.text
        entry, searched = [each for _, each in await gateway.app.store.audit(1 << 62, 10)]
    assert (entry.action, entry.subject, entry.reason) == ("opened", ALICE, "calls back")
    assert (searched.action, searched.subject) == ("searched", ALICE)


async def test_a_number_in_a_reason_is_masked(tmp_path: Path) -> None:
    """Whoever wrote it: on the customer's page, in the timeline, in the audit and for machines, however it is
    grouped. Who opens the customer sees his number there too, and no other one."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await opened(gateway)
        agent, path = browser(gateway, AGENT), f"/api/v1/customers/{ALICE}"
        spaced = f"{BOB[:3]} {BOB[3:7]} {BOB[7:]}"
        wanted = {"action": "suspend", "reason": f"{ALICE} lost it, call {spaced}", "request": "r" * 16}
        done = await agent.post_json(f"{path}/actions", wanted)
        address, page = await page_of(gateway, ALICE)
        name = done.json["message_id"]
        masked = [
            page,
            await agent.get(path),
            await agent.get(f"/messages/{name}"),
            await agent.get(f"/api/v1/messages/{name}"),
            await browser(gateway, Role.ADMINISTRATOR).get("/audit"),
        ]
        shown = await agent.post(f"{address}/opened", {"reason": "calls back"}, **EN)
    for answer in masked:
        assert "lost it" in answer.text
        assert (ALICE in answer.text, spaced in answer.text) == (False, False)
    assert f"{ALICE} lost it" in shown.text
    assert spaced not in shown.text


async def test_a_province_sees_and_acts_on_its_own_only(tmp_path: Path) -> None:
    """By the customer's home: another one's customer is as one that does not exist, whatever the way."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await opened(gateway)
        home = gateway.app._in_force.home(ALICE)
        other = "200" if home != "200" else "210"
        address, page = await page_of(gateway, ALICE, province=home)
        form = {"action": "cancel", "reason": "x", "request": request_in(page)}
        foreign = browser(gateway, AGENT, other)
        answers = [
            await foreign.post("/customers", {"number": ALICE}),
            await foreign.post("/customers", {"number": "888888888"}),
            await foreign.get(address),
            await foreign.post(f"{address}/opened", {"reason": "x"}),
            await foreign.post(f"{address}/actions", form),
            await foreign.get(f"/api/v1/customers/{ALICE}"),
            await foreign.post_json(f"/api/v1/customers/{ALICE}/actions", form),
        ]
        unknown = await foreign.post("/customers", {"number": "111111111"})
        assert {each.status for each in [*answers, unknown]} == {404}
        assert answers[0].text == answers[1].text == unknown.text
        noted = [each.action for _, each in await gateway.app.store.audit(1 << 62, 10)]
        assert noted == ["searched"]  # by the own province
        assert (await foreign.get(address[:-4])).status == 404
        mine = await browser(gateway, AGENT, home).get(f"/api/v1/customers/{ALICE}")
    assert (mine.json["msisdn"], mine.json["state"]) == (MASKED, "open")


async def test_what_is_typed(tmp_path: Path) -> None:
    """A mobile that never wrote has a page too: Fetion can be opened there."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        agent = browser(gateway, AGENT)
        for number in ("", "x" * 200, "99999999", "１３９０００００００１", "'; DROP", "999999999"):
            assert (await agent.post("/customers", {"number": number})).status == 404, number
        for number in ("13900000009", "8613900000009", " 139-0000-0009"):
            found = await agent.post("/customers", {"number": number})
            page = await agent.get(found.headers["location"], **EN)
            assert 'value="open"' in page.text, number
            assert 'value="cancel"' not in page.text


async def test_the_api_does_it_once(tmp_path: Path) -> None:
    """The password goes to the customer only; the same request again, at once or later, does nothing."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await opened(gateway)
        visitor, path = browser(gateway, AGENT), f"/api/v1/customers/{ALICE}/actions"
        wanted = {"action": "reset_password", "reason": "forgotten", "request": "r" * 16}
        both = await asyncio.gather(visitor.post_json(path, wanted), visitor.post_json(path, wanted))
        assert sorted(each.json["again"] for each in both) == [False, True]
        assert {each.json["message_id"] for each in both} == {both[0].json["message_id"]}
        assert both[0].json["replies"] == ["password.random"]
        alice = await gateway.handset(ALICE)
        sms = await alice.expect("新密码")
        password = re.search(r"新密码是(\w+)", sms.text)
        assert password is not None
        after = await visitor.get(f"/api/v1/customers/{ALICE}")
        assert password[1] not in after.text + "".join(each.text for each in both)
        assert (after.json["instructions"][0]["actor"], after.json["instructions"][0]["way"]) == (
            "somebody", "service",
        )  # fmt: skip
        senseless = await visitor.post_json(path, {**wanted, "action": "resume", "request": "s" * 16})
        assert (senseless.json["outcome"], senseless.json["replies"]) == ("refused", [])
        reused = await visitor.post_json(path, {**wanted, "action": "cancel"})
        assert reused.status == 409


WRONG: tuple[object, ...] = (
    None,
    [],
    "x",
    {"action": "unlock"},
    {"action": "promote", "reason": "x", "request": "r" * 16},
    {"action": "unlock", "reason": "x" * 201, "request": "r" * 16},
    {"action": "unlock", "reason": "a\nb", "request": "r" * 16},
    {"action": "unlock", "reason": "x", "request": "short"},
    {"action": "unlock", "reason": "x", "request": "r" * 16, "more": 1},
    {"action": "unlock", "reason": "x", "request": ["r" * 16]},
)


async def test_what_the_api_refuses(tmp_path: Path) -> None:
    """It names the field, and nothing is done."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        agent, path = browser(gateway, AGENT), f"/api/v1/customers/{ALICE}/actions"
        for body in WRONG:
            refused = await agent.post_json(path, body)
            assert refused.status == 400, (body, refused.text)
            assert refused.json["error"]
        assert (await agent.post(path, {"action": "unlock"})).status == 400
        huge = await agent.post_json(path, {"reason": "x" * 100_000})
        assert huge.status == 413
        assert await gateway.app.store.audit(1 << 62, 10) == []


async def test_who_may(tmp_path: Path) -> None:
    """A reader and an operator of the network have no business with customers."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await opened(gateway)
        address, page = await page_of(gateway, ALICE)
        form = {"action": "cancel", "reason": "x", "request": request_in(page)}
        for role in (Role.READER, Role.OPERATOR):
            visitor = browser(gateway, role)
            asked = [
                await visitor.get("/customers"),
                await visitor.get(address),
                await visitor.post(f"{address}/opened", {"reason": "x"}),
                await visitor.post(f"{address}/actions", form),
                await visitor.get(f"/api/v1/customers/{ALICE}"),
            ]
            assert {each.status for each in asked} == {403}
        forged = await browser(gateway, AGENT).post(f"{address}/actions", form, sec_fetch_site="cross-site")
        assert forged.status == 403
        gateway.app.queue.stopping = True
        late = await browser(gateway, AGENT).post(f"{address}/actions", form, **EN)
        assert late.status == 503
        assert "Not executed: the gateway stops" in late.text
