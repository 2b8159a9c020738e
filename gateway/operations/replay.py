"""Runs recorded messages through today's tables and handlers, and reports which would end differently.

A replay writes nothing and sends nothing. Its world begins empty and holds only what the messages change, so
a journal whose beginning was deleted shows false differences. Handlers get what the journal says they were
given (time, Fetion numbers, candidates); the journal has no passwords, so a fixed word replaces them.

A replay does not compare parts of long messages (the record of the last part has the whole text), senders
that are not mobiles (older versions accepted them), texts that were not stored, and SMS that the guard did
not admit.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final, TypeAlias

from commands.actions import ACTIONS, instruction_of
from commands.keys import keys_of
from commands.model import (
    NO_WORDS,
    Buddy,
    Customer,
    Given,
    Hidden,
    Instruction,
    LoadKeys,
    Missing,
    Misunderstood,
    Outcome,
    Reach,
    Result,
    ServiceLimits,
    Understood,
    Words,
    World,
)
from commands.service import Commands
from gateway.message import BY, OPERATOR, PART, message_id
from gateway.processing.journal import told
from gateway.storage.reader import JournalRecord
from routing.model import Route
from routing.table import Routing

UNKNOWN: Final = "unknown"
"""Replaces a password, which the journal does not have."""
LOADS: Final = 8
"""How often a handler may ask for more keys before it counts as failed, as in a batch."""

Handle: TypeAlias = Callable[[World, Understood, Given], Outcome]


@dataclass(frozen=True, slots=True)
class Difference:
    """A message that ends differently now. was, is_now: instruction, outcome, sentences, code and events."""

    recorded: JournalRecord
    was: Mapping[str, Any]
    is_now: Mapping[str, Any]


class Replay:
    """One run over a journal. compared: number of messages compared. skipped: the others, by reason."""

    def __init__(
        self,
        routing: Routing,
        commands: Commands,
        limits: ServiceLimits,
        zone: tzinfo,
        words: Words = NO_WORDS,
    ) -> None:
        self.compared = 0
        self.skipped: Counter[str] = Counter()
        self._routing = routing
        self._commands = commands
        self._limits = limits
        self._zone = zone
        self._words = words
        self._world = World()
        self._relations: dict[str, dict[str, Buddy]] = {}  # by owner and other
        self._numbers: dict[str, str] = {}  # mobile -> Fetion number

    def run(self, journal: Iterable[JournalRecord]) -> Iterator[Difference]:
        """Yield each message that ends differently, in the order of the journal."""
        for sms in journal:
            if sms.outcome == PART:
                self.skipped["part"] += 1
            elif not sms.instruction:
                self.skipped["no mobile"] += 1
            elif "limited" in sms.detail:
                self.skipped["limited by the guard"] += 1
            else:
                is_now = self._again(sms)
                if is_now is not None:
                    yield Difference(sms, _was(sms), is_now)

    def _again(self, sms: JournalRecord) -> Mapping[str, Any] | None:
        """Execute a message again. Returns how it ends now; None if as before, or if not compared."""
        route = self._routing.resolve(sms.destination)
        if route.refused is not None:
            self.compared += 1
            return {"instruction": "", "outcome": "rejected", "reason": route.refused}
        understood = self._understood(sms, route)
        if understood is None:
            self.skipped["unknown action"] += 1
            return None
        is_now = self._execute(sms, understood)
        if sms.hidden == Hidden.ATTEMPT:
            self.skipped["not stored"] += 1
            return None
        self.compared += 1
        was = _was(sms)
        if is_now["outcome"] == sms.outcome == Result.FAILED.value:
            return None
        return None if was == is_now or was == json.loads(json.dumps(is_now)) else is_now

    def _understood(self, sms: JournalRecord, route: Route) -> Understood | None:
        """Parse the text of a message; without a text, return what the rest of its record tells. None: an
        action of an operator that this version does not know."""
        if sms.account == OPERATOR:
            return _action(sms, route)
        if not sms.hidden:
            return self._commands.parser.parse(sms.text, route, sms.msisdn)
        instruction = self._commands.table.rows.get(sms.instruction)
        if sms.hidden != Hidden.ATTEMPT and instruction is not None:
            arguments = {argument.name: UNKNOWN for argument in instruction.arguments}
            return Instruction(instruction.id, sms.msisdn, route, "", arguments, hidden=Hidden.PASSWORD)
        sentences = sms.detail.get("replies") or [self._commands.table.general.misunderstood]
        # The answer affects the help of the next minutes, so the message is executed, but not compared.
        result = Result.USAGE if sms.outcome == Result.USAGE else Result.MISUNDERSTOOD
        return Misunderstood(
            "misunderstood", sms.msisdn, route, "", sentences[0], hidden=Hidden.ATTEMPT, result=result
        )

    def _execute(self, sms: JournalRecord, understood: Understood) -> dict[str, Any]:
        try:
            handle = self._commands.act if sms.account == OPERATOR else self._commands.handle
            outcome = self._handle(handle, understood, self._given(sms))
            for reply in outcome.replies:
                self._commands.render(reply)
        except Exception as error:  # a bug of a handler is a difference like any other
            self._world.drop()
            failed = {"outcome": Result.FAILED.value, "error": type(error).__name__}
            return {"instruction": understood.id, **failed}
        if sms.outcome == Result.FAILED:
            self._world.drop()  # it changed nothing then, and later messages depend on that
        else:
            self._accept(sms)
        return {"instruction": understood.id, "outcome": outcome.result.value, **told(outcome)}

    def _handle(self, handle: Handle, understood: Understood, given: Given) -> Outcome:
        self._load(keys_of(understood, given.fetion_numbers))
        for _ in range(LOADS):
            try:
                return handle(self._world, understood, given)
            except Missing as missing:
                self._world.drop()
                self._load(missing.keys)
        raise RuntimeError(f"{understood.id} asked for more keys {LOADS} times")

    def _load(self, keys: LoadKeys) -> None:
        """Load keys: what the world does not know does not exist; buddy lists are made of the relations."""
        world = self._world
        for msisdn in keys.customers:
            world.customers.setdefault(msisdn, None)
        for number in keys.holders:
            world.holders.setdefault(number, None)
        for pair in keys.buddies:
            world.buddies.setdefault(pair, None)
        for owner in keys.lists:
            world.lists[owner] = tuple(self._relations.get(owner, {}).values())

    def _given(self, sms: JournalRecord) -> Given:
        given = sms.detail.get("given", {})
        return Given(
            sms.at,
            message_id(sms.number),
            tuple(given.get("fetion_numbers", ())),
            UNKNOWN,
            UNKNOWN,
            self._limits,
            tuple(given.get("candidates", ())),
            self._zone,
            self._words,
            self._routing.home,
            bool(given.get("provinces")),
        )

    def _accept(self, sms: JournalRecord) -> None:
        if sms.account != OPERATOR:
            self._note_reach(sms)
        self._world.accept()
        self._absorb()

    def _note_reach(self, sms: JournalRecord) -> None:
        customer = self._world.edit(sms.msisdn)
        if customer.reach is None or customer.reach.spelling != sms.source:
            customer.reach = Reach(sms.account, sms.source, 0, 0)

    def _absorb(self) -> None:
        """Do what a store does with a commit; then the world has no changes of its own."""
        world = self._world
        for (owner, other), buddy in world.changed_buddies.items():
            theirs = self._relations.setdefault(owner, {})
            theirs.pop(other, None)
            if buddy is not None:
                theirs[other] = buddy
            world.lists.pop(owner, None)
        for msisdn, customer in world.changed_customers.items():
            self._note_number(msisdn, customer)
        world.changed_buddies.clear()
        world.changed_customers.clear()

    def _note_number(self, msisdn: str, customer: Customer) -> None:
        before = self._numbers.get(msisdn, "")
        if before != customer.fetion_number:
            if before:
                self._world.holders[before] = None
            self._numbers[msisdn] = customer.fetion_number
        if customer.fetion_number:
            self._world.holders[customer.fetion_number] = msisdn


def _action(sms: JournalRecord, route: Route) -> Understood | None:
    """What an operator's action is to its handler; a refused one may have been a password too many."""
    action = sms.detail.get(BY, {}).get("action", "")
    if action not in ACTIONS:
        return None
    if sms.instruction == ACTIONS[action].instruction:
        return instruction_of(action, sms.msisdn, route)
    return Misunderstood(sms.instruction, sms.msisdn, route, "", "")


def _was(sms: JournalRecord) -> dict[str, Any]:
    kept = {key: sms.detail[key] for key in ("replies", "code", "events") if key in sms.detail}
    return {"instruction": sms.instruction, "outcome": sms.outcome, **kept}
