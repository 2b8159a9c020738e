"""Chooses the node at which an SMS to another handset leaves (docs/decisions/017-nodes.md).

The rule of gateway.outbound.selection, over the receivers of all live nodes: the one that asks most closely
for the handset; of equals this node, else by hash.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from gateway.message import MobileTerminated
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.storage.nodes import NodeState


class Range(Protocol):
    """An address range that asks for somebody."""

    def weight(self, msisdn: str) -> int:
        """How closely; 0: not at all."""


ReadRange = Callable[[str], Range | None]
"""Reads an address range as a bind names it; None: it asks for nobody in particular."""


class Placement:
    """Knows the receivers of the other live nodes. node: the number of this one."""

    def __init__(self, node: int, binds: Binds, outbox: Outbox, read_range: ReadRange) -> None:
        self._node = node
        self._binds = binds
        self._outbox = outbox
        self._read_range = read_range
        self._others: dict[str, list[tuple[int, Sequence[Range | None]]]] = {}

    def learn(self, states: Iterable[NodeState]) -> None:
        """Take over what the nodes say of their receivers."""
        others: dict[str, list[tuple[int, Sequence[Range | None]]]] = {}
        for state in states:
            if state.live and state.number != self._node:
                for account, ranges in state.receivers.items():
                    read = [self._read_range(each) for each in dict.fromkeys(ranges)]
                    others.setdefault(account, []).append((state.number, read))
        self._others = others

    def place(self, outgoing: Iterable[MobileTerminated], elsewhere: Counter[int]) -> None:
        """Set the node of SMS that are no replies to their sender. elsewhere: counts them by node."""
        if not self._others:
            return
        here: set[tuple[str, str]] = set()
        for sms in outgoing:
            way = sms.account, sms.msisdn
            if sms.bind or way in here or self._outbox.waits_for(*way):
                if sms.msisdn:
                    here.add(way)  # what follows to this handset comes behind it
                continue
            sms.node = self.elsewhere(*way)
            if sms.node:
                elsewhere[sms.node] += 1

    def elsewhere(self, account: str, msisdn: str) -> int:
        """Return the number of the node at which an SMS leaves; 0: here, or nowhere for now.

        A receipt, which is for no handset (""), leaves on any receiver.
        """
        most = self._binds.claim(account, msisdn)
        nodes: list[int] = []
        for number, ranges in self._others.get(account, ()):
            closest = max((_closeness(each, msisdn) for each in ranges), default=-1)
            if closest > most:
                most, nodes = closest, [number]
            elif nodes and closest == most:
                nodes.append(number)
        return nodes[zlib.crc32(msisdn.encode()) % len(nodes)] if nodes else 0


def _closeness(wanted: Range | None, msisdn: str) -> int:
    """How closely a receiver asks for a handset: 0 for nobody in particular, -1 not for this one."""
    return 0 if wanted is None or not msisdn else wanted.weight(msisdn) or -1
