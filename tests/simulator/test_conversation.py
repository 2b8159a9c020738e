"""The demo's conversation and the test scenarios against the real gateway, on real sockets."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway import testing
from gateway.simulator.demo import SCENARIO, converse
from gateway.simulator.handset import SPELLINGS, Centre, Spelling
from gateway.simulator.runner import play
from gateway.simulator.scenario import load
from gateway.simulator.transcript import Transcript
from tests.simulator.real_gateway import running_gateway

SCENARIOS = sorted(Path(__file__).parent.parent.joinpath("scenarios").glob("*.yaml"))


@pytest.mark.parametrize("scenario", [SCENARIO, *SCENARIOS], ids=lambda path: path.name)
async def test_scenarios_with_all_handsets_behind_one_bind(scenario: Path, tmp_path: Path) -> None:
    """Each scenario passes when one bind carries all its handsets."""
    async with testing.running_gateway(tmp_path) as gateway:
        transcript = await converse(gateway.account, scenario=scenario, advance=gateway.advance_seconds)
    assert transcript.lines


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_each_handset_with_a_bind_of_its_own(spelling: Spelling, tmp_path: Path) -> None:
    """Two binds that ask for one number each get each their own SMS, however the centre spells numbers."""
    script = load(SCENARIO)
    transcript = Transcript({}, time.monotonic)
    async with running_gateway(tmp_path) as account, AsyncExitStack() as stack:
        phones = {}
        for name, number in script.handsets.items():
            connecting = Centre.connect(
                account, [number], address_range=number, spelling=spelling, watch=transcript.add
            )
            centre = await stack.enter_async_context(await connecting)
            phones[name] = centre.handsets[number]
        values = await play(script, phones, transcript)
    assert values["alice_fetion"] != values["bob_fetion"]


async def test_the_same_gateway_twice(tmp_path: Path) -> None:
    """What a run leaves in its store is there when a gateway is started on it again."""
    async with running_gateway(tmp_path) as account:
        shown = str(await converse(account))
    async with (
        running_gateway(tmp_path) as account,
        await Centre.connect(account, ["13800138000"]) as centre,
    ):
        alice = centre.handsets["13800138000"]
        await alice.send("CXFX", to="12520")
        state = await alice.expect("飞信号是", sender="12520")
        assert state.text in shown  # her number and her one buddy
