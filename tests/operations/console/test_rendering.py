"""Templates of pages."""

from pathlib import Path

from gateway.operations.console.rendering import shipped
from gateway.operations.console.rights import Role
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE, browser


def test_all_templates_are_compiled_at_the_start() -> None:
    """No request does it: it would stop the loop."""
    templates, _ = shipped()
    names = templates.list_templates()
    assert "overview.html" in names
    assert templates.cache is not None
    assert len(templates.cache) == len(names)


async def test_large_pages_are_drawn_beside_the_loop(tmp_path: Path) -> None:
    """They would keep SMS waiting; a small one is drawn in it, which costs less than handing it over."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        console = gateway.app.console
        assert console is not None
        rendering = console.application._rendering
        visitor = browser(gateway, Role.ADMINISTRATOR)
        before = rendering.spent
        for path in ("/", "/tables/segments", "/tables/reload", "/messages", "/audit", "/statistics"):
            answer = await visitor.get(path)
            assert answer.status == 200, (path, answer.text)
            assert rendering.spent == before, path
        assert (await visitor.get("/customers")).status == 200
        assert rendering.spent > before
