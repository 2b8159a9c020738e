"""Starts Chromium, and opens the console in it as somebody of a role."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from gateway.operations.console.rights import HEADQUARTERS, Role
from gateway.testing import RunningGateway
from tests.operations.console.browser import browser as logged_in

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
WIDE: Final = (1280, 900)
NARROW: Final = (360, 740)
SMALLEST: Final = 320
"""Pixels of the narrowest window that a page is readable in."""
SERIOUS: Final = ("serious", "critical")
"""Impacts of axe-core that no page may have."""

OVERFLOW: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""Pixels by which a page is wider than its window."""
USABLE: Final = """() => {
  const all = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  window.usable = [...document.querySelectorAll(all)]
    .filter(each => !each.disabled && each.type !== 'hidden' && each.getClientRects().length);
  window.reached = new Set();
  addEventListener("focusin", () => {
    const style = getComputedStyle(document.activeElement);
    const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    if (seen) window.reached.add(window.usable.indexOf(document.activeElement));
  });
  return window.usable.map(each => each.outerHTML.slice(0, 120));
}"""
"""What a visitor may use on a page. From now on window.reached is what the keyboard comes to, where one sees
it."""
UNREADABLE: Final = """language => {
  const faults = [], lang = document.documentElement.lang;
  const levels = [...document.querySelectorAll("h1,h2,h3,h4")].map(each => Number(each.tagName[1]));
  if (!lang.startsWith(language)) faults.push(`lang is ${lang}`);
  if (!/^[^·].* · /.test(document.title)) faults.push(`the title is ${document.title}`);
  if (levels.filter(each => each === 1).length !== 1 || levels[0] !== 1) faults.push(`headings ${levels}`);
  levels.forEach((each, place) => place && each > levels[place - 1] + 1 && faults.push(`headings ${levels}`));
  for (const each of document.querySelectorAll("table")) {
    const caption = each.caption?.textContent.trim();
    if (!caption) faults.push("a table without a caption");
    if (!each.closest(".scroll, details")) faults.push(`cannot be scrolled: ${caption}`);
  }
  for (const each of document.querySelectorAll("th:not([scope])")) faults.push(`no scope: ${each.outerHTML}`);
  for (const each of document.querySelectorAll("button, main a:not(.tile a), h1, h2, h3, label, dt")) {
    const cut = each.getClientRects().length && each.scrollWidth > each.clientWidth + 1 && each.clientWidth;
    if (cut) faults.push(`cut off: ${each.outerHTML.slice(0, 120)}`);
  }
  return faults;
}"""
"""What keeps somebody from understanding a page, beside what axe-core finds."""


def chromium_path() -> str | None:
    """The browser of this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def missing() -> str:
    """Why no browser can be driven here; "" if one can."""
    return "" if chromium_path() else "chromium is not installed: nothing is driven in a real browser"


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root otherwise
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium_path(), args=sandbox)
        try:
            yield launched
        finally:
            await launched.close()


async def as_somebody(
    browser: Browser,
    gateway: RunningGateway,
    role: Role | None = Role.ADMINISTRATOR,
    province: str = HEADQUARTERS,
    *,
    dark: bool = False,
    size: tuple[int, int] = WIDE,
    language: str = "zh",
) -> tuple[BrowserContext, str]:
    """A window in which somebody is logged in, without an account (tests of accounts log in themselves).

    Gives it and the address of the console.
    """
    person = logged_in(gateway, role, province)
    where = f"http://127.0.0.1:{person.port}"
    context = await new_context(browser, dark=dark, size=size, language=language)
    if person.cookie:
        name, _, value = person.cookie.partition("=")
        await context.add_cookies([{"name": name, "value": value, "url": where}])
    return context, where


async def new_context(
    browser: Browser, *, dark: bool = False, size: tuple[int, int] = WIDE, language: str = "zh"
) -> BrowserContext:
    """A window of a visitor whom nobody knows."""
    return await browser.new_context(
        color_scheme="dark" if dark else "light",
        viewport={"width": size[0], "height": size[1]},
        locale={"zh": "zh-CN", "en": "en-GB"}[language],
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )


async def findings(page: Page) -> list[str]:
    """What axe-core finds on a page that keeps somebody from using it."""
    found = await Axe().run(page, options={"resultTypes": ["violations"]})
    return [
        f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]}"
        for each in found.response["violations"]
        if each["impact"] in SERIOUS
    ]


async def unreadable(page: Page, language: str) -> list[str]:
    """Where a page lacks its language, its title, its order of headings or the captions of its tables."""
    found: list[str] = await page.evaluate(UNREADABLE, language)
    return found


async def missed_by_keyboard(page: Page) -> list[str]:
    """What the Tab key does not reach, from the top of a page to its end."""
    usable: list[str] = await page.evaluate(USABLE)
    await page.evaluate("document.activeElement.blur(); window.getSelection().collapse(document.body, 0)")
    for _ in range(2 * len(usable) + 2):
        await page.keyboard.press("Tab")
    reached = set(await page.evaluate("[...window.reached]"))
    return [html for place, html in enumerate(usable) if place not in reached]
