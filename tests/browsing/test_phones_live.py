"""Two phones side by side in a real browser: SMS come by themselves, and it can be used by everybody."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.browsing.rig import NARROW, OVERFLOW, as_somebody, findings, missed_by_keyboard
from tests.channels.phones import ANN, BEN, PHONES


async def texts(page: Page, phone: str, text: str, to: str = "") -> None:
    """Type on a phone; Enter sends."""
    if to:
        await page.fill(f"#to-{phone}", to)
    await page.fill(f"#text-{phone}", text)
    await page.press(f"#text-{phone}", "Enter")


async def sees(page: Page, phone: str, text: str) -> None:
    """Wait until a phone shows an SMS that came."""
    await page.locator(f"#phone-{phone} .sms.in", has_text=text).wait_for()


async def test_a_conversation(tmp_path: Path, real_browser: Browser) -> None:
    """Both open the service; one asks the other, who answers by the button beside the question."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        context, where = await as_somebody(real_browser, gateway, Role.OPERATOR, language="en")
        page = await context.new_page()
        await page.goto(f"{where}/phones")
        for phone in (ANN, BEN):
            await page.check(f"input[value='{phone}']")
        await page.get_by_role("button", name="Open").click()
        for phone in (ANN, BEN):
            await texts(page, phone, "KTFX", "161")
            await sees(page, phone, "欢迎使用飞信")
        await texts(page, ANN, f"HY#{BEN}")
        await sees(page, BEN, ANN)
        question = page.locator(f"#phone-{BEN} .sms.in", has_text=ANN)
        await question.get_by_role("button", name="reply").click()
        assert await page.input_value(f"#to-{BEN}") == await question.locator(".other").inner_text()
        await texts(page, BEN, "是")
        await sees(page, ANN, "同意了您的申请")
        await texts(page, ANN, "<b>字</b>" * 100)
        await page.locator(f"#phone-{ANN} .fault:not(:empty)").wait_for()
        assert await page.input_value(f"#text-{ANN}")
        life = await page.locator(f"#phone-{ANN} .sms.out .life").first.get_attribute("href")
        await context.close()
    assert life is not None
    assert life.startswith("/messages/")


@pytest.mark.long
async def test_everybody_can_use_it(tmp_path: Path, real_browser: Browser) -> None:
    """axe-core finds nothing serious, it is no wider than its window, and the keyboard reaches everything."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        context, where = await as_somebody(real_browser, gateway, Role.OPERATOR, dark=True, size=NARROW)
        page = await context.new_page()
        await page.goto(f"{where}/phones/{ANN}?with={BEN}")
        await texts(page, ANN, "KTFX")
        await sees(page, ANN, "欢迎使用飞信")
        assert await findings(page) == []
        assert await page.evaluate(OVERFLOW) <= 0
        assert not await missed_by_keyboard(page)
        await context.close()
