"""The life of one SMS: taken in, put into a batch, executed, committed, answered, replied to.

One task works batch after batch; a batch is what arrived meanwhile. Nothing is answered positively before the
commit that holds it, and everything of a batch is answered in one write per bind. This task alone commits.

A bug in a hop fails the SMS that meets it, and no other: each hop has a boundary where what it raises is
caught.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from gateway.clock import Clock
from gateway.errors import OUTBOX_FULL, QUEUE_FULL, STOPPING, STORE_DOWN, STORE_FULL, Refusal
from gateway.inbound.hashing import Hashing
from gateway.inbound.intake import Intake
from gateway.inbound.reassembly import GivenUp, LongMessages
from gateway.inbound.retransmissions import LATE_MS, Retransmissions
from gateway.message import Commit, MobileOriginated, Numbers, message_id
from gateway.observer import MessageLog
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Bind
from gateway.processing.batch import Batches, Prepared
from gateway.processing.forgetting import Forgetting
from gateway.smpp.pdus import DataSm, DataSmResp, SubmitSm, SubmitSmResp
from gateway.smpp.status import CommandStatus
from gateway.storage.contract import Conflict, StorageError, Store, StoreFull

BATCH: Final = 256
QUEUE: Final = 20_000
"""SMS that wait for a batch, over all binds; beyond it RMSGQFUL."""
PAUSE_FIRST: Final = 0.1
PAUSE_MOST: Final = 5.0
SETTLE_EVERY: Final = 1.0
"""Seconds between two moves of the watermark of certain answers, at least."""
CANDIDATES_LOOKED_AT: Final = 5_000
"""Candidates that one step looks at for those whose time is over."""


@dataclass(slots=True)
class _Answers:
    """SMS first..last of one bind, answered together."""

    bind: Bind
    first: int
    last: int


class Pipeline:
    """Takes SMS from binds, gives answers and replies. `run` is its one task."""

    def __init__(
        self,
        *,
        intake: Intake,
        batches: Batches,
        store: Store,
        retransmissions: Retransmissions,
        longs: LongMessages,
        outbox: Outbox,
        hashing: Callable[[Callable[[MobileOriginated], None]], Hashing],
        numbers: Numbers,
        retention_ms: int,
        clock: Clock,
        log: MessageLog,
        worked: Callable[[], None],
    ) -> None:
        self.stopping = False
        self.started = asyncio.Event()
        self._worked = worked
        self._intake = intake
        self._batches = batches
        self._store = store
        self._retransmissions = retransmissions
        self._longs = longs
        self._outbox = outbox
        self._hashing = hashing(self._enqueue)
        self._numbers = numbers
        self._retention_ms = retention_ms
        self._clock = clock
        self._log = log
        self._queue: deque[MobileOriginated] = deque()
        self._wake = asyncio.Event()
        self._end = asyncio.Event()
        self._pause = 0.0
        self._paused_until = 0.0
        self._paused_by: Refusal = STORE_DOWN
        self._failures = 0
        self._failing_since = 0.0
        self._settled_at = -SETTLE_EVERY
        self._working = False
        self._forget_now = False
        self._expire_now = False
        self._forgetting = Forgetting()
        self._in_hand: list[MobileOriginated] = []  # the batch that is worked
        self._given_up: list[GivenUp] = []  # long messages whose senders the next commit tells
        self._parts_gone: list[int] = []  # of messages given up, for the next commit

    # Taking in

    def submitted(self, bind: Bind, request: SubmitSm | DataSm) -> None:
        """An SMS for us: taken into the queue, or answered negatively at once."""
        now = self._clock.monotonic()
        bind.messages_in += 1
        closed = self._closed(now)
        if closed is not None:
            self._refuse(bind, request, closed)
            return
        try:
            m = self._intake.take(bind, request, now)
        except Refusal as refusal:
            self._refuse(bind, request, refusal)
            return
        except Exception as error:  # the boundary for bugs while an SMS is read and understood
            m = self._intake.broken(bind, request, now, error)
        hashing, understood = self._hashing, m.understood
        if (hashing.waiting or (understood is not None and understood.hidden)) and hashing.takes(m):
            return
        self._queue.append(m)
        self._wake.set()

    def lost(self, bind: Bind, *, polite: bool) -> None:
        """A bind is gone: what waits of it is dropped (nobody was told it was taken), what was answered a
        short while ago may come again."""
        if polite:
            self._retransmissions.ended(bind.number)
        else:
            self._retransmissions.lost(bind.number, self._clock.monotonic())
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Whether everything that came has been answered and every closed SMS is committed."""
        outbox = self._outbox
        if self._wake.is_set() or self._working or self._retransmissions.expecting:
            return False
        return not (self._queue or self._hashing.waiting or outbox.closed or outbox.changed)

    def wake(self) -> None:
        """There is something to commit."""
        self._wake.set()

    def _enqueue(self, m: MobileOriginated) -> None:
        self._queue.append(m)
        self._wake.set()

    def _closed(self, now: float) -> Refusal | None:
        """Why nothing is taken now. Not raised: a shared exception would collect a traceback each time."""
        if self.stopping:
            return STOPPING
        if now < self._paused_until:
            return self._paused_by
        if len(self._queue) + self._hashing.waiting >= QUEUE:
            return QUEUE_FULL
        if self._numbers.used_up:
            return STORE_DOWN
        return OUTBOX_FULL if self._outbox.full else None

    def _refuse(self, bind: Bind, request: SubmitSm | DataSm, refusal: Refusal) -> None:
        if not bind.link.closed:
            bind.session.refuse(request, refusal.command_status)
            self._outbox.touch(bind)
            self._log.rejected(bind, request, refusal)

    # Working

    async def run(self) -> None:
        """Work batches until end() is called."""
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
                await asyncio.sleep(0)  # let the sockets be read: what they bring is the next batch
        finally:
            self._working = False
            await self._hashing.close()

    def end(self) -> None:
        """`run` returns when the commit that is under way has its outcome. What waits is not answered."""
        self._end.set()
        self._wake.set()

    async def _step(self) -> None:
        """What is to be done now. What a bug raises here has met no SMS by itself, or it would be caught
        below."""
        wait = self._paused_until - self._clock.monotonic()
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), wait)
        if self._end.is_set():
            return
        try:
            await self._tend()
            await self._work(self._take())
            if self._forget_now or self._forgetting.due(self._clock.monotonic()):
                await self._forget()
        except StorageError as error:
            self._fault(error, [])
        except Exception as error:  # the boundary for bugs beside the way of an SMS
            self._log.broken("pipeline", error)

    async def _tend(self) -> None:
        """What has to come before a batch: numbers for it, and the candidates that it may repeat."""
        if self._numbers.wants_run:
            self._numbers.add_run(await self._store.next_run())
        if self._expire_now:
            self._expire_now = False
            self.give_up(*self._longs.expire(self._clock.now_ms()))
        if self._retransmissions.expecting:
            if self._retransmissions.news:
                await self._commit([])
            if self._retransmissions.news:
                return  # the store has failed
            found = await self._retransmissions.expect()
            if found.dropped:
                self._log.unrecognised(found.dropped)
            if self._retransmissions.expecting:
                self._wake.set()

    def give_up(self, given_up: Iterable[GivenUp], gone: Iterable[int]) -> None:
        """Long messages that will not be complete: the next commit tells their senders, and drops their
        parts."""
        self._given_up += given_up
        self._parts_gone += gone

    def _take(self) -> list[MobileOriginated]:
        """The next batch, without those whose session is gone: they were never answered. SMS of an account
        whose candidates are not all known yet go on waiting."""
        queue = self._queue
        expecting = self._retransmissions.expecting
        batch: list[MobileOriginated] = []
        held: list[MobileOriginated] = []
        while queue and len(batch) < BATCH:
            m = queue.popleft()
            if m.bind.link.closed:
                self._hashing.give_back(m)
                continue
            if expecting and m.account in expecting:
                held.append(m)
            else:
                batch.append(m)
        queue.extendleft(reversed(held))
        return batch

    async def _work(self, batch: list[MobileOriginated]) -> None:
        """Commit a batch; where one SMS breaks a rule of the store, or meets a bug, each by itself."""
        self._in_hand = batch
        try:
            await self._commit(batch)
        except Exception as error:  # the boundary for a batch that fails as a whole
            if not batch:
                self._nothing_stored(error)
            for m in batch:
                try:
                    await self._commit([m])
                except Exception as its:  # this SMS it is
                    await self._give_up(m, its)
        finally:
            self._in_hand = []

    async def _give_up(self, m: MobileOriginated, error: Exception) -> None:
        """Journal as failed what cannot be stored; where not even that can be, refuse it."""
        try:
            await self._commit([m], poison=error)
        except Exception as again:  # the boundary for an SMS that cannot even fail
            self._log.failed(m, again)
            self._refuse(m.bind, m.request, Refusal(CommandStatus.RSYSERR, "cannot be stored"))
            self._outbox.flush()

    def _nothing_stored(self, error: Exception) -> None:
        """A commit without SMS failed by a rule of the store, or by a bug."""
        if isinstance(error, StorageError):
            self._fault(error, [])
        else:
            self._log.broken("commit", error)

    async def _commit(self, batch: list[MobileOriginated], poison: Exception | None = None) -> None:
        """prepare, commit, answer. Raises Conflict, and what a bug raises before the commit; other faults of
        the store are dealt with here."""
        now_ms = self._clock.now_ms()
        given_up, self._given_up = self._given_up, []
        parts_gone, self._parts_gone = self._parts_gone, []
        moment = self._clock.monotonic()
        prepared = Prepared(Commit(), moment, moment - LATE_MS / 1000, given_up=[*given_up])
        commit = prepared.commit
        try:
            await self._batches.prepare(batch, prepared, now_ms, poison)
            commit.parts_gone += parts_gone
            self._add_housekeeping(commit, now_ms)
            if commit:
                await self._store.commit(commit)
                self._stored()
        except Exception as error:  # nothing is stored; a bug is passed on like a Conflict
            self._batches.take_back(batch, prepared)
            self._given_up = given_up + self._given_up
            self._parts_gone = parts_gone + self._parts_gone
            self._take_back_housekeeping(commit)
            if isinstance(error, Conflict) or not isinstance(error, StorageError):
                raise
            self._fault(error, batch)
            return
        try:
            self._answer(prepared)
        except (
            Exception
        ) as error:  # the boundary for bugs behind the commit: what is stored is not done again
            self._log.broken("behind the commit", error)

    def _add_housekeeping(self, commit: Commit, now_ms: int) -> None:
        """What else is due goes into the same commit: closed SMS, uncertain ranges, the watermark."""
        outbox = self._outbox
        commit.closed, outbox.closed = outbox.closed, []
        commit.changed, outbox.changed = outbox.changed, []
        now = self._clock.monotonic()
        if now - self._settled_at >= SETTLE_EVERY or self._retransmissions.news:
            self._settled_at = now
            unanswered = chain(self._in_hand, self._queue, self._hashing)
            pending = min((m.number for m in unanswered), default=None)
            commit.settled = self._retransmissions.settle(now, now_ms, pending)
            self._retransmissions.hand_in(commit)

    def _take_back_housekeeping(self, commit: Commit) -> None:
        self._outbox.closed = [*commit.closed, *self._outbox.closed]
        self._outbox.changed = [*commit.changed, *self._outbox.changed]
        self._retransmissions.take_back(commit)

    # Faults of the store

    def _fault(self, error: StorageError, batch: list[MobileOriginated]) -> None:
        """Nothing of the batch was stored: say so, and take nothing for a while."""
        self._pause = min(self._pause * 2 or PAUSE_FIRST, PAUSE_MOST)
        self._paused_until = self._clock.monotonic() + self._pause
        self._paused_by = STORE_FULL if isinstance(error, StoreFull) else STORE_DOWN
        self._note_failure(error, self._pause)
        waiting, self._queue = list(self._queue), deque()
        for m in [*batch, *waiting]:
            self._hashing.give_back(m)
            self._refuse(m.bind, m.request, self._paused_by)
        self._outbox.flush()
        self._wake.set()

    def _note_failure(self, error: StorageError, pause: float) -> None:
        if not self._failures:
            self._failing_since = self._clock.monotonic()
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:  # 1, 2, 4, 8 ...: it may last for hours
            self._log.storage_failed(error, self._failures, pause)

    def _stored(self) -> None:
        if self._failures:
            self._log.storage_recovered(self._failures, self._clock.monotonic() - self._failing_since)
            self._failures = 0
            self._pause = 0.0

    # Answering

    def _answer(self, prepared: Prepared) -> None:
        """The commit is on the disk: answer everything, hand replies over, one write per bind, then log."""
        now = self._clock.monotonic()
        now_ms = self._clock.now_ms()
        outbox = self._outbox
        commit = prepared.commit
        try:
            self._answer_all(prepared, now)
        except Exception as error:  # the boundary for bugs behind the commit: nothing is done again
            self._log.broken("answer", error)
        outbox.hand_over(commit.outgoing, now, now_ms)
        if outbox.deciding:
            outbox.committed((*commit.changed, *commit.closed), now, now_ms)
        self._tell(prepared, now, now_ms)

    def _answer_all(self, prepared: Prepared, now: float) -> None:
        """The answers to every SMS of a batch, new or not."""
        if prepared.done:
            self._answer_new(prepared.done, now)
        for m, number in prepared.repeats:
            if m.bind.link.closed:
                self._retransmissions.unanswered_again(m.account, number, now)
                continue
            self._positive(m, message_id(number))
            self._outbox.touch(m.bind)
            self._retransmissions.repeated(m.session, m.account, m.bind.session, number, m.at, now)
            if (now - m.arrived) * 1000 > LATE_MS:
                self._retransmissions.late_again(m.account, number, now)
        for m, number in prepared.echoes:
            if not m.bind.link.closed:
                self._positive(m, message_id(number))
                self._outbox.touch(m.bind)
        for m, refusal in prepared.refused:
            self._refuse(m.bind, m.request, refusal)

    def _answer_new(self, done: list[MobileOriginated], now: float) -> None:
        """Answer what was executed, and note which answers are not certain yet."""
        sure: dict[int, _Answers] = {}
        late: dict[int, _Answers] = {}
        gone: dict[int, _Answers] = {}
        late_before = now - LATE_MS / 1000
        for m in done:
            bind, number = m.bind, m.number
            if bind.link.closed:
                answers = gone
            else:
                answers = late if m.arrived < late_before else sure
                self._positive(m, m.message_id)
            those = answers.get(m.session)
            if those is None:
                answers[m.session] = _Answers(bind, number, number)
                self._outbox.touch(bind)
            elif number > those.last:
                those.last = number
            elif number < those.first:  # it was overtaken while its password was hashed
                those.first = number
        retransmissions = self._retransmissions
        for session, those in chain(sure.items(), late.items()):
            account, peer = those.bind.account, those.bind.session
            retransmissions.answered(session, account, peer, those.first, those.last, now)
        for session, those in late.items():
            retransmissions.late(session, those.bind.account, those.first, those.last, now)
        for session, those in gone.items():
            retransmissions.unanswered(session, those.bind.account, those.first, those.last, now)

    def _positive(self, m: MobileOriginated, text: str) -> None:
        """The positive response, with a message id."""
        request = m.request
        response = SubmitSmResp if type(request) is SubmitSm else DataSmResp
        try:
            m.bind.session.answer(request, response(message_id=text))
        except Exception as error:  # the boundary for bugs while an answer is written: it counts as not given
            self._log.failed(m, error)

    def _tell(self, prepared: Prepared, now: float, now_ms: int) -> None:
        """The log lines of a batch."""
        log = self._log
        try:
            for m in prepared.done:
                log.handled(m, now - m.arrived, now_ms)
            for m, number in chain(prepared.repeats, prepared.echoes):
                log.repeated(m, number)
            for m, error in prepared.faults:
                log.failed(m, error)
            for each in prepared.given_up:
                log.incomplete(each.first.source, each.first.destination, len(each.numbers))
        except Exception as error:  # the boundary for bugs in a log line: the SMS are stored and answered
            log.broken("log", error)

    # Beside the way of an SMS

    async def _forget(self) -> None:
        """One small step of deleting what is older than the retention."""
        self._forget_now = False
        forgetting, clock = self._forgetting, self._clock
        before = clock.now_ms() - self._retention_ms
        try:
            await self._retransmissions.forget(clock.monotonic(), CANDIDATES_LOOKED_AT)
            begun = clock.monotonic()
            gone = await self._store.forget(before, forgetting.limit)
        except StorageError as error:  # SMS may well be stored all the same
            forgetting.failed()
            self._note_failure(error, 0.0)
        else:
            forgetting.made(gone, begun, clock.monotonic())

    async def close(self) -> bool:
        """The last commit of an orderly stop: what has settled is written. Whether it could be."""
        commit = Commit()
        self._settled_at = -SETTLE_EVERY
        self._add_housekeeping(commit, self._clock.now_ms())
        try:
            if commit:
                await self._store.commit(commit)
        except StorageError as error:
            self._log.storage_lost(error, len(commit.closed), len(commit.changed))
            return False
        return True

    def tick(self) -> None:
        """Ten times a second: the next step of forgetting, while there is more to forget."""
        if self._forgetting.more:
            self._forget_now = True
            self._wake.set()

    def housekeep(self) -> None:
        """Every few seconds: give up late parts, forget old candidates and rows, let the watermark move."""
        self._forget_now = self._expire_now = True
        self._hashing.forget()
        self._wake.set()
