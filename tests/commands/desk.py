"""Commands at work on plain dictionaries: what the pipeline and the store do, without either."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from commands.charging import MATCHING
from commands.handlers.questions import HOUR
from commands.keys import keys_of
from commands.model import (
    NO_WORDS,
    Buddy,
    Customer,
    Given,
    Instruction,
    LoadKeys,
    Missing,
    Outcome,
    Reply,
    ServiceLimits,
    Source,
    Words,
    World,
)
from commands.service import Commands
from commands.text import units
from routing.table import Routing

LI, WANG, ZHAO, SUN = "13800138000", "13912345678", "13700137000", "13500135000"
START = 1_174_000_000_000
LOADS = 8
"""How often a handler may ask for more, as in the gateway."""


@dataclass
class Desk:
    """Handsets text, and everything is remembered. `said` has every reply so far."""

    commands: Commands
    routing: Routing
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    now: int = START
    customers: dict[str, Customer] = field(default_factory=dict)
    buddies: dict[tuple[str, str], Buddy] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=lambda: [str(400_000_001 + step) for step in range(99)])
    said: list[Reply] = field(default_factory=list)
    zone: tzinfo = UTC
    words: Words = NO_WORDS

    def say(self, sender: str, text: str, to: str = "161", drawn: str = "W4rm2Fuz") -> Outcome:
        """One SMS, all the way: parse, load, handle (again when something was missing), keep the changes."""
        understood = self.commands.parser.parse(text, self.routing.resolve(to), sender)
        world = World()
        self._load(world, keys_of(understood))
        supplied = self._given(self.commands.draws(understood), understood, drawn)
        for _ in range(LOADS):
            try:
                outcome = self.commands.handle(world, understood, supplied)
                break
            except Missing as missing:
                world.drop()
                self._load(world, missing.keys)
        else:
            raise AssertionError(f"{understood.id} asks for more and more")
        world.accept()
        self._keep(world)
        self._check(understood.id, outcome)
        self.said += outcome.replies
        self.now += 1000
        return outcome

    def texts(self, outcome: Outcome) -> list[str]:
        """What the customers read."""
        return [self.commands.render(reply) for reply in outcome.replies]

    def open(self, *senders: str) -> None:
        """Open Fetion for these."""
        for sender in senders:
            self.say(sender, "KTFX")

    def befriend(self, asker: str, answerer: str) -> None:
        """Make two customers buddies."""
        outcome = self.say(asker, f"HY#{answerer}")
        self.say(answerer, "是", number_of_question(outcome))

    def pass_hours(self, hours: float) -> None:
        """Let time pass."""
        self.now += int(hours * HOUR)

    def _given(self, draws: frozenset[str], understood: object, drawn: str) -> Given:
        supplied = Given(
            self.now, f"{self.now // 1000:016x}", limits=self.limits, zone=self.zone, words=self.words
        )
        supplied.home = self.routing.home
        if "candidates" in draws:
            supplied.candidates = tuple(
                each for each in sorted(self.customers) if self.customers[each].has(MATCHING)
            )
        if "fetion_number" in draws:
            supplied.fetion_numbers = tuple(self.numbers[:2])
        if "password" in draws:
            supplied.password = drawn
        if "password_hash" in draws:
            arguments = understood.arguments if isinstance(understood, Instruction) else {}
            supplied.password_hash = f"hash of {arguments.get('password', supplied.password)}"
        return supplied

    def _load(self, world: World, keys: LoadKeys) -> None:
        holders = {c.fetion_number: c.msisdn for c in self.customers.values() if c.fetion_number}
        world.customers.update({msisdn: self.customers.get(msisdn) for msisdn in keys.customers})
        world.holders.update({number: holders.get(number) for number in keys.holders})
        world.buddies.update({pair: self.buddies.get(pair) for pair in keys.buddies})
        for owner in keys.lists:
            world.lists[owner] = tuple(row for pair, row in self.buddies.items() if pair[0] == owner)

    def _keep(self, world: World) -> None:
        self.customers.update(world.changed_customers)
        for pair, buddy in world.changed_buddies.items():
            if buddy is None:
                self.buddies.pop(pair, None)
            else:
                self.buddies[pair] = buddy

    def _check(self, row_id: str, outcome: Outcome) -> None:
        """What holds for every outcome: its sentences are its row's or no row's, values fit."""
        table = self.commands.table
        general = table.uses - {name for row in table.rows.values() for name in row.replies}
        row = table.rows.get(row_id)
        allowed = general | (row.replies if row is not None else frozenset())
        if row is None:  # an answer with a question mark has its question said again
            allowed |= {name for name in table.uses if ".question" in name or name == "answer.several"}
        elif row.answers:  # 是 may take up a suggestion, which starts another row
            allowed = table.uses
        for reply in outcome.replies:
            assert reply.sentence in allowed, (
                f"{row_id} says {reply.sentence}, which is not among its replies"
            )
            sentence = self.commands.sentences.by_id[reply.sentence]
            for name, value in (reply.values or {}).items():
                longest = self.commands.sentences.longest[name]
                assert units(value) <= units(longest), f"{reply.sentence}: {name} is longer than {longest!r}"
            assert set(sentence.names) <= set(reply.values or {})


def number_of_question(outcome: Outcome) -> str:
    """The number that a question of this outcome came from."""
    detail = next(reply.detail for reply in outcome.replies if reply.source is Source.QUESTION)
    base, serial = detail.split(":")
    return f"1008619{serial}" if base == "10086" else f"12520033{serial}"
