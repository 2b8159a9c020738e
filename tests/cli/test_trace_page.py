"""docs/trace.md shows what `trace` says."""

import pytest

from tests.cli.traces import PAGE, TRACES, trace, updated


@pytest.mark.parametrize("name", TRACES)
async def test_the_page_shows_a_trace_of_today(name: str) -> None:
    """Each trace of the page is what the command says; otherwise: python -m tests.cli.traces."""
    page = PAGE.read_text("utf-8")
    found = dict.fromkeys(TRACES, "") | {name: await trace(name)}
    assert found[name]
    assert f"<!-- trace: {name} -->" in page
    assert found[name] in updated(page, found)
    assert found[name] in page
