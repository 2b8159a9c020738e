"""How often one address may ask: what a page costs, it costs in the loop in which SMS pass."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.net.admission import address_of, group_of

PER_SECOND: Final = 50.0
"""Requests that an address may send in the long run."""
BURST: Final = 200.0
"""Requests that it may send at once."""
MOST: Final = 10_000
"""Addresses that are remembered; beyond that the one that asked longest ago is forgotten."""
SLACK: Final = 0.05
"""Seconds of work that pages may have done at once after a quiet time."""
LEAST: Final = 0.005
"""Seconds that a request counts as, beside what it is drawn with."""
TIMES: Final = 2.0
"""Seconds that must pass for each second of drawing: so long the loop is for SMS."""
WHEN_BUSY: Final = 10.0
"""How many times longer LEAST and TIMES are while the event loop is busy."""
LONGEST: Final = 10.0
"""Seconds that a request waits for its turn at most, and that what was drawn is waited for."""
STRANGERS: Final = 5.0
"""The same for who is not logged in: they leave the rest to those who are."""
EACH: Final = 20
"""Requests of one visitor that wait at a time: one who asks fast does not make the others wait long."""


class Turns:
    """When requests may begin, so that many at once do not keep SMS waiting. It is for all visitors together.

    now: seconds. spent: seconds that the loop has drawn pages since the start. busy: whether the loop is.
    """

    def __init__(
        self, now: Callable[[], float], spent: Callable[[], float], busy: Callable[[], bool]
    ) -> None:
        self._now = now
        self._spent = spent
        self._busy = busy
        self._counted = 0.0
        self._free = 0.0
        self._waiting: Counter[str] = Counter()  # of visitors who wait now

    def wait(self, *, stranger: bool = False) -> float | None:
        """Count a request. Gives the seconds until it may begin; None: too many wait, it is not counted."""
        now, spent, factor = self._now(), self._spent(), WHEN_BUSY if self._busy() else 1.0
        free = max(self._free, now - SLACK) + factor * TIMES * (spent - self._counted)
        self._free = min(free, now + LONGEST)  # what a flood has cost is forgotten soon after it
        self._counted = spent
        wait = self._free + factor * LEAST - now
        if wait > (STRANGERS if stranger else LONGEST):
            return None
        self._free += factor * LEAST
        return max(0.0, wait)

    async def turn(self, account: str, remote: str) -> bool:
        """Wait for the turn of a visitor. account: "" of a stranger. Gives whether it came; False at once:
        too many wait."""
        visitor = account or group_of(address_of(remote))
        if self._waiting[visitor] >= EACH or (wait := self.wait(stranger=not account)) is None:
            return False
        if wait > 0:
            self._waiting[visitor] += 1
            try:
                await asyncio.sleep(wait)
            finally:
                self._waiting[visitor] -= 1
                if not self._waiting[visitor]:
                    del self._waiting[visitor]
        return True


@dataclass(slots=True)
class _Held:
    left: float
    at: float


class Pace:
    """A bucket of requests for each address. now: seconds. This machine itself is not limited."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def allows(self, remote: str) -> bool:
        """Count a request. Gives whether it may be answered."""
        address = address_of(remote)
        if address is not None and address.is_loopback:
            return True
        now, group = self._now(), group_of(address)
        held = self._held.pop(group, _Held(BURST, now))
        held.left = min(BURST, held.left + PER_SECOND * (now - held.at))
        held.at = now
        allowed = held.left >= 1
        if allowed:
            held.left -= 1
        self._held[group] = held
        if len(self._held) > MOST:
            self._held.popitem(last=False)
        return allowed
