"""One batch on its way to the commit: pure work on an in-memory world, no waiting.

A batch is what arrived while the last one was worked. Here its SMS are told apart from resends, parts
are joined, what the instructions need is loaded in a few statements, handlers run in order (the
second SMS of a handset sees what the first did), and replies get their addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from random import Random
from typing import Final

from commands.codes import Code
from commands.keys import add_keys
from commands.model import (
    Given,
    Hidden,
    Instruction,
    LoadKeys,
    Missing,
    Misunderstood,
    Outcome,
    Reply,
    Result,
    ServiceLimits,
    Understood,
    Words,
    World,
)
from commands.service import Commands
from gateway.errors import Refusal
from gateway.inbound.guard import Guard, Limited
from gateway.inbound.intake import Intake
from gateway.inbound.reassembly import GivenUp, LongMessages, NoRoom
from gateway.inbound.retransmissions import LATE_MS, Found, Retransmissions
from gateway.message import (
    PART,
    Commit,
    MobileOriginated,
    MobileTerminated,
    message_id,
)
from gateway.outbound.outbox import Outbox
from gateway.processing.addressing import Replies, note_reach
from gateway.processing.journal import ProductRow, detail_of, events_of, exchange_of, product_row, told
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
FETION_NUMBERS: Final = (400_000_000, 999_999_999)


@dataclass(slots=True)
class Prepared:
    """What a batch came to: the commit, and who is answered how once it is durable.

    moment: when it began (monotonic). late: what arrived before `late_before`, so that its centre may have
    sent it again already, with the number of each and when it came; echoes: such retransmissions in this very
    batch, with that number. given_up: long messages whose senders are told that they were not complete.
    counted: handsets whose circle the guard has counted on.
    """

    commit: Commit
    moment: float = 0.0
    late_before: float = 0.0
    given_up: list[GivenUp] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    late: dict[bytes, tuple[int, float]] = field(default_factory=dict)
    echoes: list[tuple[MobileOriginated, int]] = field(default_factory=list)
    done: list[MobileOriginated] = field(default_factory=list)
    repeats: list[tuple[MobileOriginated, int]] = field(default_factory=list)
    refused: list[tuple[MobileOriginated, Refusal]] = field(default_factory=list)
    faults: list[tuple[MobileOriginated, Exception]] = field(default_factory=list)


class Batches:
    """Prepares the commits of one gateway. words: what no chat may hold; may be replaced at any time.
    tells_events: there are consumers of events."""

    def __init__(
        self,
        *,
        routing: Routing,
        commands: Commands,
        store: Store,
        retransmissions: Retransmissions,
        longs: LongMessages,
        intake: Intake,
        outbox: Outbox,
        keys: SecretKeys,
        alphabets: Mapping[str, Alphabet],
        limits: ServiceLimits,
        zone: tzinfo,
        words: Words,
        guard: Guard,
        replies: Replies,
        random: Random,
        tells_events: bool = False,
    ) -> None:
        self._routing = routing
        self._commands = commands
        self._store = store
        self._retransmissions = retransmissions
        self._longs = longs
        self._intake = intake
        self._outbox = outbox
        self._keys = keys
        self._alphabets = alphabets
        self._limits = limits
        self._zone = zone
        self.words = words
        self._guard = guard
        self._replies = replies
        self._facts: list[ProductRow] = []
        self._random = random
        self._tells_events = tells_events

    async def prepare(
        self, batch: list[MobileOriginated], prepared: Prepared, now_ms: int, poison: Exception | None = None
    ) -> None:
        """Everything up to the commit, put into `prepared`. Raises what the store's load raises; take_back
        makes it undone.

        poison: why the only SMS of the batch is not to be handled: it is journaled as failed.
        """
        self._longs.begin()
        self._facts = []
        fresh = await self._fresh(batch, prepared, now_ms)
        for m in fresh if poison else ():
            m.fault = poison
        world = World()
        given = await self._load(fresh, world, prepared)
        outgoing, done = prepared.commit.outgoing, prepared.done
        for m in fresh:
            if m.fault is not None:
                self._fail(m, m.fault, world, prepared)
            elif m.understood is None:
                self._wait(m)
            else:
                missing = self._begin(m, world, given[m.number], prepared)
                if missing is not None:
                    await self._go_on(m, world, given[m.number], prepared, missing)
            outgoing += m.replies
            done.append(m)
        for each in prepared.given_up:
            await self._tell_incomplete(each, world, prepared, now_ms)
        commit = prepared.commit
        commit.messages = prepared.done
        commit.customers = world.changed_customers.values()
        commit.buddies = world.changed_buddies
        commit.products, self._facts = self._facts, []

    def take_back(self, batch: list[MobileOriginated], prepared: Prepared) -> None:
        """The batch is not in the store: what it used up is there again."""
        self._longs.roll_back()
        for msisdn in prepared.counted:
            self._guard.uncount(msisdn)
        for m in batch:
            if m.joined:
                m.understood = None
                m.joined = ()
            if m.admitted:
                self._guard.give_back(m.msisdn)
                m.admitted = False
            m.outcome = None
            m.replies = []

    async def _fresh(
        self, batch: list[MobileOriginated], prepared: Prepared, now_ms: int
    ) -> list[MobileOriginated]:
        """The SMS that are to be executed, or wait as parts: told from retransmissions by their digests."""
        retransmissions = self._retransmissions
        for m in batch:
            m.at = now_ms
            m.digest = self._digest(m)
        wanted = [m.digest for m in batch] if len(retransmissions) else []
        found = await retransmissions.find(wanted, prepared.moment)
        late, late_before = prepared.late, prepared.late_before
        fresh = []
        for m in batch:
            if not wanted and m.part is None and m.arrived >= late_before and not late:
                fresh.append(m)  # as nearly all: nothing is in doubt, and it came a moment ago
                continue
            try:
                if self._is_new(m, prepared, found):
                    fresh.append(m)
            except Exception as error:  # the boundary for bugs while parts are joined, and read
                m.fault = error
                fresh.append(m)
        return fresh

    def _digest(self, m: MobileOriginated) -> bytes:
        """By what a retransmission is known (DESIGN section 5, Resends)."""
        part = m.part
        return self._keys.digest(
            m.account.encode(),
            m.source.encode("latin-1"),
            m.destination.encode("latin-1"),
            bytes((m.esm_class, m.data_coding)),
            b"" if part is None else f"{part.kind}.{part.reference}.{part.total}.{part.number}".encode(),
            b"" if m.reference is None else m.reference.to_bytes(2, "big"),
            m.octets,
        )

    def _is_new(self, m: MobileOriginated, prepared: Prepared, found: Found) -> bool:
        """Whether it goes on: retransmissions, and parts for which there is no room, do not."""
        looked_for = self._retransmissions.looks_for(m.account)
        late = looked_for and m.arrived < prepared.late_before
        if looked_for:
            number = found.take(m.digest)
            if number is not None:
                prepared.repeats.append((m, number))
                prepared.commit.repeats.append((number, m.session, m.at))
                if late:
                    prepared.late[m.digest] = (number, m.arrived)
                return False
            original, arrived = prepared.late.get(m.digest, (None, 0.0))
            # Nobody retransmits earlier: two equal SMS within that time are two.
            if original is not None and m.arrived - arrived >= LATE_MS / 1000:
                prepared.echoes.append((m, original))
                return False
        if m.part is not None and m.fault is None:
            try:
                self._join(m, prepared)
            except NoRoom as reason:
                prepared.refused.append((m, Refusal(CommandStatus.RMSGQFUL, str(reason))))
                return False
        if late:
            prepared.late[m.digest] = (m.number, m.arrived)
        return True

    def _join(self, m: MobileOriginated, prepared: Prepared) -> None:
        assert m.part is not None
        m.parts = m.part.total
        commit = prepared.commit
        digest = self._keys.digest(m.octets, bytes((m.data_coding,)))
        joined = self._longs.add(m, digest, self._alphabets[m.account])
        commit.parts_gone += joined.gone
        commit.parts_complete += joined.complete
        if joined.stored is not None:
            stored = joined.stored
            if not stored.complete:
                # It may be half of an attempt at a password, which shows only when the others have come.
                stored = replace(stored, octets=self._keys.seal_octets(m.octets, m.message_id.encode()))
            commit.parts.append(stored)
        if joined.given_up is not None:
            prepared.given_up.append(joined.given_up)
        if joined.text is not None:
            m.joined = joined.joined
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

    def _wait(self, m: MobileOriginated) -> None:
        """A part that waits for others."""
        m.result = PART
        m.province = m.route.province or "000"

    async def _load(
        self, fresh: list[MobileOriginated], world: World, prepared: Prepared
    ) -> dict[int, Given]:
        """Draw what the handlers may not, and load what they will ask for, all in one go."""
        keys = LoadKeys()
        drawn: dict[str, int] = {}
        given: dict[int, Given] = {}
        for m in fresh:
            try:
                if m.fault is not None:
                    keys.customers.add(m.msisdn)
                elif m.understood is not None:
                    draws = self._commands.draws(m.understood)
                    candidates: tuple[str, ...] = ()
                    if "candidates" in draws:
                        candidates = await self._draw_candidates(m.understood)
                        keys.customers.update(candidates)
                    given[m.number] = self._draw(m, draws, candidates, keys, drawn)
            except StorageError:
                raise
            except Exception as error:  # the boundary for bugs before a handler runs
                m.fault = error
        for each in prepared.given_up:
            keys.customers.add(each.first.msisdn)
        keys.customers.discard("")
        await self._store.load(keys, world)
        for text, owner in list(drawn.items()):
            while world.holders[text] is not None:  # somebody's already: draw until one is free
                text = self._draw_fetion_number(drawn, owner)
                await self._store.load(LoadKeys(holders={text}), world)
                given[owner].fetion_numbers = (text,)
        return given

    def _draw(
        self,
        m: MobileOriginated,
        draws: frozenset[str],
        candidates: tuple[str, ...],
        keys: LoadKeys,
        drawn: dict[str, int],
    ) -> Given:
        """What its handler is given; what it will ask for is added to the keys."""
        understood = m.understood
        assert understood is not None
        numbers = (self._draw_fetion_number(drawn, m.number),) if "fetion_number" in draws else ()
        add_keys(keys, understood, numbers)
        return Given(
            m.at,
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

    async def _draw_candidates(self, understood: Understood) -> tuple[str, ...]:
        """Some customers with matching; more of them where conditions will leave few."""
        wanted = isinstance(understood, Instruction) and understood.arguments
        most = CANDIDATES_TO_SIFT if wanted else CANDIDATES
        found = await self._store.matching(self._random.random(), most)
        self._random.shuffle(found)
        return tuple(found)

    def _draw_fetion_number(self, drawn: dict[str, int], owner: int) -> str:
        """A number that no other SMS of this batch has been given."""
        while True:
            number = str(self._random.randint(*FETION_NUMBERS))
            if drawn.setdefault(number, owner) == owner:
                return number

    def _begin(self, m: MobileOriginated, world: World, given: Given, prepared: Prepared) -> LoadKeys | None:
        """Count it, and run its handler; gives what has to be loaded before it can run, None when it did."""
        understood = m.understood
        assert understood is not None
        try:
            m.instruction = understood.id
            m.province = self._routing.province(m.route, m.msisdn)
            m.hidden = self._hidden(m)
            m.stored_text = "" if m.hidden else understood.text
            limited = self._guard.admit(m.msisdn, m.stored_text, m.destination, m.at)
            m.admitted = True
            if limited is not None:
                self._limit(m, world, limited)
                return None
        except Exception as error:  # the boundary for bugs around a handler
            self._fail(m, error, world, prepared)
            return None
        return self._execute(m, world, given, prepared)

    def _execute(
        self, m: MobileOriginated, world: World, given: Given, prepared: Prepared
    ) -> LoadKeys | None:
        """Run the handler. What it raises fails this SMS alone: journaled, one apology, a positive answer.

        Gives what has to be loaded before it can run; None when it ran.
        """
        understood = m.understood
        assert understood is not None
        try:
            outcome = self._commands.handle(world, understood, given)
            note_reach(m, world)
            m.replies = [self._addressed(reply, m, world) for reply in outcome.replies]
            m.outcome = outcome
            m.result = outcome.result._value_
            m.detail = detail_of(m, outcome, given)
            facts = [product_row(m, each, self._routing.home(each.msisdn)) for each in outcome.facts]
            tells = self._tells_events and outcome.events
            events = events_of(m, outcome, world, self._routing.home) if tells else ()
            if outcome.result is not Result.LIMITED:
                exchange = exchange_of(outcome)
                if self._guard.handled(m.msisdn, m.stored_text, m.destination, exchange, m.at):
                    prepared.counted.append(m.msisdn)
        except Missing as missing:
            world.drop()
            return missing.keys
        except Exception as error:  # the boundary for bugs of handlers
            self._fail(m, error, world, prepared)
            return None
        if facts:
            self._facts += facts
        if events:
            prepared.commit.events += events
        world.accept()
        return None

    async def _go_on(
        self, m: MobileOriginated, world: World, given: Given, prepared: Prepared, missing: LoadKeys
    ) -> None:
        """Load what its handler asked for, and run it again, until it has all it wants."""
        wanted: LoadKeys | None = missing
        for _ in range(LOADS):
            if wanted is None:
                return
            await self._store.load(wanted, world)
            wanted = self._execute(m, world, given, prepared)
        error = RuntimeError(f"{m.instruction} asked for more keys {LOADS} times")
        self._fail(m, error, world, prepared)

    def _fail(self, m: MobileOriginated, error: Exception, world: World, prepared: Prepared) -> None:
        """A bug of ours, or a rule of the store that it breaks: it is journaled as failed, and its sender
        told."""
        world.drop()
        prepared.faults.append((m, error))
        if m.understood is not None:
            m.instruction = m.understood.id
            m.hidden = self._hidden(m)
            m.stored_text = "" if m.hidden else m.understood.text
        m.province = m.province or m.route.province or "000"
        m.outcome = Outcome(Result.FAILED, [])
        m.result = Result.FAILED.value
        m.detail = {"error": type(error).__name__}
        m.replies = self._apology(m, world)

    def _apology(self, m: MobileOriginated, world: World) -> list[MobileTerminated]:
        """One sentence to the sender; nothing where even that cannot be written."""
        if not m.msisdn:
            return []
        failed = Reply(m.msisdn, self._commands.table.general.failed, {"error_id": m.message_id[-6:]})
        try:
            replies = [self._addressed(failed, m, world)]
        except Exception:  # the boundary for a bug that meets the apology too; the first one is logged
            world.drop()
            return []
        world.accept()
        return replies

    async def _tell_incomplete(
        self, given_up: GivenUp, world: World, prepared: Prepared, now_ms: int
    ) -> None:
        """One sentence to the sender of a long message that will not be complete."""
        part = given_up.first
        m = MobileOriginated(
            part.number, message_id(part.number), None, None, 0.0, part.source, part.ton, part.npi,
            part.destination, part.msisdn, self._routing.resolve(part.destination), 0, part.data_coding, b"",
            part.account, at=now_ms,
        )  # fmt: skip
        try:
            if part.msisdn not in world.customers:
                await self._store.load(LoadKeys({part.msisdn}), world)
            reply = Reply(part.msisdn, self._commands.table.general.incomplete)
            prepared.commit.outgoing.append(self._addressed(reply, m, world))
        except StorageError:
            raise
        except Exception as error:  # the boundary for a bug here: the message is gone all the same
            world.drop()
            prepared.faults.append((m, error))
            return
        world.accept()

    def _limit(self, m: MobileOriginated, world: World, limited: Limited) -> None:
        """The guard lets nothing through: not handled, and answered once a minute at most."""
        replies = [Reply(m.msisdn, self._commands.table.general.overused)] if limited is Limited.TELL else []
        m.replies = [self._addressed(reply, m, world) for reply in replies]
        m.outcome = Outcome(Result.LIMITED, replies, code=Code.TRY_LATER)
        m.result = Result.LIMITED.value
        m.detail = {**told(m.outcome), "limited": limited.name.lower()}
        world.accept()

    def _addressed(self, reply: Reply, m: MobileOriginated, world: World) -> MobileTerminated:
        """The outbox row of a reply, cut into parts."""
        sms = self._replies.address(reply, m, world)
        self._outbox.compose(sms)
        return sms

    def _hidden(self, m: MobileOriginated) -> Hidden:
        """Why the journal keeps nothing of the text: it is, or might be, a password."""
        assert m.understood is not None
        return Hidden.PASSWORD if m.route.accepts is Accepts.PASSWORD else m.understood.hidden
