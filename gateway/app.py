"""One gateway as its embedding program sees it: it starts, runs and stops.

What operators reach is built here, around the parts of gateway.assembly.
"""

import contextlib
from typing import Self
from zoneinfo import ZoneInfo

from gateway.assembly import Assembly, Environment
from gateway.inbound.disclosure import Disclosure
from gateway.lifecycle import Lifecycle, Parts
from gateway.operations.console.building import build_console, user_commands
from gateway.operations.console.customers.agents import Agents
from gateway.operations.console.messages.lives import Lives
from gateway.operations.console.services import Services
from gateway.operations.console.tables.service import TableService
from gateway.operations.control import Control, socket_path
from gateway.operations.links import LinkCommands
from gateway.operations.operators import Operators
from gateway.operations.smpp_pdus import smpp_pdus
from gateway.operations.status import Status, Watched
from gateway.operations.tables import TableReloads
from gateway.operations.words import read_words
from gateway.processing.messaging import subscriptions
from gateway.storage.nodes import Fenced
from routing.tablefile import TableError

__all__ = ["Environment", "Gateway"]


class Gateway(Assembly):
    """One running gateway: `async with Gateway(settings, open_log(settings.logging)) as gateway`.

    observers: hear what the event log hears. consumers: are told what happens (docs/events.md), beside MQTT,
    and events_backlog events wait for them at most (None: mqtt.backlog). drivers: channels beside SMPP.
    Entering raises TableError, KeyFileError, TlsFault, StorageError or OSError before anything is listened
    on; leaving stops in order.
    """

    async def __aenter__(self) -> Self:
        """Build and start."""
        async with contextlib.AsyncExitStack() as opened:
            await self._build(opened)
            self._build_operations(opened)
            await self._recover()
            self._opened = opened.pop_all()
        try:
            place = self.settings.storage.place
            self._logger.info("gateway.starting", store=place, run=self.store.run)
            await self._lifecycle.start(self._opened)
            self.port = self.channel.listener.port
        except BaseException:
            await self._lifecycle.end()
            await self._opened.aclose()
            raise
        return self

    def _build_operations(self, opened: contextlib.AsyncExitStack) -> None:
        """What starts and stops it all, and what operators reach."""
        nodes = self._nodes
        operators = Operators(
            self.store,
            self.outbox,
            self.binds,
            self._clock,
            self._recovery.readable,
            self._changes.until,
            None if nodes is None else nodes.owner_of,
        )
        links = LinkCommands(self.links)
        watched, status = self._status(links)
        tables = TableReloads(self._in_force, self._log, lambda: self.queue.stopping, self._clock.now_ms)
        pdus = smpp_pdus(self._smpp, self.settings, Disclosure(self._in_force), self._clock.now_ms)
        self.metrics.watch(watched, status, self._load, self.figures.waiting)
        services = self._services(status, TableService(self._in_force, tables), operators, opened)
        self.console = build_console(services)
        commands = {**operators.commands, **links.commands, **tables.commands, **user_commands(services)}
        control = Control(
            socket_path(self.settings.storage.path),
            {**commands, "status": status.report},
            {**tables.streams, **self.figures.rebuilding.streams, "pdus": pdus.stream},
        )
        self._following = [each for each in (self.channel, self.links, self.console) if each is not None]
        self._lifecycle = Lifecycle(
            Parts(
                self.binds,
                self.queue,
                self.outbox,
                self.pipeline,
                self._recovery,
                self.channels,
                self.events,
                control,
                status.rates,
                self._enquiries,
                self._load,
                nodes,
                subscriptions(self._talking, self.store, self.provinces, nodes, self._work.set),
                self._following,
                self.console,
                self.metrics.samples,
                self.metrics.loop_time,
                self.figures,
            ),
            self._changes,
            self._log,
            self._clock,
            self.observer,
            self.settings.shutdown.deadline,
        )

    def _status(self, links: LinkCommands) -> tuple[Watched, Status]:
        """What is reported of this gateway."""
        watched = Watched(
            self.binds, self.queue, self.outbox, self.pipeline, self.events, self._log, links.report
        )
        status = Status(
            watched,
            self._clock,
            self._in_force,
            self.settings.smpp.names,
            self._links,
            None if self._nodes is None else self._nodes.report,
            None if self.settings.mqtt.url is None else self.provinces.report,
        )
        return watched, status

    def _services(
        self, status: Status, tables: TableService, operators: Operators, opened: contextlib.AsyncExitStack
    ) -> Services:
        """What the console needs of the gateway."""
        settings = self.settings
        services = Services(
            settings.console,
            self._clock,
            ZoneInfo(settings.service.timezone),
            self._in_force,
            self.store,
            self._open_reader,
            status.report,
            self.observer,
            self._environment.hash_cost,
            Agents(self.actions, self._rules.limits, self._keys),
            Lives(operators, self._clock, settings.limits),
            self.metrics,
            self.phones.channel,
            tables,
            counting=settings.statistics.enabled,
        )
        opened.callback(services.close)
        return services

    async def __aexit__(self, _kind: object, error: object, _traceback: object) -> None:
        """Stop in order (gateway.lifecycle); at once where another node has taken the work of this one."""
        if isinstance(error, Fenced):
            self.observer.node_fenced(self.settings.node.name or "", error)
            await self._lifecycle.abandon("fenced")
            await self._opened.aclose()
            self._log.flush()
            return
        await self._lifecycle.stop()
        self.stored = await self.pipeline.close()
        await self._opened.aclose()
        self._logger.info("gateway.stopped", waiting=self.outbox.depth, stored=self.stored)
        self._log.flush()

    async def failed(self) -> None:
        """Wait for a task of the gateway to fail, and raise what it raised. Never returns otherwise.

        Raises Fenced where another node has taken the work of this one: leave the gateway, and begin anew.
        """
        await self._lifecycle.failed()

    async def drained(self) -> None:
        """Wait until all that came is worked, and every SMS that could leave has been answered."""
        await self._lifecycle.drained()

    async def tick(self, *, housekeeping: bool) -> None:
        """See what the time means: for whoever moves the clock."""
        await self._lifecycle.tick(housekeeping=housekeeping)

    def tick_connections(self) -> None:
        """The same for every connection."""
        self._smpp.tick()

    @property
    def asking(self) -> bool:
        """Whether a session asks its peer if it lives, and has no answer yet."""
        return any(connection.session.asking for connection in self._smpp.connections)

    @property
    def tables(self) -> str:
        """The version of the tables in force."""
        return self._in_force.tables.version

    def reload_words(self) -> None:
        """Read the sensitive words again; a file with faults is refused, and the words stay as they are."""
        try:
            self._rules.words = read_words(self.settings.service.sensitive_words, self._log)
        except TableError as error:
            self._logger.error("words.refused", reason=str(error))

    def reload_certificates(self) -> None:
        """Read the certificates again; those that cannot be used are refused, and the ones before stay."""
        for each in self._following:
            each.follow(self._clock.now_ms(), again=True)
