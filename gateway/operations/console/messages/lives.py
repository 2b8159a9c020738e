"""Reads the life of an SMS for pages; what several visitors watch is read once for all of them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.clock import Clock
from gateway.message import Delivery, message_id
from gateway.operations.console.refused import Refused
from gateway.operations.operators import AT_ONCE, Operators
from gateway.operations.timeline.life import is_over, life_again, life_of
from gateway.operations.timeline.steps import Life
from gateway.settings import LimitSettings
from gateway.storage.reader import Reader

EVERY: Final = 0.5
"""Seconds between two readings of one SMS, however many watch it."""
LONGEST: Final = 600.0
"""Seconds after which nobody is told any more."""

Read = Callable[[Callable[[Reader], Life]], Awaitable[Life]]
"""Gives what a function reads (gateway.operations.console.services.Services.read)."""


@dataclass(slots=True)
class _Watched:
    """An SMS that somebody watches. read_at: seconds of the event loop."""

    watchers: int = 0
    read_at: float = 0.0
    life: Life | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lives:
    """limits: what sentences about limited SMS name."""

    def __init__(self, operators: Operators, clock: Clock, limits: LimitSettings) -> None:
        self.limits = limits
        self._operators = operators
        self._clock = clock
        self._watched: dict[int, _Watched] = {}

    @property
    def watched(self) -> int:
        """How many SMS are watched now."""
        return len(self._watched)

    async def read(self, number: int, read: Read, before: Life | None = None) -> Life:
        """What the store has of an SMS, with what only the running gateway knows. Raises Refused.

        before: what was read of it already, which makes this cheaper.
        """
        if before is None:
            life = await read(lambda reader: life_of(number, reader))
        else:
            life = await read(lambda reader: life_again(before, number, reader))
        waiting = [sms for sms in life.outgoing if sms.state is Delivery.WAITING][:AT_ONCE]
        waits = {}
        if waiting:
            asked = json.dumps([(message_id(sms.number), sms.account, sms.msisdn) for sms in waiting])
            told = await self._operators.why(asked)
            for sms, each in zip(waiting, told, strict=True):
                waits[sms.number] = (str(each["reason"]), int(each["until"] or 0))
        remotes = {bind["session"]: str(bind["remote"]) for bind in await self._operators.binds()}
        return replace(life, waits=waits, remotes=remotes)

    async def watch(self, number: int, read: Read) -> AsyncGenerator[Life, None]:
        """Give the life of an SMS, and again each time that it has changed, until it is over, or LONGEST.

        Raises Refused if it cannot be read at all; later it is tried again.
        """
        watched = self._watched.setdefault(number, _Watched())
        watched.watchers += 1
        end, known = self._clock.monotonic() + LONGEST, None
        try:
            while True:
                try:
                    life = await self._fresh(watched, number, read)
                except Refused:
                    if known is None:
                        raise
                    life = known
                if known is None or _essence(life) != _essence(known):
                    yield life
                known = life
                if is_over(life) or self._clock.monotonic() >= end:
                    return
                await asyncio.sleep(EVERY)
        finally:
            watched.watchers -= 1
            if not watched.watchers:
                del self._watched[number]

    async def _fresh(self, watched: _Watched, number: int, read: Read) -> Life:
        """The life as it was read less than EVERY seconds ago, by whichever watcher."""
        loop = asyncio.get_running_loop()
        async with watched.lock:
            if watched.life is None or loop.time() - watched.read_at >= EVERY:
                watched.read_at = loop.time()
                watched.life = await self.read(number, read, watched.life)
            return watched.life


def _essence(life: Life) -> Life:
    """Without what is reckoned anew at each reading: until when something waits, who is bound."""
    waits = {number: (reason, 0) for number, (reason, _) in life.waits.items()}
    return replace(life, waits=waits, remotes={})
