"""Plays the conversation of `fetion-gateway demo` with a running gateway."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.simulator.handset import Account, Centre
from gateway.simulator.runner import Advance, play
from gateway.simulator.scenario import Scenario, load
from gateway.simulator.sms import Sms
from gateway.simulator.transcript import Line, Pause, Transcript

SCENARIO: Final = Path(__file__).with_name("demo.yaml")

HANDSETS: Final = 1000
"""Handsets that the centre of a demo may have: whoever gets an SMS there appears."""


async def converse(
    account: Account,
    shown: Callable[[Line | Pause], None] | None = None,
    scenario: Path = SCENARIO,
    advance: Advance | None = None,
) -> Transcript:
    """Bind as one message centre and play a scenario with all handsets behind that bind.

    shown is called with each SMS as it leaves or comes. advance moves the gateway's clock, where the scenario
    waits. Raises SimulatorError.
    """
    script = load(scenario)
    names = names_of(script)
    transcript = Transcript(names, time.monotonic, shown)
    async with await Centre.connect(account, names, watch=transcript.add) as centre:
        await perform(script, centre, transcript, advance)
    return transcript


async def perform(
    script: Scenario, centre: Centre, transcript: Transcript, advance: Advance | None = None
) -> None:
    """Play a scenario with handsets of a centre, which reports to the transcript. Raises SimulatorError."""
    phones = {name: centre.handsets[number] for name, number in script.handsets.items()}
    await play(script, phones, transcript, advance)


def names_of(script: Scenario) -> Mapping[str, str]:
    """Who has which number."""
    return {number: name for name, number in script.handsets.items()}


def read_by_nobody(centre: Centre, show: Callable[[Sms], None]) -> Callable[[Sms], None]:
    """What a centre calls with each SMS when nothing waits for it: shows it, and empties the mailbox."""

    def watch(sms: Sms) -> None:
        show(sms)
        handset = centre.handsets.get(sms.receiver)
        if handset is not None:
            handset.mailbox.unread.clear()

    return watch
