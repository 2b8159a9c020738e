"""Plays a scenario with handsets that are connected already."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from gateway.simulator.errors import SimulatorError
from gateway.simulator.handset import Phone
from gateway.simulator.scenario import (
    WHOLE_SENDER,
    Answers,
    Expects,
    ExpectsNothing,
    Scenario,
    Sends,
    Verb,
    Waits,
    fill,
)
from gateway.simulator.sms import Expectation
from gateway.simulator.transcript import Transcript
from gateway.smpp.errors import SmppError

Advance: TypeAlias = Callable[[float], Awaitable[None]]
"""Moves the gateway's clock forward by that many seconds; returns after all effects."""


class StepFailedError(SimulatorError):
    """A step of a scenario failed. Its text ends with the conversation so far; reason is without it."""

    def __init__(self, scenario: str, number: int, reason: str, transcript: Transcript) -> None:
        self.reason = f"{scenario}: step {number}: {reason}"
        super().__init__(f"{self.reason}\nthe conversation so far:\n{str(transcript) or '  (nothing)'}")
        self.number = number


class NoClockError(SimulatorError):
    """A scenario has a wait step, but the gateway's clock cannot be moved."""


async def play(
    scenario: Scenario,
    phones: Mapping[str, Phone],
    transcript: Transcript,
    advance: Advance | None = None,
) -> dict[str, str]:
    """Run the steps in order. Returns the captured values, and the handsets' numbers.

    phones: name -> handset, for every handset of the scenario. transcript: what the handsets report to, and
    what is told of the waits. advance: for the steps that wait. Raises StepFailedError at the first step that
    fails, and NoClockError before the first one.
    """
    if advance is None and scenario.needs_clock:
        raise NoClockError(
            f"{scenario.name}: it waits on the gateway's clock, which only a gateway of its own can move:"
            " fetion-gateway scenario run without --host and --port, or the pytest plugin"
        )
    player = _Player(scenario, phones, advance, transcript.waited)
    for number, step in enumerate(scenario.steps, start=1):
        try:
            await player.do(step.verb)
        except (SimulatorError, SmppError) as error:
            raise StepFailedError(scenario.name, number, str(error), transcript) from error
    return player.values


class _Player:
    """values: what later steps may name. senders: handset -> where the SMS it expected last came from."""

    def __init__(
        self,
        scenario: Scenario,
        phones: Mapping[str, Phone],
        advance: Advance | None,
        waited: Callable[[float], None],
    ) -> None:
        self.values = dict(scenario.handsets)
        self._phones = phones
        self._advance = advance
        self._waited = waited
        self._senders: dict[str, str] = {}

    async def do(self, verb: Verb) -> None:
        """Run one step."""
        match verb:
            case Sends():
                text, to = fill(verb.text, self.values), fill(verb.to, self.values)
                await self._phones[verb.sender].send(text, to, verb.encoding)
            case Answers():
                text = fill(verb.text, self.values)
                await self._phones[verb.sender].send(text, self._senders[verb.sender], verb.encoding)
            case Expects():
                await self._expect(verb)
            case ExpectsNothing():
                unwanted = self._expectation(verb.regex, None, verb.sender)
                await self._phones[verb.at].silence(unwanted, verb.within)
            case Waits():
                assert self._advance is not None
                self._waited(verb.in_seconds)  # before what the time brings
                await self._advance(verb.in_seconds)

    async def _expect(self, expects: Expects) -> None:
        expectation = self._expectation(expects.regex, expects.text, expects.sender)
        sms = await self._phones[expects.at].wait_for(expectation, expects.within)
        self._senders[expects.at] = sms.sender
        found = (expectation.groups(sms) or {}) | {WHOLE_SENDER: sms.sender}
        self.values.update((name, found.get(group, "")) for name, group in expects.captures.items())

    def _expectation(self, regex: str | None, text: str | None, sender: str | None) -> Expectation:
        literal = {name: re.escape(value) for name, value in self.values.items()}
        return Expectation.of(
            None if regex is None else fill(regex, literal),
            None if text is None else fill(text, self.values),
            None if sender is None else fill(sender, literal),
        )
