"""Answers the commands of operators to a running gateway: lists binds, retries and drops parked SMS, says why
SMS wait."""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from gateway.clock import Clock
from gateway.message import MobileTerminated, number_of
from gateway.operations.control import Command, CommandRefused
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.storage.contract import StorageError, Store

AT_ONCE: Final = 50
"""SMS that one question may be about: it fits into control.LONGEST_REQUEST."""

Readable = Callable[[Iterable[MobileTerminated]], Iterator[MobileTerminated]]
"""Makes SMS of the store ready to leave; omits those whose seal does not open."""

Until = Callable[[Callable[[], bool]], Awaitable[None]]
"""Waits for a condition that a batch of the pipeline fulfils."""


class Operators:
    """Answers commands. A retry or drop is answered after it is stored. owner_of: the name of the other node
    to which an SMS belongs, if it does; None where there is no other node."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        binds: Binds,
        clock: Clock,
        readable: Readable,
        until: Until,
        owner_of: Callable[[MobileTerminated], str | None] | None = None,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._binds = binds
        self._clock = clock
        self._readable = readable
        self._until = until
        self._owner_of = owner_of

    @property
    def commands(self) -> Mapping[str, Command]:
        """Return the commands by the names that the control socket uses."""
        return {
            "binds": self.binds,
            "outbox retry": self.retry,
            "outbox drop": self.drop,
            "outbox why": self.why,
        }

    async def binds(self) -> list[dict[str, Any]]:
        """`fetion-gateway binds`."""
        now = self._clock.monotonic()
        return [{"session": bind.number, **bind.describe(now)} for bind in self._binds.all()]

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

    async def why(self, messages: str) -> list[dict[str, Any]]:
        """Why SMS wait, for `trace` and `outbox list`. Returns for each its reason, and until when (ms UTC).

        messages: a JSON array of [message id, account, mobile], AT_ONCE at most.
        """
        try:
            asked = [(number_of(each), str(account), str(to)) for each, account, to in json.loads(messages)]
        except (ValueError, TypeError, RecursionError) as error:
            raise CommandRefused("outbox why takes a JSON array of [message id, account, mobile]") from error
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        waits = [self._outbox.wait_of(*each, now) for each in asked[:AT_ONCE]]
        return [
            {"reason": wait.reason, "until": now_ms + round((wait.due - now) * 1000) if wait.due else None}
            for wait in waits
        ]

    async def _parked(self, message: str) -> MobileTerminated:
        try:
            number = number_of(message)
            sms = await self._store.parked(number)
        except (ValueError, StorageError) as error:
            raise CommandRefused(str(error)) from error
        if sms is None or self._outbox.is_deciding(number):
            raise CommandRefused(f"{message} is not parked: outbox list shows what is (state parked)")
        owner = self._owner_of(sms) if self._owner_of is not None else None
        if owner is not None:
            raise CommandRefused(f"{message} belongs to node {owner}: use the command with its configuration")
        return sms

    async def _decided(self, sms: MobileTerminated) -> str:
        state = sms.state.name.lower()
        await self._until(lambda: not self._outbox.is_deciding(sms.number))
        return state
