"""Writes docs/images: every page of the console, light and dark, wide and narrow (`make screenshots`)."""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Browser

from gateway.message import message_id
from gateway.operations.console.rights import Role
from gateway.testing import RunningGateway, running_gateway
from tests.browsing.rig import NARROW, WIDE, as_somebody, chromium
from tests.browsing.sample import ALICE, settle_in
from tests.test_architecture import ROOT

FOLDER: Final = ROOT / "docs" / "images"
ANN, BEN = "13802880000", "13802880001"
CONFIG: Final = {"console": {"listen": {"host": "127.0.0.1", "port": 0}, "phones": [f"{ANN}-{BEN}"]}}
LANGUAGE: Final = {"light": "zh", "dark": "en"}


def pages_of(gateway: RunningGateway, customer: str) -> dict[str, str]:
    """Name of the picture -> path of the page."""
    asked = message_id((gateway.app.store.run << 32) + 8)
    return {
        "overview": "/",
        "phones": f"/phones/{ANN}?with={BEN}",
        "messages": "/messages",
        "message": f"/messages/{asked}",
        "customers": "/customers",
        "customer": customer,
        "statistics": "/statistics",
        "report": "/statistics/uplink?period=day",
        "tables": "/tables",
        "table": "/tables/appendix8",
        "explain": "/tables/explain",
        "reload": "/tables/reload",
        "audit": "/audit",
        "account": "/account",
        "api": "/docs",
        "login": "/login",
    }


async def play(browser: Browser, gateway: RunningGateway) -> str:
    """Let two phones of the page talk, and look a customer up; gives the path of his page."""
    context, where = await as_somebody(browser, gateway, Role.ADMINISTRATOR)
    page = await context.new_page()
    await page.goto(f"{where}/phones/{ANN}?with={BEN}")
    for phone, to, text in ((ANN, "161", "KTFX"), (BEN, "12520", "KTFX"), (ANN, "161", f"HY#{BEN}#小明")):
        await page.fill(f"#to-{phone}", to)
        await page.fill(f"#text-{phone}", text)
        await page.press(f"#text-{phone}", "Enter")
        await page.locator(f"#phone-{phone} .sms.in").last.wait_for()
        await gateway.settle()
    await page.locator(f"#phone-{BEN} .sms.in").nth(1).wait_for()
    await page.goto(f"{where}/customers")
    await page.fill("input[name=number]", ALICE)
    await page.press("input[name=number]", "Enter")
    await page.wait_for_url("**/customers/*")
    customer = page.url.removeprefix(where)
    await context.close()
    return customer


async def shoot() -> None:
    """Take all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with running_gateway(Path(folder), CONFIG) as gateway, chromium() as browser:
            await settle_in(gateway)
            pages = pages_of(gateway, await play(browser, gateway))
            for theme, language in LANGUAGE.items():
                for width, size in (("wide", WIDE), ("narrow", NARROW)):
                    context, where = await as_somebody(
                        browser, gateway, dark=theme == "dark", size=size, language=language
                    )
                    page = await context.new_page()
                    for name, path in pages.items():
                        answer = await page.goto(where + path)
                        assert answer is not None
                        assert answer.ok, (path, answer.status)
                        file = FOLDER / f"{name}-{theme}-{width}.png"
                        await page.screenshot(path=file)
                    await context.close()


if __name__ == "__main__":
    asyncio.run(shoot())
