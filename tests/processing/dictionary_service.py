"""The service on plain dictionaries, and the texts that its table understands: for the state machines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from commands.arguments import Argument, Kind
from commands.charging import MATCHING
from commands.keys import keys_of
from commands.model import (
    Buddy,
    Customer,
    Given,
    Instruction,
    LoadKeys,
    Outcome,
    ServiceLimits,
    Understood,
    World,
)
from commands.service import Commands
from commands.table import Row
from routing.model import Accepts
from tests.commands.in_memory import handle_loading, load
from tests.support import routing

ZONE: Final = ZoneInfo("Asia/Shanghai")
START: Final = 1_180_670_400_000
"""Noon of 1 June 2007 in Shanghai."""

HANDSETS: Final = ("13800138005", "13800138001", "13800138002", "13900139000", "13900139001", "13700137000")
NOBODY: Final = ("13600136000", "13012345678", "999999999")
"""A mobile that never writes, one of another operator, a Fetion number that nobody holds."""

FEW: Final = ServiceLimits(
    buddies=2, open_questions=2, sms_per_day=3, sms_per_month=5, message_length=12, free_hours=72
)
"""Limits that a few steps reach."""

BAD_WORD: Final = "赌博"
PASSWORD: Final = "W4rm2Fuz"
QUESTION: Final = "1252003300042"
"""The number of a question that nobody was asked."""


@cache
def commands() -> Commands:
    """The shipped tables, read once."""
    return Commands.load(routing())


class Sensitive:
    """A list of one word (commands.limits.Words)."""

    def found(self, text: str) -> str | None:
        """The word, when it is in the text."""
        return BAD_WORD if BAD_WORD in text else None


@dataclass(frozen=True, slots=True)
class Turn:
    """One SMS handled. before, after: every customer, as he stood; the same for buddies."""

    understood: Understood
    outcome: Outcome
    texts: tuple[str, ...]
    now: int
    before: Mapping[str, Customer]
    after: Mapping[str, Customer]
    buddies_before: Mapping[tuple[str, str], Buddy]
    buddies_after: Mapping[tuple[str, str], Buddy]


@dataclass
class DictionaryService:
    """Commands over dictionaries: what the pipeline and the store do, without either."""

    now: int = START
    customers: dict[str, Customer] = field(default_factory=dict)
    buddies: dict[tuple[str, str], Buddy] = field(default_factory=dict)
    handled: int = 0
    drawn: int = 400_000_000

    def say(self, sender: str, text: str, to: str) -> Turn:
        """One SMS, all the way; replies are rendered."""
        understood = commands().parser.parse(text, routing().resolve(to), sender)
        before = {msisdn: customer.copy() for msisdn, customer in self.customers.items()}
        buddies_before = dict(self.buddies)
        given = self._given(understood)
        world = World()
        self._load(world, keys_of(understood, given.fetion_numbers))
        outcome = handle_loading(commands(), world, understood, given, self._load)
        world.accept()
        assert self.customers == before, "a handler changed what it was given for reading"
        self.customers |= world.changed_customers
        for pair, buddy in world.changed_buddies.items():
            self.buddies.pop(pair, None)
            if buddy is not None:
                self.buddies[pair] = buddy
        texts = tuple(commands().render(reply) for reply in outcome.replies)
        self.handled += 1
        self.now += 1000
        after, buddies_after = dict(self.customers), dict(self.buddies)
        return Turn(understood, outcome, texts, given.now, before, after, buddies_before, buddies_after)

    def _given(self, understood: Understood) -> Given:
        draws = commands().draws(understood)
        given = Given(
            self.now,
            f"{self.handled:016}",
            limits=FEW,
            zone=ZONE,
            words=Sensitive(),
            home=routing().home,
        )
        if "fetion_number" in draws:
            self.drawn += 1
            given.fetion_numbers = (str(self.drawn),)
        if "candidates" in draws:
            given.candidates = tuple(sorted(m for m, each in self.customers.items() if each.has(MATCHING)))
        if "password" in draws:
            given.password = PASSWORD
        if "password_hash" in draws:
            arguments = understood.arguments if isinstance(understood, Instruction) else {}
            given.password_hash = hashed(arguments.get("password", given.password))
        return given

    def _load(self, world: World, keys: LoadKeys) -> None:
        load(world, keys, self.customers, self.buddies)


def hashed(password: str) -> str:
    """What stands for a password's hash: something that does not hold it."""
    return f"hash-{sum(map(ord, password))}"


# Texts of every row, drawn from the table alone

TEXTS: Final = ("你好", "OK, 8点见", BAD_WORD, "天" * 20)

VALUES: Final[Mapping[Kind, Callable[[Argument], Sequence[str]]]] = MappingProxyType({
    Kind.MOBILE: lambda _: (*HANDSETS, *NOBODY[:2]),
    Kind.PAGE: lambda _: ("1", "2", "9"),
    Kind.DAYS: lambda _: ("1", "30"),
    Kind.NAME: lambda _: ("小明", "Ann", BAD_WORD),
    Kind.CHOICE: lambda argument: argument.choices,
    Kind.TOPIC: lambda _: sorted(commands().table.topics),
    Kind.TEXT: lambda argument: [text for text in TEXTS if len(text) <= (argument.longest or len(text))],
    Kind.PASSWORD: lambda _: ("kN4ryPw8", "Canary7@x"),
    Kind.SERIAL: lambda _: ("1", "2", "9"),
    Kind.AGES: lambda _: ("18-40",),
    Kind.PROVINCE: lambda _: ("北京", "广东", "250"),
    Kind.BORN: lambda _: ("1985", "1970-01-31", "2007"),
})  # fmt: skip
"""What may stand for an argument; whom a number names is told apart."""

PLACES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "base": ("161", "12520", "12520010"),
    "hotline": ("10086",),
    Accepts.PASSWORD.value: ("12520050", "161050"),
    Accepts.PROVINCE.value: ("161471",),
    Accepts.VOICE.value: ("125862",),
    Accepts.NONE.value: ("12520055",),
    Accepts.ANSWER.value: (QUESTION, "1008619"),
})  # fmt: skip
"""Where each place of the table is; a person's number is made of the person."""


def written(random: Random, row: Row, people: Sequence[str]) -> tuple[str, str]:
    """A text that means `row`, and the number it goes to. people: numbers to name."""
    place = random.choice(sorted(row.where))
    at = f"12520{random.choice(people)}" if place == Accepts.CHAT else random.choice(PLACES[place])
    shortest = sum(argument.required for argument in row.arguments)
    given = row.arguments[: random.randint(shortest, len(row.arguments))]
    fields = [
        random.choice(people if argument.kind is Kind.NUMBER else VALUES[argument.kind](argument))
        for argument in given
    ]
    if row.words:
        # Words of one character take no argument, so a row with arguments is written with another.
        fields.insert(0, random.choice([word for word in row.words if len(word) > 1 or not fields]))
    return "#".join(fields) or "报名", at
