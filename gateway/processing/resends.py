"""Recognises SMS that another node has stored and may have answered (docs/decisions/017-nodes.md).

Such an SMS comes again here when its centre lost the session with the other node. Only that node knows
whether the answer arrived. So the SMS is held, with what its handset sends after it, until one of these:

- It is a candidate: then it is a repeat.
- The other node has committed twice since, and so has stored what it knew of its sessions, and KNOWN_AFTER
  seconds have passed: then it is new.
- The store has it no more: its answer was certain, so it is new; or the work of the other node was taken
  over, which has made a candidate of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.inbound.mobile_originated import MobileOriginated
from gateway.storage.nodes import Equal, SharedStore

COMMITS: Final = 2
"""Commits of the other node. The first one may have begun before the look."""
KNOWN_AFTER: Final = 2.0
"""Seconds that the end of a session may take longer to the other node than the resend took to this one. Under
load that node commits a hundred times meanwhile."""


@dataclass(slots=True)
class Doubt:
    """What the store has of the SMS of one batch, at a moment (now, monotonic seconds). handsets: whose SMS
    are held."""

    node: int
    handsets: set[str]
    now: float
    equals: dict[bytes, list[Equal]] = field(default_factory=dict)
    ordinals: dict[bytes, int] = field(default_factory=dict)

    def holds(self, m: MobileOriginated, *, certain: bool) -> bool:
        """Return whether an SMS has to wait. certain: it is a candidate, or its account looks for none."""
        if m.handset not in self.handsets:
            if certain or not self._open(m):
                return False
            self.handsets.add(m.handset)
        return True

    def ordinal(self, digest: bytes) -> int:
        """Give a new SMS its place among those with the same digest."""
        known = self.ordinals.get(digest)
        if known is None:
            known = max((each.ordinal + 1 for each in self.equals.get(digest, ())), default=0)
        self.ordinals[digest] = known + 1
        return known

    def _open(self, m: MobileOriginated) -> bool:
        """Return whether it is open for one of the equal SMS of other nodes if this is it."""
        still = False
        for equal in self.equals.get(m.digest, ()):
            if equal.node == self.node:
                continue
            if m.seen is None:
                m.seen = {}
            batch, at = m.seen.setdefault(equal.number, (equal.batch, self.now))
            known = equal.batch >= batch + COMMITS and self.now >= at + KNOWN_AFTER
            still = still or equal.doubted or not known
        return still


class Resends:
    """Looks for the SMS of batches in the store. held: gives the handsets whose SMS are held already."""

    def __init__(self, store: SharedStore, held: Callable[[], Iterable[str]]) -> None:
        self._store = store
        self._held = held

    async def look(self, digests: list[bytes], now: float) -> Doubt:
        """Ask what the store has, before it is asked for candidates. Raises StorageError."""
        doubt = Doubt(self._store.node, set(self._held()), now)
        if digests:
            for equal in await self._store.answered(digests):
                doubt.equals.setdefault(equal.digest, []).append(equal)
        return doubt
