"""Answers what peers ask about SMS that they sent: what became of one, and whether it can be taken back.

An SMS is executed before it is answered, so it is always too late to cancel or to replace it. What it caused
to other handsets (a chat) may still wait: that is taken back by a cancel while it has never left. An SMS is
found only by the account and the handset that sent it.

One task works through what waits, AT_ONCE at a time: one search of the store and one look at the outbox
for all of them. A cancel is answered when it is stored.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from commands.tables import InForce
from gateway.channels.contract import Enquiry, Question, Told
from gateway.clock import Clock
from gateway.errors import Refusal, Verdict
from gateway.inbound.intake import customer_of
from gateway.inbound.reassembly import REPEATABLE_MS
from gateway.message import PART
from gateway.message_numbers import MessageNumbers
from gateway.observer import Observer
from gateway.outbound.outbox import Outbox
from gateway.storage.contract import Earlier, PartState, StorageError, Store

MOST: Final = 1_000
"""Questions that may wait; further ones are refused (Verdict.QUEUE_FULL)."""
AT_ONCE: Final = 50
"""Questions that are answered together: some milliseconds, even where each is about RUNS_BACK numbers."""
RUNS_BACK: Final = 64
"""Runs of the gateway in which an SMS is looked for by the end of its id."""
CAUSES: Final = 1_000
"""The latest SMS among whose effects a cancel without an id looks."""
WITHDRAWN: Final = "cancelled by the sender"

# Values of message_state (SMPP 3.4 section 5.2.28), which Told.state has.
_ENROUTE: Final = 1
_DELIVERED: Final = 2
_EXPIRED: Final = 3
_UNKNOWN: Final = 7
_NO: Final = Told(done=False)
_SHORT: Final = 8


class Enquiries:
    """The questions of all binds. until: waits for a condition that a batch of the pipeline fulfils."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        in_force: InForce,
        numbers: MessageNumbers,
        clock: Clock,
        observer: Observer,
        until: Callable[[Callable[[], bool]], Awaitable[None]],
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._in_force = in_force
        self._numbers = numbers
        self._clock = clock
        self._observer = observer
        self._until = until
        self._waiting: list[Enquiry] = []
        self._in_hand: list[Enquiry] = []
        self._wake = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def put(self, enquiry: Enquiry) -> None:
        """Queue a question, or refuse it at once."""
        if self._closed:
            self._refuse(enquiry, Verdict.STOPPING)
        elif len(self._waiting) >= MOST:
            self._refuse(enquiry, Verdict.QUEUE_FULL)
        else:
            self._waiting.append(enquiry)
            self._wake.set()

    def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._run(), name="enquiries")

    async def close(self) -> None:
        """Answer no more: what waits, and what comes, is refused."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        for enquiry in (*self._in_hand, *self._waiting):
            self._refuse(enquiry, Verdict.STOPPING)
        self._in_hand, self._waiting = [], []
        self._outbox.flush()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._in_hand, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            if self._waiting:
                self._wake.set()
            try:
                await self._work()
            except StorageError:
                for enquiry in self._in_hand:
                    self._refuse(enquiry, Verdict.STORE_FAULT)
            except Exception as error:  # the boundary for bugs in what peers ask: the next one is answered
                self._observer.broken("enquiries", error)
                for enquiry in [*self._in_hand]:
                    self._tell(enquiry, _NO)
            self._in_hand = []
            self._outbox.flush()
            await asyncio.sleep(0)

    async def _work(self) -> None:
        """Answer all that are in hand."""
        found = await self._find([number for each in self._in_hand for number in self._numbers_of(each)])
        cancels: dict[int, list[Enquiry]] = {}
        searches: list[Enquiry] = []
        for enquiry in [*self._in_hand]:
            earlier = self._named(enquiry, found)
            if enquiry.question is Question.CANCEL and not enquiry.message_id:
                searches.append(enquiry)
            elif earlier is None or enquiry.question is Question.REPLACE:
                self._tell(enquiry, _NO)
            elif enquiry.question is Question.STATE:
                self._tell(enquiry, self._state(earlier))
            else:
                cancels.setdefault(earlier.number, []).append(enquiry)
        if searches:
            await self._search(searches, cancels)
        if cancels:
            await self._cancel(cancels)

    # Which SMS is meant

    def _numbers_of(self, enquiry: Enquiry) -> list[int]:
        """The numbers that a message id may stand for, the likeliest first."""
        text = enquiry.message_id
        if not text:
            return []
        number = int(text, 16)
        if len(text) != _SHORT:
            return [number]
        latest = (self._numbers.last >> 32 << 32) | number
        runs = min(RUNS_BACK, (latest >> 32 & 0xFFFFFF) + 1)
        return [latest - (back << 32) for back in range(runs)]

    async def _find(self, numbers: list[int]) -> dict[int, Earlier]:
        return {each.number: each for each in await self._store.find(numbers)} if numbers else {}

    def _named(self, enquiry: Enquiry, found: dict[int, Earlier]) -> Earlier | None:
        """The SMS of that id, if the one who asks has sent it."""
        handset = self._handset(enquiry)
        for number in self._numbers_of(enquiry):
            earlier = found.get(number)
            if earlier is not None and (earlier.account, earlier.msisdn) == (enquiry.bind.account, handset):
                return earlier
        return None

    def _handset(self, enquiry: Enquiry) -> str | None:
        """The customer whose SMS it is about; None: nobody's."""
        try:
            return customer_of(self._in_force.tables, enquiry.source)
        except Refusal:
            return None

    # What became of it

    def _state(self, earlier: Earlier) -> Told:
        """It was executed when it came; a part, when the last one of its message came."""
        if earlier.outcome != PART or earlier.part is PartState.COMPLETE:
            return Told(done=True, state=_DELIVERED, over_at=earlier.at)
        if earlier.part is PartState.WAITS:
            return Told(done=True, state=_ENROUTE)
        # Complete ones are remembered so long: this one was given up. Later nobody knows.
        given_up = self._clock.now_ms() - earlier.at < REPEATABLE_MS
        return Told(done=True, state=_EXPIRED if given_up else _UNKNOWN, over_at=earlier.at)

    # Taking back

    async def _search(self, searches: list[Enquiry], cancels: dict[int, list[Enquiry]]) -> None:
        """Find, for cancels without an id, the latest SMS from that handset to that number whose effects
        wait."""
        unsent = self._outbox.withdrawals.causes()
        found = await self._find(sorted(unsent, reverse=True)[:CAUSES])
        latest = sorted(found.values(), reverse=True)
        resolve = self._in_force.tables.resolve
        for enquiry in searches:
            handset, route = self._handset(enquiry), resolve(enquiry.destination)
            number = next(
                (
                    each.number
                    for each in latest
                    if (each.account, each.msisdn) == (enquiry.bind.account, handset)
                    and resolve(each.destination) == route
                    and any(to != handset for to in unsent[each.number])
                ),
                None,
            )
            if number is None:
                self._tell(enquiry, _NO)
            else:
                cancels.setdefault(number, []).append(enquiry)

    async def _cancel(self, cancels: dict[int, list[Enquiry]]) -> None:
        """Take back what waits to leave to others, and answer when that is stored."""
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        keep = {number: self._handset(those[0]) or "" for number, those in cancels.items()}
        taken = self._outbox.withdrawals.take(keep)
        for sms in taken:
            self._outbox.depth -= 1
            self._outbox.drop(sms, WITHDRAWN, now_ms)
        self._outbox.tick(now, now_ms)  # those behind them leave
        done = {sms.cause for sms in taken}
        for number, those in cancels.items():
            if number not in done:
                for enquiry in those:
                    self._tell(enquiry, _NO)
        self._outbox.flush()
        await self._until(lambda: not any(self._outbox.is_deciding(sms.number) for sms in taken))
        for number in done:
            for enquiry in cancels[number]:
                self._tell(enquiry, Told(done=True))

    # Answers

    def _tell(self, enquiry: Enquiry, told: Told) -> None:
        self._in_hand.remove(enquiry)
        if not enquiry.bind.closed:
            enquiry.bind.tell(enquiry, told)
            self._outbox.touch(enquiry.bind)

    def _refuse(self, enquiry: Enquiry, verdict: Verdict) -> None:
        if not enquiry.bind.closed:
            enquiry.bind.reject(enquiry.origin, verdict)
            self._outbox.touch(enquiry.bind)
