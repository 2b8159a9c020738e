"""A gateway dials an SMS centre over bad lines: cuts, also inside a PDU, stalls, delays, pieces, two binds.

Two of our gateways cannot talk to each other as a service and its centre: both are services, and what one
sends to a handset is no instruction to the other. So the far end is our simulated centre, which speaks
through the same session, answers and resends as another gateway would, and keeps a ledger. The other role, a
listener behind bad lines, is shown by the soak (tests/soak).
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from gateway.simulator.smsc.centre import SmsCentre
from gateway.smpp.timers import Timers
from gateway.testing import BadLink, running_gateway
from pytest_fetion_gateway import StartsCentre
from tests.conftest import Report
from tests.proofs.hostile import handled, hurrying, settled, told, until

HURRY = 10
"""A slow line takes tenths of a second: they must stay seconds to the gateway."""
TIMERS = Timers(enquire_link=5, response=15)
"""Of the centre: it gives a stalled connection up later than the gateway, whose 90 s pass in 9 s.

A centre that gives it up earlier, and sends on another bind what was answered on the stalled one, is not
recognised yet: to the gateway the stalled session still stands, and its answers are not in doubt.
"""
LINES = 2
ALICE = "13800138000"


class Weather:
    """Makes lines bad, by a seed, and counts what it did."""

    def __init__(self, lines: list[BadLink], seed: int) -> None:
        self.faults = 0
        self._lines = lines
        self._random = Random(seed)

    def change(self) -> None:
        """One fault of one line; it ends the stall of another."""
        random = self._random
        for stalled in self._lines:
            stalled.resume()
        line = random.choice(self._lines)
        kinds: list[Callable[[BadLink], None]] = [self._cut, self._cut_later, self._stall, self._slow]
        random.choice(kinds)(line)
        self.faults += 1

    def clear(self) -> None:
        """All is well from now on; what hangs is cut."""
        for line in self._lines:
            line.pieces, line.delay = 0, 0.0
            line.resume()
            line.cut()

    def _cut(self, line: BadLink) -> None:
        line.cut()

    def _cut_later(self, line: BadLink) -> None:
        line.cut_after(self._random.randint(1, 1500))

    def _stall(self, line: BadLink) -> None:
        line.stall()

    def _slow(self, line: BadLink) -> None:
        line.pieces = self._random.choice((0, 7, 100))
        line.delay = self._random.choice((0.0, 0.002))


def link_over(name: str, line: BadLink) -> dict[str, object]:
    """A link of the centre `north`."""
    return {
        "name": name,
        "centre": "north",
        "host": "127.0.0.1",
        "port": line.port,
        "system_id": "fetion",
        "password": "pw",
    }


async def play(folder: Path, centre: SmsCentre, seed: int, faults: int, within: float) -> str:
    """Handsets open the service while lines fail so often; then all is well. Returns what happened."""
    numbers: list[str] = []
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(BadLink("127.0.0.1", centre.port)) for _ in range(LINES)]
        links = [link_over(f"north-{number}", line) for number, line in enumerate(lines, 1)]
        gateway = await stack.enter_async_context(running_gateway(folder, {"smpp": {"links": links}}))
        await stack.enter_async_context(hurrying(gateway, HURRY))
        weather = Weather(lines, seed)
        pause = Random(f"{seed} pauses")
        while weather.faults < faults:
            if centre.open < 20:
                numbers.append(f"138{len(numbers):08}")
                centre.post(numbers[-1], "161", "KTFX")
                continue
            weather.change()
            before = len(centre.ledger.taken)
            for _ in range(pause.randint(3, 30)):
                await asyncio.sleep(0.01)
                if len(centre.ledger.taken) > before + 15:
                    break
        weather.clear()
        figures = await settled(gateway, centre, numbers, within)
        return f"{weather.faults} faults of lines; {figures}"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links are dialled again soon: what is shown here is what passes over them."""
    monkeypatch.setattr("gateway.net.dialer.PAUSE_MOST", 5.0)


async def test_it_heals(tmp_path: Path, smsc: StartsCentre, report: Report) -> None:
    """A few faults."""
    centre = await smsc(seed=7, timers=TIMERS)
    report(await play(tmp_path, centre, 7, 10, within=30))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
async def test_it_heals_whatever_the_seed(
    tmp_path: Path, smsc: StartsCentre, report: Report, seed: int
) -> None:
    """Many faults."""
    centre = await smsc(seed=seed, timers=TIMERS)
    report(await play(tmp_path, centre, seed, 300, within=60))


@pytest.mark.long
async def test_a_line_that_dies_before_the_answer(tmp_path: Path, smsc: StartsCentre) -> None:
    """An answer is lost, the line passes nothing, our own timers end it: what the centre sends again
    is recognised."""
    centre = await smsc(timers=Timers(enquire_link=0, response=0))
    async with BadLink("127.0.0.1", centre.port) as line:
        links = [link_over("north", line)]
        async with running_gateway(tmp_path, {"smpp": {"links": links}}) as gateway, hurrying(gateway):
            await centre.bound()
            line.delay = 0.2  # the answer is on its way for so long
            centre.post(ALICE, "161", "KTFX")
            await until(lambda: handled(gateway), lambda: "not executed", 5)
            line.stall()
            await until(lambda: told(gateway, "link.down"), lambda: "the line is not given up", 10)
            line.cut()
            line.delay = 0.0
            line.resume()
            assert await centre.quiet()
            assert [each.times for each in centre.ledger.delivered] == [2]
            assert handled(gateway) == {ALICE: 1}
