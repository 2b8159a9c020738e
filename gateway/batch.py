"""One batch on its way to the commit: pure work on an in-memory world, no waiting.

A batch is what arrived while the last one was worked. Here its SMS are told apart from resends, parts
are joined, what the instructions need is loaded in a few statements, handlers run in order (the
second SMS of a handset sees what the first did), and replies get their addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from random import Random
from typing import Any, Final

from commands.codes import Code
from commands.keys import add_keys
from commands.model import (
    Given,
    Hidden,
    Instruction,
    Keys,
    Limits,
    Missing,
    Misunderstood,
    Outcome,
    ProductFact,
    Reply,
    Result,
    Understood,
    Words,
    World,
)
from commands.service import Commands
from gateway.duplicates import Duplicates
from gateway.errors import Refusal
from gateway.guard import Guard, Limited
from gateway.intake import Intake
from gateway.longmessages import LongMessages, NoRoom
from gateway.model import (
    MASKED,
    PART,
    SECRET,
    Commit,
    MobileOriginated,
    MobileTerminated,
    told,
)
from gateway.outbox import Outbox
from gateway.replies import Replies, note_reach
from gateway.secrets import Keys as SecretKeys
from gateway.smpp.coding import Alphabet
from gateway.smpp.status import CommandStatus
from gateway.storage.contract import StorageError, Store
from routing.model import Accepts
from routing.table import Routing

LOADS: Final = 8
"""How often a handler may ask for more before it counts as failed."""
_PASSWORDS: Final = frozenset(("password", "password_hash"))
CANDIDATES: Final = 20
CANDIDATES_TO_SIFT: Final = 100
"""Customers drawn for one search of a partner: of anybody, of somebody special."""
ProductRow = tuple[int, int, str, str, int, int, str]
FETION_NUMBERS: Final = (400_000_000, 999_999_999)


@dataclass(slots=True)
class Prepared:
    """What a batch came to: the commit, and who is answered how once it is durable.

    late: what arrived before `late_before` (monotonic), so that its centre may have sent it again already;
    echoes: such resends in this very batch, with the number of the original.
    """

    commit: Commit
    late_before: float = 0.0
    late: dict[bytes, int] = field(default_factory=dict)
    echoes: list[tuple[MobileOriginated, int]] = field(default_factory=list)
    done: list[MobileOriginated] = field(default_factory=list)
    repeats: list[tuple[MobileOriginated, int]] = field(default_factory=list)
    refused: list[tuple[MobileOriginated, Refusal]] = field(default_factory=list)
    faults: list[tuple[MobileOriginated, Exception]] = field(default_factory=list)


class Batches:
    """Prepares the commits of one gateway. words: what no chat may hold; may be replaced at any time."""

    def __init__(
        self,
        *,
        routing: Routing,
        commands: Commands,
        store: Store,
        duplicates: Duplicates,
        longs: LongMessages,
        intake: Intake,
        outbox: Outbox,
        keys: SecretKeys,
        alphabets: Mapping[str, Alphabet],
        windows: Mapping[str, int],
        limits: Limits,
        zone: tzinfo,
        words: Words,
        guard: Guard,
        replies: Replies,
        random: Random,
    ) -> None:
        self._routing = routing
        self._commands = commands
        self._store = store
        self._duplicates = duplicates
        self._longs = longs
        self._intake = intake
        self._outbox = outbox
        self._keys = keys
        self._alphabets = alphabets
        self._windows = windows
        self._limits = limits
        self._zone = zone
        self.words = words
        self._guard = guard
        self._replies = replies
        self._facts: list[ProductRow] = []
        self._random = random

    def prepare(
        self, batch: list[MobileOriginated], prepared: Prepared, now_ms: int, *, poison: bool = False
    ) -> None:
        """Everything up to the commit, put into `prepared`. Raises what the store's load raises; take_back
        makes it undone.

        poison: the only SMS of the batch could not be stored; it is journaled as failed instead.
        """
        self._longs.begin()
        self._facts = []
        fresh = []
        for m in batch:
            m.at = now_ms
            if self._is_new(m, prepared, now_ms):
                fresh.append(m)
        world = World()
        given = self._load(fresh, world, now_ms)
        for m in fresh:
            if m.understood is None:
                self._not_a_text(m)
            else:
                self._execute(m, world, given[m.number], prepared, poison=poison)
            prepared.done.append(m)
        commit = prepared.commit
        commit.messages = prepared.done
        commit.customers = world.changed_customers.values()
        commit.buddies = world.changed_buddies
        commit.products, self._facts = self._facts, []

    def take_back(self, batch: list[MobileOriginated], prepared: Prepared, now_ms: int) -> None:
        """The batch is not in the store: what it used up is there again."""
        self._longs.roll_back()
        for m, number in reversed(prepared.repeats):
            self._duplicates.give_back(m.digest, number, now_ms + self._windows[m.account])
        for m in batch:
            if m.joined:
                m.understood = None
                m.joined = ()
            if m.outcome is not None:
                self._guard.give_back(m.msisdn)
            m.outcome = None
            m.replies = []

    def _is_new(self, m: MobileOriginated, prepared: Prepared, now_ms: int) -> bool:
        """Tell resends and waiting parts from what is to be executed. Digests are taken here."""
        part = m.part
        m.digest = self._keys.digest(
            m.account.encode(),
            m.source.encode("latin-1"),
            m.destination.encode("latin-1"),
            bytes((m.esm_class, m.data_coding)),
            b"" if part is None else f"{part.kind}.{part.reference}.{part.total}.{part.number}".encode(),
            b"" if m.reference is None else m.reference.to_bytes(2, "big"),
            m.octets,
        )
        if self._windows[m.account]:
            number = self._duplicates.find(m.digest, now_ms)
            if number is not None:
                prepared.repeats.append((m, number))
                prepared.commit.repeats.append((now_ms, number))
                return False
            if m.arrived < prepared.late_before or prepared.late:
                original = prepared.late.get(m.digest)
                if original is not None:
                    prepared.echoes.append((m, original))
                    return False
                if m.arrived < prepared.late_before:
                    prepared.late[m.digest] = m.number
        if part is not None:
            try:
                self._join(m, prepared.commit)
            except NoRoom as reason:
                prepared.refused.append((m, Refusal(CommandStatus.RMSGQFUL, str(reason))))
                return False
        return True

    def _join(self, m: MobileOriginated, commit: Commit) -> None:
        assert m.part is not None
        m.parts = m.part.total
        joined = self._longs.add(m, self._alphabets[m.account])
        commit.parts_gone += joined.gone
        if joined.stored is not None:
            # It may be half of an attempt at a password, which shows only when the others have come.
            sealed = self._keys.seal_octets(m.octets, m.message_id.encode())
            commit.parts.append(replace(joined.stored, octets=sealed))
        if joined.text is not None:
            m.joined = tuple(joined.gone)
            if m.msisdn:
                m.understood = self._without_hash(self._intake.understand(m, joined.text))

    def _without_hash(self, understood: Understood) -> Understood:
        """A password that was cut into parts comes too late to be hashed: it is explained how to send it."""
        if not understood.hidden or _PASSWORDS.isdisjoint(self._commands.draws(understood)):
            return understood
        usage = self._commands.table.rows[understood.id].usage
        return Misunderstood(
            "misunderstood",
            understood.sender,
            understood.route,
            understood.text,
            usage,
            hidden=Hidden.PASSWORD,
            result=Result.USAGE,
        )

    def _not_a_text(self, m: MobileOriginated) -> None:
        """A part that waits for others, or an SMS of a sender that is no mobile."""
        waits = m.part is not None and not m.joined
        m.result = PART if waits else Result.REFUSED.value
        m.province = m.route.province or "000"
        m.stored_text = ""
        if not waits:
            m.detail = {"reason": "the sender is no mobile"}

    def _load(self, fresh: list[MobileOriginated], world: World, now_ms: int) -> dict[int, Given]:
        """Draw what the handlers may not, and load what they will ask for, all in one go."""
        commands = self._commands
        keys = Keys()
        drawn: dict[str, int] = {}
        given = {}
        for m in fresh:
            understood = m.understood
            if understood is None:
                continue
            numbers: tuple[str, ...] = ()
            candidates: tuple[str, ...] = ()
            draws = commands.draws(understood)
            if draws:
                if "fetion_number" in draws:
                    numbers = (self._draw_fetion_number(drawn, m.number),)
                if "candidates" in draws:
                    candidates = self._draw_candidates(understood)
                    keys.customers.update(candidates)
            add_keys(keys, understood, numbers)
            given[m.number] = Given(
                now_ms,
                m.message_id,
                numbers,
                m.secret,
                m.secret_hash,
                self._limits,
                candidates,
                self._zone,
                self.words,
                self._routing.home,
            )
        self._store.load(keys, world)
        for text, owner in list(drawn.items()):
            while world.holders[text] is not None:  # somebody's already: draw until one is free
                text = self._draw_fetion_number(drawn, owner)
                self._store.load(Keys(holders={text}), world)
                given[owner].fetion_numbers = (text,)
        return given

    def _draw_candidates(self, understood: Understood) -> tuple[str, ...]:
        """Some customers with matching; more of them where conditions will leave few."""
        wanted = isinstance(understood, Instruction) and understood.arguments
        found = self._store.matching(self._random.random(), CANDIDATES_TO_SIFT if wanted else CANDIDATES)
        self._random.shuffle(found)
        return tuple(found)

    def _draw_fetion_number(self, drawn: dict[str, int], owner: int) -> str:
        """A number that no other SMS of this batch has been given."""
        while True:
            number = str(self._random.randint(*FETION_NUMBERS))
            if drawn.setdefault(number, owner) == owner:
                return number

    def _execute(
        self, m: MobileOriginated, world: World, given: Given, prepared: Prepared, *, poison: bool
    ) -> None:
        """Run the handler. What it raises fails this SMS alone: journaled, one apology, a positive answer."""
        understood = m.understood
        assert understood is not None
        m.instruction = understood.id
        m.province = self._routing.province(m.route, m.msisdn)
        m.stored_text = self._stored_text(m)
        try:
            limited = self._guard.admit(m.msisdn, m.stored_text, m.destination, m.at)
            if poison:
                raise RuntimeError("the store refused its changes")
            if limited is None:
                self._handle(m, world, given)
            else:
                self._limit(m, world, limited)
        except StorageError:
            raise
        except Exception as error:  # the boundary for bugs of handlers
            world.drop()
            prepared.faults.append((m, error))
            m.replies = []
            failed = Reply(m.msisdn, self._commands.table.general.failed, {"error_id": m.message_id[-6:]})
            m.outcome = Outcome(Result.FAILED, [failed])
            m.replies = [self._addressed(failed, m, world)]
            m.result = Result.FAILED.value
            m.detail = {"error": type(error).__name__}
            world.accept()
        prepared.commit.outgoing += m.replies

    def _handle(self, m: MobileOriginated, world: World, given: Given) -> None:
        understood = m.understood
        assert understood is not None
        for _ in range(LOADS):
            try:
                outcome = self._commands.handle(world, understood, given)
                note_reach(m, world)
                m.replies = [self._addressed(reply, m, world) for reply in outcome.replies]
            except Missing as missing:
                world.drop()
                self._store.load(missing.keys, world)
                continue
            m.outcome = outcome
            m.result = outcome.result._value_
            m.detail = _detail(m, outcome, given)
            if outcome.facts:
                self._facts += [
                    _product_row(m, fact, self._routing.home(fact.msisdn)) for fact in outcome.facts
                ]
            world.accept()
            if outcome.result is not Result.LIMITED:
                self._guard.handled(m.msisdn, m.stored_text, m.destination, exchange_of(outcome), m.at)
            return
        raise RuntimeError(f"{understood.id} asked for more keys {LOADS} times")

    def _limit(self, m: MobileOriginated, world: World, limited: Limited) -> None:
        """The guard lets nothing through: not handled, and answered once a minute at most."""
        replies = [Reply(m.msisdn, self._commands.table.general.overused)] if limited is Limited.TELL else []
        m.outcome = Outcome(Result.LIMITED, replies, code=Code.TRY_LATER)
        m.replies = [self._addressed(reply, m, world) for reply in replies]
        m.result = Result.LIMITED.value
        m.detail = {**told(m.outcome), "limited": limited.name.lower()}
        world.accept()

    def _addressed(self, reply: Reply, m: MobileOriginated, world: World) -> MobileTerminated:
        """The outbox row of a reply, cut into parts."""
        sms = self._replies.address(reply, m, world)
        self._outbox.compose(sms)
        return sms

    def _stored_text(self, m: MobileOriginated) -> str:
        """What the journal keeps of the text: nothing that is, or might be, a password."""
        understood = m.understood
        assert understood is not None
        if m.route.accepts is Accepts.PASSWORD:
            return SECRET
        if not understood.hidden:
            return understood.text
        return MASKED if _PASSWORDS.isdisjoint(self._commands.draws(understood)) else SECRET


def exchange_of(outcome: Outcome) -> str:
    """What the guard knows an outcome by: the first sentence that is said."""
    return outcome.replies[0].sentence if outcome.replies else ""


def _detail(m: MobileOriginated, outcome: Outcome, given: Given) -> dict[str, Any] | None:
    """What a trace and a replay need beyond the columns."""
    detail = told(outcome)
    if m.joined:
        detail["joined"] = m.joined
    if given.fetion_numbers:
        detail["given"] = {"fetion_numbers": given.fetion_numbers}
    if given.candidates:
        detail.setdefault("given", {})["candidates"] = given.candidates
    return detail or None


def _product_row(m: MobileOriginated, fact: ProductFact, province: str) -> ProductRow:
    return (m.number, int(fact.msisdn), fact.product, fact.operation, fact.at, int(fact.trial), province)
