"""One gateway as its embedding program sees it: it starts, runs and stops."""

import contextlib
from typing import Self

from gateway.assembly import Assembly, Environment
from gateway.operations.words import read_words
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
