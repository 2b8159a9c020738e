"""Open pages while the gateway restarts, or the visitor is logged out: they say so, and come back."""

import socket
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.browsing.rig import as_somebody
from tests.browsing.test_phones_live import sees, texts
from tests.channels.phones import ANN, PHONES
from tests.operations.console.browser import browser as logged_in

PATIENCE = 25_000
"""ms: the browser waits some seconds before it tries again."""


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.mark.long
async def test_a_restart_under_open_pages(tmp_path: Path, real_browser: Browser) -> None:
    """Both say that they are not live, and are live again by themselves; a phone does not mix up the SMS of
    two runs, whose numbers are the same. Who is logged out is told so."""
    config = {"console": {**PHONES["console"], "listen": {"host": "127.0.0.1", "port": free_port()}}}
    async with running_gateway(tmp_path, config) as gateway:
        context, where = await as_somebody(real_browser, gateway, Role.OPERATOR, language="en")
        overview, phone = await context.new_page(), await context.new_page()
        await overview.goto(where)
        await phone.goto(f"{where}/phones/{ANN}")
        await texts(phone, ANN, "KTFX", "161")
        await sees(phone, ANN, "欢迎使用飞信")
        await expect(overview.locator("#live")).to_have_text("Updated every second")
    await expect(overview.locator("#live")).to_have_text("Not updated")
    await expect(phone.locator("#live")).to_contain_text("not live")
    async with running_gateway(tmp_path, config) as gateway:
        console = gateway.app.console
        assert console is not None
        nobody = console.application.visitors
        logged_in(gateway, Role.OPERATOR)
        await expect(overview.locator("#live")).to_have_text("Updated every second", timeout=PATIENCE)
        await expect(phone.locator("#live")).to_have_text("live", timeout=PATIENCE)
        await expect(phone.locator("ol .sms")).to_have_count(0)
        await texts(phone, ANN, "BZ", "161")
        await expect(phone.locator("ol .sms .text").first).to_have_text("BZ")
        console.application.visitors = nobody
        await expect(overview.locator("#live")).to_have_text(
            "You are logged out. Load this page again", timeout=PATIENCE
        )
        await context.close()
