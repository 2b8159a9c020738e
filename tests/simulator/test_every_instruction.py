"""After all the scenarios, every instruction of the table has been seen at work."""

import sqlite3
import time
from pathlib import Path

from commands.model import LoadKeys, Result, World
from commands.service import Commands
from commands.table import Row
from gateway.message import Commit
from gateway.simulator.handset import Centre
from gateway.simulator.runner import play
from gateway.simulator.scenario import Scenario, load
from gateway.simulator.transcript import Transcript
from gateway.testing import RunningGateway, running_gateway
from routing.model import Accepts
from routing.table import Routing

SCENARIOS = sorted(Path(__file__).parent.parent.joinpath("scenarios").glob("*.yaml"))
ALICE = "13800138000"
PART = ""
"""What stands in the journal for a part of a long SMS that is not the last."""

NO_INSTRUCTION = frozenset({Accepts.PROVINCE.value, Accepts.VOICE.value, Accepts.NONE.value})


def with_numbers_of_its_own(scenario: Scenario, place: int) -> Scenario:
    """The same scenario for other handsets of the same segments, so that none meets those of another."""
    handsets = {
        name: f"{msisdn[:7]}{place:02}{number:02}"
        for number, (name, msisdn) in enumerate(scenario.handsets.items())
    }
    return scenario.model_copy(update={"handsets": handsets})


def works(row: Row) -> Result:
    """How an instruction that did what it is for ends, by what the table says about it."""
    if row.where <= NO_INSTRUCTION:
        return Result.REFUSED  # there is nothing to do at its number
    if "chat.message" in row.replies:
        return Result.CHAT
    if not row.answers and any(".question" in reply for reply in row.replies):
        return Result.ASKED  # what it is for happens when the question is answered
    return Result.DONE


async def play_all(gateway: RunningGateway) -> None:
    """One scenario after the other, each behind a bind of its own."""
    for place, path in enumerate(SCENARIOS):
        scenario = with_numbers_of_its_own(load(path), place)
        names = {msisdn: name for name, msisdn in scenario.handsets.items()}
        transcript = Transcript(names, time.monotonic)
        async with await Centre.connect(gateway.account, names, watch=transcript.add) as centre:
            phones = {name: centre.handsets[msisdn] for msisdn, name in names.items()}
            await play(scenario, phones, transcript, gateway.advance_seconds)


async def unlock(gateway: RunningGateway) -> None:
    """What no SMS can bring about: an account is protected by whoever checks its logins. U lifts that."""
    alice = await gateway.handset(ALICE)
    await alice.send("KTFX", to="161")
    world = World()
    await gateway.app.store.load(LoadKeys(customers={ALICE}), world)
    world.edit(ALICE).protected = True
    world.accept()
    await gateway.app.store.commit(Commit(customers=world.changed_customers.values()))
    await alice.send("HYLB", to="161")
    await alice.expect("保护状态")
    await alice.send("U", to="161")
    await alice.expect("已经解除")


async def test_every_instruction_of_the_table_works(tmp_path: Path) -> None:
    """All scenarios against one gateway: each row is in its journal with the outcome that means success."""
    async with running_gateway(tmp_path) as gateway:
        await play_all(gateway)
        await unlock(gateway)
    with sqlite3.connect(tmp_path / "fetion.db") as store:
        seen = set(store.execute("SELECT instruction, outcome FROM journal"))
    rows = Commands.load(Routing.load()).table.rows
    wanted = {(row.id, works(row).value) for row in rows.values()}
    assert sorted(wanted - seen) == []
    assert {instruction for instruction, _ in seen} - set(rows) <= {"misunderstood", PART}
