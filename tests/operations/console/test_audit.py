"""What was done at the console, and who has an account."""

from pathlib import Path

from gateway.operations.console.pages.audit import ROWS, masked
from gateway.operations.console.rights import Role
from gateway.storage.accounts import AuditEntry
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE, browser, logged_in
from tests.support import ALICE


async def test_the_page(tmp_path: Path) -> None:
    """Accounts and entries, the newest first, mobiles masked, what somebody wrote escaped; older ones behind
    a link."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        store, now = gateway.app.store, gateway.clock.now_ms()
        for n in range(ROWS):
            await store.note(AuditEntry(now, "ben", "unlock", ALICE, f"reason {n}", "127.0.0.1"))
        ada = await logged_in(gateway)
        await store.note(AuditEntry(now, "ben", "unlock", ALICE, "<script>alert(1)</script>", "127.0.0.1"))
        page = (await ada.get("/audit", accept_language="en")).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script>" not in page
        assert page.index("&lt;script") < page.index("<td>logged in</td>") < page.index("reason 99")
        assert ALICE not in page
        assert f"{ALICE[:3]}****{ALICE[7:]}" in page
        assert "Administrator" in page
        assert "reason 1<" not in page
        older = page.partition('href="/audit?before=')[2].partition('"')[0]
        assert "reason 1<" in (await ada.get(f"/audit?before={older}")).text
        for odd in ("x", "-1", "9" * 30, "0", ""):
            assert (await ada.get(f"/audit?before={odd}")).status == 200
        assert (await browser(gateway, Role.ADMINISTRATOR, "200").get("/audit")).status == 403


def test_what_is_masked() -> None:
    """A mobile, and nothing else."""
    assert masked("13800138000") == "138****8000"
    assert masked("ada") == "ada"
    assert masked("0000000100000002") == "0000000100000002"
