"""Plays a scenario with handsets that somebody else has connected."""

import re
from collections.abc import Mapping

from gateway.simulator.errors import SimulatorError
from gateway.simulator.handset import Phone
from gateway.simulator.scenario import WHOLE_SENDER, Expects, Scenario, Sends, fill
from gateway.simulator.sms import Expectation
from gateway.simulator.transcript import Transcript
from gateway.smpp.errors import SmppError


class StepFailedError(SimulatorError):
    """A step of a scenario failed. Its text ends with the conversation so far; reason is without it."""

    def __init__(self, scenario: str, number: int, reason: str, transcript: Transcript) -> None:
        self.reason = f"{scenario}: step {number}: {reason}"
        super().__init__(f"{self.reason}\nthe conversation so far:\n{str(transcript) or '  (nothing)'}")
        self.number = number


async def play(scenario: Scenario, phones: Mapping[str, Phone], transcript: Transcript) -> dict[str, str]:
    """Run the steps one after the other; gives what was captured, and the handsets' numbers.

    phones: name -> handset, for every handset of the scenario. transcript: what the handsets report
    to, for the error. Raises StepFailedError at the first step that fails.
    """
    values = dict(scenario.handsets)
    for number, step in enumerate(scenario.steps, start=1):
        try:
            if step.sends is not None:
                await _send(step.sends, phones, values)
            elif step.expects is not None:
                values.update(await _expect(step.expects, phones, values))
        except (SimulatorError, SmppError) as error:
            raise StepFailedError(scenario.name, number, str(error), transcript) from error
    return values


async def _send(sends: Sends, phones: Mapping[str, Phone], values: Mapping[str, str]) -> None:
    await phones[sends.sender].send(fill(sends.text, values), fill(sends.to, values), sends.encoding)


async def _expect(expects: Expects, phones: Mapping[str, Phone], values: Mapping[str, str]) -> dict[str, str]:
    literal = {name: re.escape(value) for name, value in values.items()}
    expectation = Expectation.of(
        None if expects.regex is None else fill(expects.regex, literal),
        None if expects.text is None else fill(expects.text, values),
        None if expects.sender is None else fill(expects.sender, literal),
    )
    sms = await phones[expects.at].wait_for(expectation, expects.within)
    found = (expectation.groups(sms) or {}) | {WHOLE_SENDER: sms.sender}
    return {name: found.get(group, "") for name, group in expects.captures.items()}
