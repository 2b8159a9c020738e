"""Stored cross-site scripting, in a real browser: what strangers write stays text on every page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.testing import RunningGateway, running_gateway
from tests.browsing.hostile import (
    CONFIG,
    EVERYTHING,
    LONGEST,
    MARKUP,
    NAME,
    REASON,
    SYSTEM_ID,
    WATCH,
    Watcher,
    addresses,
    centre_of,
    plant,
    write_tables,
)
from tests.browsing.rig import NARROW, as_somebody
from tests.browsing.sample import ALICE
from tests.channels.phones import ANN, BEN, writes
from tests.operations.swapped import SHIPPED

LANGUAGES = ("en", pytest.param("zh", marks=pytest.mark.long))
SHOWING = ("/", "/audit", "/messages", "/messages?direction=out", "/statistics", "/tables/appendix8?find=NC")
"""Pages that show what was planted, with no parameter of its own."""
FIELD = "input[name=reason]"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """With tables that have something hostile in them."""
    write_tables(tmp_path / "tables", SHIPPED)
    async with running_gateway(tmp_path, CONFIG) as running:
        yield running


async def watched(browser: Browser, gateway: RunningGateway, language: str) -> tuple[Page, Watcher, str]:
    """A page as wide as a phone, who watches it, and the address of the console."""
    context, where = await as_somebody(browser, gateway, size=NARROW, language=language)
    await context.add_init_script(WATCH)
    page = await context.new_page()
    return page, Watcher(page, where), where


async def act(page: Page, where: str, watcher: Watcher) -> str:
    """Look up a customer, open the number, act: each with a hostile reason. Gives the page's path."""
    await page.goto(f"{where}/customers")
    await page.fill("input[name=number]", ALICE)
    await page.press("input[name=number]", "Enter")
    await page.wait_for_url("**/customers/*")
    path = page.url.removeprefix(where)
    for name in ("opened", "actions"):
        form = page.locator(f"form[action$='/{name}']")
        if name == "actions":
            await form.locator("input[value=suspend]").check()
        await form.locator(FIELD).fill(REASON)
        await form.locator(FIELD).press("Enter")
        await page.wait_for_url(f"**/{name}")
        await expect(page.locator(".bad[role=alert]")).to_have_count(0)
        await watcher.looks(f"{path}/{name}")
        await page.goto(where + path)
    await expect(page.locator("main")).to_contain_text(REASON)
    return path


async def open_text(page: Page, where: str, watcher: Watcher, number: str) -> None:
    """Open the text of an SMS."""
    await page.goto(f"{where}/messages/{number}")
    await page.fill(FIELD, REASON)
    await page.press(FIELD, "Enter")
    await expect(page.locator("blockquote.sms")).to_contain_text("<")
    await watcher.looks(f"/messages/{number} opened")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_is_stored_stays_text(
    gateway: RunningGateway, real_browser: Browser, language: str
) -> None:
    """On every page that shows it: no element is made of it, no script runs, no other host is asked, no page
    is wider than a phone, and no text beside it is turned around."""
    ids = await plant(gateway)
    page, watcher, where = await watched(real_browser, gateway, language)
    customer = await act(page, where, watcher)
    for number in ids[1:3]:
        await open_text(page, where, watcher, number)
    for path in (*SHOWING, customer, f"/messages/{ids[0]}", f"/phones/{ANN}?with={BEN}"):
        await watcher.opens(path)
    await page.context.close()
    assert not watcher.faults, "\n".join(watcher.faults)


async def test_what_comes_live_stays_text(gateway: RunningGateway, real_browser: Browser) -> None:
    """The same where scripts show it: phones, the overview, an SMS that waits."""
    page, watcher, where = await watched(real_browser, gateway, "en")
    await page.goto(f"{where}/phones/{ANN}?with={BEN}")
    live = page.locator("#live")
    await expect(live).not_to_be_empty()
    await plant(gateway)
    await expect(page.locator(f"#phone-{ANN} .sms.out", has_text=MARKUP[0])).to_have_count(1)
    await expect(page.locator(f"#phone-{BEN} .sms.in", has_text=NAME)).to_have_count(1)
    await watcher.looks("/live/phones")
    await page.goto(where)
    await expect(live).to_have_text("Updated every second")
    gateway.app.observer.link_failed("south", "smsc", EVERYTHING, EVERYTHING, 1, 1.0)
    await gateway.advance(seconds=2)
    await expect(page.locator("[data-rows=alarms]")).to_contain_text(f"south {MARKUP[0]}")
    await watcher.looks("/live/overview")
    await writes(gateway, ANN, f"HY#{ALICE}#{NAME}")
    await page.goto(f"{where}/messages?direction=out")
    await page.locator("tbody .id").first.click()
    await page.evaluate("document.getElementById('life').firstElementChild.id = 'made-by-the-server'")
    await expect(live).to_have_text("Live")
    async with await centre_of(gateway) as centre:
        await centre.handsets[ALICE].expect(NAME)
        await expect(page.locator("#made-by-the-server")).to_have_count(0)
    await expect(page.locator("#life")).to_contain_text(SYSTEM_ID)
    await watcher.looks("/live/messages")
    await page.context.close()
    assert not watcher.faults, "\n".join(watcher.faults)


@pytest.mark.long
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_an_address_stays_text(gateway: RunningGateway, real_browser: Browser, language: str) -> None:
    """The same where a page repeats what it was asked for, or says what is wrong with it; and the login."""
    page, watcher, where = await watched(real_browser, gateway, language)
    for path in [*addresses(EVERYTHING.replace("\0", "")), *addresses(EVERYTHING), *addresses(LONGEST)]:
        await watcher.opens(path)
    for name in (MARKUP[2][:32], MARKUP[3][:32]):
        await page.goto(f"{where}/login")
        await page.fill("input[name=name]", name)
        await page.fill("input[name=password]", EVERYTHING[:200])
        await page.press("input[name=password]", "Enter")
        await expect(page.locator("#why")).not_to_be_empty()
        await watcher.looks("/login")
    await page.context.close()
    assert not watcher.faults, "\n".join(watcher.faults)
