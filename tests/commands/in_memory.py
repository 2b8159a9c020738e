"""The service on plain dictionaries, without pipeline and store, and what tests of it share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import count, islice

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
    Understood,
    Words,
    World,
)
from commands.service import Commands
from commands.text import units
from routing.table import Routing

LI, WANG, ZHAO, SUN = "13800138000", "13912345678", "13700137000", "13500135000"
START = 1_174_000_000_000
FIRST_NUMBER = 400_000_001
LOADS = 8
"""How often a handler may ask for more, as in the gateway."""


@dataclass
class InMemoryService:
    """Parses and handles SMS, and keeps customers and buddies.

    replies: every reply so far. drawn_numbers: the Fetion numbers offered to KTFX; empty: the first two that
    nobody holds, from FIRST_NUMBER on.
    """

    commands: Commands
    routing: Routing
    limits: ServiceLimits = field(default_factory=ServiceLimits)
    now: int = START
    customers: dict[str, Customer] = field(default_factory=dict)
    buddies: dict[tuple[str, str], Buddy] = field(default_factory=dict)
    drawn_numbers: tuple[str, ...] = ()
    replies: list[Reply] = field(default_factory=list)
    zone: tzinfo = UTC
    words: Words = NO_WORDS

    def receive(self, sender: str, text: str, to: str = "161", drawn: str = "W4rm2Fuz") -> Outcome:
        """Parse one SMS, load what it names, run its handler, and keep the changes."""
        understood = self.commands.parser.parse(text, self.routing.resolve(to), sender)
        world = World()
        self._load(world, keys_of(understood))
        supplied = self._given(self.commands.draws(understood), understood, drawn)
        outcome = handle_loading(self.commands, world, understood, supplied, self._load)
        world.accept()
        self._keep(world)
        self._check(understood.id, outcome)
        self.replies += outcome.replies
        self.now += 1000
        return outcome

    def texts(self, outcome: Outcome) -> list[str]:
        """The texts of the replies."""
        return [self.commands.render(reply) for reply in outcome.replies]

    def open(self, *senders: str) -> None:
        """Open Fetion for each sender."""
        for sender in senders:
            self.receive(sender, "KTFX")

    def befriend(self, asker: str, answerer: str) -> None:
        """Make two customers buddies."""
        outcome = self.receive(asker, f"HY#{answerer}")
        self.receive(answerer, "是", number_of_question(outcome))

    def pass_hours(self, hours: float) -> None:
        """Move the clock forward."""
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
            supplied.fetion_numbers = self.drawn_numbers or self._free_numbers()
        if "password" in draws:
            supplied.password = drawn
        if "password_hash" in draws:
            arguments = understood.arguments if isinstance(understood, Instruction) else {}
            supplied.password_hash = f"hash of {arguments.get('password', supplied.password)}"
        return supplied

    def _free_numbers(self) -> tuple[str, ...]:
        held = {customer.fetion_number for customer in self.customers.values()}
        return tuple(islice((number for number in map(str, count(FIRST_NUMBER)) if number not in held), 2))

    def _load(self, world: World, keys: LoadKeys) -> None:
        load(world, keys, self.customers, self.buddies)

    def _keep(self, world: World) -> None:
        self.customers.update(world.changed_customers)
        for pair, buddy in world.changed_buddies.items():
            if buddy is None:
                self.buddies.pop(pair, None)
            else:
                self.buddies[pair] = buddy

    def _check(self, row_id: str, outcome: Outcome) -> None:
        """Check what holds for every outcome: the row may say its sentences, and their values fit."""
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


def handle_loading(
    commands: Commands,
    world: World,
    understood: Understood,
    given: Given,
    load_keys: Callable[[World, LoadKeys], None],
) -> Outcome:
    """Run a handler as the gateway does: when it misses keys, load them and run it again.

    Args:
        load_keys: puts what the keys name into the world.

    Raises:
        AssertionError: the handler missed keys LOADS times.
    """
    for _ in range(LOADS):
        try:
            return commands.handle(world, understood, given)
        except Missing as missing:
            world.drop()
            load_keys(world, missing.keys)
    raise AssertionError(f"{understood.id} asked for more keys {LOADS} times")


def load(
    world: World,
    keys: LoadKeys,
    customers: Mapping[str, Customer],
    buddies: Mapping[tuple[str, str], Buddy],
) -> None:
    """Put what the keys name from the dictionaries into the world; None for what is not there."""
    holders = {each.fetion_number: each.msisdn for each in customers.values() if each.fetion_number}
    world.customers.update({msisdn: customers.get(msisdn) for msisdn in keys.customers})
    world.holders.update({number: holders.get(number) for number in keys.holders})
    world.buddies.update({pair: buddies.get(pair) for pair in keys.buddies})
    for owner in keys.lists:
        world.lists[owner] = tuple(row for pair, row in buddies.items() if pair[0] == owner)


def sentences(outcome: Outcome) -> list[str]:
    """The ids of the sentences of an outcome."""
    return [reply.sentence for reply in outcome.replies]


def number_of_question(outcome: Outcome) -> str:
    """The number that the question of an outcome was sent from."""
    detail = next(reply.detail for reply in outcome.replies if reply.source is Source.QUESTION)
    base, serial = detail.split(":")
    return f"1008619{serial}" if base == "10086" else f"12520033{serial}"
