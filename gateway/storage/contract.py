"""The contract of a Store: what a driver must do, whatever its engine. What only reads:
gateway.storage.reader.

Rules for a driver; tests/contracts runs one suite over every driver:

1. `commit` writes all of a Commit or nothing, and returns when it is on stable storage. A commit that has
   begun comes to its end, also when its caller is cancelled meanwhile. Where the engine went away during
   it, so that nobody knows whether it is stored, it goes on asking and does not return; every other call is
   a StoreFault. After `give_up` it asks once more, for a bounded time, and then raises InDoubt. It raises
   that too when it can never be known.
2. `load` puts a value into the World for every key that it was given: None where the store has none.
3. No call sees what is not committed: while a commit is under way, every other call waits for its end.
4. An engine's error never leaves the driver. It becomes StoreFault (try again later), StoreFull (no room) or
   Conflict (the batch breaks rule 5 or 6; the caller stores it message by message). After each of them
   nothing of the batch is in the store, and the next call works. InDoubt (rule 1) is the only other error.
5. A number of an SMS is stored once per kind: `messages`, `outgoing` and `parts` of a Commit are new numbers.
6. A Fetion number has one holder.
7. What was stored is the caller's no longer: changing a value after `commit`, or one that a call gave,
   changes nothing in the store.
8. One process has a store open. A second opening, also in the same process, raises StoreInUse with the path.
9. `close` waits for a commit that is under way, as after `give_up`, then lets go of the store.
10. Only the owner of the process may read the files of a store. Of an SMS with a secret the driver keeps
   `sealed`, never the text, and neither once the SMS is closed.

Every call comes from the thread of the event loop. A driver that has nothing to wait for does not suspend.
Times are milliseconds since the epoch, UTC. How a store is opened: gateway.storage.engines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from commands.model import LoadKeys, World
from gateway.message import (
    Asked,
    Commit,
    EarlyReceipt,
    Expected,
    MobileTerminated,
    PartReceipt,
    StoredEvent,
    StoredPart,
    Watermark,
)
from gateway.storage.accounts import AccountStore, ActionStore
from gateway.storage.figures import FigureStore


class StorageError(Exception):
    """Root of what a store raises."""


class StoreInUse(StorageError):
    """Somebody else has this store open."""


class StoreUnusable(StorageError):
    """The store cannot be opened or read: wrong path, not a store, written by a newer version."""


def other_schema(place: str, version: int, known: int) -> StoreUnusable:
    """Return the error of a command that reads a store of another schema, with the remedy."""
    remedy = "use the command of the newer version"
    if version < known:
        remedy = "start its gateway in this version, which brings it up to date, or use the older command"
    return StoreUnusable(f"{place}: its schema is version {version}, this command reads {known}: {remedy}")


class StoreFault(StorageError):
    """The engine failed (disk, connection): temporary. Nothing was written."""


class StoreFull(StorageError):
    """There is no room for the batch. Nothing was written."""


class InDoubt(StorageError):
    """Nobody knows whether the batch was written: its SMS must be neither accepted nor refused."""


class Conflict(StorageError):
    """The batch breaks rule 5 or 6. Nothing was written."""


class RecentSms(NamedTuple):
    """An SMS that a handset sent lately.

    sentence: the first one of its answer, "" where there was none; None: the SMS was limited, not handled.
    """

    at: int
    msisdn: str
    text: str
    destination: str
    sentence: str | None


class Candidate(NamedTuple):
    """SMS `number` has this digest and may come again."""

    digest: bytes
    number: int


class PartState(Enum):
    """Where a part of a long message stands."""

    WAITS = "waits for the others"
    COMPLETE = "the message is complete"
    GONE = "no part is stored"  # given up, or complete for long; and what is no part


class Earlier(NamedTuple):
    """An SMS in, for who asks about it: gateway.message.JournalEntry has the same fields."""

    number: int
    at: int
    account: str
    msisdn: str
    destination: str
    outcome: str
    part: PartState = PartState.GONE


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a consumer of events stands.

    sequence: the last event that it is done with. parked: how many it refused. dropped: how many went before
    it took them, because they were too many or too old, parked ones among them.
    """

    sequence: int = 0
    parked: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ForgottenEvents:
    """What a step of forget_events came to: how many events went, the last of them, and by consumer how many
    of them, and of its parked ones, went without having been taken."""

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
    ) -> int:
        """The consumer is done with all events up to `sequence`. Durable, in a commit of its own.

        A cursor never moves back. parked: events among them that it refused, each with the reason; counted
        once each, and kept, the latest 10,000 of a consumer. Gives how many older ones went, counted as
        dropped.
        """

    async def parked_events(self, name: str, limit: int, after: int = 0) -> list[tuple[StoredEvent, str]]:
        """Events that a consumer refused, with the reason, oldest first, from behind the sequence `after`."""

    async def unpark_events(self, name: str, sequences: Sequence[int]) -> None:
        """The consumer has taken these parked events after all. Durable, in a commit of its own."""

    async def forget_events(self, before: int, most: int, limit: int) -> ForgottenEvents:
        """Delete for good, in a commit of its own, the oldest events, `limit` at most: those that every
        consumer has passed, those older than `before` (ms UTC), and those of which more than `most` are
        there. What a consumer had not passed is added to its `dropped`, and its cursor moves behind it.
        Parked events older than `before` go as well, and count as dropped."""


class ProvinceStore(Protocol):
    """SMS to and from provinces. `Store.forget` forgets them by their time, unless they are open."""

    async def asked(self, numbers: Sequence[int]) -> list[Asked]:
        """The SMS to provinces with these numbers, by number."""

    async def overdue(self, now: int, limit: int) -> list[Asked]:
        """At most `limit` SMS to provinces that are not over and whose time is up, by deadline."""

    async def posted(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (province, id) are stored already."""

    async def posted_since(self, at: int) -> dict[str, int]:
        """How many SMS each province has sent at `at` or later."""


class ReceiptStore(Protocol):
    """Receipts of SMS that left. Keys: account, and gateway.message.receipt_key of an id. `Store.forget`
    forgets rows of parts with their SMS, early receipts by their time."""

    async def receipts_named(self, keys: Sequence[tuple[str, str]]) -> list[PartReceipt]:
        """The parts with one of these keys, in order, whatever their state."""

    async def receipts_of(self, numbers: Sequence[int]) -> list[PartReceipt]:
        """The parts of the SMS with these numbers, in order."""

    async def receipts_due(self, now: int, limit: int) -> list[PartReceipt]:
        """At most `limit` parts whose `until` has come, by it."""

    async def early_named(self, keys: Sequence[tuple[str, str]]) -> list[EarlyReceipt]:
        """The early receipts, not reported yet, with one of these keys as `key` or `other`."""

    async def early_open(self, before: int, limit: int) -> list[EarlyReceipt]:
        """At most `limit` early receipts, not reported yet, that came at `before` or earlier, by time."""


class EnquiryStore(Protocol):
    """What peers ask about SMS that they sent."""

    async def find(self, numbers: Sequence[int]) -> list[Earlier]:
        """The SMS in with these numbers, of all nodes, by number."""


class Store(
    EventStore, ProvinceStore, ReceiptStore, EnquiryStore, AccountStore, FigureStore, ActionStore, Protocol
):
    """A store that is open. Every call may raise StoreFault; calls that write may raise StoreFull as well."""

    run: int
    """The run that this opening drew: a part of every number of an SMS (gateway.message.Numbers)."""

    node: int
    """The node that this opening is, another part of them; 0 where the store has one gateway alone."""

    async def key_check(self) -> int | None:
        """Give the check (gateway.secrets.Keys.check) of the key that the store belongs to; None: no key
        yet."""

    async def set_key_check(self, check: int, known: int | None) -> None:
        """Make the key with this check the store's own, durably, unless another node did so meanwhile.

        Args:
            check: 0 to 2**63 - 1.
            known: what key_check gave; if the store has another one now, that one stays.
        """

    async def next_run(self) -> int:
        """Draw another run, durably: no opening and no other call has had or will have it.

        Raises StoreUnusable when all runs (gateway.message.RUNS) are used up, as opening does.
        """

    async def last_time(self) -> int:
        """Give the time of the last SMS, or of the watermark where that is later; 0 in a new store.

        A clock that shows an earlier time has been put back.
        """

    async def load(self, keys: LoadKeys, world: World) -> None:
        """Put the values of `keys` into `world` (rule 2); a list of buddies is ordered by their mobiles."""

    async def commit(self, commit: Commit) -> None:
        """Store all of `commit`, durably (rule 1). Raises Conflict too.

        What is written about a number that the store does not have (`closed`, `changed`, `attempts`,
        `parts_gone`, `parts_complete`, `repeats`, `doubted`, `receipts`, `outcomes`) has no effect. An
        attempt replaces that of the same SMS and place (gateway.message.Attempt); attempts and receipts go
        with their SMS. `certain` also takes back what `uncertain` of the same commit says.
        """

    async def matching(self, place: float, limit: int) -> list[str]:
        """Give at most `limit` mobiles of customers who have matching, each once, by number from `place` on.

        place: 0 to 1, where to begin between the lowest and the highest of them; behind the highest it goes
        on with the lowest.
        """

    async def recent(self, since: int, limit: int) -> list[RecentSms]:
        """Give the last `limit` SMS that came at `since` or later and were understood as something, in
        order; no actions of operators."""

    async def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        """Give at most `limit` SMS that wait to leave, by number, those above `after`.

        Each has `repeat` set: it may have left before. A secret one has `sealed` and no text.
        """

    async def parked(self, number: int) -> MobileTerminated | None:
        """Give the SMS with that number, as `waiting` does, if it is parked (Delivery.PARKED); else None."""

    async def parts(self) -> list[StoredPart]:
        """Give every stored part of long messages, by number: those that wait, and those that may come
        again."""

    async def settled(self) -> Watermark:
        """Give the watermark of certain answers that was committed last; (0, 0) in a new store."""

    async def recover(self, until: int) -> None:
        """Note, at the start of a process, what the end of the last one left in doubt.

        All SMS above the watermark become an uncertain range; candidates that were used up later than its
        time are candidates again, those used up earlier are none any more; SMS that wait to leave may have
        left. until: when the store stops looking for them.
        """

    async def expect(self, limit: int) -> Expected:
        """Make candidates of the next SMS of the oldest uncertain range, in a commit of its own.

        An SMS whose retransmission was recognised becomes none. limit: SMS that are looked at, at most. A
        driver may bound its candidates; Expected.dropped tells how many it gave up for that.
        """

    async def candidates(self, digests: Iterable[bytes], now: int) -> list[Candidate]:
        """Give the candidates with one of these digests that are not used up and whose `until` is after
        `now`.

        Those of one digest come by number.
        """

    async def forget_candidates(self, now: int, limit: int) -> int:
        """Drop candidates whose `until` has come and that are not used up, and give how many are left.

        limit: candidates that are looked at, those of the lowest numbers.
        """

    async def forget(self, before: int, limit: int) -> int:
        """Delete what is older than `before`, at most `limit` SMS in, SMS out and product records each.

        It happens in a commit of its own. Kept in any case: SMS in above the watermark, or in or behind an
        uncertain range; SMS out that wait or are parked, or that follow the first SMS in that is left. Gives
        how many went of the kind of which most did: `limit` when there may be more.
        """

    def give_up(self) -> None:
        """Wait no longer for what became of a commit that is in doubt (rule 1). A commit at which the
        engine works comes to its end all the same."""

    async def close(self) -> None:
        """Let go of the store (rule 9). Nothing may be called afterwards."""
