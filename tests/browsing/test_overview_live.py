"""The overview in a real browser: it follows what happens, and shows a moment where there are no scripts."""

from pathlib import Path

from playwright.async_api import Browser, expect

from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.browsing.rig import as_somebody
from tests.operations.console.browser import CONSOLE
from tests.support import ALICE


async def test_the_overview_follows(tmp_path: Path, real_browser: Browser) -> None:
    """An SMS comes: its count, its row and the tile of its province change, and so do the rows of alarms; the
    page is not loaded again."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        context, where = await as_somebody(real_browser, gateway, Role.OPERATOR, language="en")
        page = await context.new_page()
        await page.goto(where)
        await expect(page.locator("#live")).to_have_text("Updated every second")
        await expect(page.locator("[data-text=came]")).to_have_text("0")
        await page.evaluate("window.loaded = 'once'")
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", "161")
        await alice.expect("飞信")
        gateway.app.observer.link_failed("north", "smsc", "transceiver", "<b>refused</b>", 1, 1.0)
        await gateway.advance(seconds=2)
        await expect(page.locator("[data-text=came]")).to_have_text("1")
        await expect(page.locator("[data-rows=purposes] td").first).to_have_text("Instructions")
        await expect(page.locator(".tile.heat-5 .tile-value")).to_have_text("1")
        await expect(page.locator("[data-rows=alarms]")).to_contain_text("<b>refused</b>")
        assert await page.locator("[data-rows=alarms] b").count() == 0
        assert await page.evaluate("window.loaded") == "once"
        await context.close()


async def test_the_overview_without_scripts(tmp_path: Path, real_browser: Browser) -> None:
    """The page is complete, says that it is not updated, and has a link that loads it again."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        known, where = await as_somebody(real_browser, gateway, Role.OPERATOR, language="en")
        cookies = await known.cookies()
        plain = await real_browser.new_context(java_script_enabled=False, locale="en-GB")
        await plain.add_cookies(
            [{"name": each["name"], "value": each["value"], "url": where} for each in cookies]
        )
        page = await plain.new_page()
        await page.goto(where)
        await expect(page.locator("#live")).to_have_text("Not updated")
        await expect(page.locator("[data-text=outbox]")).to_have_text("0 of 100,000")
        assert await page.locator("[data-province]").count() == 32
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", "161")
        await alice.expect("飞信")
        await gateway.advance(seconds=2)
        await page.get_by_role("link", name="Load this page again").click()
        await expect(page.locator("[data-text=came]")).to_have_text("1")
        await plain.close()
        await known.close()
