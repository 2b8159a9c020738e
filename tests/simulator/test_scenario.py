"""Scenario files: the closed schema and its faults."""

from pathlib import Path

import pytest

from gateway.simulator.demo import SCENARIO
from gateway.simulator.scenario import ScenarioError, fill, load, parse

HEAD = """\
name: test
handsets: {alice: 13800138000, bob: 13900139000}
steps:
"""
SCENARIOS = sorted(Path(__file__).parent.parent.joinpath("scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", [SCENARIO, *SCENARIOS], ids=lambda path: path.name)
def test_shipped_scenarios_are_valid(path: Path) -> None:
    """The demo and every scenario of the tests pass the check."""
    assert load(path).steps


def test_values_are_what_stands_there() -> None:
    """Numbers with leading zeros, Y and N stay texts, quoted or not."""
    scenario = parse(HEAD + "  - sends: {from: alice, to: 033, text: N}\n", "f.yaml")
    (step,) = scenario.steps
    assert step.sends is not None
    assert (step.sends.to, step.sends.text) == ("033", "N")


def test_fill_leaves_repeat_counts_alone() -> None:
    """Only names in braces are replaced; a count in a pattern is none."""
    assert fill(r"{bob} \d{9}", {"bob": "139"}) == r"139 \d{9}"


ONE_VERB = "a step has exactly one of sends, expects, expects_nothing, answers, waits"
STEP_FAULTS = {
    "two actions": (
        "  - sends: {from: alice, to: 161, text: x}\n    expects: {at: alice, text: x}",
        f"f.yaml:4: steps 1: {ONE_VERB}",
    ),
    "no action": ("  - {}", f"f.yaml:4: steps 1: {ONE_VERB}"),
    "unknown key": (
        "  - sends: {from: alice, to: 161, text: x}\n  - sleeps: 5",
        "f.yaml:5: steps 2.sleeps: unknown key; known: answers, expects, expects_nothing, sends, waits",
    ),
    "verb mistyped": (
        "  - sends: {from: alice, to: 161, text: x}\n  - expect: {at: alice, text: x}",
        "f.yaml:5: steps 2.expect: unknown key; did you mean 'expects'?",
    ),
    "key of a verb mistyped": (
        "  - sends: {from: alice, to: 161, txt: x, text: y}",
        "f.yaml:4: steps 1.sends.txt: unknown key; did you mean 'text'?",
    ),
    "unit mistyped": (
        "  - waits: {hour: 1, days: 1}",
        "f.yaml:4: steps 1.waits.hour: unknown key; did you mean 'hours'?",
    ),
    "no mapping": (
        "  - sends: KTFX",
        "f.yaml:4: steps 1.sends: must be a mapping with the keys from, to, text, encoding",
    ),
    "no time": (
        "  - waits: {hours: 0}",
        "f.yaml:4: steps 1.waits: say how long: days, hours, minutes, seconds",
    ),
    "nothing to answer": (
        "  - expects: {at: bob, text: x}\n  - answers: {from: alice, text: y}",
        "f.yaml:5: steps 2.answers.from: no SMS that it expected before this step",
    ),
    "nobody to answer": (
        "  - answers: {from: carol, text: y}",
        "f.yaml:4: steps 1.answers.from: no handset 'carol' (there is alice, bob)",
    ),
    "no pattern of nothing": (
        "  - expects_nothing: {at: alice, regex: '('}",
        "f.yaml:4: steps 1.expects_nothing.regex: no pattern: missing ), "
        "unterminated subpattern at position 0",
    ),
    "nothing of nobody": (
        "  - expects_nothing: {at: alice, from: '{question}'}",
        "f.yaml:4: steps 1.expects_nothing.from: nothing before this step defines {question}",
    ),
    "missing key": ("  - sends: {from: alice, to: 161}", "f.yaml:4: steps 1.sends.text: is missing"),
    "key twice": (
        "  - sends:\n      from: alice\n      to: 161\n      to: 162\n      text: x",
        "f.yaml:7: steps 1.sends.to: stands twice",
    ),
    "text and regex": (
        "  - expects: {at: alice, text: x, regex: x}",
        "f.yaml:4: steps 1.expects: give either text or regex",
    ),
    "no handset": (
        "  - sends: {from: carol, to: 161, text: x}",
        "f.yaml:4: steps 1.sends.from: no handset 'carol' (there is alice, bob)",
    ),
    "no pattern": (
        "  - expects:\n      at: alice\n      regex: '(飞信'",
        "f.yaml:6: steps 1.expects.regex: no pattern: missing ), unterminated subpattern at position 0",
    ),
    "no group": (
        "  - expects: {at: alice, regex: 'a(?P<b>.)', captures: {c: d}}",
        "f.yaml:4: steps 1.expects.captures.c: no group 'd' in the patterns of this step",
    ),
    "captured later": (
        "  - sends: {from: alice, to: '{number}', text: x}\n"
        "  - expects: {at: alice, regex: x, captures: {number: sender}}",
        "f.yaml:4: steps 1.sends.to: nothing before this step defines {number}",
    ),
    "no number": (
        "  - expects: {at: alice, regex: x, within: 0}",
        "f.yaml:4: steps 1.expects.within: Input should be greater than 0",
    ),
    "no encoding": (
        "  - sends: {from: alice, to: 161, text: x, encoding: utf-8}",
        "f.yaml:4: steps 1.sends.encoding: Input should be 'auto', 'ascii', 'ucs2' or 'gbk'",
    ),
}


@pytest.mark.parametrize(("steps", "fault"), STEP_FAULTS.values(), ids=STEP_FAULTS)
def test_faults_name_file_line_and_step(steps: str, fault: str) -> None:
    """Each fault of a step is one line with its place and reason."""
    with pytest.raises(ScenarioError) as error:
        parse(HEAD + steps, "f.yaml")
    assert error.value.faults == [fault]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "f.yaml:1: must be a mapping with the keys name, handsets, steps"),
        ("- a", "f.yaml:1: must be a mapping with the keys name, handsets, steps"),
        (
            "nam: x\nname: y\nhandsets: {a: 13800138000}\nsteps: [{waits: {hours: 1}}]",
            "f.yaml:1: nam: unknown key; did you mean 'name'?",
        ),
        ("name: [", "f.yaml:1: expected the node content, but found '<stream end>'"),
        (
            "name: x\nhandsets: {a: 138}\nsteps: [{sends: {from: a, to: 1, text: x}}]",
            "f.yaml:2: handsets.a: ",
        ),
    ],
)
def test_faults_of_the_file(source: str, fault: str) -> None:
    """A file that is no scenario at all is a fault too, never a traceback."""
    with pytest.raises(ScenarioError) as error:
        parse(source, "f.yaml")
    assert error.value.faults[0].startswith(fault)


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """Who mends a file sees everything that is wrong with it."""
    path = tmp_path / "two.yaml"
    path.write_text(HEAD + "  - sends: {from: carol, to: 161, text: '{x}'}\n", "utf-8")
    with pytest.raises(ScenarioError) as error:
        load(path)
    assert [fault.split(": ")[1] for fault in error.value.faults] == [
        "steps 1.sends.from",
        "steps 1.sends.text",
    ]
    assert str(path) in str(error.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """Octets that are no UTF-8 are a fault of the file."""
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load(path)
