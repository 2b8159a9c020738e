"""The composition root: builds and wires everything. The only place that knows all parts; gateway.app runs
what is built here."""

import asyncio
import contextlib
import functools
import itertools
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Final
from zoneinfo import ZoneInfo

from commands.model import ServiceLimits
from commands.tables import InForce, Tables
from gateway.channels.driver import Driver, accounts_of, composer_of
from gateway.channels.phones.driving import PhonesSide
from gateway.channels.smpp.address_range import claim_of
from gateway.channels.smpp.driving import SmppSide
from gateway.clock import Clock, SteadyClock, SystemClock
from gateway.errors import OUTBOX_FULL, UNTRUSTED, Refusal
from gateway.events.broker import node_of
from gateway.events.contract import Consumer
from gateway.events.links import LinkStates
from gateway.events.relay import Relays
from gateway.inbound.guard import Guard
from gateway.inbound.hashing import Hashing
from gateway.inbound.intake import Intake
from gateway.inbound.queue import InboundQueue
from gateway.inbound.reassembly import Reassembly
from gateway.inbound.retransmissions import GRAIN_MS, SETTLE_MS, Retransmissions
from gateway.lifecycle import Changes, Flushing
from gateway.message import OPERATOR
from gateway.message_numbers import MessageNumbers
from gateway.observer import Observer, together
from gateway.operations.event_log import EventLog
from gateway.operations.figures.building import build_figures
from gateway.operations.figures.consumer import Pace
from gateway.operations.key_of_store import open_keys
from gateway.operations.load import Load
from gateway.operations.logs import Log
from gateway.operations.metrics.building import Metrics
from gateway.operations.province_log import ProvinceLog
from gateway.operations.telemetry.beginning import begin
from gateway.operations.words import read_words
from gateway.outbound.backups import backups_of
from gateway.outbound.outbox import Outbox
from gateway.outbound.receipts import Receipts
from gateway.outbound.selection import Binds
from gateway.processing.actions import Actions
from gateway.processing.addressing import Accounts, Addressing, Spelling
from gateway.processing.answers import Answers
from gateway.processing.batch import Batches
from gateway.processing.enquiries import Enquiries
from gateway.processing.exchange import Exchange
from gateway.processing.execution import Execution, ServiceRules
from gateway.processing.messaging import Talking, publisher
from gateway.processing.nodes import Nodes, Surroundings
from gateway.processing.pipeline import Pipeline, Stages
from gateway.processing.provinces import Around, Provinces, Terms
from gateway.processing.quotas import Quotas
from gateway.processing.recognition import Recognition
from gateway.processing.recovery import Recovery
from gateway.processing.reports import Reports
from gateway.processing.resends import Resends
from gateway.processing.upkeep import Upkeep
from gateway.secrets import HashCost, Hasher, generate_password
from gateway.settings import Settings
from gateway.storage.contract import StorageError, Store
from gateway.storage.engines import open_reader, open_store
from gateway.storage.nodes import SharedStore
from gateway.storage.reader import Reader

DAY_MS: Final = 86_400_000
MINUTE_MS: Final = 60_000

StoreOpener = Callable[..., Store]
"""Takes the path of a store in a file; the URL of another one, name and lease of the node."""


@dataclass(slots=True)
class Environment:
    """What a gateway draws from the world. random: Fetion numbers, jitter. choice: passwords. hash_cost: None
    for the usual one. new_key: another key of the store is accepted. in_force: tables that were read."""

    clock: Clock = field(default_factory=SystemClock)
    random: Random = field(default_factory=SystemRandom)  # nobody guesses the next Fetion number
    choice: Callable[[str], str] = secrets.choice
    hash_cost: HashCost | None = None
    open_store: StoreOpener = open_store
    new_key: bool = False
    in_force: InForce | None = None


class Assembly:
    """The parts of one gateway, which `_build` makes in the order in which one needs another."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        environment: Environment | None = None,
        observers: Sequence[Observer] = (),
        consumers: Sequence[Consumer] = (),
        events_backlog: int | None = None,
        drivers: Sequence[Driver] = (),
    ) -> None:
        self.settings = settings
        self.port = 0
        self.stored = True  # after the end: whether everything that had to be is in the store
        self.binds = Binds()
        self._log, self._logger = log, log.logger
        self._environment = environment or Environment()
        self._observers = observers
        self._consumers = list(consumers)
        self._events_backlog = events_backlog or settings.mqtt.backlog
        self._drivers = drivers
        self._clock = SteadyClock(self._environment.clock)
        self._node = settings.node.name or node_of(socket.gethostname())
        self._changes = Changes()
        self._work = asyncio.Event()
        self._nodes: Nodes | None = None
        self._opened = contextlib.AsyncExitStack()

    async def _build(self, opened: contextlib.AsyncExitStack) -> None:
        self._in_force = self._environment.in_force or InForce(Tables.load(self.settings.tables.folder))
        self._logger.info("tables.loaded", version=self._in_force.tables.version)
        event_log = EventLog(self._log, self._clock, self._in_force.home)
        self._links = event_log.links
        self.metrics = Metrics(self._clock, self._in_force.home)
        telemetry = begin(self.settings, self._node, self._clock, self.metrics.tally.spans, opened)
        self._observers = [*self.metrics.observers, *telemetry, *self._observers]
        self.observer = together([event_log, *self._observers])
        self.store = await self._open_store()
        name, store = self.settings.node.name, self.store
        self._shared = store if name is not None and isinstance(store, SharedStore) else None
        opened.push_async_callback(self.store.close)
        self._clock.not_before(await self.store.last_time())
        self._build_relays(opened)
        key_file, new_key = self.settings.storage.key_file, self._environment.new_key
        self._keys = await open_keys(self.store, key_file, self._log, new_key=new_key)
        hasher = Hasher(self._environment.hash_cost)
        opened.callback(hasher.close)
        self._numbers = MessageNumbers(self.store.node, self.store.run)
        self._build_ways()
        self._build_pipeline(hasher)
        opened.callback(self.actions.close)

    async def _open_store(self) -> Store:
        """In a file; or as one node of several, beside the loop: a server may take its time."""
        storage, node, opener = self.settings.storage, self.settings.node, self._environment.open_store
        if storage.in_file:
            return opener(storage.path)
        opening = asyncio.create_task(asyncio.to_thread(opener, storage.url, node.name or "", node.lease))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with contextlib.suppress(StorageError):  # nobody waits for it any more
                await (await opening).close()
            raise

    def _build_relays(self, opened: contextlib.AsyncExitStack) -> None:
        """Who is told what happens."""
        random = self._environment.random
        self._link_states = LinkStates(self._node, self._clock)
        self._talking = Talking(self.settings, self._node, self._clock, random, self.observer)
        if self.settings.mqtt.url is not None:
            made = publisher(
                self._talking, lambda numbers: self.provinces.nobody_hears(numbers), self._link_states
            )
            self._consumers.append(made)
        keep_ms = self.settings.storage.retention.journal_days * DAY_MS
        self.figures = build_figures(
            self.settings,
            self.store,
            self._open_reader,
            self._in_force,
            self._clock,
            self._log,
            self.observer,
            Pace(lambda: self.metrics.loop_time.busy, self._clock.monotonic),
        )
        self.events = Relays(
            self._consumers,
            self.store,
            self._clock,
            random,
            self.observer,
            keep_ms,
            self._events_backlog,
        )
        opened.push_async_callback(self.events.close, 0)

    def _open_reader(self) -> Reader:
        """A Reader of the store, for one thread."""
        storage = self.settings.storage
        return open_reader(storage.path if storage.in_file else storage.url)

    def _build_provinces(self) -> None:
        """What systems of provinces send, and by when they answer."""
        settings, log = self.settings, ProvinceLog(self._log, self._clock)
        quotas = Quotas(settings.provinces.limits, ZoneInfo(settings.service.timezone))
        self.provinces = Provinces(
            self._in_force,
            self._addressing,
            Terms(self._node, "place.province", settings.provinces.parts, quotas),
            Around(self.store, self.outbox, self._clock, together([log, *self._observers]), self._work.set),
        )

    def _build_ways(self) -> None:
        """The way in up to the queue, the way out from the outbox, and the channels between them."""
        settings, observer, monotonic = self.settings, self.observer, self._clock.monotonic
        smpp = self._smpp = SmppSide(
            settings,
            self._environment.random,
            lambda name: self.outbox.lacks_receiver(name),
            self._link_states.note,
            self._clock.now_ms,
        )
        phones = self.phones = PhonesSide(settings.console.test_numbers, self._clock.now_ms)
        drivers = [*smpp.drivers, *phones.drivers, *self._drivers]
        accounts = accounts_of(drivers)
        self._makers = {name: terms.report for name, terms in accounts.items() if terms.report is not None}
        self._accounts = Accounts(
            {name: Spelling(terms.prefix, terms.ton, terms.npi) for name, terms in accounts.items()},
            settings.smpp.default_name,
            settings.smpp.provinces,
            phones.numbers,
            phones.of_phones,
        )
        self.outbox = Outbox(
            self.binds, composer_of(accounts), observer, self._environment.random, self._store_soon
        )
        self.outbox.backups = backups_of(settings.smpp.backups, self.binds, accounts)
        timers = settings.smpp.timers
        settle = max(SETTLE_MS, int(1000 * (timers.enquire_link + timers.response)))
        self.retransmissions = Retransmissions(
            self.store,
            {name: terms.retransmission_ms for name, terms in accounts.items()} | {OPERATOR: 0},
            max(int(2000 * timers.response), settle + GRAIN_MS),
            self._clock.now_ms(),
            monotonic(),
            settle=settle,
            shared=self._shared is not None,
        )
        self._intake = Intake(self._in_force, self._numbers)
        self.queue = InboundQueue(
            self._intake,
            self._numbers,
            observer,
            no_room=self._no_room,
            changed=self._work.set,
            touched=self.outbox.touch,
        )
        store, clock, numbers, until = self.store, self._clock, self._numbers, self._changes.until
        self._enquiries = Enquiries(store, self.outbox, self._in_force, numbers, clock, observer, until)
        self.receipts = Receipts(
            self.store,
            observer,
            self._in_force.home,
            tells_events=bool(self._consumers),
            shut=self.queue.halted,
            touched=self.outbox.touch,
            wake=self._work.set,
        )
        self._build_channels(smpp, drivers)

    def _build_channels(self, smpp: SmppSide, drivers: Sequence[Driver]) -> None:
        """The channels, and who hears them."""
        exchange = Exchange(
            self.binds,
            self.queue,
            self.outbox,
            self.retransmissions,
            self._clock,
            work=self._work.set,
            changed=self._changes.note,
        )
        exchange.enquired = self._enquiries.put
        exchange.receipts_with(self.receipts)
        sessions = self._sessions = itertools.count((self.store.run << 32) + 1)
        monotonic = self._clock.monotonic
        self.channels = [driver.build(exchange, self.observer, monotonic, sessions) for driver in drivers]
        self.channel, self.links = smpp.channel, smpp.links

    def _no_room(self) -> Refusal | None:
        """Why the queue takes nothing now."""
        if self._nodes is not None and not self._nodes.trusted():
            return UNTRUSTED
        return OUTBOX_FULL if self.outbox.full else None

    def _build_nodes(self) -> None:
        """What there is to do beside other nodes, where there may be any."""
        if self._shared is None:
            return
        known = Surroundings(
            self.binds,
            self.outbox,
            self.retransmissions,
            self._recovery,
            self._clock,
            self._environment.random,
            self.observer,
        )
        self._nodes = Nodes(self._shared, self._node, known, claim_of, self._recover_parts)
        self.outbox.may_send = self._nodes.trusted

    def _build_pipeline(self, hasher: Hasher) -> None:
        """What works batch after batch."""
        clock, queue = self._clock, self.queue
        generate = functools.partial(generate_password, self._environment.choice)
        hashing = Hashing(hasher, generate, clock, queue.put)
        queue.hash_with(hashing)
        reassembly = self._reassembly = Reassembly()
        recognition = Recognition(
            self._intake,
            self.retransmissions,
            reassembly,
            self._keys,
            None if self._shared is None else Resends(self._shared, lambda: queue.held_handsets),
            lambda: queue.stopping,
        )
        answers = Answers(queue, self.outbox, self.retransmissions, clock, self.observer)
        retention = self.settings.storage.retention.journal_days * DAY_MS
        self._upkeep = Upkeep(
            self.store, self.retransmissions, reassembly, self.outbox, queue, clock, retention
        )
        self._build_recovery()
        self._build_nodes()
        placement = None if self._nodes is None else self._nodes.placement
        self.actions = Actions(
            queue, self._in_force, self._numbers, self.store, next(self._sessions), clock.monotonic
        )
        reports = Reports(self._numbers, self._makers)
        batches = Batches(recognition, self._build_execution(), reports, self.actions, placement)
        self._build_provinces()
        stages = Stages(
            queue,
            hashing,
            batches,
            answers,
            self._upkeep,
            self.retransmissions,
            self.outbox,
            self.receipts,
            self.provinces,
            self._nodes,
            self.figures.counting,
        )
        self._flushing = Flushing(self._log, clock.monotonic)
        self.pipeline = Pipeline(
            stages, self.store, self._numbers, clock, self.observer, self._work, self._worked
        )
        self._load = Load(queue, self.outbox, answers, self.pipeline, self.channel.tell_congestion)

    def _build_execution(self) -> Execution:
        service = self.settings.service
        limits = ServiceLimits(**self.settings.limits.model_dump())
        self._rules = ServiceRules(
            limits,
            ZoneInfo(service.timezone),
            read_words(self.settings.service.sensitive_words, self._log),
            tells_events=bool(self._consumers),
            provinces=self.settings.mqtt.url is not None,
        )
        self.guard = Guard(
            limits.instructions_per_minute, limits.same_text, limits.same_text_minutes * MINUTE_MS
        )
        self._addressing = Addressing(
            self._numbers,
            self._keys,
            self._accounts,
            self.outbox.compose,
            self._in_force.home,
            unified=service.migration == "unified",
        )
        return Execution(
            self._in_force,
            self.store,
            self.guard,
            self._addressing,
            self._rules,
            self._environment.random,
        )

    def _build_recovery(self) -> None:
        """What takes up the work of earlier runs."""
        before, clock, observer = self._numbers.draw(), self._clock, self.observer
        self._recovery = Recovery(
            self.store, self.outbox, self._keys, self._accounts, before, clock, observer
        )

    def _store_soon(self) -> None:
        """The outbox has something to store."""
        self.pipeline.close_soon()

    def _worked(self) -> None:
        """A batch is done."""
        self._changes.note()
        self._load.measure()
        if self._consumers:
            self.events.wake()
        self.figures.wake()
        self._flushing.worked(idle=self.pipeline.idle)

    async def _recover(self) -> None:
        """Take up what the last run left."""
        await self.figures.begin()
        if self._shared is None:
            await self._recovery.of_nodes(self.retransmissions.until(self._clock.monotonic()))
        if dropped := await self.retransmissions.recover(self._clock.monotonic()):
            self.observer.unrecognised(dropped)
        await self._recover_parts()
        since = self._clock.now_ms() - self.settings.limits.same_text_minutes * MINUTE_MS
        await self._recovery.recent(self.guard, since)
        await self._recovery.waiting()

    async def _recover_parts(self) -> None:
        """Take up parts of long messages that are not known yet."""
        lost = await self._recovery.parts(self._reassembly, self._in_force.tables.routing)
        self._upkeep.give_up(lost, [number for each in lost for number in each.numbers])
