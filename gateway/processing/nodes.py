"""Keeps a gateway in touch with the others that use its store (docs/decisions/017-nodes.md).

Once a second the pipeline commits, also when there is nothing to write, and then looks at the nodes: it tells
them which binds take SMS here, takes over what dead nodes left, takes in what was moved here, and gives away
SMS that find no receiver here. Only the pipeline's task calls the store for that.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Any, Final

from gateway.clock import Clock
from gateway.inbound.retransmissions import Retransmissions
from gateway.message import MobileTerminated
from gateway.observer import Observer
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.processing.placement import Placement, ReadRange
from gateway.processing.recovery import Recovery
from gateway.storage.nodes import NodeState, SharedStore

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the nodes, and between two commits at most."""
STEP: Final = 2_000
"""SMS that one look takes over, takes in or gives away at most."""

COMPARE_EVERY: Final = 60.0
"""Seconds between two looks at the clock of the server."""
APART: Final = 5.0
"""Seconds by which the clock of this node may differ from it without being told of."""
STEP_BACK: Final = 0.05
"""Seconds, at most, between two attempts with an SMS that another node has met."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the gateway has to do with other nodes."""

    binds: Binds
    outbox: Outbox
    retransmissions: Retransmissions
    recovery: Recovery
    clock: Clock
    random: Random
    observer: Observer


class Nodes:
    """One node among others.

    Args:
        name: of this one.
        read_range: reads an address range.
        recover_parts: reads parts of long messages that were taken over.
        monotonic: the clock on which the store says how long its lease is trusted.

    placement: where SMS to other handsets leave. wake: tells other nodes, by their names, how many SMS were
    moved to them. Without it they see it at their next look.
    """

    def __init__(
        self,
        store: SharedStore,
        name: str,
        parts: Surroundings,
        read_range: ReadRange,
        recover_parts: Callable[[], Awaitable[None]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._name = name
        self._binds = parts.binds
        self._outbox = parts.outbox
        self._retransmissions = parts.retransmissions
        self.placement = Placement(store.node, parts.binds, parts.outbox, read_range)
        self._clock = parts.clock
        self._observer = parts.observer
        self._recovery = parts.recovery
        self._random = parts.random
        self._recover_parts = recover_parts
        self.wake: Callable[[Mapping[str, int]], None] | None = None
        self._monotonic = monotonic
        self._states: list[NodeState] = []
        self._looked_at = self._committed_at = self._compared_at = -inf
        self._apart = False
        self._was_trusted = True
        self._told: Mapping[str, Sequence[str]] | None = None
        self._giving: deque[tuple[int, list[MobileTerminated]]] = deque()  # by node: stored or not
        self._parts_unread = False  # parts were taken over, or nobody knows

    @property
    def due(self) -> bool:
        """Whether a look is due, with a commit before it."""
        return self._clock.monotonic() - self._looked_at >= LOOK_EVERY

    @property
    def renewal_due(self) -> bool:
        """Whether a commit is due, also an empty one: it renews the lease."""
        return self.due or self._clock.monotonic() - self._committed_at >= LOOK_EVERY

    def committed(self) -> None:
        """Note that something was committed."""
        self._committed_at = self._clock.monotonic()

    @property
    def accompanied(self) -> bool:
        """Whether another node was live at the last look."""
        return any(each.live for each in self._others())

    def trusted(self) -> bool:
        """Return whether this node may act on its lease."""
        return self._monotonic() < self._store.trusted_until

    def tick(self) -> bool:
        """Note whether the lease is trusted. Returns whether a commit and a look are due."""
        trusted = self.trusted()
        if trusted is not self._was_trusted:
            self._was_trusted = trusted
            if trusted:
                self._observer.node_trusted(self._name)
                self._outbox.tick(self._clock.monotonic(), self._clock.now_ms())  # what waited because of it
            else:
                self._observer.node_untrusted(self._name)
        return self.due

    def moved(self) -> None:
        """Let the next step look at once: SMS were moved here."""
        self._looked_at = -inf

    async def step_back(self) -> None:
        """Let another node commit what it changes: wait a short random time."""
        await asyncio.sleep(self._random.uniform(0, STEP_BACK))

    def left_elsewhere(self, moved: Mapping[int, int]) -> None:
        """Tell other nodes how many SMS were moved to them. moved: by their numbers."""
        if self.wake is not None and moved:
            self.wake({each.name: moved[each.number] for each in self._states if each.number in moved})

    async def look(self) -> None:
        """Do what is done once a second. Raises StorageError."""
        self._looked_at = self._clock.monotonic()
        receivers = self._binds.receivers(self._looked_at)
        if receivers != self._told:
            await self._store.tell_receivers(receivers)
            self._told = receivers
        self._learn(await self._store.nodes())
        if self._parts_unread or any(not each.live for each in self._others()):
            await self._take_over()
        if (room := min(self._outbox.limit - self._outbox.depth, STEP)) > 0:
            self._recovery.take_in(await self._store.take_in(room))
        await self._give()
        if self._looked_at - self._compared_at >= COMPARE_EVERY:
            await self._compare_clocks()

    async def _compare_clocks(self) -> None:
        """Say when the clock of this node is wrong, or that of the server, and when they agree again."""
        self._compared_at = self._clock.monotonic()
        ahead_s = (self._clock.now_ms() - await self._store.now()) / 1000
        apart = abs(ahead_s) > APART
        if apart and not self._apart:
            self._observer.node_clock_differs(self._name, ahead_s)
        elif self._apart and not apart:
            self._observer.node_clock_agrees(self._name, ahead_s)
        self._apart = apart

    def _others(self) -> list[NodeState]:
        return [each for each in self._states if each.number != self._store.node]

    def _learn(self, states: list[NodeState]) -> None:
        known = {each.number for each in self._states if each.live}
        self._states = states
        for each in self._others():
            if each.live and each.number not in known:
                self._observer.node_joined(each.name, each.number)
        self.placement.learn(states)

    async def _take_over(self) -> None:
        until = self._retransmissions.until(self._clock.monotonic())
        parts, self._parts_unread = int(self._parts_unread), True
        for taken in await self._store.take_over(until, STEP):
            self._looked_at = -inf  # there may be more
            self._observer.node_taken_over(taken.name, taken.sms, taken.parts, taken.events, taken.candidates)
            parts += taken.parts
        if parts:
            await self._recover_parts()
        self._parts_unread = False

    async def _give(self) -> None:
        """Give SMS that find no receiver here to nodes that have one. Where the store fails, nobody knows
        whose they are: they leave from nowhere until the store has said it."""
        self._giving += self._outbox.take_out(self.placement.elsewhere, STEP).items()
        while self._giving:
            node, waiting = self._giving[0]
            given = set(await self._store.give([sms.number for sms in waiting], node))
            del self._giving[0]
            kept = [sms for sms in waiting if sms.number not in given]
            self._outbox.hand_over(kept, self._clock.monotonic(), self._clock.now_ms())
            if given:
                self.left_elsewhere({node: len(given)})

    # What operators are told

    def report(self) -> list[dict[str, Any]]:
        """Every node as it was at the last look; binds: those that take SMS."""
        return [
            {
                "name": each.name,
                "number": each.number,
                "this": each.number == self._store.node,
                "live": each.live,
                "lease_s": round(max(0.0, each.left_s), 1),
                "binds": sum(map(len, each.receivers.values())),
            }
            for each in self._states
            if each.name  # a store that one gateway had has the row of that one
        ]

    def owner_of(self, sms: MobileTerminated) -> str | None:
        """Return the name of the other node to which an SMS of the store belongs.

        What a dead one left is this node's, or another one's, in a moment: nobody decides about it before.
        """
        if sms.node == self._store.node:
            return None
        return next((each.name for each in self._others() if each.number == sms.node), "") or str(sms.node)
