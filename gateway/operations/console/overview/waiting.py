"""What the store says of SMS that wait: looked at now and then, for everybody who watches."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.delivery import Delivery
from gateway.operations.console.refused import Refused
from gateway.storage.reader import Reader

EVERY: Final = 10.0
"""Seconds for which a look serves everybody."""
PATIENCE: Final = 0.5
"""Seconds that a page waits for it; without it the page shows that it is not known."""
MOST: Final = 1000
"""SMS that are looked at. Parked ones come first, so more than that many parked ones are `MOST or more`."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """parked: SMS that an operator has to decide on, at most MOST. oldest_ms: when the oldest one was stored
    of those looked at that wait to leave, ms since the epoch; None: none waits."""

    parked: int
    oldest_ms: int | None


Read = Callable[[Callable[[Reader], Waiting]], Awaitable[Waiting]]


def look(reader: Reader) -> Waiting:
    """Read it."""
    found = reader.waiting(MOST)
    times = [sms.at for sms in found if sms.state is Delivery.WAITING]
    return Waiting(len(found) - len(times), min(times, default=None))


class WaitingLooks:
    """Looks at most every EVERY seconds, and never twice at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: Waiting | None = None
        self._looked_at: float | None = None

    async def take(self, read: Read) -> Waiting | None:
        """The last look; None where the store cannot be read now. read: Services.read."""
        now = self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= EVERY:
            self._looked_at = now
            try:
                async with asyncio.timeout(PATIENCE):
                    self._known = await read(look)
            except (TimeoutError, Refused):
                self._known = None
        return self._known
