"""What is done beside the SMS: what else goes into a commit, and what is forgotten."""

from collections.abc import Iterable

from gateway.clock import Clock
from gateway.inbound.queue import InboundQueue
from gateway.inbound.reassembly import GivenUp, Reassembly
from gateway.inbound.retransmissions import Retransmissions
from gateway.message import Commit, MessageNumbers
from gateway.outbound.outbox import Outbox
from gateway.storage.contract import Store

SETTLE_EVERY = 1.0
"""Seconds between two moves of the watermark of certain answers, at least."""
FORGOTTEN = 500
"""Old rows of each kind that one step of forgetting deletes: some 2 ms, ten times a second."""
CANDIDATES_LOOKED_AT = 5_000
"""Candidates that one step looks at for those whose time is over."""


class Upkeep:
    """Looks after numbers, watermark, parts and old rows."""

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
        self.forget_now = False
        self.more_to_forget = False
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
        """Some seconds have passed: parts may be late, rows old."""
        self.forget_now = self._expire_now = True

    async def draw_run(self, numbers: MessageNumbers) -> None:
        """Another run of numbers, where this one is nearly used up. Raises StorageError."""
        if numbers.wants_run:
            numbers.add_run(await self._store.next_run())

    def expire(self) -> None:
        """Give up long messages whose parts did not come in time."""
        if self._expire_now:
            self._expire_now = False
            self.give_up(*self._reassembly.expire(self._clock.now_ms()))

    def give_up(self, given_up: Iterable[GivenUp], gone: Iterable[int]) -> None:
        """Long messages that will not be complete: the next commit tells their senders, and drops their
        parts."""
        self._given_up += given_up
        self._parts_gone += gone

    def take_given_up(self) -> tuple[list[GivenUp], list[int]]:
        """Take out the long messages whose senders are to be told, and the parts that go."""
        taken = self._given_up, self._parts_gone
        self._given_up, self._parts_gone = [], []
        return taken

    def put_back(self, given_up: list[GivenUp], gone: list[int]) -> None:
        """What was taken out is not stored."""
        self._given_up = given_up + self._given_up
        self._parts_gone = gone + self._parts_gone

    def hand_in(self, commit: Commit, in_hand: Iterable[int], *, now_ms: int) -> None:
        """Put what else is due into a commit: closed SMS, uncertain ranges, the watermark.

        in_hand: numbers of the SMS that are being worked.
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
        """The same for the last commit of an orderly stop: what has settled is written."""
        self._settled_at = -SETTLE_EVERY
        self.hand_in(commit, (), now_ms=self._clock.now_ms())

    def take_back(self, commit: Commit) -> None:
        """That commit failed."""
        self._outbox.take_back(commit)
        self._retransmissions.take_back(commit)

    async def forget(self) -> None:
        """One small step of deleting what is older than the retention. Raises StorageError."""
        self.forget_now = self.more_to_forget = False
        before = self._clock.now_ms() - self._retention_ms
        await self._retransmissions.forget(self._clock.monotonic(), CANDIDATES_LOOKED_AT)
        self.more_to_forget = await self._store.forget(before, FORGOTTEN) >= FORGOTTEN
