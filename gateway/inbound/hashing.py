"""Hashes passwords before their SMS enter a batch: outside the loop's thread, a few per handset and minute.

While the gateway hashes a password, later SMS of the same handset wait behind it and keep their order.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from commands.model import Hidden, Instruction, Misunderstood, Understood
from gateway.clock import Clock
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.secrets import Busy, Hasher

HASHES_PER_MINUTE: Final = 5
"""Passwords that one handset may set or ask for in a minute: each costs 30 ms of a core."""
_PERIOD: Final = 60.0


class Hashing:
    """Holds SMS that wait for a hash. generate: draws a password. ready: called with each SMS when done."""

    def __init__(
        self,
        hasher: Hasher,
        generate: Callable[[], str],
        clock: Clock,
        ready: Callable[[MobileOriginated], None],
    ) -> None:
        self.waiting = 0
        self._hasher = hasher
        self._generate = generate
        self._clock = clock
        self._ready = ready
        self._held: dict[str, deque[MobileOriginated]] = {}  # by handset
        self._times: dict[str, deque[float]] = {}  # of the last minute, by handset
        self._tasks: set[asyncio.Task[None]] = set()

    def takes(self, m: MobileOriginated) -> bool:
        """Take an SMS if it has to wait; `ready` gets it later. Returns whether it was taken."""
        held = self._held.get(m.msisdn) if self._held else None
        if held is not None:
            held.append(m)
        elif m.understood is not None and m.understood.hidden and _needs_hash(m, m.understood):
            self._held[m.msisdn] = deque((m,))
            task = asyncio.create_task(self._work(m.msisdn), name=f"hash {m.message_id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            return False
        self.waiting += 1
        return True

    def give_back(self, m: MobileOriginated) -> None:
        """Uncount the password of an SMS that was not executed and may come again."""
        times = self._times.get(m.msisdn)
        if m.secret_hash and times:
            times.pop()

    def __iter__(self) -> Iterator[MobileOriginated]:
        """Iterate over the SMS that wait."""
        for held in self._held.values():
            yield from held

    def forget(self) -> None:
        """Drop the counts of handsets whose last password is more than a minute old."""
        now = self._clock.monotonic()
        for msisdn in [m for m, times in self._times.items() if not times or now - times[-1] >= _PERIOD]:
            del self._times[msisdn]

    async def close(self) -> None:
        """Drop the SMS that wait; none of them has been answered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, msisdn: str) -> None:
        waiting = self._held[msisdn]
        while waiting:
            await self._prepare(waiting[0])
            self.waiting -= 1
            self._ready(waiting.popleft())
        del self._held[msisdn]

    async def _prepare(self, m: MobileOriginated) -> None:
        """Hash the password of an SMS, if it has one. A bug here fails this SMS only."""
        understood = m.understood
        try:
            if isinstance(understood, Instruction) and _needs_hash(m, understood):
                await self._hash(m, understood)
        except Exception as error:  # the boundary for bugs while a password is hashed
            m.fault = error

    async def _hash(self, m: MobileOriginated, understood: Instruction) -> None:
        now = self._clock.monotonic()
        times = self._times.setdefault(m.msisdn, deque())
        while times and now - times[0] >= _PERIOD:
            times.popleft()
        if len(times) >= HASHES_PER_MINUTE:
            m.understood = _too_often(m, understood)
            return
        times.append(now)
        drawn = "password" in m.tables.commands.draws(understood)
        m.secret = self._generate() if drawn else understood.arguments["password"]
        try:
            m.secret_hash = await self._hasher.hash(m.secret)
        except Busy:
            m.understood = _too_often(m, understood)


def _needs_hash(m: MobileOriginated, understood: Understood) -> bool:
    draws = m.tables.commands.draws(understood)
    return "password" in draws or "password_hash" in draws


def _too_often(m: MobileOriginated, understood: Understood) -> Understood:
    return Misunderstood(
        "misunderstood",
        understood.sender,
        understood.route,
        understood.text,
        m.tables.commands.table.general.too_often,
        hidden=Hidden.PASSWORD,
    )
