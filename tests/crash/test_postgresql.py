"""The same on PostgreSQL: the gateway is killed under load, and the server is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGINT, SIGQUIT, SIGSTOP

import pytest

from gateway.smpp.events import Answered
from gateway.storage.postgresql.link import LIMIT
from gateway.testing import BadLink
from tests.conftest import Report
from tests.crash.centre import Centre
from tests.crash.evidence import OnServer, read_store
from tests.crash.experiment import OUTSIDE, SOON, Experiment
from tests.crash.ledger import Ledger
from tests.crash.load import BASE, OLD_BASE, Kind, Load, Message
from tests.crash.process import SERVE, GatewayProcess, write_config
from tests.crash.test_kill import FEWEST_UNANSWERED, ROUNDS, SEED
from tests.postgresql import PASSWORD, Server, missing, shared, url_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

FAULTS = 2
"""Times that a server goes away."""
CUTS = 20
"""Times that the connection to it is cut."""
BETWEEN = 600
"""Acknowledgements before a fault, and behind the last one."""
STANDS = "the store has not answered"
PAUSE = 0.05
"""Seconds after which a refused message is sent again."""


@pytest.mark.parametrize("rounds", [2, pytest.param(ROUNDS, marks=pytest.mark.long, id="long")])
async def test_killed_from_outside(rounds: int, tmp_path: Path, report: Report) -> None:
    """The command `serve` on PostgreSQL, killed at any moment: done once, all delivered."""
    verdict = await Experiment(tmp_path, rounds, SEED, OUTSIDE, evidence=OnServer(url_of(tmp_path))).run()
    report(str(verdict.figures))
    assert verdict.faults == []
    figures = verdict.figures
    assert figures.kills == rounds
    assert min(figures.unanswered) >= FEWEST_UNANSWERED
    assert figures.resent.total() == sum(figures.unanswered)
    assert figures.repeats <= sum(figures.in_flight)
    assert PASSWORD not in (tmp_path / "gateway.log").read_text("utf-8")


class Insistent(Centre):
    """A centre that sends again what is refused for a while."""

    refused = 0

    def _answered(self, event: Answered) -> None:
        message = event.context
        if not (isinstance(message, Message) and event.response.command_status):
            super()._answered(event)
            return
        self.refused += 1
        del self._ledger.unanswered[message.order]
        self._loop.call_later(PAUSE, self._once_more, message)

    def _once_more(self, message: Message) -> None:
        self._again.append(message)
        self.pump()


@pytest.fixture
def server() -> Iterator[Server]:
    """One that a test may kill."""
    server = Server()
    server.start()
    yield server
    server.remove()


WAYS: dict[str, Callable[[Server], None]] = {
    "kill": Server.kill,
    "crash": lambda server: server.stop(SIGQUIT),
    "restart": lambda server: server.stop(SIGINT),
}
"""How a server goes away: kill -9, without writing, in order."""


@pytest.mark.parametrize("way", WAYS)
async def test_the_server_goes_away(way: str, server: Server, tmp_path: Path, report: Report) -> None:
    """While the server is away SMS are refused; everything acknowledged is executed once and answered, and
    the gateway goes on by itself."""

    async def fault() -> None:
        await asyncio.to_thread(WAYS[way], server)
        await asyncio.to_thread(server.start)

    report(await under_load(tmp_path, server.url(), server.url(), fault, FAULTS, BETWEEN))


@pytest.mark.long
@pytest.mark.parametrize("seconds", [1, LIMIT])
async def test_the_server_stands_still(
    seconds: float, server: Server, tmp_path: Path, report: Report
) -> None:
    """The same while it stands still, for less than the gateway waits and for longer. seconds: counted from
    when the gateway begins to refuse."""
    log, said = tmp_path / "log", 0

    async def fault() -> None:
        nonlocal said
        said = log.read_text("utf-8").count(STANDS)
        await asyncio.to_thread(server.signal, SIGSTOP)
        try:
            async with asyncio.timeout(LIMIT):
                while log.read_text("utf-8").count(STANDS) == said:  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.05)
            over = asyncio.Event()
            asyncio.get_running_loop().call_later(seconds, over.set)
            await over.wait()
        finally:
            await asyncio.to_thread(server.signal, SIGCONT)

    report(await under_load(tmp_path, server.url(), server.url(), fault, FAULTS, BETWEEN))


async def test_cut_off_from_the_server(tmp_path: Path, report: Report) -> None:
    """The same where only the connection is cut, again and again: the server goes on with what it has, while
    the gateway asks on a new connection what became of it."""
    url, chance = url_of(tmp_path), Random(SEED)
    async with BadLink("127.0.0.1", shared().port) as link:

        async def fault() -> None:
            over = asyncio.Event()

            def cut() -> None:
                link.cut()
                over.set()

            asyncio.get_running_loop().call_later(chance.uniform(0, SOON), cut)
            await over.wait()

        behind = url.replace(str(shared().port), str(link.port))
        report(await under_load(tmp_path, behind, url, fault, CUTS, BETWEEN // CUTS))


async def under_load(
    folder: Path, url: str, beside: str, fault: Callable[[], Awaitable[None]], times: int, between: int
) -> str:
    """Let something happen so often under load, so many acknowledgements apart, and compare; the figures.

    beside: the URL by which the store is read at the end.
    """
    load, ledger = Load(SEED, times, 2), Ledger()
    gateway = await GatewayProcess.start((*SERVE, "--config", str(write_config(folder, url))), folder / "log")
    try:
        centre = await Insistent.connect(gateway.port, ledger, load)
        load.open_all()
        await centre.until(lambda: len(ledger.received) == len(load.handsets))
        load.befriend()
        await centre.until(lambda: len(ledger.received) == len(load.handsets) + 4 * len(load.buddies))
        for number in range(times):
            load.begin_round(number)
            aim = centre.acknowledged + between
            await centre.until(lambda aim=aim: centre.acknowledged >= aim)  # type: ignore[misc]
            await fault()
        aim = centre.acknowledged + between
        await centre.until(lambda: centre.acknowledged >= aim)
        await drain(centre, load, ledger)
        assert await gateway.stop() == 0
    finally:
        await gateway.end()
    stored = read_store(OnServer(beside))
    assert isinstance(centre, Insistent)
    # What is refused in the middle of a window is sent again behind its followers: the centre's order.
    assert [each for each in ledger.faults(stored) if not each.startswith("order")] == []
    assert PASSWORD not in (folder / "log").read_text("utf-8")
    return f"{times} times: {centre.refused} refused, {len(ledger.messages)} messages, none lost"


async def drain(centre: Centre, load: Load, ledger: Ledger) -> None:
    """Until nothing is left to come: those who are asked ask, to get their questions, then everybody."""
    for people, number in ((load.asked, OLD_BASE), (load.handsets, BASE)):
        load.end()
        await centre.until(lambda: not ledger.unanswered and not load.waiting)
        for msisdn in people:
            load.put(Kind.STATE, msisdn, number, "CXFX")
        fences = {(msisdn, number) for msisdn in people}
        await centre.until(partial(fences.issubset, ledger.states))
    await centre.until(lambda: not ledger.unanswered)
