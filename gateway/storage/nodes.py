"""What a store that several nodes share does besides gateway.storage.contract (docs/decisions/017-nodes.md).

Rules for a driver, beside those of a Store; tests/contracts runs them with two stores open at once:

1. A commit of a node whose row has another holder raises Fenced, and nothing of it is stored. So does every
   other call that writes.
2. A commit whose World read a customer that has changed since (`Commit.revisions`) raises Stale, and nothing
   of it is stored. So does one with an SMS whose digest and ordinal (`Commit.ordinals`) another commit has
   stored since `answered` was asked, and one that uses up a candidate that another node has used up.
3. What `take_over` moves is moved in one transaction, which also ends the lease of the node that it is taken
   from. A lease that is renewed in time is never ended by another node.
4. `trusted_until` is never later than the end of the lease at the server, less TRUST_MARGIN seconds.
5. A named node writes the digest of each SMS that it stores, and takes it out when the answer is certain
   (`Commit.settled`) or it is a candidate.
6. Without a name the store has one owner (node 0) that wants it alone. When it has lost the store it gets
   StoreFault, never Fenced. Its Worlds have no revisions, and none of its commits is Stale.
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

    ordinal: counts the SMS with this digest, from 0. batch: how many commits (Store.commit, an empty one too)
    that node had made at this look. doubted: its answer is in doubt, and `expect` has not made it a candidate
    yet, or its node has begun anew and not called `recover` yet.
    """

    digest: bytes
    number: int
    node: int
    ordinal: int
    batch: int
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node as its row says.

    live: its lease is not over. left_s: seconds that are left of it. batch: how many commits it has made; it
    grows also over its restarts. receivers: by account the address ranges of binds that take SMS, "" for a
    bind without one.
    """

    number: int
    name: str
    live: bool
    left_s: float
    batch: int
    receivers: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was taken over from a node: counts. candidates: SMS looked at, which may become one."""

    number: int
    name: str
    sms: int
    parts: int
    events: int
    candidates: int


@runtime_checkable
class SharedStore(Store, Protocol):
    """A store that is open as one node of several."""

    @property
    def trusted_until(self) -> float:
        """Until when this node may act on its lease (time.monotonic seconds, rule 4).

        It moves with each commit.
        """

    async def now(self) -> int:
        """Give the time by the clock of the server (ms since the epoch), which is the same for all nodes."""

    async def nodes(self) -> list[NodeState]:
        """Give all nodes, this one among them, by number."""

    async def tell_receivers(self, receivers: Mapping[str, Sequence[str]]) -> None:
        """Write which binds of this node take SMS into its row, in a commit of its own."""

    async def answered(self, digests: Sequence[bytes]) -> list[Equal]:
        """Give the SMS with one of these digests whose answers are not certain yet, of all nodes.

        They come by digest and ordinal. One that is a candidate is none of them any more: ask this first,
        then `candidates`.
        """

    async def take_over(self, until: int, limit: int) -> list[TakenOver]:
        """Take over the work of nodes whose lease is over or given back; at most `limit` SMS of each.

        Outbox rows become this node's, and those that wait are marked as moved; parts of long messages become
        this node's (read them with `parts`); untold events are told behind this node's own under the same
        event_id, and refused ones once more; answers that were not certain become candidates until `until`
        (ms). Only nodes of which something was taken are given: call it until there is none. What a call took
        of which nobody heard, because the connection was lost, is given by the next one, perhaps twice.
        """

    async def take_in(self, limit: int) -> list[MobileTerminated]:
        """Give at most `limit` SMS that were moved to this node and that it has not taken in yet, by number.

        That it has is noted in a commit of its own; where nobody hears of that commit, because the connection
        is lost, the next call gives them, beside at most `limit` others. `repeat` says whether it may have
        left already. Store.waiting gives none of them before.
        """

    async def give(self, numbers: Sequence[int], node: int) -> list[int]:
        """Move waiting SMS of this node to another live node, in a commit of its own.

        Gives the numbers of those that are not this node's any more, also by an earlier call that failed.
        Where the connection is lost meanwhile it asks until it knows: an SMS that two nodes take for theirs
        leaves twice.
        """

    async def hold(self, name: str) -> bool:
        """Hold a task that only one node may do, such as the subscription of province topics.

        It lasts as long as the lease of this node, or until it stops. Gives whether this node holds it: it
        was free, or held by a node whose lease is over.
        """
