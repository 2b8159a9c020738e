"""What all tests share."""

from collections.abc import Callable

import pytest
from hypothesis import settings

Report = Callable[[str], None]

LINES = pytest.StashKey[list[str]]()

# The machine may be busy: a slow example is no failure.
settings.register_profile("default", deadline=None)
settings.load_profile("default")


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Call it with a line for the report; the test's name goes before it."""
    name = request.node.name

    def add(line: str) -> None:
        request.config.stash.setdefault(LINES, []).append(f"{name}: {line}")

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """pytest: the end of the report."""
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)
