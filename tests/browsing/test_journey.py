"""What an operator of a province and an agent do in a morning, in a real browser, with their own accounts."""

from pathlib import Path

from playwright.async_api import Browser, Page

from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.simulator.sms import Expectation
from gateway.testing import RunningGateway, running_gateway
from tests.browsing.rig import new_context
from tests.browsing.sample import settle_in
from tests.operations.console.browser import PASSWORD, add_account
from tests.processing.test_actions import change, protect
from tests.support import ALICE

PATIENCE = 10.0
GUANGDONG, HENAN = "200", "371"
PHONE = "13802880000"
"""A mobile of Guangdong."""
CONFIG = {"console": {"listen": {"host": "127.0.0.1", "port": 0}, "phones": [PHONE]}}


async def enter(page: Page, gateway: RunningGateway, role: Role, province: str = HEADQUARTERS) -> str:
    """Make an account, and log in as it; gives the address of the console."""
    console = gateway.app.console
    assert console is not None
    name = f"{role.value}.{province}"
    await add_account(gateway, role, province, name)
    where = f"http://127.0.0.1:{console.port}"
    await page.goto(f"{where}/")
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.wait_for_url(lambda url: "/login" not in url)
    return where


async def test_a_morning_of_an_operator(tmp_path: Path, real_browser: Browser) -> None:
    """He logs in, texts KTFX on a phone, follows that SMS, opens the figures of his province and exports
    them; the figures of another province are not for him."""
    async with running_gateway(tmp_path, CONFIG) as gateway:
        await settle_in(gateway)
        context = await new_context(real_browser)
        page = await context.new_page()
        where = await enter(page, gateway, Role.OPERATOR, GUANGDONG)
        await page.goto(f"{where}/phones/{PHONE}")
        await page.fill(f"#to-{PHONE}", "161")
        await page.fill(f"#text-{PHONE}", "KTFX")
        await page.press(f"#text-{PHONE}", "Enter")
        await page.locator(f"#phone-{PHONE} .sms.in", has_text="欢迎使用飞信").wait_for()
        await page.locator(f"#phone-{PHONE} .sms.out .life").click()
        await page.wait_for_url("**/messages/*")
        assert "service.open" in await page.inner_text("main")
        await page.goto(f"{where}/statistics/uplink?period=day")
        assert "广东" in await page.inner_text("main")
        async with page.expect_download() as download:
            await page.click("a[href*='.xlsx'], a[href*='xlsx']")
        saved = await (await download.value).path()
        assert saved.read_bytes()[:2] == b"PK"
        other = await page.goto(f"{where}/statistics/uplink?province={HENAN}")
        assert other is not None
        assert other.status == 403
        await context.close()


async def test_an_agent_unlocks_a_customer(tmp_path: Path, real_browser: Browser) -> None:
    """A customer whose account is protected gets through once an agent has unlocked it."""
    async with running_gateway(tmp_path, CONFIG) as gateway:
        handset = await gateway.handset(ALICE)
        await handset.send("KTFX", "161")
        await change(gateway, protect)
        context = await new_context(real_browser)
        page = await context.new_page()
        where = await enter(page, gateway, Role.CUSTOMER_SERVICE)
        await page.goto(f"{where}/customers")
        await page.fill("input[name=number]", ALICE)
        await page.press("input[name=number]", "Enter")
        await page.check("input[name=action][value=unlock]")
        await page.locator("form[action$='/actions'] input[name=reason]").fill("客户来电要求解锁")
        await page.locator("form[action$='/actions'] button").click()
        await page.locator("section.result").wait_for()
        await context.close()
        await handset.send("HYLB", "161")
        await handset.wait_for(Expectation.of("好友"), PATIENCE)
