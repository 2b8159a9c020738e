"""Six handsets text whatever the table understands, in any order and at any time: what must hold, holds.

The rules draw from the instruction table, so a row that is added joins them by itself.
"""

import asyncio
import re
import shutil
import sqlite3
import tempfile
from abc import abstractmethod
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from commands.model import Buddy, Customer, CustomerState, Question
from gateway.simulator.handset import Handset
from gateway.storage.records import customer_of
from gateway.testing import RunningGateway, running_gateway
from tests.processing.dictionary_service import (
    FEW,
    HANDSETS,
    NOBODY,
    DictionaryService,
    commands,
    written,
)
from tests.processing.service_checks import Ledger, check_store
from tests.proofs.canaries import found, snapshot
from tests.support import routing

ANSWERS: Final = ("是", "Y", "否", "不同意")
SLIPS: Final = (
    "KFTX",
    "QXFXX",
    "取消飞信吗",
    "HLYB",
    "你好",
    "P Canary7@x",
    "Canary7@x",
    "是的好",
    "HY#",
    "自动回复：在忙",
)
"""Texts that are nearly something."""

PAUSES: Final = tuple(
    int(pause.total_seconds())
    for pause in (timedelta(minutes=11), timedelta(hours=3), timedelta(hours=25), timedelta(days=31))
)
GENERATED: Final = re.compile("新密码是(\\w{8})，")
SHORT: Final = settings(
    deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
"""The same conversations each time; a failing one is shown as it is, for shrinking takes minutes."""


class Handsets(RuleBasedStateMachine):
    """What handsets do. `say` hands over one SMS and checks what came of it."""

    random: Random

    @abstractmethod
    def say(self, sender: str, text: str, to: str) -> None:
        """One SMS."""

    @abstractmethod
    def wait(self, seconds: int) -> None:
        """Time passes."""

    @abstractmethod
    def now(self) -> int:
        """Milliseconds since the epoch."""

    @abstractmethod
    def customers(self) -> dict[str, Customer]:
        """Everybody who is known, by mobile."""

    @abstractmethod
    def buddies(self) -> dict[tuple[str, str], Buddy]:
        """Everything that is kept about others."""

    def one(self) -> str:
        """Anybody."""
        return self.random.choice(HANDSETS)

    def questions_of(self, msisdn: str) -> tuple[Question, ...]:
        """Those that he has been asked, answered or not."""
        customer = self.customers().get(msisdn)
        return () if customer is None else customer.questions

    @initialize(seed=st.integers(0, 2**64 - 1))
    def some_have_opened(self, seed: int) -> None:
        """A beginning with customers and buddies in it.

        Who says what comes from `random`; Hypothesis chooses its seed and the order of rules. What it draws
        itself it repeats too much: six handsets that say one and the same thing meet nothing.
        """
        self.random = Random(seed)
        for msisdn in HANDSETS[self.random.randint(0, 3) :]:
            self.say(msisdn, "KTFX", "161")
        for _ in range(self.random.randint(0, 5)):
            self.befriend()

    @rule(count=st.integers(3, 9))
    def instruct(self, count: int) -> None:
        """Any instructions of the table, by anybody, with any arguments."""
        for _ in range(count):
            numbers = (each.fetion_number for each in self.customers().values() if each.fetion_number)
            people = (*HANDSETS, *HANDSETS, *sorted(numbers), *NOBODY)
            row = self.random.choice(list(commands().table.rows.values()))
            self.say(self.one(), *written(self.random, row, people))

    @rule()
    def answer(self) -> None:
        """Everybody who was asked something answers one question, open or not, at its number."""
        for msisdn in HANDSETS:
            for question in self.random.sample(asked := self.questions_of(msisdn), min(1, len(asked))):
                base = "1008619" if question.base == "10086" else f"{question.base}033"
                self.say(msisdn, self.random.choice(ANSWERS), f"{base}{question.serial:05}")

    @rule(at=st.sampled_from(("161", "1008619")))
    def answer_somewhere(self, at: str) -> None:
        """An answer that names no question."""
        self.say(self.one(), self.random.choice(ANSWERS), at)

    @rule()
    def befriend(self) -> None:
        """One asks, the other agrees, if he was asked at all."""
        asker, answerer = self.random.sample(HANDSETS, 2)
        self.say(asker, f"HY#{answerer}", "161")
        for question in self.questions_of(answerer)[-1:]:
            self.say(answerer, "是", f"12520033{question.serial:05}")

    @rule(count=st.integers(1, FEW.sms_per_day + 1))
    def chat(self, count: int) -> None:
        """Some messages to a buddy, or to whomever, from somebody who may hide his mobile."""
        pairs = [pair for pair, row in sorted(self.buddies().items()) if row.since]
        sender, other = self.random.choice([*pairs, (self.one(), self.one())])
        if self.random.random() < 0.3:
            self.say(sender, "YS#0", "161")
        for _ in range(count):
            self.say(sender, "在吗", f"12520{other}")

    @rule(count=st.integers(1, 3))
    def name_a_buddy(self, count: int) -> None:
        """Instructions that name a person, with a buddy for it."""
        naming = [row for row in commands().table.rows.values() if row.numbers]
        for _ in range(count):
            pairs = [pair for pair, row in sorted(self.buddies().items()) if row.since]
            for sender, other in self.random.sample(pairs, min(1, len(pairs))):
                self.say(sender, *written(self.random, self.random.choice(naming), (other,)))

    @rule(count=st.integers(1, 3))
    def order_matching(self, count: int) -> None:
        """Some order the charged product, each with its question answered."""
        for sender in self.random.sample(HANDSETS, count):
            self.say(sender, "KTFXJY", "10086")
            self.say(sender, self.random.choice(("是", "是", "否")), "1008619")
            self.say(sender, "SP", "161")

    @rule()
    def cancel_from_the_list(self) -> None:
        """Somebody looks at what he has ordered, and cancels one of it."""
        sender = self.one()
        self.say(sender, "0000", "10086")
        self.say(sender, self.random.choice(("1", "2", "2", "3")), "10086")

    @rule(text=st.sampled_from(SLIPS), at=st.sampled_from(("161", "10086", "1252003300001")))
    def slip(self, text: str, at: str) -> None:
        """A text that is no instruction, and perhaps 是 to what it offers."""
        sender = self.one()
        self.say(sender, text, at)
        if self.random.random() < 0.5:
            self.say(sender, self.random.choice(ANSWERS), "161")

    @rule(seconds=st.sampled_from(PAUSES))
    def pause(self, seconds: int) -> None:
        """Minutes, hours, a day, a month."""
        self.wait(seconds)

    @invariant()
    def the_store_is_sound(self) -> None:
        """Lists, counters, numbers and limits."""
        check_store(self.customers(), self.buddies(), FEW, self.now())


class OnDictionaries(Handsets):
    """The pure core alone: every SMS is checked in full."""

    def __init__(self) -> None:
        super().__init__()
        self.service = DictionaryService()
        self.ledger = Ledger()

    def say(self, sender: str, text: str, to: str) -> None:
        """See Handsets."""
        self.ledger.enter(self.service.say(sender, text, to))

    def wait(self, seconds: int) -> None:
        """See Handsets."""
        self.service.now += seconds * 1000

    def now(self) -> int:
        """See Handsets."""
        return self.service.now

    def customers(self) -> dict[str, Customer]:
        """See Handsets."""
        return self.service.customers

    def buddies(self) -> dict[tuple[str, str], Buddy]:
        """See Handsets."""
        return self.service.buddies

    @rule(
        state=st.sampled_from((CustomerState.SUSPENDED, CustomerState.OPEN, CustomerState.OPEN)),
        protected=st.booleans(),
    )
    def meddle(self, state: CustomerState, protected: bool) -> None:
        """The carrier cuts or restores a line, and somebody tries a password too often."""
        customer = self.service.customers.get(self.one())
        if customer is not None and customer.fetion_number:
            changed = customer.copy()
            changed.state, changed.protected = state, protected
            self.service.customers[customer.msisdn] = changed


class OnAGateway(Handsets):
    """A gateway with SQLite behind sockets: what is in the store, and that no password is in any file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="fetion-machine-"))
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        limits = {"buddies": FEW.buddies, "open_questions": FEW.open_questions}
        limits |= {"sms_per_day": FEW.sms_per_day, "sms_per_month": FEW.sms_per_month}
        starting = running_gateway(self.folder / "gateway", {"limits": limits})
        self.gateway: RunningGateway = self.runner.run(self.stack.enter_async_context(starting))
        self.phones: dict[str, Handset] = {
            msisdn: self.runner.run(self.gateway.handset(msisdn)) for msisdn in HANDSETS
        }
        self.store = sqlite3.connect(f"file:{self.folder / 'gateway' / 'fetion.db'}?mode=ro", uri=True)
        self.passwords = {"Canary7@x", "kN4ryPw8"}
        self.sent = 0

    def say(self, sender: str, text: str, to: str) -> None:
        """See Handsets. Every SMS that comes back is read."""
        self.runner.run(self._say(sender, text, to))
        self.sent += 1
        for phone in self.phones.values():
            for sms in phone.mailbox.unread:
                self.passwords.update(GENERATED.findall(sms.text))
            phone.mailbox.unread.clear()

    async def _say(self, sender: str, text: str, to: str) -> None:
        await self.phones[sender].send(text, to)
        await self.gateway.settle()

    def wait(self, seconds: int) -> None:
        """See Handsets."""
        self.runner.run(self.gateway.advance(seconds=seconds))

    def now(self) -> int:
        """See Handsets."""
        return self.gateway.clock.now_ms()

    def customers(self) -> dict[str, Customer]:
        """See Handsets."""
        return {each.msisdn: each for each in map(customer_of, self.store.execute("SELECT * FROM customer"))}

    def buddies(self) -> dict[tuple[str, str], Buddy]:
        """See Handsets."""
        rows = self.store.execute("SELECT owner, other, name, since, blocked, matched_at FROM buddy")
        return {
            (str(owner), str(other)): Buddy(str(owner), str(other), name, since, bool(blocked), matched_at)
            for owner, other, name, since, blocked, matched_at in rows
        }

    @invariant()
    def every_sms_is_in_the_journal_and_every_reply_has_its_cause_there(self) -> None:
        """One row for each SMS sent, none failed; no reply without the row that caused it."""
        query = "SELECT count(*), sum(outcome = 'failed') FROM journal"
        assert self.store.execute(query).fetchone() == (self.sent, 0 if self.sent else None)
        orphans = "SELECT count(*) FROM outbox WHERE cause NOT IN (SELECT number FROM journal)"
        assert self.store.execute(orphans).fetchone() == (0,)

    def teardown(self) -> None:
        """Stop, and look for passwords in every file that the gateway wrote."""
        try:
            self.store.close()
            self.runner.run(self.stack.aclose())
            files = snapshot(self.folder)
            written_by_it = {
                name: octets for name, octets in files.items() if not name.endswith("config.yaml")
            }
            assert found(self.passwords, written_by_it) == []
            assert found([HANDSETS[0]], written_by_it) != [], "a search that finds nothing at all"
        finally:
            self.runner.close()
            shutil.rmtree(self.folder)


def test_any_conversation() -> None:
    """Whatever six handsets text: lists, counters, quotas, questions, charges and secrets stay in order."""
    run_state_machine_as_test(
        OnDictionaries, settings=settings(SHORT, max_examples=100, stateful_step_count=30)
    )


@pytest.mark.long
def test_any_conversation_for_longer() -> None:
    """The same, drawn anew each time, and much longer."""
    run_state_machine_as_test(
        OnDictionaries,
        settings=settings(deadline=None, max_examples=600, stateful_step_count=60),
    )


def test_any_conversation_with_a_gateway() -> None:
    """The same handsets on sockets: the store stays in order, and no file holds a password."""
    run_state_machine_as_test(OnAGateway, settings=settings(SHORT, max_examples=3, stateful_step_count=15))


def test_every_row_joins() -> None:
    """What is written for a row of the table is understood as that row."""
    random = Random(7)
    for row in commands().table.rows.values():
        for _ in range(20):
            text, at = written(random, row, HANDSETS)
            assert commands().parser.parse(text, routing().resolve(at), HANDSETS[0]).id == row.id
