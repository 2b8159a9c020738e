"""The sections Tables and API in a real browser: axe-core, keyboard alone, a small phone."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser

from gateway.operations.console.rights import Role
from gateway.testing import RunningGateway, running_gateway
from tests.console_pages.looking import NARROW, WIDE, findings, looking, too_wide, unreached
from tests.operations.console.browser import CONSOLE
from tests.operations.swapped import write_version

PAGES = (
    "/tables",
    "/tables/appendix6",
    "/tables/explain?box=route&destination=1252003300042",
    "/tables/explain?box=text&text=XYZ&destination=161",
    "/tables/explain?box=text&text=XYZ&destination=0",
    "/tables/reload",
    "/docs",
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway with version A in force, and B in its folder."""
    write_version(tmp_path / "tables", "A")
    async with running_gateway(tmp_path, {**CONSOLE, "tables": {"folder": "tables"}}) as running:
        write_version(tmp_path / "tables", "B")
        yield running


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [(NARROW, "dark", "zh-CN"), pytest.param(WIDE, "light", "en", marks=pytest.mark.long)],
)
async def test_everybody_can_use_them(
    gateway: RunningGateway,
    real_browser: Browser,
    width: int,
    scheme: Literal["light", "dark"],
    language: str,
) -> None:
    """axe-core finds nothing serious, the tab key reaches everything, no page is wider than its window."""
    async with looking(
        real_browser, gateway, Role.OPERATOR, width=width, scheme=scheme, language=language
    ) as page:
        for path in PAGES:
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            assert await findings(page) == [], path
            assert await too_wide(page) <= 0, path
            assert await unreached(page) == [], path


async def test_a_reload_by_keyboard(gateway: RunningGateway, real_browser: Browser) -> None:
    """From the list of tables to the new version in force, without a mouse."""
    before = gateway.app._in_force.tables.version
    async with looking(real_browser, gateway, Role.OPERATOR) as page:
        await page.goto("/tables")
        await page.get_by_role("link", name="Reload the tables").focus()
        await page.keyboard.press("Enter")
        await page.get_by_label("Reason").focus()
        await page.keyboard.type("version B of the tables")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/tables?reloaded=*")
        after = gateway.app._in_force.tables.version
        assert after != before
        assert f"Version {after} is in force" in await page.inner_text("main")
