"""A gateway dials an SMS centre that does everything wrong: when it heals, nothing is lost or stuck."""

from pathlib import Path
from random import Random

import pytest

from gateway.simulator.smsc.centre import SmsCentre
from gateway.smpp.timers import Timers
from gateway.testing import running_gateway
from pytest_fetion_gateway import StartsCentre
from tests.conftest import Report
from tests.proofs.hostile import hurrying, settled, until

FAULTS = {
    "throttle": {"share": 0.1},
    "nack": {"share": 0.05},
    "swallow": {"share": 0.03},
    "wrong_sequence": {"share": 0.02},
    "wrong_command": {"share": 0.02},
    "garbage": {"every": 70},
    "cut": {"every": 40},
    "unbind": {"every": 61},
    "silence": {"from": 90, "every": 150},
    "delay": {"share": 0.3, "seconds": [0, 0.05]},
    "slow": {"share": 0.02, "seconds": 0.05},
    "accept_then_cut": {"every": 4},
    "refuse_bind": {"every": 4},
    "receipts": {"twice": 0.1, "wrong_id": 0.1, "before_response": 0.2},
}
HAPPENS = frozenset(FAULTS) - {"receipts"}
TIMERS = Timers(enquire_link=0.3, response=1)
"""Of the centre: it drops a connection on which it fell silent, and delivers again what was on it."""
WAVE = 25
"""Handsets that write at once."""


async def play(folder: Path, centre: SmsCentre, times: int, within: float) -> str:
    """Handsets open the service while the centre misbehaves, until each fault has happened so often; then it
    heals. Returns what happened."""
    link = {
        "name": "north",
        "host": "127.0.0.1",
        "port": centre.port,
        "system_id": "fetion",
        "password": "pw",
    }
    numbers: list[str] = []
    async with running_gateway(folder, {"smpp": {"links": [link]}}) as gateway, hurrying(gateway):

        def few() -> bool:
            return centre.open < WAVE and gateway.app.outbox.depth < 4 * WAVE

        while min(centre.ledger.counts[fault] for fault in HAPPENS) < times:
            wave = [f"138{len(numbers) + number:08}" for number in range(WAVE)]
            numbers += wave
            for number in wave:
                centre.post(number, "161", "KTFX")
            await until(few, lambda: f"{centre.ledger.counts}", within)
        centre.misbehave({})
        centre.drop()  # a centre that heals has begun anew
        return await settled(gateway, centre, numbers, within)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links are dialled again soon: what is shown here is what passes over them."""
    monkeypatch.setattr("gateway.net.dialer.PAUSE_MOST", 5.0)


async def test_it_heals(tmp_path: Path, smsc: StartsCentre, report: Report) -> None:
    """Each fault at least once, most of them often."""
    centre = await smsc(faults=FAULTS, seed=20070515, timers=TIMERS)
    report(await play(tmp_path, centre, 1, within=30))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
async def test_it_heals_whatever_the_seed(
    tmp_path: Path, smsc: StartsCentre, report: Report, seed: int
) -> None:
    """Each fault at least twenty times, other draws."""
    centre = await smsc(faults=FAULTS, seed=Random(seed).randrange(2**31), timers=TIMERS)
    report(await play(tmp_path, centre, 20, within=60))
