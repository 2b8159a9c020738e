"""Each fault of the simulated SMS centre, as an ESME meets it; and the file that says which."""

import asyncio
from pathlib import Path

import pytest

from gateway.simulator.errors import BindRefusedError, NoResponseError, NotConnectedError, SimulatorError
from gateway.simulator.smsc.dice import MISCHIEF, Dice
from gateway.simulator.smsc.faults import Faults, faults_of, load_faults
from gateway.smpp.pdus import GenericNack
from gateway.smpp.status import CommandStatus
from gateway.smpp.timers import Timers
from pytest_fetion_gateway import StartsCentre
from routing.tablefile import TableError
from tests.simulator.smsc.test_centre import HANDSET, esme, sms

QUICK = Timers(response=0.2)


async def test_refusals(smsc: StartsCentre) -> None:
    """throttle and nack answer with their status, and the SMS is not taken; only for as long as they say."""
    centre = await smsc(faults={"throttle": {"until": 2}, "nack": {"status": "RSUBMITFAIL", "until": 3}})
    async with await esme(centre) as client:
        answers = [await client.submit(sms()) for _ in range(3)]
    assert [each.command_status for each in answers] == [CommandStatus.RTHROTTLED, 0x45, 0]
    assert isinstance(answers[1], GenericNack)
    assert len(centre.ledger.taken) == len(centre.unread) == 1


@pytest.mark.parametrize("fault", ["swallow", "wrong_sequence", "wrong_command"])
async def test_responses_that_never_come(smsc: StartsCentre, fault: str) -> None:
    """The SMS is taken, and its response never comes."""
    centre = await smsc(faults={fault: {"until": 2}})
    async with await esme(centre, timers=QUICK) as client:
        first, second = (asyncio.ensure_future(client.submit(sms())) for _ in range(2))
        assert (await second).command_status == 0
        with pytest.raises(NoResponseError):
            await first
    assert len(centre.unread) == 2
    assert centre.ledger.counts[fault] == 1


@pytest.mark.parametrize("fault", ["garbage", "cut"])
async def test_connections_that_end(smsc: StartsCentre, fault: str) -> None:
    """The connection is lost in the middle of the window, and the SMS is not taken."""
    centre = await smsc(faults={fault: {"from": 2, "until": 3}})
    client = await esme(centre)
    results = await asyncio.gather(*(client.submit(sms()) for _ in range(3)), return_exceptions=True)
    assert isinstance(results[1], NotConnectedError)
    await client.wait_lost()
    again = await esme(centre)
    assert (await again.submit(sms())).command_status == 0
    await again.close()


async def test_unbind_and_silence(smsc: StartsCentre) -> None:
    """unbind comes behind the response; silence answers nothing any more, not even enquire_link."""
    centre = await smsc(faults={"unbind": {"until": 2}, "silence": {"from": 2}})
    client = await esme(centre)
    assert (await client.submit(sms())).command_status == 0
    assert await client.wait_lost() == "unbound by peer"
    client = await esme(centre, timers=QUICK)
    with pytest.raises(SimulatorError):
        await client.submit(sms())
    assert "not answered" in await client.wait_lost()


async def test_silence_behind_slow_reading(smsc: StartsCentre) -> None:
    """A centre that has fallen silent reads nothing any more, also when the time of `slow` is over."""
    centre = await smsc(faults={"slow": {"seconds": 0.02}, "silence": {}})
    client = await esme(centre, timers=QUICK)
    with pytest.raises(SimulatorError):
        await client.submit(sms())
    assert "not answered" in await client.wait_lost()


async def test_delay_and_slow_reading(smsc: StartsCentre) -> None:
    """Responses are late by what the faults say; a centre that reads slowly answers all the same."""
    centre = await smsc(faults={"delay": {"seconds": [0.05, 0.06], "until": 2}, "slow": {"seconds": 0.05}})
    loop = asyncio.get_running_loop()
    async with await esme(centre) as client:
        began = loop.time()
        assert (await client.submit(sms())).command_status == 0
        assert loop.time() - began >= 0.05
        assert (await client.submit(sms())).command_status == 0
    assert centre.ledger.counts["slow"] == 2


async def test_binds(smsc: StartsCentre) -> None:
    """accept_then_cut counts connections, refuse_bind binds."""
    centre = await smsc(faults={"accept_then_cut": {"until": 2}, "refuse_bind": {"until": 3}})
    with pytest.raises(NotConnectedError):
        await esme(centre)
    for _ in range(2):
        with pytest.raises(BindRefusedError, match="RSYSERR"):
            await esme(centre)
    await (await esme(centre)).close()


async def test_again(smsc: StartsCentre) -> None:
    """A delivery that was answered comes once more."""
    centre = await smsc(faults={"again": {"until": 2}})
    async with await esme(centre) as client:
        assert await centre.deliver(HANDSET, "161", "KTFX") == 0
        assert client.inbox.qsize() == 2
    assert centre.ledger.delivered[0].statuses == [0, 0]


def test_a_seed_says_all() -> None:
    """The same seed draws the same faults; another one others; a further fault disturbs no earlier one."""
    faults = faults_of({"swallow": {"share": 0.3}, "nack": {"share": 0.3}})

    def drawn(faults: Faults, seed: int) -> list[str]:
        dice = Dice(faults, seed)
        return [dice.mischief(0.0) for _ in range(200)]

    assert drawn(faults, 1) == drawn(faults, 1) != drawn(faults, 2)
    more = faults_of({"swallow": {"share": 0.3}, "nack": {"share": 0.3}, "silence": {"share": 0.3}})
    pairs = zip(drawn(faults, 1), drawn(more, 1), strict=True)
    assert all(was == now or (not was and now == "silence") for was, now in pairs)


def test_throttle_above_a_rate() -> None:
    """Of the SMS within a second those above the rate are throttled."""
    dice = Dice(faults_of({"throttle": {"above": 2}}), 0)
    assert [dice.mischief(at) for at in (1.0, 1.1, 1.2, 1.3, 2.0)] == ["", "", "throttle", "throttle", ""]


def test_every() -> None:
    """every: only each so-manieth, counted from the first."""
    dice = Dice(faults_of({"cut": {"every": 3, "from": 2}}), 0)
    assert [bool(dice.mischief(0)) for _ in range(8)] == [False, True, False, False, True, False, False, True]


def test_every_mischief_has_a_rule() -> None:
    """The names that are drawn are fields of the schema."""
    assert set(MISCHIEF) <= set(Faults.model_fields)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("swalow: {share: 1}", "did you mean 'swallow'"),
        ("swallow: {share: 2}", "must be at most 1"),
        ("swallow: {from: 0}", "must be at least 1"),
        ("throttle: {status: RTHROTLED}", "name of a command_status"),
        ("delay: {seconds: [2, 1]}", "the least and the most"),
        ("receipts: {states: {DELIVERED: 1}}", "must be some of"),
        ("receipts: {states: {DELIVRD: 0}}", "must be some of"),
        ("swallow: [1]", "must be a mapping"),
        ("swallow: {share: .nan}", "must be"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, reason: str) -> None:
    """A fault of the file names its line, its key and the remedy."""
    path = tmp_path / "faults.yaml"
    path.write_text(f"# faults\n{text}\n", "utf-8")
    with pytest.raises(TableError, match=reason) as caught:
        load_faults(path)
    assert str(caught.value).startswith(f"{path}:2: ")
