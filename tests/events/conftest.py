"""What several of these tests start."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.events.mosquitto import Mosquitto


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """One that runs."""
    made = Mosquitto(tmp_path)
    await made.start()
    yield made
    made.kill()
