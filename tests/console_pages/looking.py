"""Opens pages of a gateway in a real browser, and finds what a visitor could not use."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.testing import RunningGateway
from tests.operations.console.browser import Cast

WIDE: Final = 1280
NARROW: Final = 360
"""CSS pixels of a window, and of a small phone."""
SERIOUS: Final = frozenset({"serious", "critical"})
MOST_STEPS: Final = 400
"""Presses of the tab key on one page."""

CAN_BE_REACHED: Final = """() => [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
    .filter(each => each.checkVisibility({visibilityProperty: true}) && !each.disabled)
    .map((each, place) => { each.dataset.reach = place; return each.outerHTML.slice(0, 120); })"""
FOCUSED: Final = "() => document.activeElement?.dataset?.reach ?? null"
OVERFLOW: Final = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""


@contextlib.asynccontextmanager
async def looking(
    browser: Browser,
    gateway: RunningGateway,
    role: Role | None,
    province: str = HEADQUARTERS,
    *,
    width: int = WIDE,
    scheme: Literal["light", "dark"] = "light",
    language: str = "en",
    scripts: bool = True,
) -> AsyncIterator[Page]:
    """A window in which somebody of that role is logged in; None: nobody. Addresses begin with /.

    What a page says in the browser's console, and whatever it asks another host for, is an error.
    """
    console = gateway.app.console
    assert console is not None, "the configuration wants CONSOLE"
    console.application.visitors = Cast()
    context = await browser.new_context(
        base_url=f"http://127.0.0.1:{console.port}",
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
        locale=language,
        java_script_enabled=scripts,
    )
    said: list[str] = []
    try:
        if role is not None:
            value = f"somebody|{role.value}|{province}"
            await context.add_cookies(
                [{"name": "cast", "value": value, "url": f"http://127.0.0.1:{console.port}"}]
            )
        page = await context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        foreign = await page.evaluate("() => performance.getEntriesByType('resource').map(each => each.name)")
        said += [each for each in foreign if not each.startswith(f"http://127.0.0.1:{console.port}/")]
    finally:
        await context.close()
    assert said == []


async def findings(page: Page) -> list[str]:
    """What axe-core finds serious on a page: rule and place."""
    results: Any = (await Axe().run(page)).response
    return [
        f"{found['id']}: {node['target']} {node.get('failureSummary', '')}"
        for found in results["violations"]
        if found["impact"] in SERIOUS
        for node in found["nodes"]
    ]


async def unreached(page: Page) -> list[str]:
    """What can be used on a page and cannot be reached with the tab key."""
    wanted = dict(enumerate(await page.evaluate(CAN_BE_REACHED)))
    for _ in range(min(len(wanted) + 5, MOST_STEPS)):
        await page.keyboard.press("Tab")
        place = await page.evaluate(FOCUSED)
        if place is not None:
            wanted.pop(int(place), None)
    return list(wanted.values())


async def too_wide(page: Page) -> int:
    """By how many CSS pixels a page is wider than its window."""
    return int(await page.evaluate(OVERFLOW))
