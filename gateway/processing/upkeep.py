"""Adds to each commit what is due besides SMS, and forgets old rows."""

from collections.abc import Iterable

from gateway.clock import Clock
from gateway.inbound.queue import InboundQueue
from gateway.inbound.reassembly import GivenUp, Reassembly
from gateway.inbound.retransmissions import Retransmissions
from gateway.message import Commit
from gateway.message_numbers import MessageNumbers
from gateway.outbound.outbox import Outbox
from gateway.processing.forgetting import Forgetting
from gateway.storage.contract import StorageError, Store

SETTLE_EVERY = 1.0
"""Minimum seconds between two moves of the watermark of certain responses."""
CANDIDATES_LOOKED_AT = 5_000
"""Candidates that one step checks for expiry."""


class Upkeep:
    """Maintains message numbers, watermark, parts and old rows."""

    def __init__(
        self,
        store: Store,
        retransmissions: Retransmissions,
        reassembly: Reassembly,
        outbox: Outbox,
        queue: InboundQueue,
        clock: Clock,
        retention_ms: int,
    ) -> None:
        self._forget_now = False
        self._forgetting = Forgetting()
        self._store = store
        self._retransmissions = retransmissions
        self._reassembly = reassembly
        self._outbox = outbox
        self._queue = queue
        self._clock = clock
        self._retention_ms = retention_ms
        self._expire_now = False
        self._settled_at = -SETTLE_EVERY
        self._given_up: list[GivenUp] = []  # long messages whose senders the next commit tells
        self._parts_gone: list[int] = []  # of messages given up, for the next commit

    def due(self) -> None:
        """Let the next step look for late parts and old rows."""
        self._forget_now = self._expire_now = True

    async def draw_run(self, numbers: MessageNumbers) -> None:
        """Draw another run of numbers if this one is nearly used up. Raises StorageError."""
        if numbers.wants_run:
            numbers.add_run(await self._store.next_run())

    def expire(self) -> None:
        """Give up long messages that are incomplete at their deadline."""
        if self._expire_now:
            self._expire_now = False
            self.give_up(*self._reassembly.expire(self._clock.now_ms()))

    def give_up(self, given_up: Iterable[GivenUp], gone: Iterable[int]) -> None:
        """Let the next commit tell the senders of these messages and delete their parts."""
        self._given_up += given_up
        self._parts_gone += gone

    def take_given_up(self) -> tuple[list[GivenUp], list[int]]:
        """Take out the long messages whose senders are to be told, and the parts to delete."""
        taken = self._given_up, self._parts_gone
        self._given_up, self._parts_gone = [], []
        return taken

    def put_back(self, given_up: list[GivenUp], gone: list[int]) -> None:
        """Put back what was taken out but not stored."""
        self._given_up = given_up + self._given_up
        self._parts_gone = gone + self._parts_gone

    def hand_in(self, commit: Commit, in_hand: Iterable[int], *, now_ms: int) -> None:
        """Add closed SMS, uncertain ranges and the watermark to a commit.

        in_hand: numbers of the SMS that are being processed. now_ms: the time of the commit.
        """
        self._outbox.hand_in(commit)
        now = self._clock.monotonic()
        if now - self._settled_at >= SETTLE_EVERY or self._retransmissions.news:
            self._settled_at = now
            waiting = min((m.number for m in self._queue), default=None)
            pending = min(in_hand, default=waiting)
            if pending is not None and waiting is not None:
                pending = min(pending, waiting)
            commit.settled = self._retransmissions.settle(now, now_ms, pending)
            self._retransmissions.hand_in(commit)

    def hand_in_last(self, commit: Commit) -> None:
        """Add the same to the last commit of an orderly stop, with the watermark."""
        self._settled_at = -SETTLE_EVERY
        self.hand_in(commit, (), now_ms=self._clock.now_ms())

    def take_back(self, commit: Commit) -> None:
        """Take back what was added to a commit that failed."""
        self._outbox.take_back(commit)
        self._retransmissions.take_back(commit)

    @property
    def forgets_now(self) -> bool:
        """Whether a step of forgetting is due between two batches."""
        return self._forget_now or self._forgetting.due(self._clock.monotonic())

    def tick(self) -> bool:
        """Ask for a step of forgetting if there is more to forget. Returns whether it was asked for."""
        self._forget_now = self._forget_now or self._forgetting.more
        return self._forgetting.more

    async def forget(self) -> None:
        """Delete, in one small step, what is older than the retention. Raises StorageError."""
        self._forget_now = False
        forgetting, clock = self._forgetting, self._clock
        before = clock.now_ms() - self._retention_ms
        try:
            await self._retransmissions.forget(clock.monotonic(), CANDIDATES_LOOKED_AT)
            begun = clock.monotonic()
            gone = await self._store.forget(before, forgetting.limit)
        except StorageError:
            forgetting.failed()
            raise
        forgetting.made(gone, begun, clock.monotonic())
