"""Answers the commands of operators to a running gateway: lists binds, retries and drops parked SMS."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from gateway.clock import Clock
from gateway.message import MobileTerminated, number_of
from gateway.operations.control import Command, CommandRefused
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.storage.contract import StorageError, Store

Readable = Callable[[Iterable[MobileTerminated]], Iterator[MobileTerminated]]
"""Makes SMS of the store ready to leave; omits those whose seal does not open."""

Until = Callable[[Callable[[], bool]], Awaitable[None]]
"""Waits for a condition that a batch of the pipeline fulfils."""


class Operators:
    """Answers commands. A retry or drop is answered after it is stored."""

    def __init__(
        self, store: Store, outbox: Outbox, binds: Binds, clock: Clock, readable: Readable, until: Until
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._binds = binds
        self._clock = clock
        self._readable = readable
        self._until = until

    @property
    def commands(self) -> Mapping[str, Command]:
        """Return the commands by the names that the control socket uses."""
        return {"binds": self.binds, "outbox retry": self.retry, "outbox drop": self.drop}

    async def binds(self) -> list[dict[str, Any]]:
        """`fetion-gateway binds`."""
        now = self._clock.monotonic()
        return [bind.describe(now) for bind in self._binds.all()]

    async def retry(self, message: str) -> str:
        """`fetion-gateway outbox retry ID`: sends a parked SMS once more. Returns its state."""
        sms = next(self._readable([await self._parked(message)]), None)
        if sms is None:
            raise CommandRefused(f"{message} was sealed with another key: it can only be dropped")
        self._outbox.retry(sms)
        return await self._decided(sms)

    async def drop(self, message: str) -> str:
        """`fetion-gateway outbox drop ID`: gives up a parked SMS. Returns its state."""
        sms = await self._parked(message)
        self._outbox.drop(sms, "dropped by an operator", self._clock.now_ms())
        return await self._decided(sms)

    async def _parked(self, message: str) -> MobileTerminated:
        try:
            number = number_of(message)
            sms = await self._store.parked(number)
        except (ValueError, StorageError) as error:
            raise CommandRefused(str(error)) from error
        if sms is None or self._outbox.is_deciding(number):
            raise CommandRefused(f"{message} is not parked: outbox list shows what is (state parked)")
        return sms

    async def _decided(self, sms: MobileTerminated) -> str:
        state = sms.state.name.lower()
        await self._until(lambda: not self._outbox.is_deciding(sms.number))
        return state
