"""The section of customers in a real browser: an agent unlocks a customer by keyboard alone."""

from pathlib import Path

from playwright.async_api import Browser, Page, expect

from commands.model import Customer, CustomerState, Order, Question
from gateway.message import Commit
from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.browsing.rig import NARROW, OVERFLOW, as_somebody, findings, missed_by_keyboard
from tests.operations.console.browser import CONSOLE
from tests.support import ALICE


async def check(page: Page) -> None:
    """axe-core finds nothing serious, it is no wider than its window, Tab comes to all that can be used."""
    assert await findings(page) == [], page.url
    assert await page.evaluate(OVERFLOW) <= 0, page.url
    missed = await missed_by_keyboard(page)
    # Tab comes to one of a group of radio buttons, the arrows to the others.
    assert [each for each in missed if 'type="radio"' not in each] == [], page.url


async def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the keyboard is at an element."""
    for _ in range(60):
        if await page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


async def test_an_agent_unlocks_a_customer_by_keyboard(tmp_path: Path, real_browser: Browser) -> None:
    """Look up, choose, give a reason, send; on a phone, in the dark. The customer is unlocked once."""
    question = Question(7, "service.cancel", "12520", "", "", 1, 1 << 50)
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        customer = Customer(
            ALICE, CustomerState.OPEN, "888888888", gateway.clock.now_ms(), nickname="<b>" + "长" * 40,
            protected=True, questions=(question,), orders=(Order("MCHAT", 1), Order("MCHAT", 1, 2)),
        )  # fmt: skip
        await gateway.app.store.commit(Commit(customers=[customer]))
        alice = await gateway.handset(ALICE)
        context, where = await as_somebody(
            real_browser, gateway, Role.CUSTOMER_SERVICE, dark=True, size=NARROW, language="en"
        )
        page = await context.new_page()
        await page.goto(f"{where}/customers")
        await tab_to(page, "input[name=number]")
        await page.keyboard.type(ALICE)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("138****8000")
        await check(page)
        await page.reload()
        await tab_to(page, "input[type=radio]")
        await page.keyboard.press("Space")
        await tab_to(page, "form[action$='/actions'] input[name=reason]")
        await page.keyboard.type("he called")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Unlock the account: done")
        await alice.expect("已经解除")
        await check(page)
        await page.reload()  # the browser sends the form again
        await expect(page.get_by_role("status")).to_contain_text("Nothing was done twice")
        await page.screenshot(path=tmp_path / "customer.png", full_page=True)
        await context.close()
