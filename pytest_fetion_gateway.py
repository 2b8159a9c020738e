"""The pytest plugin `fetion_gateway`: the fixtures `gateway`, `handset` and `smsc` for tests of SMS.

It is loaded in every test run where this package is installed. So it has a name that no other project has,
and imports nothing of ours, nor pytest-asyncio, before a test asks for a gateway. Where another package named
`gateway`, `commands` or `routing` is found instead of ours, only such a test fails, and says which. The
fixtures are asynchronous: pytest-asyncio must be installed. See docs/testing.md.
"""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from gateway.simulator.handset import Handset
    from gateway.simulator.smsc.centre import SmsCentre
    from gateway.testing import RunningGateway

PACKAGES: Final = ("gateway", "commands", "routing")
"""Ours, which stand beside this file."""

NO_ASYNCIO: Final = (
    "the fixture `gateway` of fetion-gateway is asynchronous and pytest-asyncio is not loaded: install it"
    " with pip install 'fetion-gateway[testing]', and do not switch it off (-p no:asyncio)"
)
REMEDY: Final = (
    "A process has one package of a name. Run the tests that use a gateway from a folder in which yours is"
    " not found: one of their own, with a pytest.ini of its own; or rename yours."
)


RUNNING: Final = pytest.StashKey["RunningGateway"]()
"""Where a test keeps the gateway that its fixtures talk to, for its report."""

StartsCentre = Callable[..., Awaitable["SmsCentre"]]
"""port, faults (sections as in a file of faults), and what SmsCentre takes."""


def pytest_configure(config: pytest.Config) -> None:
    """Offer the fixture `gateway`, made by pytest-asyncio if it is loaded: then both of its modes take it."""
    plugins = {getattr(plugin, "__name__", "") for plugin in config.pluginmanager.get_plugins()}
    fixtures = _made_by_asyncio() if "pytest_asyncio.plugin" in plugins else WithoutAsyncio()
    config.pluginmanager.register(fixtures, "fetion_gateway_fixtures")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the conversation and the log of the gateway to the report of a test that failed."""
    report = yield
    running = item.stash.get(RUNNING, None)
    if report.failed and running is not None:
        from gateway.testing.reporting import sections

        report.sections.extend(sections(running))
    return report


@pytest.fixture
def gateway_config() -> Mapping[str, Any]:
    """Sections as in config.yaml for the fixture `gateway`; override it to change limits or accounts."""
    return {}


@pytest.fixture
def handset(gateway: "RunningGateway") -> "Callable[[str], Awaitable[Handset]]":
    """Makes handsets of that gateway: `h = await handset("13800138000")`."""
    return gateway.handset


class WithoutAsyncio:
    """What there is without pytest-asyncio."""

    @pytest.fixture
    def gateway(self) -> None:
        """Says what is missing."""
        pytest.fail(NO_ASYNCIO, pytrace=False)

    @pytest.fixture
    def smsc(self) -> None:
        """Says what is missing."""
        pytest.fail(NO_ASYNCIO.replace("`gateway`", "`smsc`"), pytrace=False)


def _made_by_asyncio() -> object:
    """A plugin with the asynchronous fixture."""
    import pytest_asyncio

    class WithAsyncio:
        @pytest_asyncio.fixture
        async def gateway(
            self,
            request: pytest.FixtureRequest,
            tmp_path_factory: pytest.TempPathFactory,
            gateway_config: Any,
        ) -> "AsyncIterator[RunningGateway]":
            """A running gateway: free port, fresh store; `gateway.advance(hours=24)` moves its clock."""
            _fail_on_collisions()
            if reason := import_module("gateway.cli.platforms").refusal(sys.platform):
                pytest.fail(reason, pytrace=False)
            if not isinstance(gateway_config, Mapping):
                given = type(gateway_config).__name__
                pytest.fail(f"gateway_config: must be a mapping of sections, is a {given}", pytrace=False)
            from gateway.testing import running_gateway
            from gateway.testing.reporting import START_ERRORS, why_not

            async with AsyncExitStack() as stack:
                starting = running_gateway(tmp_path_factory.mktemp("gateway"), gateway_config)
                refusal = ""
                try:
                    running = await stack.enter_async_context(starting)
                except START_ERRORS as error:
                    refusal = why_not(error)
                if refusal:  # said here: in the handler pytest would add the error with its frames
                    pytest.fail(refusal, pytrace=False)
                request.node.stash[RUNNING] = running
                yield running

        @pytest_asyncio.fixture
        async def smsc(self) -> AsyncIterator[StartsCentre]:
            """Starts simulated SMS centres: `centre = await smsc(faults={"swallow": {"share": 0.1}})`."""
            _fail_on_collisions()
            from gateway.simulator.smsc.centre import SmsCentre
            from gateway.simulator.smsc.faults import faults_of

            async with AsyncExitStack() as stack:

                async def start(
                    port: int = 0, faults: Mapping[str, object] | None = None, **given: Any
                ) -> SmsCentre:
                    centre = SmsCentre(faults_of(faults or {}), **given)
                    await centre.start(port)
                    return await stack.enter_async_context(centre)

                yield start

    return WithAsyncio()


def _fail_on_collisions() -> None:
    """Say which of our packages are hidden by others, if any is."""
    if collisions := list(_collisions()):
        pytest.fail("\n".join([*collisions, REMEDY]), pytrace=False)


def _collisions() -> Iterator[str]:
    """For each of our packages whose name finds another one: which."""
    for name in PACKAGES:
        ours = Path(__file__).resolve().parent / name
        found = _place_of(name)
        if found is None or Path(found).resolve() not in (ours, ours / "__init__.py"):
            yield f"fetion-gateway needs its own package `{name}`, {ours}; `import {name}` finds {found}."


def _place_of(name: str) -> str | None:
    """The file that `import` finds under a name; of a folder without __init__.py the folder."""
    try:
        spec = find_spec(name)
    except ValueError:  # it is imported, and does not say from where
        return getattr(sys.modules[name], "__file__", None)
    if spec is None:
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), None)
