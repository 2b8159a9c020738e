"""Executes instructions in order on the world of a batch: draws, loads, runs handlers, addresses replies.

A bug fails one SMS: the SMS is journaled as failed, its sender gets one sentence, and its response is
positive.
"""

from dataclasses import dataclass
from datetime import tzinfo
from random import Random
from typing import Final

from commands.codes import Code
from commands.keys import add_keys
from commands.model import (
    Given,
    Instruction,
    LoadKeys,
    Missing,
    Outcome,
    Reply,
    Result,
    ServiceLimits,
    Understood,
    Words,
    World,
)
from commands.service import Commands
from commands.tables import InForce
from gateway.inbound.guard import Guard, Limited
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.reassembly import GivenUp
from gateway.message import Commit, MobileTerminated
from gateway.processing.actions import note_actions
from gateway.processing.addressing import Addressing
from gateway.processing.fetion_numbers import FetionNumbers
from gateway.processing.handled import Handled
from gateway.processing.journal import (
    asked_of,
    detail_of,
    events_of,
    exchange_of,
    mo_event,
    product_record,
    told,
)
from gateway.processing.prepared import Prepared
from gateway.storage.contract import StorageError, Store

LOADS: Final = 8
"""How often a handler may ask for more keys before it counts as failed."""
CANDIDATES: Final = 20
CANDIDATES_TO_SIFT: Final = 100
"""Customers drawn for one search for a partner: without and with conditions."""


# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_LIMITED: Final = Result.LIMITED


@dataclass(slots=True)
class ServiceRules:
    """The rules of the service.

    zone: of its days and months. words: sensitive words; they may be replaced at any time. tells_events:
    whether there are consumers of events. provinces: whether the systems of provinces are reached.
    """

    limits: ServiceLimits
    zone: tzinfo
    words: Words
    tells_events: bool = False
    provinces: bool = False


class Execution:
    """Executes the SMS of batches."""

    def __init__(
        self,
        in_force: InForce,
        store: Store,
        guard: Guard,
        addressing: Addressing,
        rules: ServiceRules,
        random: Random,
    ) -> None:
        self._in_force = in_force
        self._store = store
        self._guard = guard
        self._addressing = addressing
        self._rules = rules
        self._random = random
        self._fetion_numbers = FetionNumbers(random)

    async def run(self, fresh: list[MobileOriginated], prepared: Prepared, now_ms: int) -> None:
        """Execute the SMS in order and put the results into `prepared`. Raises StorageError."""
        world = World()
        given = await self._load(fresh, world, prepared)
        outgoing, done = prepared.commit.outgoing, prepared.done
        for m in fresh:
            if m.fault is not None:
                handled = Handled(m)
                self._fail(handled, m.fault, world, prepared)
            elif m.understood is None:
                handled = Handled.part(m)
            else:
                handled = Handled(m)
                missing = self._begin(handled, world, given[m.number], prepared)
                if missing is not None:
                    await self._go_on(handled, world, given[m.number], prepared, missing)
            outgoing += handled.replies
            done.append(handled)
        for each in prepared.given_up:
            await self._tell_incomplete(each, world, prepared, now_ms)
        if prepared.acting:
            note_actions(prepared)
        commit = prepared.commit
        commit.messages = [handled.entry() for handled in done]
        commit.customers = world.changed_customers.values()
        commit.buddies = world.changed_buddies
        commit.revisions = world.revisions

    def take_back(self, prepared: Prepared) -> None:
        """Uncount in the guard the SMS of a batch that was not stored."""
        for msisdn in prepared.counted:
            self._guard.uncount(msisdn)
        for msisdn in prepared.admitted:
            self._guard.give_back(msisdn)

    # What handlers may not do: draw, and read the store

    async def _load(
        self, fresh: list[MobileOriginated], world: World, prepared: Prepared
    ) -> dict[int, Given]:
        """Draw for the handlers, which must be deterministic, and load in one go what they will ask for."""
        keys = LoadKeys()
        drawn: dict[str, int] = {}
        given: dict[int, Given] = {}
        for m in fresh:
            try:
                if m.fault is not None:
                    keys.customers.add(m.msisdn)
                elif m.understood is not None:
                    draws = m.tables.commands.draws(m.understood)
                    candidates: tuple[str, ...] = ()
                    if "candidates" in draws:
                        candidates = await self._draw_candidates(m.understood, m.tables.commands)
                        keys.customers.update(candidates)
                    given[m.number] = self._draw(m, m.understood, draws, candidates, keys, drawn)
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
                text = str(self._fetion_numbers.draw_instead())
                await self._store.load(LoadKeys(holders={text}), world)
                given[owner].fetion_numbers = (text,)
        return given

    def _draw(
        self,
        m: MobileOriginated,
        understood: Understood,
        draws: frozenset[str],
        candidates: tuple[str, ...],
        keys: LoadKeys,
        drawn: dict[str, int],
    ) -> Given:
        """Make the Given of an SMS, and add to `keys` what its handler will ask for."""
        numbers = (self._draw_fetion_number(drawn, m.number),) if "fetion_number" in draws else ()
        add_keys(keys, understood, numbers)
        rules = self._rules
        return Given(
            m.at,
            m.message_id,
            numbers,
            m.secret,
            m.secret_hash,
            rules.limits,
            candidates,
            rules.zone,
            rules.words,
            m.tables.home,
            rules.provinces,
        )

    async def _draw_candidates(self, understood: Understood, commands: Commands) -> tuple[str, ...]:
        """Draw customers that allow matching; more of them if conditions will leave few. Those who were
        ported out could not answer."""
        wanted = isinstance(understood, Instruction) and understood.arguments
        most = CANDIDATES_TO_SIFT if wanted else CANDIDATES
        found = await self._store.matching(self._random.random(), most)
        self._random.shuffle(found)
        return tuple(each for each in found if not commands.parser.is_foreign(each))

    def _draw_fetion_number(self, drawn: dict[str, int], owner: int) -> str:
        """Draw a Fetion number for an SMS of this batch."""
        number = str(self._fetion_numbers.draw())
        drawn[number] = owner
        return number

    # One SMS

    def _begin(self, handled: Handled, world: World, given: Given, prepared: Prepared) -> LoadKeys | None:
        """Count an SMS and run its handler.

        Returns the keys to load before the handler can run; None when it ran, failed or was limited.
        """
        m = handled.m
        understood = m.understood
        assert understood is not None
        try:
            handled.province = m.tables.routing.province(m.route, m.msisdn)
            handled.understood_as(understood)
            if prepared.acting and m.number in prepared.acting:
                return self._execute(handled, understood, world, given, prepared)
            limited = self._guard.admit(m.msisdn, handled.text, m.came.destination, m.at)
            prepared.admitted.append(m.msisdn)
            if limited is not None:
                self._limit(handled, world, limited)
                return None
        except Exception as error:  # the boundary for bugs around a handler
            self._fail(handled, error, world, prepared)
            return None
        return self._execute(handled, understood, world, given, prepared)

    def _execute(
        self, handled: Handled, understood: Understood, world: World, given: Given, prepared: Prepared
    ) -> LoadKeys | None:
        """Run a handler. Returns the keys to load before it can run; None when it ran or failed."""
        m, home = handled.m, handled.m.tables.home
        acted = bool(prepared.acting) and m.number in prepared.acting
        try:
            if acted:
                outcome = m.tables.commands.act(world, understood, given)
                handled.replies = [self._addressing.unasked(reply, m, world) for reply in outcome.replies]
            else:
                outcome = m.tables.commands.handle(world, understood, given)
                self._addressing.note_reach(m, world)
                handled.replies = [self._addressing.address(reply, m, world) for reply in outcome.replies]
            handled.result = outcome.result._value_
            handled.detail = detail_of(m, outcome, given)
            facts = [product_record(m, each, home(each.msisdn)) for each in outcome.facts]
            tells = self._rules.tells_events and outcome.events
            events = events_of(m, outcome, world, home) if tells else ()
            if outcome.result is not _LIMITED and not acted:
                exchange = exchange_of(outcome)
                if self._guard.handled(m.msisdn, handled.text, m.came.destination, exchange, m.at):
                    prepared.counted.append(m.msisdn)
        except Missing as missing:
            world.drop()
            return missing.keys
        except Exception as error:  # the boundary for bugs of handlers
            self._fail(handled, error, world, prepared)
            return None
        if facts:
            prepared.commit.products += facts
        if events:
            prepared.commit.events += events
        if outcome.forwarded:
            self._forward(m, understood, prepared.commit)
        world.accept()
        return None

    async def _go_on(
        self, handled: Handled, world: World, given: Given, prepared: Prepared, missing: LoadKeys
    ) -> None:
        """Load what a handler asks for and run it again, at most LOADS times."""
        understood = handled.m.understood
        assert understood is not None
        wanted: LoadKeys | None = missing
        for _ in range(LOADS):
            if wanted is None:
                return
            await self._store.load(wanted, world)
            wanted = self._execute(handled, understood, world, given, prepared)
        error = RuntimeError(f"{handled.instruction} asked for more keys {LOADS} times")
        self._fail(handled, error, world, prepared)

    def _forward(self, m: MobileOriginated, understood: Understood, commit: Commit) -> None:
        """Let the commit tell a province of its SMS, and remember by when it has to answer."""
        asked = asked_of(m, self._rules.limits.province_reply)
        commit.asked.append(asked)
        commit.events.append(mo_event(m, understood.text, asked.reply_by))

    def _fail(self, handled: Handled, error: Exception, world: World, prepared: Prepared) -> None:
        """Journal an SMS as failed, by a bug or a rule of the store, and tell its sender."""
        world.drop()
        prepared.faults.append((handled, error))
        handled.failed(error)
        if handled.m.number not in prepared.acting:  # who acted is told by the page
            handled.replies = self._apology(handled.m, world)

    def _apology(self, m: MobileOriginated, world: World) -> list[MobileTerminated]:
        """Compose the apology to the sender; nothing if that fails too."""
        if not m.msisdn:
            return []
        failed = Reply(m.msisdn, m.tables.commands.table.general.failed, {"error_id": m.message_id[-6:]})
        try:
            replies = [self._addressing.address(failed, m, world)]
        except Exception:  # the boundary for a bug that meets the apology too; the first one is logged
            world.drop()
            return []
        world.accept()
        return replies

    def _limit(self, handled: Handled, world: World, limited: Limited) -> None:
        """Journal an SMS that the guard did not admit; it is answered once a minute at most."""
        m = handled.m
        replies = (
            [Reply(m.msisdn, m.tables.commands.table.general.overused)] if limited is Limited.TELL else []
        )
        handled.replies = [self._addressing.address(reply, m, world) for reply in replies]
        handled.result = Result.LIMITED.value
        outcome = Outcome(Result.LIMITED, replies, code=Code.TRY_LATER)
        handled.detail = {**told(outcome), "limited": limited.value}
        world.accept()

    async def _tell_incomplete(
        self, given_up: GivenUp, world: World, prepared: Prepared, now_ms: int
    ) -> None:
        """Tell the sender of a long message that it is incomplete."""
        part, tables = given_up.first, self._in_force.tables
        reply = Reply(part.msisdn, tables.commands.table.general.incomplete)
        try:
            if part.msisdn not in world.customers:
                await self._store.load(LoadKeys({part.msisdn}), world)
            prepared.commit.outgoing.append(self._addressing.notice(reply, part, tables, now_ms, world))
        except StorageError:
            raise
        except Exception as error:  # the boundary for a bug here: the message is gone all the same
            world.drop()
            prepared.lost_notices.append((part.number, part.msisdn, error))
            return
        world.accept()
