"""What all tests share."""

import os
from collections.abc import Callable

import pytest
from hypothesis import settings

Report = Callable[[str], None]

FIGURE = "figure"
"""Under this name a test's properties have what it reports: pytest-xdist hands properties over."""

# Tests run side by side: no gateway of theirs listens on the usual port of the console.
os.environ.setdefault("FETION__CONSOLE__LISTEN", "null")

# The machine may be busy: a slow example is no failure.
settings.register_profile("default", deadline=None)
# make test: the same examples each time. Without it (pytest, make test-long) each run draws others.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.load_profile("default")


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Call it with a line for the report; the test's name goes before it."""
    name = request.node.name

    def add(line: str) -> None:
        request.node.user_properties.append((FIGURE, f"{name}: {line}"))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """pytest: the end of the report."""
    lines = [
        value
        for outcome in ("passed", "failed")
        for test in terminalreporter.getreports(outcome)
        for name, value in test.user_properties
        if name == FIGURE and test.when == "call"
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)
