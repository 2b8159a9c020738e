"""What a store must do, whatever the engine. tests/contracts runs the same suite over every one.

1. `commit` writes all or nothing, and returns only when it is on stable storage. A commit that was begun
comes to
   its end, also when the caller is cancelled meanwhile.
2. `load` fills the World with what the keys name, None where nothing is known.
3. No call sees, or meets, what is not committed: while a commit is under way, every other call waits for its
end. 4. Faults are StoreFault (try later), StoreFull (no room) or Conflict (this batch breaks a rule of the
store; run it
   message by message). After any of them nothing of the batch is in the store.
5. One process owns a store: a second one gets StoreInUse, with the path.
6. `close` waits for a commit that is under way.

All calls are made from the event loop's thread. A driver that does not need to wait does not suspend.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from commands.model import LoadKeys, World
from gateway.message import Commit, Expected, MobileTerminated, StoredEvent, StoredPart


class StorageError(Exception):
    """Root of what storage raises."""


class StoreInUse(StorageError):
    """Another process has this store open."""


class StoreUnusable(StorageError):
    """The store cannot be opened: wrong path, not a database, schema of a newer version."""


class StoreFault(StorageError):
    """The engine failed (disk, I/O): temporary, nothing was written."""


class StoreFull(StorageError):
    """There is no room for the batch; nothing was written."""


class Conflict(StorageError):
    """The batch breaks a rule of the store (unique Fetion number, say); nothing was written."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a consumer of events stands.

    sequence: the last event that it is done with. parked: how many it refused for good. dropped: how many
    went before it took them, because they were too many or too old.
    """

    sequence: int = 0
    parked: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ForgottenEvents:
    """What a step of forget_events came to: how many events went, the last of them, and by consumer how many
    of them it had not taken."""

    gone: int
    last: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


class EventStore(Protocol):
    """The events of a store. Their sequence is the order of commits, and in one commit that of its list."""

    @property
    def last_event(self) -> int:
        """Sequence of the last event that was committed, 0 at first. A look, not a read of the disk."""

    async def events_after(self, sequence: int, limit: int) -> list[StoredEvent]:
        """The events behind that one, in order, `limit` at most."""

    async def cursor(self, name: str) -> Cursor:
        """Where the consumer of that name stands. One that was never asked for stands before the oldest event
        that is there, and from now on events are kept for it. Durable."""

    async def move_cursor(
        self, name: str, sequence: int, parked: Sequence[tuple[StoredEvent, str]] = ()
    ) -> None:
        """The consumer is done with all events up to `sequence`. Durable, in a commit of its own.

        A cursor never moves back. parked: events among them that it refused for good, each with the reason;
        counted once each, and kept, the latest 10,000 of a consumer.
        """

    async def parked_events(self, name: str, limit: int) -> list[tuple[StoredEvent, str]]:
        """Events that a consumer refused for good, with the reason, oldest first."""

    async def forget_events(self, before: int, most: int, limit: int) -> ForgottenEvents:
        """Delete for good, in a commit of its own, the oldest events, `limit` at most: those that every
        consumer has passed, those older than `before` (ms UTC), and those of which more than `most` are
        there. What a consumer had not passed is added to its `dropped`, and its cursor moves behind it.
        Parked events older than `before` go as well."""


class Store(EventStore, Protocol):
    """A durable store, opened. Every call may raise StoreFault, those that write StoreFull too."""

    run: int
    """The run that this opening drew: part of message numbers."""

    async def key_check(self) -> int | None:
        """gateway.secrets.Keys.check of the key that this store was made with; None: no key yet."""

    async def set_key_check(self, check: int) -> None:
        """From now on this is its key. Durable."""

    async def next_run(self) -> int:
        """Draw one more run: a number that no opening and no other call has had. Durable."""

    async def last_time(self) -> int:
        """The latest time of anything that was stored, 0 at first: a clock that went back is behind it."""

    async def load(self, keys: LoadKeys, world: World) -> None:
        """Put what the keys name into the world."""

    async def commit(self, commit: Commit) -> None:
        """Store everything of it, durably. Raises Conflict as well."""

    async def matching(self, place: float, limit: int) -> list[str]:
        """Mobiles of customers with matching, in order and then from the first again, each once.

        place: where to begin, from 0 to 1 between the lowest and the highest of them.
        """

    async def recent(self, since: int, limit: int) -> list[tuple[int, str, str, str, str | None]]:
        """(at, msisdn, text, destination, first sentence of the answer or "") of the SMS from `since` on, in
        order, the last `limit` of them. None for the sentence: it was limited, not handled."""

    async def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        """SMS not yet closed, in order of their numbers, from behind `after`."""

    async def parked(self, number: int) -> MobileTerminated | None:
        """The SMS with that number if it is parked as suspect."""

    async def parts(self) -> list[StoredPart]:
        """Parts of long messages that wait for others, and those of complete ones that may come again."""

    async def settled(self) -> tuple[int, int]:
        """(number, at) up to which answers are certain; (0, 0) at first."""

    async def recover(self, until: int) -> None:
        """At the start: all SMS above the watermark become an uncertain range, and candidates whose answers
        to a retransmission are not certain are candidates again, until `until`."""

    async def expect(self, limit: int) -> Expected:
        """Make candidates of the next SMS of the uncertain ranges, looking at `limit` of them at most, in a
        commit of its own."""

    async def candidates(self, digests: Iterable[bytes], now: int) -> list[tuple[bytes, int]]:
        """(digest, number) of the SMS with one of these digests that may come again, by their numbers."""

    async def forget_candidates(self, now: int, limit: int) -> int:
        """Drop candidates whose time is over, looking at the `limit` oldest. Gives how many the store still
        has."""

    async def forget(self, before: int, limit: int) -> int:
        """Delete for good, in a commit of its own, what is older than `before`: at most `limit` rows of each
        kind. Never an SMS that waits or is parked, nor one of an uncertain range. Gives `limit` when there
        may be more to delete, else less."""

    async def close(self) -> None:
        """Release the store. Nothing may be called afterwards."""
