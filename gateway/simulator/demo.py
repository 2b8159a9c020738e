"""Plays the conversation of `fetion-gateway demo` with a running gateway."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.simulator.handset import Account, Centre
from gateway.simulator.runner import Advance, play
from gateway.simulator.scenario import load
from gateway.simulator.transcript import Line, Transcript

SCENARIO: Final = Path(__file__).with_name("demo.yaml")


async def converse(
    account: Account,
    shown: Callable[[Line], None] | None = None,
    scenario: Path = SCENARIO,
    advance: Advance | None = None,
) -> Transcript:
    """Bind as one message centre and play a scenario with all handsets behind that bind.

    shown is called with each SMS as it leaves or comes. advance moves the gateway's clock, where the scenario
    waits. Raises SimulatorError.
    """
    script = load(scenario)
    names: Mapping[str, str] = {number: name for name, number in script.handsets.items()}
    transcript = Transcript(names, time.monotonic, shown)
    async with await Centre.connect(account, names, watch=transcript.add) as centre:
        phones = {name: centre.handsets[number] for name, number in script.handsets.items()}
        await play(script, phones, transcript, advance)
    return transcript
