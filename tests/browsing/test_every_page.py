"""Everybody can use every page: by keyboard, on a phone, in light and dark, with a screen reader."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, ConsoleMessage

from gateway.message import message_id
from gateway.operations.console.building import SECTIONS
from gateway.operations.console.page import Kind
from gateway.testing import RunningGateway, running_gateway
from tests.browsing.rig import (
    NARROW,
    OVERFLOW,
    SMALLEST,
    WIDE,
    as_somebody,
    findings,
    missed_by_keyboard,
    unreadable,
)
from tests.browsing.sample import ALICE, settle_in
from tests.channels.phones import ANN, BEN, PHONES

PAGES: Final = sorted(
    {
        page.path
        for section in SECTIONS
        for page in section.pages
        if page.kind is Kind.PAGE and page.method == "GET" and "{" not in page.path
    }
)
"""Pages that can be opened without knowing anything."""
REFUSED: Final = (
    "/nowhere",
    "/messages/nobody",
    "/messages?from=yesterday",
    "/messages/0000000100000fff",
    "/customers/nobody",
    "/phones/13700137000",
    "/statistics/uplink?period=hour",
)
"""Pages that say why there is nothing."""
VARIANTS: Final = (
    pytest.param(False, WIDE, WIDE[0] // 2, "zh", marks=pytest.mark.long),
    (True, NARROW, SMALLEST, "en"),
)
"""Dark, size, another width (200 % zoom; the smallest window), language."""


@dataclass(slots=True)
class Filled:
    """A gateway with the sample in it. pages: every page that shows something. customer: one of them."""

    gateway: RunningGateway
    pages: tuple[str, ...]
    customer: str


@pytest.fixture
async def filled(tmp_path: Path, real_browser: Browser) -> AsyncIterator[Filled]:
    """The sample, and the pages of what is in it."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        await settle_in(gateway)
        context, where = await as_somebody(real_browser, gateway)
        page = await context.new_page()
        await page.goto(f"{where}/customers")
        await page.fill("input[name=number]", ALICE)
        await page.press("input[name=number]", "Enter")
        await page.wait_for_url("**/customers/*")
        customer = page.url.removeprefix(where)
        await context.close()
        yield Filled(gateway, (*PAGES, *pages_of(gateway), customer), customer)


def pages_of(gateway: RunningGateway) -> tuple[str, ...]:
    """Pages with parameters."""
    asked = message_id((gateway.app.store.run << 32) + 8)
    return (
        f"/messages/{asked}",
        f"/messages?handset={ALICE}&result=done",
        "/statistics?figure=active.active",
        "/statistics/uplink?period=day&province=200",
        "/statistics/uplink?period=week",
        "/statistics/uplink?period=month",
        "/tables/appendix8?find=KTFX",
        "/tables/explain?box=text&text=XYZ&destination=161",
        f"/phones/{ANN}?with={BEN}",
    )


@pytest.mark.parametrize(("dark", "size", "also", "language"), VARIANTS)
async def test_pages_can_be_used_by_everybody(
    filled: Filled, real_browser: Browser, dark: bool, size: tuple[int, int], also: int, language: str
) -> None:
    """axe-core finds nothing serious; no page is wider than its window, down to 320 px; each has its title,
    its headings, and captions of tables; no script or style is refused."""
    faults: list[str] = []
    context, where = await as_somebody(real_browser, filled.gateway, dark=dark, size=size, language=language)
    page = await context.new_page()
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    page.on("console", lambda said: faults.extend([f"{page.url}: {said.text}"] * is_fault(said)))
    for path in (*filled.pages, *REFUSED):
        answer = await page.goto(where + path)
        assert answer is not None
        found = [*await findings(page), *await unreadable(page, language)]
        if answer.ok == (path in REFUSED):
            found.append(f"status {answer.status}")
        for width in (also, size[0]):
            await page.set_viewport_size({"width": width, "height": size[1]})
            if wider := await page.evaluate(OVERFLOW):
                found.append(f"{wider} pixels wider than {width}")
        faults += [f"{path}: {each}" for each in found]
    await context.close()
    assert not faults, "\n".join(faults)


def is_fault(said: ConsoleMessage) -> bool:
    """Whether the browser complains of a page. It tells of each status that is no success, too."""
    return said.type == "error" and "server responded" not in said.text


@pytest.mark.long
async def test_the_keyboard_reaches_everything(filled: Filled, real_browser: Browser) -> None:
    """Tab comes to whatever can be used, and one sees where it is."""
    faults: list[str] = []
    context, where = await as_somebody(real_browser, filled.gateway)
    page = await context.new_page()
    for path in filled.pages:
        await page.goto(where + path)
        # Tab comes to one of a group of radio buttons, the arrows to the others.
        missed = [each for each in await missed_by_keyboard(page) if 'type="radio"' not in each]
        faults += [f"{path}: Tab does not reach {each}" for each in missed]
    await context.close()
    assert not faults, "\n".join(faults)
