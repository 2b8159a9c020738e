"""Switches of colours, as the system and the visitor have chosen."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from gateway.testing import running_gateway
from tests.browsing.rig import as_somebody
from tests.operations.console.browser import CONSOLE


@pytest.mark.parametrize(
    ("dark", "there"),
    [
        (False, ["Switch to dark", "Switch to light", "Follow the system"]),
        (True, ["Switch to light", "Follow the system"]),
    ],
)
async def test_the_button_says_what_it_does(
    tmp_path: Path, real_browser: Browser, dark: bool, there: list[str]
) -> None:
    """Whichever colours the system has: nobody is offered those that he sees. Each one is pressed."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        context, where = await as_somebody(real_browser, gateway, dark=dark, language="en")
        page = await context.new_page()
        await page.goto(f"{where}/tables")
        for words in (*there, there[0]):
            seen = page.locator("button[name=theme]:visible")
            assert await seen.all_inner_texts() == [words]
            await seen.click()
        await context.close()
