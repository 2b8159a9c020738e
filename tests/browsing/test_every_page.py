"""Everybody can use every page: by keyboard, on a phone, in light and dark, with a screen reader."""

from pathlib import Path

import pytest
from playwright.async_api import Browser

from gateway.operations.console.building import SECTIONS
from gateway.operations.console.page import Kind
from gateway.testing import running_gateway
from tests.browsing.rig import NARROW, OVERFLOW, WIDE, as_somebody, findings, missed_by_keyboard
from tests.operations.console.browser import CONSOLE

PAGES = sorted(
    {
        page.path
        for section in SECTIONS
        for page in section.pages
        if page.kind is Kind.PAGE and page.method == "GET" and "{" not in page.path
    }
)
"""Pages that can be opened without knowing anything."""


@pytest.mark.parametrize(("dark", "size"), [(False, WIDE), (True, WIDE), (False, NARROW), (True, NARROW)])
async def test_pages_can_be_used_by_everybody(
    tmp_path: Path, real_browser: Browser, dark: bool, size: tuple[int, int]
) -> None:
    """axe-core finds nothing serious, no page is wider than its window, no script or style is refused."""
    faults: list[str] = []
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        context, where = await as_somebody(real_browser, gateway, dark=dark, size=size)
        page = await context.new_page()
        page.on(
            "console",
            lambda said: faults.append(f"{page.url}: {said.text}") if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        for path in PAGES:
            await page.goto(where + path)
            faults += [f"{path}: {each}" for each in await findings(page)]
            if wider := await page.evaluate(OVERFLOW):
                faults.append(f"{path}: {wider} pixels wider than {size[0]}")
        await context.close()
    assert faults == []


async def test_the_keyboard_reaches_everything(tmp_path: Path, real_browser: Browser) -> None:
    """Tab comes to whatever can be used."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        context, where = await as_somebody(real_browser, gateway)
        page = await context.new_page()
        for path in PAGES:
            await page.goto(where + path)
            missed = await missed_by_keyboard(page)
            assert not missed, f"{path}: Tab does not reach {missed}"
        await context.close()
