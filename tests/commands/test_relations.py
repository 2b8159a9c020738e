"""Relations stay symmetric and counted, and equal a small model, whatever customers do."""

from itertools import permutations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from commands.handlers.questions import find
from commands.model import CustomerState, Result
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, WANG, ZHAO, InMemoryService

PEOPLE = (LI, WANG, ZHAO)
SOMEBODY = st.sampled_from(PEOPLE)
PAIR = st.sampled_from(list(permutations(PEOPLE, 2)))
ROUTING = Routing.load()
COMMANDS = Commands.load(ROUTING)


class Relations(RuleBasedStateMachine):
    """Three customers add, delete, block and leave; `buddies` and `blocked` are the model."""

    @initialize()
    def everybody_opens(self) -> None:
        """All have Fetion, nobody knows anybody."""
        self.service = InMemoryService(COMMANDS, ROUTING)
        self.buddies: set[frozenset[str]] = set()
        self.blocked: set[tuple[str, str]] = set()
        for each in PEOPLE:
            self.open(each)

    @rule(who=SOMEBODY)
    def open(self, who: str) -> None:
        """KTFX, also of somebody who has it."""
        self.service.receive(who, "KTFX")

    @rule(pair=PAIR)
    def ask(self, pair: tuple[str, str]) -> None:
        """HY#: makes no buddies by itself."""
        self.service.receive(pair[0], f"HY#{pair[1]}")

    @rule(pair=PAIR, word=st.sampled_from(["是", "否"]))
    def answer(self, pair: tuple[str, str], word: str) -> None:
        """是 makes buddies of asker and answerer, unless the asker has blocked the answerer since."""
        asker, answerer = pair
        customer = self.service.customers[answerer]
        question = find(customer, "buddy.add", asker, self.service.now)
        if question is None:
            return
        outcome = self.service.receive(answerer, word, f"12520033{question.serial:05}")
        if word == "是" and self.is_open(asker) and (asker, answerer) not in self.blocked:
            if outcome.result is Result.DONE:
                self.blocked.discard((answerer, asker))
            self.buddies.add(frozenset(pair))

    @rule(pair=PAIR)
    def befriend(self, pair: tuple[str, str]) -> None:
        """Ask and agree, because random steps rarely do both."""
        self.ask(pair)
        self.answer(pair, "是")

    @rule(pair=PAIR)
    def delete(self, pair: tuple[str, str]) -> None:
        """SC# ends it for both."""
        self.service.receive(pair[0], f"SC#{pair[1]}")
        if self.is_open(pair[0]):
            self.buddies.discard(frozenset(pair))

    @rule(pair=PAIR)
    def block(self, pair: tuple[str, str]) -> None:
        """HMD# needs two who have Fetion."""
        self.service.receive(pair[0], f"HMD#{pair[1]}")
        if self.is_open(pair[0]) and self.is_open(pair[1]):
            self.blocked.add(pair)

    @rule(pair=PAIR)
    def unblock(self, pair: tuple[str, str]) -> None:
        """JC# also lets somebody in again who has left."""
        self.service.receive(pair[0], f"JC#{pair[1]}")
        if self.is_open(pair[0]):
            self.blocked.discard(pair)

    @rule(who=SOMEBODY)
    def leave(self, who: str) -> None:
        """QXFX and 是 delete the customer's buddies and black list, not the entries of others about him."""
        if not self.is_open(who):
            return
        self.service.receive(who, "QXFX")
        question = find(self.service.customers[who], "service.cancel", "", self.service.now)
        assert question is not None
        self.service.receive(who, "是", f"12520033{question.serial:05}")
        self.buddies = {pair for pair in self.buddies if who not in pair}
        self.blocked = {pair for pair in self.blocked if pair[0] != who}

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        """Questions expire."""
        self.service.pass_hours(hours)

    @invariant()
    def rows_are_what_the_model_says(self) -> None:
        """Buddies have a row each with the same `since`; black lists equal the model; there is no other
        row."""
        rows = self.service.buddies
        assert {frozenset(pair) for pair, row in rows.items() if row.since} == self.buddies
        for (owner, other), row in rows.items():
            assert not row.since or rows[(other, owner)].since == row.since
            assert row.since or row.blocked
        assert {pair for pair, row in rows.items() if row.blocked} == self.blocked

    @invariant()
    def counters_are_right(self) -> None:
        """Every customer's count is the number of his buddies."""
        for customer in self.service.customers.values():
            assert customer.buddies == sum(customer.msisdn in pair for pair in self.buddies)

    def is_open(self, who: str) -> bool:
        """Whether he has Fetion now."""
        return self.service.customers[who].state is CustomerState.OPEN


Relations.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestRelations = Relations.TestCase
