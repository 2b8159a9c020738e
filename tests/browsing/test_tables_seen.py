"""The sections Tables and API in a real browser: pages with parameters, and a reload by keyboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from gateway.operations.console.rights import Role
from gateway.testing import RunningGateway, running_gateway
from tests.browsing.rig import NARROW, OVERFLOW, WIDE, as_somebody, findings, missed_by_keyboard
from tests.operations.console.browser import CONSOLE
from tests.operations.swapped import write_version

PAGES = (
    "/tables/appendix6",
    "/tables/explain?box=route&destination=1252003300042",
    "/tables/explain?box=text&text=XYZ&destination=161",
    "/tables/explain?box=text&text=XYZ&destination=0",
    "/tables/reload",
)
"""With more on them than where they are opened without parameters and differences."""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with version A in force, and B in its folder."""
    write_version(tmp_path / "tables", "A")
    async with running_gateway(tmp_path, {**CONSOLE, "tables": {"folder": "tables"}}) as running:
        write_version(tmp_path / "tables", "B")
        yield running


@pytest.mark.parametrize(
    ("dark", "size", "language"),
    [(True, NARROW, "zh"), (False, WIDE, "en")],
)
@pytest.mark.long
async def test_everybody_can_use_them(
    gateway: RunningGateway, real_browser: Browser, dark: bool, size: tuple[int, int], language: str
) -> None:
    """axe-core finds nothing serious, the tab key reaches everything, no page is wider than its window."""
    context, where = await as_somebody(
        real_browser, gateway, Role.OPERATOR, dark=dark, size=size, language=language
    )
    page = await context.new_page()
    for path in PAGES:
        answer = await page.goto(where + path)
        assert answer is not None
        assert answer.status == 200, path
        assert await findings(page) == [], path
        assert await page.evaluate(OVERFLOW) <= 0, path
        assert await missed_by_keyboard(page) == [], path
    await context.close()


async def test_a_reload_by_keyboard(gateway: RunningGateway, real_browser: Browser) -> None:
    """From the list of tables to the new version in force, without a mouse."""
    before = gateway.app._in_force.tables.version
    context, where = await as_somebody(real_browser, gateway, Role.OPERATOR, language="en")
    page = await context.new_page()
    await page.goto(f"{where}/tables")
    await page.get_by_role("link", name="Reload the tables").focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Reason").focus()
    await page.keyboard.type("version B of the tables")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/tables?reloaded=*")
    after = gateway.app._in_force.tables.version
    assert after != before
    assert f"Version {after} is in force" in await page.inner_text("main")
    await context.close()
