"""Scenario files: which handset sends what, and which SMS must come back. A closed YAML schema.

::

    name: open and ask
    handsets: {alice: "13800138000"}
    steps:
      - sends: {from: alice, to: "161", text: KTFX}
      - expects: {at: alice, from: "12520034", regex: '(?P<number>\\d{9})', captures: {fetion: number}}
      - expects_nothing: {at: alice}
      - expects: {at: alice, regex: 是否}        # a question
      - answers: {from: alice, text: 是}         # ... answered at the number that it came from
      - waits: {hours: 24}                       # on the gateway's clock, where the player can move it

`{alice}` stands for her number and `{fetion}` for what was captured, in each later text, pattern and
number. Every value is read as the text that stands there: 0000 is no zero and N no false.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from gateway.simulator.errors import SimulatorError
from routing.tablefile import nearest

WHOLE_SENDER: Final = "sender"
"""In `captures`: not a group of a pattern but the whole number that the SMS came from."""

Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Msisdn: TypeAlias = Annotated[str, StringConstraints(pattern=r"^1\d{10}$")]
Pattern: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Encoding: TypeAlias = Literal["auto", "ascii", "ucs2", "gbk"]
Span: TypeAlias = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]

_VARIABLE: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_Place: TypeAlias = tuple[str | int, ...]


class ScenarioError(SimulatorError):
    """A scenario file with faults: one line each, `file:line: key: reason`."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sends(_Closed):
    """A handset texts a number. encoding: `auto` is what a handset does by itself (see sms.encode)."""

    sender: str = Field(alias="from")
    to: str
    text: str
    encoding: Encoding = "auto"


class Expects(_Closed):
    """A handset receives an SMS within `within` seconds: the whole `text`, or one that `regex` is found in.

    `from` is a pattern for the whole sending number, so plain digits are that number. An SMS that does
    not fit stays for a later step. captures: name -> group of one of the patterns, or `sender`.
    """

    at: str
    sender: Pattern | None = Field(default=None, alias="from")
    text: str | None = None
    regex: Pattern | None = None
    within: float = Field(default=5.0, gt=0, le=600)
    captures: dict[Name, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.text is None) == (self.regex is None):
            raise ValueError("give either text or regex")
        return self


class ExpectsNothing(_Closed):
    """A handset has no matching unread SMS, and none is under way. within: seconds to find that out.

    `from` and `regex` as in expects; without them no SMS at all.
    """

    at: str
    sender: Pattern | None = Field(default=None, alias="from")
    regex: Pattern | None = None
    within: float = Field(default=1.0, gt=0, le=600)


class Answers(_Closed):
    """A handset replies to the number of the SMS that it expected last."""

    sender: str = Field(alias="from")
    text: str
    encoding: Encoding = "auto"


class Waits(_Closed):
    """Moves the gateway's clock, not ours."""

    days: Span = 0
    hours: Span = 0
    minutes: Span = 0
    seconds: Span = 0

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.in_seconds:
            raise ValueError("say how long: days, hours, minutes, seconds")
        return self

    @property
    def in_seconds(self) -> float:
        """All of them together."""
        return ((self.days * 24 + self.hours) * 60 + self.minutes) * 60 + self.seconds


Verb: TypeAlias = Sends | Expects | ExpectsNothing | Answers | Waits
"""The kinds of steps."""


class Step(_Closed):
    """One step: exactly one of these."""

    sends: Sends | None = None
    expects: Expects | None = None
    expects_nothing: ExpectsNothing | None = None
    answers: Answers | None = None
    waits: Waits | None = None

    @property
    def verb(self) -> Verb:
        """The kind that is given."""
        found = self.sends or self.expects or self.expects_nothing or self.answers or self.waits
        assert found is not None
        return found

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        verbs = type(self).model_fields
        if sum(getattr(self, verb) is not None for verb in verbs) != 1:
            raise ValueError(f"a step has exactly one of {', '.join(verbs)}")
        return self


class Scenario(_Closed):
    """A conversation to play. handsets: name -> mobile number of 11 digits."""

    name: str
    handsets: dict[Name, Msisdn] = Field(min_length=1)
    steps: list[Step] = Field(min_length=1)

    @property
    def needs_clock(self) -> bool:
        """Whether the scenario needs a gateway whose clock can be moved."""
        return any(step.waits is not None for step in self.steps)


def load(path: Path) -> Scenario:
    """Read and check a scenario file. Raises ScenarioError with every fault, and OSError."""
    try:
        source = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError([f"{path}:1: no UTF-8: {error.reason}"]) from error
    return parse(source, str(path))


def parse(source: str, file: str) -> Scenario:
    """Check a scenario. file: its name in faults. Raises ScenarioError with every fault."""
    lines: dict[_Place, int] = {}
    try:
        # BaseLoader builds texts, lists and mappings only, so no value changes its meaning.
        loader = yaml.BaseLoader(source)
        node = loader.get_single_node()
        repeated = list(_note_lines(node, (), lines)) if node is not None else []
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise ScenarioError([f"{file}:{line}: {getattr(error, 'problem', error)}"]) from error
    try:
        scenario = Scenario.model_validate(data)
        found = [*repeated, *_inconsistencies(scenario)]
    except ValidationError as error:
        found = [*repeated, *((tuple(fault["loc"]), _reason(fault)) for fault in error.errors())]
    if found:
        raise ScenarioError([_fault(file, lines, place, reason) for place, reason in found])
    return scenario


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in place of `{name}`. Raises KeyError for a name without one."""
    return _VARIABLE.sub(lambda match: values[match[1]], template)


def _reason(fault: ErrorDetails) -> str:
    """Say what is wrong with a value, and what would be right."""
    place = fault["loc"]
    if fault["type"] == "extra_forbidden":
        return f"unknown key; {nearest(str(place[-1]), _keys(place[:-1]))}"
    if fault["type"] == "model_type":
        return f"must be a mapping with the keys {', '.join(_keys(place))}"
    if fault["type"] == "missing":
        return "is missing"
    return fault["msg"].removeprefix("Value error, ")


def _keys(place: _Place) -> list[str]:
    """Return the keys that a scenario has at a place: at its top, in a step, in what a step does."""
    verbs = {name: kind for name, info in Step.model_fields.items() for kind in get_args(info.annotation)[:1]}
    model: type[BaseModel] = verbs[str(place[2])] if len(place) == 3 else Step if place else Scenario
    return [info.alias or name for name, info in model.model_fields.items()]


def _fault(file: str, lines: Mapping[_Place, int], place: _Place, reason: str) -> str:
    known = place
    while known not in lines and known:  # a key that is missing has no line: that of its owner
        known = known[:-1]
    key = ""
    for part in place:
        key += f" {part + 1}" if isinstance(part, int) else f".{part}" if key else part
    return f"{file}:{lines.get(known, 1)}: {key + ': ' if key else ''}{reason}"


def _note_lines(node: yaml.Node, place: _Place, lines: dict[_Place, int]) -> Iterator[tuple[_Place, str]]:
    """Note the line of each key. Returns the keys that occur twice."""
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _note_lines(item, (*place, number), lines)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            if inner in lines:
                yield inner, "stands twice"
            lines[inner] = key.start_mark.line + 1
            yield from _note_lines(value, inner, lines)


def _inconsistencies(scenario: Scenario) -> Iterator[tuple[_Place, str]]:
    """Check what the schema cannot: undefined names, patterns that do not compile."""
    values = set(scenario.handsets)
    reached: set[str] = set()  # handsets that have expected an SMS, which can be answered
    for number, step in enumerate(scenario.steps):
        verb = step.verb
        name = next(iter(step.model_fields_set))
        place: _Place = ("steps", number, name)
        templates: dict[str, str | None] = {}
        if isinstance(verb, Sends):
            templates = {"to": verb.to, "text": verb.text}
        elif isinstance(verb, Expects):
            templates = {"from": verb.sender, "text": verb.text, "regex": verb.regex}
        elif isinstance(verb, ExpectsNothing):
            templates = {"from": verb.sender, "regex": verb.regex}
        elif isinstance(verb, Answers):
            templates = {"text": verb.text}
            if verb.sender in scenario.handsets and verb.sender not in reached:
                yield (*place, "from"), "no SMS that it expected before this step"
        if not isinstance(verb, Waits):
            yield from _handset_faults(verb, scenario, place)
        for field, template in templates.items():
            for variable in _VARIABLE.findall(template or ""):
                if variable not in values:
                    yield (*place, field), f"nothing before this step defines {{{variable}}}"
        if isinstance(verb, Expects | ExpectsNothing):
            yield from _pattern_faults(verb, place)
        if isinstance(verb, Expects):
            values.update(verb.captures)
            reached.add(verb.at)


def _handset_faults(
    verb: Sends | Expects | ExpectsNothing | Answers, scenario: Scenario, place: _Place
) -> Iterator[tuple[_Place, str]]:
    key, handset = ("from", verb.sender) if isinstance(verb, Sends | Answers) else ("at", verb.at)
    if handset not in scenario.handsets:
        yield (*place, key), f"no handset {handset!r} (there is {', '.join(scenario.handsets)})"


def _pattern_faults(expects: Expects | ExpectsNothing, place: _Place) -> Iterator[tuple[_Place, str]]:
    groups = {WHOLE_SENDER}
    for field, pattern in (("from", expects.sender), ("regex", expects.regex)):
        try:
            groups.update(re.compile(_VARIABLE.sub("0", pattern or "")).groupindex)
        except re.error as error:
            yield (*place, field), f"no pattern: {error}"
    for name, group in expects.captures.items() if isinstance(expects, Expects) else ():
        if group not in groups:
            yield (*place, "captures", name), f"no group {group!r} in the patterns of this step"
