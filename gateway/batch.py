"""One batch on its way to the commit: pure work on an in-memory world, no waiting.

A batch is what arrived while the last one was worked. Here its SMS are told apart from resends, parts
are joined, what the instructions need is loaded in a few statements, handlers run in order (the
second SMS of a handset sees what the first did), and replies get their addresses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from random import Random
from typing import Any, Final

from commands.keys import add_keys
from commands.model import (
    Event,
    Given,
    Keys,
    Limits,
    Missing,
    Outcome,
    ProductFact,
    Reach,
    Reply,
    Result,
    Source,
    Words,
    World,
)
from commands.service import Commands
from gateway.duplicates import Duplicates
from gateway.errors import Refusal
from gateway.intake import Intake
from gateway.longmessages import LongMessages, NoRoom
from gateway.model import PART, Commit, MobileOriginated, MobileTerminated, Numbers, message_id
from gateway.outbox import Outbox
from gateway.secrets import Keys as SecretKeys
from gateway.smpp.coding import Alphabet
from gateway.smpp.status import CommandStatus
from gateway.storage.contract import StorageError, Store
from routing.model import Accepts
from routing.table import Routing

EXPIRY_MS: Final = 72 * 3600 * 1000
"""How long an SMS to a handset is tried."""
MASKED: Final = "<masked>"
SECRET: Final = "<secret>"
DONE: Final = 200
"""The result code of what went well; others stand in the journal."""
LOADS: Final = 8
"""How often a handler may ask for more before it counts as failed."""
_PASSWORDS: Final = frozenset(("password", "password_hash"))
CANDIDATES: Final = 20
"""Customers drawn for one search of a partner."""
MOBILES: Final = 20_000_000_000
ProductRow = tuple[int, int, str, str, int, int, str]
FETION_NUMBERS: Final = (400_000_000, 999_999_999)


@dataclass(frozen=True, slots=True)
class Reaching:
    """How an account writes a mobile that never wrote to us (settings: msisdn_format, ton, npi)."""

    prefix: str
    ton: int
    npi: int


@dataclass(slots=True)
class Prepared:
    """What a batch came to: the commit, and who is answered how once it is durable."""

    commit: Commit
    done: list[MobileOriginated] = field(default_factory=list)
    repeats: list[tuple[MobileOriginated, int]] = field(default_factory=list)
    refused: list[tuple[MobileOriginated, Refusal]] = field(default_factory=list)
    faults: list[tuple[MobileOriginated, Exception]] = field(default_factory=list)


class Batches:
    """Prepares the commits of one gateway."""

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
        numbers: Numbers,
        keys: SecretKeys,
        alphabets: Mapping[str, Alphabet],
        reaching: Mapping[str, Reaching],
        default_account: str,
        windows: Mapping[str, int],
        limits: Limits,
        zone: tzinfo,
        words: Words,
        random: Random,
    ) -> None:
        self._routing = routing
        self._commands = commands
        self._store = store
        self._duplicates = duplicates
        self._longs = longs
        self._intake = intake
        self._outbox = outbox
        self._numbers = numbers
        self._keys = keys
        self._alphabets = alphabets
        self._reaching = reaching
        self._default_account = default_account
        self._windows = windows
        self._limits = limits
        self._zone = zone
        self._words = words
        self._facts: list[ProductRow] = []
        self._random = random
        self._sources: dict[Source, Callable[[MobileOriginated, str], str]] = {
            Source.REPLY: lambda m, _: routing.reply_from(m.route),
            Source.OPENING: lambda m, _: routing.opening_from(m.route),
            Source.QUESTION: self._question_from,
            Source.NOTICE: lambda _m, _d: routing.notice_from(),
            Source.CHAT: self._chat_from,
            Source.DIALLED: lambda m, _: m.route.address,
        }

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
                m.understood = self._intake.understand(m, joined.text)

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
                    start = self._random.randrange(MOBILES)
                    candidates = tuple(self._store.matching(start, CANDIDATES))
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
                self._words,
            )
        self._store.load(keys, world)
        for text, owner in list(drawn.items()):
            while world.holders[text] is not None:  # somebody's already: draw until one is free
                text = self._draw_fetion_number(drawn, owner)
                self._store.load(Keys(holders={text}), world)
                given[owner].fetion_numbers = (text,)
        return given

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
            if poison:
                raise RuntimeError("the store refused its changes")
            self._handle(m, world, given)
        except StorageError:
            raise
        except Exception as error:  # the boundary for bugs of handlers
            world.drop()
            prepared.faults.append((m, error))
            m.replies = []
            failed = Reply(m.msisdn, self._commands.table.general.failed, {"error_id": m.message_id[-6:]})
            m.outcome = Outcome(Result.FAILED, [failed])
            m.replies = [self._address(failed, m, world)]
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
                self._note_reach(m, world)
                m.replies = [self._address(reply, m, world) for reply in outcome.replies]
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
            return
        raise RuntimeError(f"{understood.id} asked for more keys {LOADS} times")

    def _note_reach(self, m: MobileOriginated, world: World) -> None:
        """Remember through whom, and in which spelling, this handset writes."""
        known = world.customer(m.msisdn)
        reach = known.reach if known is not None else None
        if (
            reach is None
            or reach.spelling != m.source
            or reach.account != m.account
            or reach.ton != m.source_ton
            or reach.npi != m.source_npi
        ):
            world.edit(m.msisdn).reach = Reach(m.account, m.source, m.source_ton, m.source_npi)

    def _address(self, reply: Reply, m: MobileOriginated, world: World) -> MobileTerminated:
        """The outbox row of a reply: from where, to whom in which spelling, through which account."""
        number = self._numbers.draw()
        if reply.to == m.msisdn:
            account, bind = m.account, m.session
            spelling, ton, npi = m.source, m.source_ton, m.source_npi
        else:
            bind = 0
            customer = world.customer(reply.to)
            reach = customer.reach if customer is not None else None
            if reach is None or reach.account not in self._reaching:
                account = self._default_account
                way = self._reaching[account]
                spelling, ton, npi = way.prefix + reply.to, way.ton, way.npi
            else:
                account, spelling, ton, npi = reach.account, reach.spelling, reach.ton, reach.npi
        sms = MobileTerminated(
            number,
            m.number,
            reply.to,
            account,
            bind,
            self._sources[reply.source](m, reply.detail),
            spelling,
            ton,
            npi,
            self._commands.render(reply),
            m.at,
            m.at + EXPIRY_MS,
            reply.secret,
            reference=number & 0xFFFF,
        )
        if reply.secret:
            sms.sealed = self._keys.seal(sms.text, message_id(number).encode())
        self._outbox.compose(sms)
        return sms

    def _question_from(self, _m: MobileOriginated, detail: str) -> str:
        base, _, serial = detail.partition(":")
        return self._routing.question_from(self._routing.resolve(base), serial)

    def _chat_from(self, _m: MobileOriginated, detail: str) -> str:
        person = self._routing.numbers.person(detail)
        if person is None:
            raise ValueError(f"{detail!r} is no person's number")
        return self._routing.chat_from(person)

    def _stored_text(self, m: MobileOriginated) -> str:
        """What the journal keeps of the text: nothing that is, or might be, a password."""
        understood = m.understood
        assert understood is not None
        if m.route.accepts is Accepts.PASSWORD:
            return SECRET
        if not understood.secret:
            return understood.text
        return MASKED if _PASSWORDS.isdisjoint(self._commands.draws(understood)) else SECRET


def _detail(m: MobileOriginated, outcome: Outcome, given: Given) -> dict[str, Any] | None:
    """What a trace and a replay need beyond the columns."""
    detail: dict[str, Any] = {}
    if m.joined:
        detail["joined"] = m.joined
    if outcome.replies:
        detail["replies"] = [reply.sentence for reply in outcome.replies]
    if outcome.code != DONE:
        detail["code"] = outcome.code
    if given.fetion_numbers:
        detail["given"] = {"fetion_numbers": given.fetion_numbers}
    if given.candidates:
        detail.setdefault("given", {})["candidates"] = given.candidates
    if outcome.events:
        detail["events"] = [_event(event) for event in outcome.events]
    return detail or None


def _product_row(m: MobileOriginated, fact: ProductFact, province: str) -> ProductRow:
    return (m.number, int(fact.msisdn), fact.product, fact.operation, fact.at, int(fact.trial), province)


def _event(event: Event) -> dict[str, Any]:
    told: dict[str, Any] = {"event": f"{event.family}/{event.name}", "msisdn": event.msisdn}
    if event.data:
        told["data"] = dict(event.data)
    return told
