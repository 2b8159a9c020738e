"""Playing scenarios against a fake message centre, on real sockets."""

import pytest

from gateway.simulator.demo import converse
from gateway.simulator.handset import Centre
from gateway.simulator.runner import NoClockError, StepFailedError, play
from gateway.simulator.scenario import parse
from gateway.simulator.sms import Sms
from gateway.simulator.transcript import Line, Pause, Transcript
from gateway.smpp.pdus import DeliverSm, SubmitSm
from gateway.smpp.status import CommandStatus
from tests.simulator.fake_smsc import ALPHABET, FakeSmsc, deliveries

SOURCE = r"""
name: test
handsets: {alice: 13800138000, bob: 13900139000}
steps:
  - sends: {from: alice, to: 161, text: KTFX}
  - expects: {at: alice, from: '161(?P<tail>\d+)', regex: '码(?P<n>\d{9})', captures: {number: n, way: tail}}
  - sends: {from: bob, to: '12520{way}', text: 'HY#{number} {alice}'}
  - expects: {at: bob, text: '{number}+', captures: {question: sender}}
  - expects: {at: bob, regex: 'to {number}', within: 0.05}
"""
NAMES = {"13800138000": "alice", "13900139000": "bob"}


def reacts(submit: SubmitSm) -> list[DeliverSm]:
    """Opens at KTFX, else answers twice."""
    text = ALPHABET.decode(submit.short_message, submit.data_coding)
    if text == "KTFX":
        return deliveries("161034", submit.source_addr, "您的号码512345678")
    number = text.removeprefix("HY#").split()[0]
    return [
        *deliveries("12520", submit.source_addr, "to nobody\nin particular"),
        *deliveries("1252003300001", submit.source_addr, number + "+"),
    ]


async def played(smsc: FakeSmsc, transcript: Transcript, source: str = SOURCE) -> dict[str, str]:
    """Play a scenario against the fake centre."""
    scenario = parse(source, "f.yaml")
    async with await Centre.connect(smsc.account, NAMES, watch=transcript.add) as centre:
        phones = {name: centre.handsets[number] for number, name in NAMES.items()}
        return await play(scenario, phones, transcript)


def clock() -> float:
    """A clock that stands."""
    return 5.0


async def test_captures_are_used_in_later_steps() -> None:
    """Groups of text and sender, the whole sender and the handsets' numbers fill later texts and numbers."""
    async with FakeSmsc(reacts) as smsc:
        values = await played(smsc, Transcript(NAMES, clock), SOURCE.rsplit("\n", 2)[0])
        assert smsc.submitted[1].destination_addr == "12520034"
        assert smsc.texts[1] == "HY#512345678 13800138000"
        assert values["question"] == "1252003300001"


async def test_a_missed_expectation_prints_the_conversation() -> None:
    """The error says which step, what was expected, what came instead, and all that was said so far."""
    async with FakeSmsc(reacts) as smsc:
        with pytest.raises(StepFailedError) as failed:
            await played(smsc, Transcript(NAMES, clock))
    assert failed.value.number == 5
    assert str(failed.value).splitlines() == [
        "test: step 5: 13900139000 expected an SMS with /to 512345678/ within 0.05 s",
        "  came instead: 12520: to nobody / in particular",
        "the conversation so far:",
        "  0.000 s   alice 13800138000 -> 161                 KTFX",
        "  0.000 s              161034 -> alice 13800138000   您的号码512345678",
        "  0.000 s     bob 13900139000 -> 12520034            HY#512345678 13800138000",
        "  0.000 s               12520 -> bob 13900139000     to nobody / in particular",
        "  0.000 s       1252003300001 -> bob 13900139000     512345678+",
    ]


async def test_a_refused_sms_fails_its_step() -> None:
    """What goes wrong while sending names the step too."""
    async with FakeSmsc() as smsc:
        smsc.answer = CommandStatus.RINVDSTADR
        with pytest.raises(StepFailedError, match="step 1: SMS to 161 refused: ESME_RINVDSTADR"):
            await played(smsc, Transcript(NAMES, clock))


async def test_converse_shows_each_line_as_it_comes() -> None:
    """The demo's player hands every line to its caller, up to the step that fails."""
    shown: list[Line | Pause] = []
    async with FakeSmsc() as smsc:
        smsc.answer = CommandStatus.RSYSERR
        with pytest.raises(StepFailedError, match="ESME_RSYSERR"):
            await converse(smsc.account, shown.append)
    assert [line.text for line in shown if isinstance(line, Line)] == ["KTFX"]


def test_a_line_holds_nothing_that_a_terminal_obeys() -> None:
    """An SMS cannot clear a screen, nor break a report in XML."""
    transcript = Transcript({}, clock)
    transcript.add(Sms("161\x1b[2J\x9b", "13800138000", "a\n\x1b[2Jb\x00"))
    assert str(transcript).endswith("a / \ufffd[2Jb\ufffd")
    assert str(transcript).isprintable()


def test_a_line_for_a_terminal_says_the_same() -> None:
    """Colours change nothing but colours."""
    transcript = Transcript({}, clock)
    transcript.add(Sms("161", "13800138000", "好"))
    (line,) = transcript.lines
    coloured = line.coloured()
    for code in ("\033[2m", "\033[36m", "\033[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == str(line)


VERBS = r"""
name: verbs
handsets: {alice: 13800138000, bob: 13900139000}
steps:
  - sends: {from: bob, to: 12520, text: 'HY#1 2'}
  - expects: {at: bob, from: '12520033\d{5}', text: 1+}
  - answers: {from: bob, text: 是}
  - expects: {at: bob, from: 12520, regex: nobody}
  - answers: {from: bob, text: again}
  - waits: {hours: 24, minutes: 1}
  - expects_nothing: {at: bob, regex: nobody}
  - expects_nothing: {at: alice}
"""


async def test_answers_go_to_where_the_last_expected_came_from() -> None:
    """`answers` replies to the SMS that this handset expected last, and to no other that came meanwhile."""
    asked: list[float] = []

    async def advance(seconds: float) -> None:
        asked.append(seconds)

    def only_once(submit: SubmitSm) -> list[DeliverSm]:
        return reacts(submit) if submit.destination_addr == "12520" and not asked and first(submit) else []

    def first(submit: SubmitSm) -> bool:
        return ALPHABET.decode(submit.short_message, submit.data_coding).startswith("HY#")

    async with (
        FakeSmsc(only_once) as smsc,
        await Centre.connect(smsc.account, NAMES) as centre,
    ):
        phones = {name: centre.handsets[number] for number, name in NAMES.items()}
        await play(parse(VERBS, "f.yaml"), phones, Transcript(NAMES, clock), advance)
    sent = [(submit.destination_addr, text) for submit, text in zip(smsc.submitted, smsc.texts, strict=True)]
    assert sent == [("12520", "HY#1 2"), ("1252003300001", "是"), ("12520", "again")]
    assert asked == [24 * 3600 + 60]


async def test_waits_needs_a_clock() -> None:
    """Where the gateway's clock cannot be moved a scenario that waits is refused before its first step."""
    async with FakeSmsc(reacts) as smsc, await Centre.connect(smsc.account, NAMES) as centre:
        phones = {name: centre.handsets[number] for number, name in NAMES.items()}
        with pytest.raises(NoClockError, match="verbs: it waits on the gateway's clock"):
            await play(parse(VERBS, "f.yaml"), phones, Transcript(NAMES, clock))
        assert smsc.submitted == []


async def test_an_sms_that_should_not_come_fails_its_step() -> None:
    """`expects_nothing` fails with the SMS that came."""
    source = SOURCE.rsplit("\n", 2)[0] + "\n  - expects_nothing: {at: bob}\n"
    async with FakeSmsc(reacts) as smsc:
        with pytest.raises(
            StepFailedError, match="step 5: 13900139000 expected not to get an SMS\n  came: 12520: "
        ):
            await played(smsc, Transcript(NAMES, clock), source)
