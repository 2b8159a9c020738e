"""Every route of the console, asked by everybody: it refuses exactly whom the tables of rights say.

A new page is in it by itself: the pages are those of gateway.operations.console.building.SECTIONS.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from gateway.operations.console.building import SECTIONS
from gateway.operations.console.page import Kind, Page
from gateway.operations.console.rights import HEADQUARTERS, OF_HEADQUARTERS, ROLES, Role
from gateway.testing import RunningGateway, running_gateway
from tests.operations.console.browser import CONSOLE, Browser, browser
from tests.support import ALICE

PAGES: Final = tuple(page for section in SECTIONS for page in section.pages)
OWN, FOREIGN = "100", "991"
"""The province of ALICE's home, and none that has her."""
SAME_ORIGIN: Final = {"sec_fetch_site": "same-origin"}
FORM: Final = {"content_type": "application/x-www-form-urlencoded"}
HIDDEN: Final = re.compile(ALICE)


@dataclass(frozen=True)
class Asked:
    """What came back: location of a redirect, and the begin of the body of a page that ends."""

    status: int
    location: str
    text: str

    @property
    def refused(self) -> bool:
        """Whether nobody was let in."""
        return self.status in {401, 403} or self.location.startswith("/login?next=")


def path_of(page: Page) -> str:
    """An address of a page: what it takes is a customer that there is."""
    return re.sub(r"\{[^}]+\}", ALICE, page.path)


async def ask(visitor: Browser, page: Page, **headers: str) -> Asked:
    """Ask for a page. A stream is not read to its end: it has none."""
    given = (SAME_ORIGIN | FORM if page.method == "POST" else {}) | headers
    async with visitor._opened(page.method, path_of(page), given, b"") as (status, got, reader):
        ends = not got.get("content-type", "").startswith("text/event-stream")
        text = (await reader.read()).decode(errors="replace") if ends else ""
    return Asked(status, got.get("location", ""), text)


def may(page: Page, role: Role, province: str) -> bool:
    """What the tables say."""
    if page.right is None:
        return True
    return page.right in ROLES[role] and (province == HEADQUARTERS or page.right not in OF_HEADQUARTERS)


async def with_alice(gateway: RunningGateway) -> None:
    """A customer, and SMS of hers."""
    alice = await gateway.handset(ALICE)
    await alice.send("KTFX", "161")
    await alice.expect("飞信")


async def test_everybody_asks_for_everything(tmp_path: Path) -> None:
    """Every role of headquarters, of a province and of another one; nobody; and each from a foreign page."""
    wrong: list[str] = []
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await with_alice(gateway)
        assert gateway.app._in_force.home(ALICE) == OWN
        for page in PAGES:
            for role in Role:
                for province in (HEADQUARTERS, OWN, FOREIGN):
                    answer = await ask(browser(gateway, role, province), page)
                    who = f"{role} of {province}: {page.method} {page.path}: {answer.status}"
                    if not may(page, role, province) and not answer.refused:
                        wrong.append(f"let in: {who}")
                    # A page may refuse what belongs to another province: its own duty, tried below.
                    shut = page.right is not None and answer.refused  # a login without a password is 401
                    if may(page, role, province) and shut and province == HEADQUARTERS:
                        wrong.append(f"refused: {who} {answer.text[:200]}")
                    if answer.status == 500:
                        wrong.append(f"a bug: {who}")
            nobody = await ask(browser(gateway), page)
            if not nobody.refused and page.right is not None:
                wrong.append(f"nobody: {page.method} {page.path}: {nobody.status}")
    assert wrong == []


async def test_a_foreign_province_learns_nothing(tmp_path: Path) -> None:
    """No page that it may open has the number of a customer of another one."""
    wrong: list[str] = []
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await with_alice(gateway)
        for page in PAGES:
            if "{" in page.path:
                answer = await ask(browser(gateway, Role.ADMINISTRATOR, FOREIGN), page)
                seen = answer.text.replace(path_of(page), "")
                if answer.status == 200 and page.kind is not Kind.STREAM and HIDDEN.search(seen):
                    wrong.append(f"{page.method} {page.path}")
    assert wrong == []


async def test_foreign_pages_and_hosts(tmp_path: Path) -> None:
    """No other site changes anything, and nothing answers under a foreign name."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        ada = browser(gateway, Role.ADMINISTRATOR)
        for page in PAGES:
            if page.method != "GET":
                forged = await ask(ada, page, sec_fetch_site="cross-site")
                assert forged.status == 403, page.path
            foreign = await ask(ada, page, host="evil.example")
            assert foreign.status == 421, page.path


def test_every_page_says_its_right() -> None:
    """Only what everybody may see has none; a path is said once for each method; sections have texts."""
    free = {page.path for page in PAGES if page.right is None}
    described = {"/docs", "/api/v1", "/api/v1/openapi.json"}
    assert free <= {"/login", "/logout", "/preferences", "/healthz", "/readyz", "/metrics", *described}
    assert len({(page.method, page.path) for page in PAGES}) == len(PAGES)


@pytest.mark.parametrize("section", [each for each in SECTIONS if each.path], ids=lambda each: each.name)
async def test_the_navigation_leads_there(section: object) -> None:
    """A section of the navigation has the page that it leads to, with its right."""
    assert section in SECTIONS
    found = next(each for each in SECTIONS if each is section)
    assert any(page.path == found.path and page.right == found.right for page in found.pages)
