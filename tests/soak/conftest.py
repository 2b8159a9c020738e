"""The figures of the soaks stand at the end of the test run's report."""

from collections.abc import Callable

import pytest

Report = Callable[[str], None]

LINES = pytest.StashKey[list[str]]()


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
        terminalreporter.section("soak")
        for line in lines:
            terminalreporter.line(line)
