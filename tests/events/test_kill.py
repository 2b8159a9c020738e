"""The program of docs/events.md, killed with -9 in the midst of its work: no event lost, none invented."""

import asyncio
import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.simulator.esme import Esme
from tests.crash.process import GatewayProcess, store_path, write_config
from tests.events.support import program
from tests.proofs.served import accepted, bind, rows, sms, until

HANDSETS = [str(13800138000 + number) for number in range(12)]
KILLS = 4


def written(path: Path) -> list[dict[str, Any]]:
    """What the consumer has written down."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def journaled(folder: Path) -> set[tuple[int, str, str]]:
    """(cause, event, mobile) of every event of the journal."""
    found = rows(
        store_path(folder),
        """SELECT number, each.value ->> '$.event' AS event, each.value ->> '$.msisdn' AS msisdn
        FROM journal, json_each(journal.detail, '$.events') AS each""",
    )
    return {(row["number"], row["event"], row["msisdn"]) for row in found}


async def write_on(esme: Esme, handset: str) -> None:
    """A handset opens and changes its name again and again, until the gateway is gone."""
    await accepted(esme, sms(handset, "161", "KTFX"))
    for number in range(10_000):
        await accepted(esme, sms(handset, "161", f"NC#n{number}"))


async def live(command: list[str], folder: Path, ledger: Path, random: Random) -> None:
    """One life: load until so many more events are written down, then kill -9."""
    enough = len(written(ledger)) + random.randint(30, 150)
    process = await GatewayProcess.start(command, folder / "log")
    try:
        esme = await bind(process.port)
        load = [asyncio.create_task(write_on(esme, handset)) for handset in HANDSETS]
        await until(lambda: len(written(ledger)) >= enough, "events")
        process.kill()
        await process.died()
        for task in load:
            task.cancel()
        await asyncio.gather(*load, return_exceptions=True)
        await esme.abort()
    finally:
        await process.end()


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_in_the_middle(tmp_path: Path, seed: int) -> None:
    """After each kill the consumer goes on where it was; at the end it has every event of the journal and no
    other, in one order, each once by its id, with versions without gaps for each customer."""
    config, ledger = write_config(tmp_path), tmp_path / "ledger"
    (tmp_path / "ledger.py").write_text(program(), "utf-8")
    command = [sys.executable, str(tmp_path / "ledger.py"), str(config), str(ledger)]
    random = Random(seed)
    for _ in range(KILLS):
        await live(command, tmp_path, ledger, random)
    process = await GatewayProcess.start(command, tmp_path / "log")
    await until(lambda: len(written(ledger)) >= len(journaled(tmp_path)), "the last events")
    assert await process.stop() == 0
    events = written(ledger)
    assert {(e["cause"], f"{e['family']}/{e['name']}", e["msisdn"]) for e in events} == journaled(tmp_path)
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
    assert len({e["event_id"] for e in events}) == len(events)
    for handset in HANDSETS:
        versions = [e["version"] for e in events if e["msisdn"] == handset]
        assert versions == list(range(1, len(versions) + 1))
    assert len(events) > 30 * KILLS
