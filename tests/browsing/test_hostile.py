"""Stored cross-site scripting, in a real browser: what strangers write stays text on every page."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.testing import RunningGateway, running_gateway
from tests.browsing.hostile import (
    CONFIG,
    NAME,
    REASON,
    WATCH,
    Watcher,
    plant,
    write_tables,
)
from tests.browsing.rig import NARROW, as_somebody
from tests.browsing.sample import ALICE
from tests.browsing.test_every_page import PAGES
from tests.channels.phones import ANN, BEN
from tests.operations.swapped import SHIPPED

LANGUAGES = ("en", pytest.param("zh", marks=pytest.mark.long))
FIELD = "input[name=reason]"


@dataclass(slots=True)
class Planted:
    """A gateway in which hostile values stand. ids: of the SMS with the worst texts."""

    gateway: RunningGateway
    ids: tuple[str, ...]


@pytest.fixture
async def planted(tmp_path: Path) -> AsyncIterator[Planted]:
    """All of them."""
    write_tables(tmp_path / "tables", SHIPPED)
    async with running_gateway(tmp_path, CONFIG) as gateway:
        yield Planted(gateway, await plant(gateway))


async def act(page: Page, where: str, watcher: Watcher) -> str:
    """Look up a customer, open the number, act: each with a hostile reason. Gives the page's path."""
    await page.goto(f"{where}/customers")
    await page.fill("input[name=number]", ALICE)
    await page.press("input[name=number]", "Enter")
    await page.wait_for_url("**/customers/*")
    path = page.url.removeprefix(where)
    await expect(page.locator("main")).to_contain_text(NAME)
    await watcher.looks(path)
    await page.locator("form[action$='/opened']").locator(FIELD).fill(REASON)
    await page.locator("form[action$='/opened'] button").click()
    await watcher.looks(f"{path}/opened")
    await page.goto(where + path)
    await page.locator("input[name=action]").first.check()
    await page.locator("form[action$='/actions']").locator(FIELD).fill(REASON)
    await page.locator("form[action$='/actions'] button").click()
    await watcher.looks(f"{path}/actions")
    return path


async def open_text(page: Page, where: str, watcher: Watcher, number: str) -> None:
    """Open the text of an SMS."""
    await page.goto(f"{where}/messages/{number}")
    await page.fill(FIELD, REASON)
    await page.press(FIELD, "Enter")
    await page.locator("blockquote.sms").wait_for()
    await watcher.looks(f"/messages/{number} opened")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_is_stored_stays_text(planted: Planted, real_browser: Browser, language: str) -> None:
    """On every page that shows it: no element is made of it, no script runs, no other host is asked, no page
    is wider than a phone."""
    context, where = await as_somebody(real_browser, planted.gateway, size=NARROW, language=language)
    await context.add_init_script(WATCH)
    page = await context.new_page()
    watcher = Watcher(page, where)
    customer = await act(page, where, watcher)
    for number in planted.ids:
        await open_text(page, where, watcher, number)
    messages = [f"/messages/{number}" for number in planted.ids]
    for path in (*PAGES, customer, *messages, "/messages?direction=out", f"/phones/{ANN}?with={BEN}"):
        await watcher.opens(path)
    await context.close()
    assert not watcher.faults, "\n".join(watcher.faults)
