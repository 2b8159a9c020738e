"""Language and colours are switched on every page; the same page follows, with its parameters."""

import html
import re
from pathlib import Path

import pytest

from gateway.operations.console.rights import Role
from gateway.testing import RunningGateway, running_gateway
from tests.channels.phones import ANN, BEN, PHONES
from tests.operations.console.browser import Answer, Browser, browser
from tests.support import ALICE

BACK = re.compile(r'name="back" value="([^"]*)"')


async def customer(gateway: RunningGateway, visitor: Browser) -> str:
    """The page of a customer."""
    alice = await gateway.handset(ALICE)
    await alice.send("KTFX", "161")
    await alice.expect("飞信")
    return (await visitor.post("/customers", {"number": ALICE})).headers["location"]


def back(answer: Answer) -> str:
    """Where a switch leads from a page."""
    found = BACK.search(answer.text)
    assert found, answer.text
    return html.unescape(found[1])


async def test_a_switch_leads_to_the_page_itself(tmp_path: Path) -> None:
    """From what a form has answered too: there what it was sent to can often not be opened."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        visitor = browser(gateway, Role.ADMINISTRATOR)
        page = await customer(gateway, visitor)
        phones = f"/phones/{ANN}?with={BEN}"
        form = {"phone": BEN, "to": "161", "text": ""}
        answers = {
            "/statistics/uplink?period=week&province=200": await visitor.get(
                "/statistics/uplink?period=week&province=200"
            ),
            page: await visitor.post(f"{page}/opened", {"reason": "he asks"}),
            "/account": await visitor.post("/account/password", {"old": "x", "new": "y", "again": "z"}),
            phones: await visitor.post(phones, form),
            "/tables/reload": await visitor.post("/tables/reload", {"reason": ""}),
            "/login?next=%2Faudit": await visitor.post("/login", {"next": "/audit", "name": "a"}),
            "/": await visitor.post(f"{page}/opened", {}),
        }
        for wanted, answer in answers.items():
            assert back(answer) == wanted, answer.status
            assert (await visitor.get(wanted)).status == 200, wanted


@pytest.mark.parametrize(("language", "said"), [("zh", "没有权限"), ("en", "lacks the right")])
async def test_a_refusal_is_said_in_the_visitors_language(tmp_path: Path, language: str, said: str) -> None:
    """A page; programs are told in English."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        visitor = browser(gateway, Role.READER)
        assert said in (await visitor.get("/audit", accept_language=language)).text
        answer = await visitor.get("/api/v1/phones", accept_language=language)
        assert "lacks the right" in answer.json["error"]
