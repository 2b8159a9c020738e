"""The shipped tables, loaded once."""

import pytest

from commands.service import Commands
from routing.table import Routing


@pytest.fixture(scope="session")
def routing() -> Routing:
    """The shipped routing tables."""
    return Routing.load()


@pytest.fixture(scope="session")
def commands(routing: Routing) -> Commands:
    """The shipped instruction table."""
    return Commands.load(routing)
