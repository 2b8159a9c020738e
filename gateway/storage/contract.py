"""What a store must do, whatever the engine. tests/contracts runs the same suite over every one.

1. `commit` writes all or nothing, and returns only when it is on stable storage.
2. `load` fills the World with what the keys name, None where nothing is known.
3. Faults are StoreFault (try later), StoreFull (no room) or Conflict (this batch breaks a rule of the
   store; run it message by message). After any of them nothing of the batch is in the store.
4. One process owns a store: a second one gets StoreInUse, with the path.
"""

from typing import Protocol

from commands.model import Keys, World
from gateway.model import Commit, MobileTerminated, StoredPart, Uncertain


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


class Store(Protocol):
    """A durable store, opened. All calls are synchronous and made from one thread, `sync` excepted."""

    run: int
    """How often this store has been opened, counted from 1; part of message numbers."""

    slow: bool
    """Whether a commit takes so long that `sync` should run in a thread."""

    def key_check(self) -> int | None:
        """gateway.secrets.Keys.check of the key that this store was made with; None: no key yet."""

    def set_key_check(self, check: int) -> None:
        """From now on this is its key. Durable. Raises StoreFault, StoreFull."""

    def load(self, keys: Keys, world: World) -> None:
        """Put what the keys name into the world. Raises StoreFault."""

    def write(self, commit: Commit) -> None:
        """Write the rows, not yet durable. Raises StoreFault, StoreFull, Conflict: all rolled back."""

    def sync(self) -> None:
        """Make it durable. May run in another thread. Raises StoreFault, StoreFull: rolled back."""

    def matching(self, place: float, limit: int) -> list[str]:
        """Mobiles of customers with matching, in order and then from the first again, each once.

        place: where to begin, from 0 to 1 between the lowest and the highest of them.
        """

    def recent(self, since: int, limit: int) -> list[tuple[int, str, str, str, str | None]]:
        """(at, msisdn, text, destination, first sentence of the answer or "") of the SMS from `since` on, in
        order, the last `limit` of them. None for the sentence: it was limited, not handled."""

    def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        """SMS not yet closed, in order of their numbers, from behind `after`."""

    def parked(self, number: int) -> MobileTerminated | None:
        """The SMS with that number if it is parked as suspect."""

    def parts(self) -> list[StoredPart]:
        """Parts of long messages that wait for others."""

    def uncertain(self) -> list[Uncertain]:
        """Ranges noted by earlier commits whose answers may not have arrived."""

    def settled(self) -> tuple[int, int]:
        """(number, at) up to which answers are certain; (0, 0) at first."""

    def digests(self, span: Uncertain) -> list[tuple[int, bytes, int]]:
        """(number, digest, time of the last repeat or 0) of the messages in a range."""

    def forget_uncertain(self, now: int) -> None:
        """Drop ranges whose time is over. Raises StoreFault."""

    def forget(self, before: int, limit: int) -> int:
        """Delete for good, in a commit of its own, what is older than `before`: at most `limit` rows of each
        kind. Never an SMS that waits or is parked, nor one that a resend may repeat. Gives `limit` when there
        may be more to delete, else less. May run in another thread. Raises StoreFault, StoreFull."""

    def close(self) -> None:
        """Release the store. Nothing may be called afterwards."""
