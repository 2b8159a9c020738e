"""What a store that several nodes share does besides gateway.storage.contract (docs/decisions/017-nodes.md).

Rules for a driver, beside those of a Store; tests/contracts runs them with two stores open at once:

1. A commit of a node whose row has another holder raises Fenced, and nothing of it is stored. So does every
   other call that writes.
2. A commit whose World read a customer that has changed since raises Stale, and nothing of it is stored. So
   does one with an SMS that equals one that another node has stored since `answered` was asked.
3. What `take_over` moves is moved in one transaction, which also ends the lease of the node that it is taken
   from. A lease that is renewed in time is never ended by another node.
4. `trusted_until` is never later than the end of the lease at the server, less TRUST_MARGIN seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable

from gateway.message import MobileTerminated
from gateway.storage.contract import StorageError, Store

TRUST_MARGIN: Final = 1.0
"""Seconds before its end from which the holder of a lease no longer trusts it."""


class Fenced(StorageError):
    """The lease of this node is over, and another node has taken its work: begin anew."""


class Stale(StorageError):
    """What a batch has read has changed since. Nothing was written: load again and run it again."""


class Equal(NamedTuple):
    """An SMS with this digest was stored by `node` and its answer is not certain yet.

    ordinal: counts the SMS with this digest, from 0. batch: how many commits that node had made at this look.
    """

    digest: bytes
    number: int
    node: int
    ordinal: int
    batch: int


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node as its row says. live: its lease is not over. left_s: seconds that are left of it. batch: how
    many commits it has made; grows also over its restarts. receivers: by account the address ranges of
    binds that take SMS, "" for a bind without one."""

    number: int
    name: str
    live: bool
    left_s: float
    batch: int
    receivers: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was taken over from a node: counts."""

    number: int
    name: str
    sms: int
    parts: int
    events: int
    candidates: int


@runtime_checkable
class SharedStore(Store, Protocol):
    """A store that is open as one node of several."""

    node: int
    """The number of this node: the upper 7 bits of its SMS numbers."""

    @property
    def trusted_until(self) -> float:
        """Until when this node may act on its lease (time.monotonic seconds, rule 4). It moves with each
        commit."""

    async def nodes(self) -> list[NodeState]:
        """Give all nodes, this one among them, by number."""

    async def tell_receivers(self, receivers: Mapping[str, Sequence[str]]) -> None:
        """Write which binds of this node take SMS into its row, in a commit of its own."""

    async def answered(self, digests: Sequence[bytes]) -> list[Equal]:
        """Give the SMS with one of these digests whose answers are not certain yet, of all nodes, by digest
        and ordinal."""

    async def take_over(self, until: int, limit: int) -> list[TakenOver]:
        """Take over the work of nodes whose lease is over or given back; at most `limit` SMS of each.

        Outbox rows become this node's and are marked as moved; parts of long messages become this node's
        (read them with `parts`); untold events are told behind this node's own under the same event_id;
        answers that were not certain become candidates until `until` (ms). Only nodes of which something
        was taken are given.
        """

    async def take_in(self, limit: int) -> list[MobileTerminated]:
        """Give, as Store.waiting does, at most `limit` SMS that were moved to this node and that it has not
        taken in yet, by number, and note in a commit of its own that it has."""

    async def give(self, numbers: Sequence[int], node: int) -> list[int]:
        """Move waiting SMS of this node to another live node, in a commit of its own. Gives the numbers of
        those that were moved."""

    async def hold(self, name: str) -> bool:
        """Hold a task that only one node may do, such as the subscription of province topics, as long as
        the lease of this node lasts or until it stops. Gives whether this node holds it: it was free, or
        held by a node whose lease is over."""
