"""Every test of the contracts runs over every engine."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.storage.contract import Store
from gateway.storage.reader import Reader
from tests.contracts.engines import ENGINES, Engine, made, opening


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of them, new."""
    return made(request.param)


@pytest.fixture
async def store(engine: Engine, tmp_path: Path) -> AsyncIterator[Store]:
    """A new one."""
    async with opening(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
def reader(engine: Engine, store: Store, tmp_path: Path) -> Iterator[Reader]:
    """Of that store, opened before anything is in it."""
    del store  # it makes what is read here
    with closing(engine.read(tmp_path)) as opened:
        yield opened
