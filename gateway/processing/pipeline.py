"""Takes SMS from the queue in batches, executes and commits them, answers them and sends the replies.

One task processes batch after batch; a batch is what arrived in the meantime. It answers an SMS positively
only after the commit that holds it, and the whole batch in one write per bind. No other task commits.

A bug fails only the SMS that meets it: each hop has a boundary that catches what the hop raises.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.errors import STORE_DOWN, STORE_FULL, Refusal, Verdict
from gateway.inbound.hashing import Hashing
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.queue import InboundQueue
from gateway.inbound.retransmissions import LATE_MS, Retransmissions
from gateway.message import Commit
from gateway.message_numbers import MessageNumbers
from gateway.observer import Observer
from gateway.outbound.outbox import Outbox
from gateway.outbound.receipts import Receipts
from gateway.processing.answers import Answers
from gateway.processing.batch import Batches
from gateway.processing.figures import Counting
from gateway.processing.nodes import Nodes
from gateway.processing.prepared import Prepared
from gateway.processing.provinces import Provinces
from gateway.processing.upkeep import Upkeep
from gateway.storage.contract import Conflict, InDoubt, StorageError, Store, StoreFault, StoreFull
from gateway.storage.nodes import Fenced, Stale

BATCH: Final = 256
PAUSE_FIRST: Final = 0.1
PAUSE_MOST: Final = 5.0
"""Seconds for which the gateway takes no SMS after a fault of the store: first pause and longest one."""
STALLED: Final = 5.0
"""Seconds after which a store that does not return counts as failed. An answer that is later than that is in
doubt at the centre anyway (LATE_MS)."""
NOT_KNOWN: Final = "the store does not say whether an SMS of this session is stored"
PROVINCES_PAUSE: Final = 1.0
"""Seconds for which nothing of provinces is tried after a fault of the store."""
CLOSING: Final = 0.01
"""Seconds that closed SMS wait for a batch to be stored with. Killed meanwhile, the gateway sends them once
more, as it does with those whose response is under way."""
AGAIN: Final = 2
AGAIN_ALONE: Final = 10
"""How often a batch runs again that another node has met, before it is halved, and an SMS by itself before
it is refused for a while."""
RELEASE_EVERY: Final = 0.25
"""Seconds between two looks at SMS that are held."""
CANNOT_STORE: Final = Refusal(Verdict.STORE_FAULT, "cannot be stored")


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages that a batch passes, and the upkeep beside them."""

    queue: InboundQueue
    hashing: Hashing
    batches: Batches
    answers: Answers
    upkeep: Upkeep
    retransmissions: Retransmissions
    outbox: Outbox
    receipts: Receipts
    provinces: Provinces
    nodes: Nodes | None = None
    counting: Counting | None = None


class Pipeline:
    """Processes batch after batch. `run` is its only task.

    work: set by whoever adds work or something to commit. worked: called after each batch.

    `run` raises Fenced where another node has taken the work of this one. Nothing is answered any more then.
    """

    def __init__(
        self,
        stages: Stages,
        store: Store,
        numbers: MessageNumbers,
        clock: Clock,
        observer: Observer,
        work: asyncio.Event,
        worked: Callable[[], None],
    ) -> None:
        self.started = asyncio.Event()
        self.in_doubt = 0  # SMS of which nobody knows whether they are stored
        self._queue = stages.queue
        self._hashing = stages.hashing
        self._batches = stages.batches
        self._answers = stages.answers
        self._upkeep = stages.upkeep
        self._retransmissions = stages.retransmissions
        self._outbox = stages.outbox
        self._receipts = stages.receipts
        self._nodes = stages.nodes
        self._counting = stages.counting
        self._provinces = stages.provinces
        self._provinces_from = 0.0
        self._store = store
        self._numbers = numbers
        self._clock = clock
        self._observer = observer
        self._worked = worked
        self._released_at = 0.0
        self._wake = work
        self._end = asyncio.Event()
        self._pause = 0.0
        self._paused_until = 0.0
        self._failures = 0
        self._failing_since = 0.0
        self._failed_at = 0.0
        self._working = False
        self._asked_at: float | None = None  # when the step began that may wait for the store
        self._stalled = False
        self._closing: asyncio.TimerHandle | None = None
        self._in_hand: list[MobileOriginated] = []  # the batch that is being processed

    @property
    def idle(self) -> bool:
        """Whether every received SMS is answered and every closed SMS is committed."""
        if self._wake.is_set() or self._working or self._retransmissions.expecting:
            return False
        return not (len(self._queue) or self._outbox.to_store or self._receipts.waiting)

    @property
    def failures(self) -> int:
        """How often in a row the store did not take a batch; 0: it works, as far as anybody has tried."""
        return self._failures

    @property
    def failing_s(self) -> tuple[float, float]:
        """Seconds since the first of these failures, and since the last one."""
        now = self._clock.monotonic()
        return (now - self._failing_since, now - self._failed_at) if self._failures else (0.0, 0.0)

    @property
    def lasts_s(self) -> float:
        """Seconds that the step has taken that is under way; 0.0: none is."""
        return 0.0 if self._asked_at is None else self._clock.monotonic() - self._asked_at

    def wake(self) -> None:
        """Note that there is something to process or to commit."""
        self._wake.set()

    def close_soon(self) -> None:
        """The outbox has something to store: it goes with the next batch, or by itself after CLOSING or when
        there is a BATCH of it.

        Nobody is answered by it, so it is no reason for a commit of its own while SMS come.
        """
        if self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(CLOSING, self._close_now)
        elif self._outbox.to_store >= BATCH:
            self._wake.set()

    def _close_now(self) -> None:
        self._closing = None
        if self._outbox.to_store:
            self._wake.set()

    async def run(self) -> None:
        """Process batches until end() is called."""
        self.started.set()
        try:
            while not self._end.is_set():
                await self._wake.wait()
                self._wake.clear()
                self._working = True
                await self._step()
                self._working = False
                self._worked()
                if self._queue:
                    self._wake.set()
                await asyncio.sleep(0)  # let the loop read the sockets: that is the next batch
        finally:
            self._working = False
            if self._closing is not None:
                self._closing.cancel()
            await self._hashing.close()

    def end(self) -> None:
        """Let `run` return after the current commit. SMS that wait stay unanswered."""
        self._end.set()
        self._wake.set()

    def give_up(self) -> None:
        """Wait no longer for a store that cannot say whether a batch is stored (Store.give_up)."""
        self._store.give_up()

    async def _step(self) -> None:
        """Do one round: prepare, process a batch, forget. Only bugs that no SMS has met arrive here."""
        wait = self._paused_until - self._clock.monotonic()
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._end.wait()
        if self._end.is_set():
            return
        self._asked_at, self._stalled = self._clock.monotonic(), False
        try:
            await self._tend()
            nodes = self._nodes if self._nodes is not None and self._nodes.due else None
            await self._work(self._queue.take(BATCH, self._retransmissions.expecting))
            if nodes is not None:
                await self._beside(nodes.look())
            if self._provinces.due and self._clock.monotonic() >= self._provinces_from:
                await self._work_for_provinces()
            if self._upkeep.forgets_now:
                await self._beside(self._upkeep.forget())
        except Fenced:
            raise
        except StorageError as error:
            self._fault(error, [])
        except Exception as error:  # the boundary for bugs beside the way of an SMS
            self._observer.broken("pipeline", error)
        finally:
            self._asked_at = None

    async def _tend(self) -> None:
        """Do what a batch needs first: numbers, and the candidates that it may repeat."""
        retransmissions = self._retransmissions
        await self._upkeep.draw_run(self._numbers)
        self._upkeep.expire()
        if retransmissions.expecting:
            if retransmissions.news:
                await self._commit([])
            if retransmissions.news:
                return  # the store has failed
            found = await retransmissions.expect()
            if found.dropped:
                self._observer.unrecognised(found.dropped)
            if retransmissions.expecting:
                self._wake.set()

    async def _work(self, batch: list[MobileOriginated]) -> None:
        """Commit a batch; what cannot be committed is refused or journaled as failed."""
        self._in_hand = batch
        try:
            await self._work_part(batch)
        finally:
            self._in_hand = []

    async def _work_part(self, batch: list[MobileOriginated]) -> None:
        """Commit a part of a batch. If that fails by a rule of the store or a bug, commit each SMS by itself;
        if another node was faster each time, commit its halves: a small commit is soon done."""
        try:
            await self._commit_again(batch)
        except Fenced:
            raise
        except Stale as error:
            half = len(batch) // 2
            if not half:
                self._fault(error, batch)
                return
            await self._work_part(batch[:half])
            await self._work_part(batch[half:])
        except Exception as error:  # the boundary for a batch that fails as a whole
            if not batch:
                self._nothing_stored(error)
            for m in batch:
                await self._work_alone(m)

    async def _work_alone(self, m: MobileOriginated) -> None:
        """Commit an SMS of a batch that failed. What fails again is its fault, unless other nodes are."""
        try:
            await self._commit_again([m])
        except Fenced:
            raise
        except Stale as error:
            self._fault(error, [m])
        except Exception as its:  # this SMS causes it
            await self._give_up(m, its)

    async def _commit_again(self, batch: list[MobileOriginated]) -> None:
        """Commit a batch, and run it again on what is there now where another node was faster.

        Raises what _commit raises; Stale when another node was faster each time.
        """
        alone = len(batch) < 2
        for _ in range(AGAIN_ALONE if alone else AGAIN):
            try:
                await self._commit(batch)
            except Stale:
                if self._nodes is not None and self._nodes.renewal_due:
                    await self._commit([])
                if self._nodes is not None and alone:
                    await self._nodes.step_back()
            else:
                return
        await self._commit(batch)

    async def _give_up(self, m: MobileOriginated, error: Exception) -> None:
        """Journal an SMS as failed. If even that fails, refuse it."""
        try:
            await self._commit([m], poison=error)
        except Fenced:
            raise
        except Exception as again:  # the boundary for an SMS that cannot even fail
            self._observer.faulted(m.number, m.msisdn, "", again)
            self._queue.refuse(m.came, CANNOT_STORE)
            self._outbox.flush()

    def _nothing_stored(self, error: Exception) -> None:
        """Handle the failure of a commit without SMS."""
        if isinstance(error, StorageError):
            self._fault(error, [])
        else:
            self._observer.broken("commit", error)

    async def _commit(self, batch: list[MobileOriginated], poison: Exception | None = None) -> None:
        """Prepare a batch, commit it and answer it.

        Raises Conflict, Stale and Fenced, and what a bug raises before the commit. Handles other faults of
        the store itself.
        """
        now_ms, moment = self._clock.now_ms(), self._clock.monotonic()
        given_up, parts_gone = self._upkeep.take_given_up()
        prepared = Prepared(Commit(), moment, moment - LATE_MS / 1000, given_up=[*given_up])
        commit = prepared.commit
        try:
            await self._batches.prepare(batch, prepared, now_ms, poison)
            commit.parts_gone += parts_gone
            if self._receipts.due:
                await self._receipts.hand_in(commit, now_ms)
            self._upkeep.hand_in(commit, (m.number for m in self._in_hand), now_ms=now_ms)
            if commit or (self._nodes is not None and self._nodes.renewal_due):
                if self._counting is not None:
                    self._counting.note(commit, now_ms)
                prepared.handed_in = self._clock.monotonic()
                await self._store.commit(commit)
                self._stored()
        except Exception as error:  # nothing is stored; a bug is passed on like a Conflict
            self._batches.take_back(batch, prepared)
            self._upkeep.put_back(given_up, parts_gone)
            self._upkeep.take_back(commit)
            self._receipts.take_back()
            if isinstance(error, Conflict | Stale | Fenced) or not isinstance(error, StorageError):
                raise
            if isinstance(error, InDoubt):
                self._leave_unanswered(batch)
                batch = []
            self._fault(error, batch)
            return
        try:
            self._queue.hold(prepared.held)
            self._receipts.committed()
            self._answers.give(prepared)
            if self._nodes is not None:
                self._nodes.left_elsewhere(prepared.elsewhere)
        except Exception as error:  # the boundary for bugs behind the commit: nothing is done again
            self._observer.broken("behind the commit", error)

    # Faults of the store

    def _fault(self, error: StorageError, batch: list[MobileOriginated]) -> None:
        """Refuse the batch, which was not stored, and everything in the queue; take no SMS for a while."""
        self._pause = min(self._pause * 2 or PAUSE_FIRST, PAUSE_MOST)
        self._paused_until = self._clock.monotonic() + self._pause
        refusal = STORE_FULL if isinstance(error, StoreFull) else STORE_DOWN
        self._queue.pause(self._paused_until, refusal)
        self._note_failure(error, self._pause)
        for m in [*batch, *self._queue.clear()]:
            self._queue.give_back(m)
            self._queue.refuse(m.came, refusal)
        self._receipts.refuse(refusal)
        self._outbox.flush()
        self._wake.set()

    def _leave_unanswered(self, batch: list[MobileOriginated]) -> None:
        """Close the sessions of SMS of which nobody will know whether they are stored: the centre sends them
        again, to whoever has the store then."""
        self.in_doubt += len(batch)
        for m in batch:
            self._queue.give_back(m)
            m.came.bind.abort(NOT_KNOWN)

    def _watch(self) -> None:
        """While the store does not return: refuse what comes, and close the sessions that wait for longer
        than their response timer.

        The SMS in hand may be stored, so they are not refused. A centre that has waited for so long does
        not know either; on a new session what it sends again is looked for. Any other SMS is refused at once
        and not queued: nobody knows for how long, and the centre keeps it better.
        """
        now = self._clock.monotonic()
        if self._asked_at is None:
            return
        lasts = now - self._asked_at
        for m in self._in_hand:
            bind = m.came.bind
            timer = bind.response_timeout
            if lasts >= min(timer, STALLED) and now - m.came.arrived >= timer and not bind.closed:
                bind.abort(NOT_KNOWN)
        if lasts < STALLED:
            return
        if not self._stalled:
            self._stalled = True
            reason = f"the store has not answered for {lasts:.0f} s: is its server, or its disk, there?"
            self._note_failure(StoreFault(reason), PAUSE_MOST)
        self._failed_at = now
        self._queue.pause(now + PAUSE_MOST, STORE_DOWN)
        for m in self._queue.clear():
            self._queue.give_back(m)
            self._queue.refuse(m.came, STORE_DOWN)
        self._receipts.refuse(STORE_DOWN)
        self._outbox.flush()

    def _note_failure(self, error: StorageError, pause: float) -> None:
        self._failed_at = self._clock.monotonic()
        if not self._failures:
            self._failing_since = self._failed_at
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:  # 1, 2, 4, 8 ...: it may last for hours
            self._observer.storage_failed(error, self._failures, pause)

    def _stored(self) -> None:
        if self._nodes is not None:
            self._nodes.committed()
        if self._failures:
            self._observer.storage_recovered(self._failures, self._clock.monotonic() - self._failing_since)
            self._failures = 0
            self._pause = 0.0
            self._queue.pause(0.0, STORE_DOWN)

    # Beside the way of an SMS

    async def _work_for_provinces(self) -> None:
        """A step for provinces, in a commit of its own: nothing of it meets an SMS."""
        try:
            if await self._provinces.step():
                self._stored()
        except Fenced:
            raise
        except StorageError as error:  # SMS may well be stored all the same
            self._provinces_from = self._clock.monotonic() + PROVINCES_PAUSE
            self._note_failure(error, PROVINCES_PAUSE)
        except Exception as error:  # the boundary for bugs in what provinces send
            self._observer.broken("provinces", error)
            self._provinces.give_up()
        else:
            if self._provinces.due:
                self._wake.set()

    async def _beside(self, step: Awaitable[None]) -> None:
        """Forget what is old, or see what other nodes do, and take or give SMS."""
        try:
            await step
        except Fenced:
            raise
        except StorageError as error:  # SMS may well be stored all the same
            self._note_failure(error, 0.0)

    async def close(self) -> bool:
        """Write the last commit of an orderly stop. Returns whether that worked, and nothing is in doubt."""
        commit = Commit()
        self._upkeep.hand_in_last(commit)
        try:
            if commit:
                if self._counting is not None:
                    self._counting.note(commit, self._clock.now_ms())
                await self._store.commit(commit)
        except StorageError as error:
            self._observer.storage_lost(error, len(commit.closed), len(commit.changed))
            return False
        return not self.in_doubt

    def tick(self) -> None:
        """Look whether the store returns, and ask for what is due: a step of forgetting or for provinces, a
        look at the nodes or at SMS that are held. Called ten times a second."""
        self._watch()
        now = self._clock.monotonic()
        due = self._upkeep.tick() or (self._provinces.due and now >= self._provinces_from)
        if self._nodes is not None:
            due = self._nodes.tick() or due
            if now - self._released_at >= RELEASE_EVERY:
                self._released_at = now
                due = self._queue.release() or due
        if due:
            self._wake.set()

    def housekeep(self) -> None:
        """Give up late parts, forget old candidates and rows, move the watermark; every few seconds."""
        self._upkeep.due()
        self._provinces.look()
        self._receipts.look()
        self._hashing.forget()
        self._wake.set()
