"""The life of one SMS: taken in, put into a batch, executed, committed, answered, replied to.

One task works batch after batch; a batch is what arrived meanwhile. Rows are written in the loop's
thread; where a commit is slow (Store.slow) it alone moves to a thread. Nothing is answered
positively before the commit that holds it, and everything of a batch is answered in one write per bind.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Final, Protocol

from commands.model import Hidden, Instruction, Misunderstood, Understood
from commands.service import Commands
from gateway.batch import Batches, Prepared
from gateway.binds import Bind
from gateway.clock import Clock
from gateway.duplicates import ANY_SESSION, LATE_MS, Duplicates
from gateway.errors import OUTBOX_FULL, QUEUE_FULL, STOPPING, STORE_DOWN, STORE_FULL, Refusal
from gateway.intake import Intake
from gateway.longmessages import LongMessages
from gateway.model import Commit, MobileOriginated, message_id
from gateway.outbox import Outbox
from gateway.secrets import Busy, Hasher
from gateway.smpp.pdus import DataSm, DataSmResp, SubmitSm, SubmitSmResp
from gateway.storage.contract import Conflict, StorageError, Store, StoreFull

BATCH: Final = 256
QUEUE: Final = 20_000
"""SMS that wait for a batch, over all binds; beyond it RMSGQFUL."""
PAUSE_FIRST: Final = 0.1
PAUSE_MOST: Final = 5.0
SETTLE_EVERY: Final = 1.0
"""Seconds between two moves of the watermark of certain answers, at least."""
FORGOTTEN: Final = 500
"""Old rows of each kind that one step of forgetting deletes: some 2 ms, ten times a second."""
HASHES_PER_MINUTE: Final = 5
"""Passwords that one handset may set or ask for in a minute: each costs 30 ms of a core."""


class MessageLog(Protocol):
    """Where the pipeline says what became of an SMS."""

    def handled(self, m: MobileOriginated, latency: float, now_ms: int) -> None:
        """Committed and answered at `now_ms`, `latency` seconds after it came."""

    def repeated(self, m: MobileOriginated, number: int) -> None:
        """A resend, answered with the number of the SMS that it repeats."""

    def rejected(self, bind: Bind, request: SubmitSm | DataSm, refusal: Refusal) -> None:
        """Answered negatively."""

    def failed(self, m: MobileOriginated, error: Exception) -> None:
        """A handler has a bug, or the store refused what it did."""

    def storage_failed(self, error: StorageError, pause: float) -> None:
        """A batch was not stored; nothing is taken for `pause` seconds."""

    def incomplete(self, source: str, destination: str, parts: int) -> None:
        """A long message was given up at its deadline."""


class Pipeline:
    """Takes SMS from binds, gives answers and replies. `run` is its one task."""

    def __init__(
        self,
        *,
        commands: Commands,
        intake: Intake,
        batches: Batches,
        store: Store,
        duplicates: Duplicates,
        longs: LongMessages,
        outbox: Outbox,
        hasher: Hasher,
        generate: Callable[[], str],
        windows: Mapping[str, int],
        retention_ms: int,
        clock: Clock,
        log: MessageLog,
        worked: Callable[[], None],
    ) -> None:
        self.stopping = False
        self.started = asyncio.Event()
        self._worked = worked
        self._commands = commands
        self._intake = intake
        self._batches = batches
        self._store = store
        self._duplicates = duplicates
        self._longs = longs
        self._outbox = outbox
        self._hasher = hasher
        self._generate = generate
        self._windows = windows
        self._retention_ms = retention_ms
        self._clock = clock
        self._log = log
        self._queue: deque[MobileOriginated] = deque()
        self._held: dict[str, deque[MobileOriginated]] = {}  # per handset: a password is being hashed
        self._holding = 0
        self._hashes: dict[str, deque[float]] = {}
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._pause = 0.0
        self._paused_until = 0.0
        self._paused_by: Refusal = STORE_DOWN
        self._settled_at = -SETTLE_EVERY
        self._working = False
        self._forget_now = False
        self._more_to_forget = False
        self._parts_gone: list[int] = []  # of messages given up, for the next commit
        self._parts_going: list[int] = []  # in the commit under way

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
        held = self._held.get(m.msisdn) if self._held else None
        if held is not None:
            self._holding += 1
            held.append(m)
        elif m.understood is not None and m.understood.hidden and self._needs_hash(m.understood):
            self._hold(m)
        else:
            self._queue.append(m)
            self._wake.set()

    def lost(self, bind: Bind, *, polite: bool) -> None:
        """A bind is gone: what waits of it is dropped (nobody was told it was taken), what was answered a
        short while ago may come again."""
        if polite:
            self._duplicates.ended(bind.number)
        else:
            self._duplicates.lost(bind.number, self._clock.now_ms(), self._windows[bind.account])
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Whether everything that came has been answered and every closed SMS is committed."""
        outbox = self._outbox
        if self._wake.is_set() or self._working:
            return False
        return not (self._queue or self._held or outbox.closed or outbox.changed)

    def wake(self) -> None:
        """There is something to commit."""
        self._wake.set()

    def _closed(self, now: float) -> Refusal | None:
        """Why nothing is taken now. Not raised: a shared exception would collect a traceback each time."""
        if self.stopping:
            return STOPPING
        if now < self._paused_until:
            return self._paused_by
        if len(self._queue) + self._holding >= QUEUE:
            return QUEUE_FULL
        return OUTBOX_FULL if self._outbox.full else None

    def _refuse(self, bind: Bind, request: SubmitSm | DataSm, refusal: Refusal) -> None:
        if not bind.link.closed:
            bind.session.refuse(request, refusal.command_status)
            self._outbox.touch(bind)
            self._log.rejected(bind, request, refusal)

    # Passwords are hashed before the batch

    def _needs_hash(self, understood: Understood) -> bool:
        draws = self._commands.draws(understood)
        return "password" in draws or "password_hash" in draws

    def _hold(self, m: MobileOriginated) -> None:
        """Hash its password in a task of the group; what the handset sends meanwhile waits behind it."""
        assert self._group is not None
        self._holding += 1
        self._held[m.msisdn] = deque((m,))
        self._group.create_task(self._hash(m.msisdn), name=f"hash {m.message_id}")

    async def _hash(self, msisdn: str) -> None:
        waiting = self._held[msisdn]
        while waiting:
            m = waiting[0]
            understood = m.understood
            if isinstance(understood, Instruction) and self._needs_hash(understood):
                await self._hash_one(m, understood)
            self._queue.append(waiting.popleft())
            self._holding -= 1
            self._wake.set()
        del self._held[msisdn]

    async def _hash_one(self, m: MobileOriginated, understood: Instruction) -> None:
        now = self._clock.monotonic()
        times = self._hashes.setdefault(m.msisdn, deque())
        while times and now - times[0] >= 60.0:
            times.popleft()
        if len(times) >= HASHES_PER_MINUTE:
            m.understood = self._too_often(understood)
            return
        times.append(now)
        drawn = "password" in self._commands.draws(understood)
        m.secret = self._generate() if drawn else understood.arguments["password"]
        try:
            m.secret_hash = await self._hasher.hash(m.secret)
        except Busy:
            m.understood = self._too_often(understood)

    def _too_often(self, understood: Understood) -> Understood:
        return Misunderstood(
            "misunderstood",
            understood.sender,
            understood.route,
            understood.text,
            self._commands.table.general.too_often,
            hidden=Hidden.PASSWORD,
        )

    # Working

    async def run(self) -> None:
        """Work batches until cancelled. Tasks for hashing live in its group."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.started.set()
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._working = True
                wait = self._paused_until - self._clock.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                await self._work(self._take())
                if self._forget_now:
                    await self._forget()
                self._working = False
                self._worked()
                if self._queue:
                    self._wake.set()
                await asyncio.sleep(0)  # let the sockets be read: what they bring is the next batch

    def _take(self) -> list[MobileOriginated]:
        """The next batch, without those whose session is gone: they were never answered."""
        queue = self._queue
        batch: list[MobileOriginated] = []
        while queue and len(batch) < BATCH:
            m = queue.popleft()
            if not m.bind.link.closed:
                batch.append(m)
        return batch

    async def _work(self, batch: list[MobileOriginated]) -> None:
        """Commit a batch; where one SMS breaks a rule of the store, each by itself."""
        try:
            await self._commit(batch)
        except Conflict as conflict:
            for m in batch:
                try:
                    await self._commit([m])
                except Conflict as its:
                    self._log.failed(m, its)
                    await self._give_up(m)
            if not batch:
                self._fault(conflict, [])

    async def _give_up(self, m: MobileOriginated) -> None:
        """Journal as failed what the store does not take; where it does not even take that, refuse it."""
        try:
            await self._commit([m], poison=True)
        except Conflict as conflict:
            self._fault(conflict, [m])

    async def _commit(self, batch: list[MobileOriginated], *, poison: bool = False) -> None:
        """prepare, write, sync, answer. Raises Conflict; other faults of the store are dealt with here."""
        now_ms = self._clock.now_ms()
        prepared = Prepared(Commit(), self._clock.monotonic() - LATE_MS / 1000)
        try:
            self._duplicates.read_again()
            self._batches.prepare(batch, prepared, now_ms, poison=poison)
            self._add_housekeeping(prepared.commit, now_ms, batch)
            if prepared.commit:
                self._store.write(prepared.commit)
                if self._store.slow:
                    await asyncio.to_thread(self._store.sync)
                else:
                    self._store.sync()
                self._pause = 0.0
        except StorageError as error:
            self._batches.take_back(batch, prepared, now_ms)
            self._take_back_housekeeping(prepared.commit)
            if isinstance(error, Conflict):
                raise
            self._fault(error, batch)
            return
        self._parts_going = []
        self._answer(prepared)

    def _add_housekeeping(self, commit: Commit, now_ms: int, batch: list[MobileOriginated]) -> None:
        """What else is due goes into the same commit: closed SMS, uncertain ranges, the watermark."""
        outbox = self._outbox
        commit.closed, outbox.closed = outbox.closed, []
        commit.changed, outbox.changed = outbox.changed, []
        commit.uncertain = self._duplicates.take_new()
        if self._parts_gone:
            commit.parts_gone += self._parts_gone
            self._parts_going, self._parts_gone = self._parts_gone, []
        now = self._clock.monotonic()
        if now - self._settled_at >= SETTLE_EVERY or commit.uncertain:
            self._settled_at = now
            unanswered = chain(batch, self._queue, *self._held.values())
            commit.settled = self._duplicates.settle(
                now_ms, min((m.number for m in unanswered), default=None)
            )

    def _take_back_housekeeping(self, commit: Commit) -> None:
        self._outbox.closed = [*commit.closed, *self._outbox.closed]
        self._outbox.changed = [*commit.changed, *self._outbox.changed]
        self._duplicates.put_back(commit.uncertain, commit.settled)
        self._parts_gone += self._parts_going
        self._parts_going = []

    def _fault(self, error: StorageError, batch: list[MobileOriginated]) -> None:
        """Nothing of the batch was stored: say so, and take nothing for a while."""
        full = isinstance(error, StoreFull)
        self._pause = min(self._pause * 2 or PAUSE_FIRST, PAUSE_MOST)
        self._paused_until = self._clock.monotonic() + self._pause
        self._paused_by = STORE_FULL if full else STORE_DOWN
        self._log.storage_failed(error, self._pause)
        waiting, self._queue = list(self._queue), deque()
        for m in [*batch, *waiting]:
            self._refuse(m.bind, m.request, self._paused_by)
        self._outbox.flush()
        self._wake.set()

    def _answer(self, prepared: Prepared) -> None:
        """The commit is on the disk: answer everything, hand replies over, one write per bind, then log."""
        now = self._clock.monotonic()
        now_ms = self._clock.now_ms()
        outbox = self._outbox
        sure: dict[int, list[int]] = {}  # session -> lowest and highest number
        doubtful: dict[int, list[int]] = {}
        for m in prepared.done:
            late = m.bind.link.closed or (now - m.arrived) * 1000 > LATE_MS
            spans = doubtful if late else sure
            span = spans.get(m.session)
            if span is None:
                spans[m.session] = [m.number, m.number]
                outbox.touch(m.bind)
            elif m.number > span[1]:
                span[1] = m.number
            elif m.number < span[0]:  # it was overtaken while its password was hashed
                span[0] = m.number
            _answer(m.bind, m, m.message_id)
        for session, (first, last) in sure.items():
            self._duplicates.answered(session, first, last, now_ms)
        window = max(self._windows.values())
        for session, (first, last) in doubtful.items():
            self._duplicates.unanswered(session, first, last, now_ms, window)
        for m, number in prepared.repeats:
            if m.bind.link.closed or (now - m.arrived) * 1000 > LATE_MS:
                self._duplicates.unanswered(ANY_SESSION, number, number, now_ms, self._windows[m.account])
            else:
                self._duplicates.repeated(m.session, number, m.at)
            _answer(m.bind, m, message_id(number))
            outbox.touch(m.bind)
        for m, number in prepared.echoes:
            _answer(m.bind, m, message_id(number))
            outbox.touch(m.bind)
        for m, refusal in prepared.refused:
            self._refuse(m.bind, m.request, refusal)
        outbox.hand_over(prepared.commit.outgoing, now, now_ms)
        if outbox.deciding:
            outbox.committed((*prepared.commit.changed, *prepared.commit.closed), now, now_ms)
        log = self._log
        for m in prepared.done:
            log.handled(m, now - m.arrived, now_ms)
        for m, number in chain(prepared.repeats, prepared.echoes):
            log.repeated(m, number)
        for m, error in prepared.faults:
            log.failed(m, error)

    async def _forget(self) -> None:
        """One small step of deleting what is older than the retention."""
        self._forget_now = False
        before = self._clock.now_ms() - self._retention_ms
        try:
            if self._store.slow:
                gone = await asyncio.to_thread(self._store.forget, before, FORGOTTEN)
            else:
                gone = self._store.forget(before, FORGOTTEN)
        except StorageError as error:
            gone = 0
            self._log.storage_failed(error, 0.0)
        self._more_to_forget = gone >= FORGOTTEN

    def close(self) -> None:
        """The last commit of an orderly stop: what has settled is written. Raises StorageError."""
        commit = Commit()
        self._settled_at = -SETTLE_EVERY
        self._add_housekeeping(commit, self._clock.now_ms(), [])
        if commit:
            self._store.write(commit)
            self._store.sync()

    def tick(self) -> None:
        """Ten times a second: the next step of forgetting, while there is more to forget."""
        if self._more_to_forget:
            self._forget_now = True
            self._wake.set()

    def housekeep(self) -> None:
        """Every few seconds: give up late parts, forget old candidates and rows, let the watermark move."""
        self._forget_now = True
        now_ms = self._clock.now_ms()
        for key, numbers in self._longs.expire(now_ms):
            self._log.incomplete(key[1], key[2], len(numbers))
            self._parts_gone += numbers
        now = self._clock.monotonic()
        for msisdn in [m for m, times in self._hashes.items() if now - times[-1] >= 60.0]:
            del self._hashes[msisdn]
        self._duplicates.forget(now_ms)
        try:
            self._duplicates.read_again()
            self._store.forget_uncertain(now_ms)
        except StorageError as error:
            self._fault(error, [])
        self._wake.set()


def _answer(bind: Bind, m: MobileOriginated, text: str) -> None:
    """The positive response; nothing when the session is gone."""
    response = SubmitSmResp if type(m.request) is SubmitSm else DataSmResp
    if not bind.link.closed:
        bind.session.answer(m.request, response(message_id=text))
