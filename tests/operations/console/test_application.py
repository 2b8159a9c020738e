"""Every page answers who may see it, and refuses everybody else."""

from pathlib import Path

from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE, browser


async def test_pages_are_shown_by_right(tmp_path: Path) -> None:
    """Who is not logged in is sent to the login; a role sees what it has the right to."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        nobody = await browser(gateway).get("/statistics")
        reader = await browser(gateway, Role.READER).get("/statistics", accept_language="en")
        refused = await browser(gateway, Role.CUSTOMER_SERVICE).get("/statistics")
    assert (nobody.status, nobody.headers["location"]) == (303, "/login?next=/statistics")
    assert reader.status == 200
    assert "<h1>Statistics" in reader.text or "<title>Statistics" in reader.text
    assert refused.status == 403
