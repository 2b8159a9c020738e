"""Every test of the contract runs over every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.storage.contract import Store
from tests.contracts.engines import ENGINES, Engine, opening


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of them."""
    found = request.param
    assert isinstance(found, Engine)
    return found


@pytest.fixture
async def store(engine: Engine, tmp_path: Path) -> AsyncIterator[Store]:
    """A new one."""
    async with opening(engine, tmp_path) as opened:
        yield opened
