"""How often one address may ask: what a page costs, it costs in the loop in which SMS pass."""

from collections import OrderedDict
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
"""Seconds that a request waits for its turn at most."""


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

    def wait(self) -> float | None:
        """Count a request. Gives the seconds until it may begin; None: too many wait, it is not counted."""
        now, spent, factor = self._now(), self._spent(), WHEN_BUSY if self._busy() else 1.0
        self._free = max(self._free, now - SLACK) + factor * TIMES * (spent - self._counted)
        self._counted = spent
        if self._free - now > LONGEST:
            return None
        self._free += factor * LEAST
        return max(0.0, self._free - now)


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
