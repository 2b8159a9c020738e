"""The pytest plugin `fetion_gateway`: the fixtures `gateway` and `handset` for tests that talk to a gateway.

It is there for every test run where this package is installed, so it imports nothing of the gateway before a
test asks for it. The fixtures are asynchronous: pytest-asyncio must be installed. See docs/testing.md.
"""

import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.simulator.handset import Handset
    from gateway.testing import RunningGateway

_HAS_ASYNCIO = importlib.util.find_spec("pytest_asyncio") is not None


def _async_fixture(function: Callable[..., AsyncIterator[Any]]) -> object:
    """A fixture of pytest-asyncio in either of its modes; without it pytest says what is missing."""
    if not _HAS_ASYNCIO:
        return pytest.fixture(function)
    import pytest_asyncio

    return pytest_asyncio.fixture(function)


@pytest.fixture
def gateway_config() -> Mapping[str, Any]:
    """Sections as in config.yaml for the fixture `gateway`; override it to change limits or accounts."""
    return {}


@_async_fixture
async def gateway(
    tmp_path_factory: pytest.TempPathFactory, gateway_config: Mapping[str, Any]
) -> "AsyncIterator[RunningGateway]":
    """A running gateway: free port, fresh store, and a clock that `await gateway.advance(hours=24)` moves."""
    from gateway.testing import running_gateway

    async with running_gateway(tmp_path_factory.mktemp("gateway"), gateway_config) as running:
        yield running


@pytest.fixture
def handset(gateway: "RunningGateway") -> "Callable[[str], Awaitable[Handset]]":
    """Makes handsets of that gateway: `h = await handset("13800138000")`."""
    return gateway.handset
