"""Every page answers who may see it, and refuses everybody else."""

from pathlib import Path

from gateway.operations.console.rights import Role
from gateway.operations.console.sessions import COOKIE
from gateway.storage.accounts import AuditEntry, Session
from gateway.storage.contract import StoreFault
from gateway.storage.sqlite.store import SqliteStore
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE, Browser, add_account, browser
from tests.support import ALICE


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


async def test_what_the_store_says_is_for_the_log(tmp_path: Path) -> None:
    """A fault names the file, or the server, and its folder: no page shows that."""

    class Failing(SqliteStore):
        async def session(self, digest: bytes) -> Session | None:
            raise StoreFault(f"{tmp_path}: disk I/O error: {len(digest)}")

        async def note(self, entry: AuditEntry) -> None:
            raise StoreFault(f"{tmp_path}: disk I/O error: {entry.action}")

    def opening(path: Path) -> SqliteStore:
        return Failing.open(path)

    search = f"/api/v1/messages?handset={ALICE}"
    async with running_gateway(tmp_path, CONSOLE, open_store=opening) as gateway:
        stranger = Browser(await add_account(gateway, Role.READER, "000", "ada"), f"{COOKIE}={'x' * 43}")
        answers = [await stranger.get(each) for each in ("/", "/login", search)]
        answers.append(await browser(gateway, Role.OPERATOR, "100").get(search))
        headquarters = await browser(gateway, Role.OPERATOR).get(search)
    assert {answer.status for answer in answers} == {headquarters.status} == {503}
    assert not [answer.text for answer in (*answers, headquarters) if str(tmp_path) in answer.text]
