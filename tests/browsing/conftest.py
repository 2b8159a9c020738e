"""What the tests in a browser share."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.browsing.rig import chromium, missing


@pytest.fixture
async def real_browser() -> AsyncIterator[Browser]:
    """Chromium; the test is skipped where there is none."""
    if reason := missing():
        pytest.skip(reason)
    async with chromium() as launched:
        yield launched
