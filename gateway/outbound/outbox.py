"""What leaves: SMS to handsets, from the commit that stored them to the response that closes them.

Order: one unanswered PDU per handset, the parts of a long SMS in sequence; a temporary failure holds
only that handset's followers. An SMS is handed over from memory straight after its commit and read
from disk only at start. It leaves at least once: after a crash, a cut or a timeout it is sent again,
marked `repeat`; after a timeout on another bind if there is one, else on the same one after a pause (the
response timer, doubling). What may be its fault is counted: a timeout (the session reports one only of a
peer that answers others), and the loss of a session of which it was the oldest unanswered PDU. It is not
counted when the peer answered nothing any more, nor when we stop. After LOSSES it is parked until an
operator retries or drops it, and its followers leave.

So the first SMS of a handset is always in one of these places, and each of them lets it go by itself:
in flight (the response, the response timer, the end of the session), waiting for the window of a bind (its
answers, its end), waiting for a receiver (the next bind), waiting for its time (`_timed`); and in all of
them but the first at its expiry.

Everything runs in the loop's thread; no task per SMS. Pauses run on the monotonic clock (`now`, seconds),
expiry on that of the store (`now_ms`). What became of SMS waits in `closed` and `changed` for the next
commit.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from math import inf
from random import Random
from typing import Final, TypeVar

from gateway.channels.contract import Bind, Composer, Loss
from gateway.message import Commit, Delivery, MobileTerminated
from gateway.observer import Observer
from gateway.outbound.selection import Binds

RETRY_FIRST: Final = 1.0
RETRY_MOST: Final = 300.0
"""Seconds of the first pause after a temporary failure, and of the longest."""
LOSSES: Final = 3
"""Timeouts and lost sessions that count against one SMS, after which it is parked."""
Place = TypeVar("Place", int, str)
# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_SENT: Final = Delivery.SENT


class Outbox:
    """SMS that wait, and those in flight. `limit`: how many are held before new messages are refused.

    composer: cuts texts. wake: called when something was closed, so that it gets committed.
    """

    def __init__(
        self,
        binds: Binds,
        composer: Composer,
        observer: Observer,
        random: Random,
        wake: Callable[[], None],
        limit: int = 100_000,
    ) -> None:
        self._closed: list[MobileTerminated] = []
        self._changed: list[MobileTerminated] = []
        self._deciding: dict[int, MobileTerminated] = {}  # parked ones about which an operator has decided
        self.limit = limit
        self.stopping = False  # nothing leaves any more; it stays in the store
        self.depth = 0
        self.in_flight = 0
        self._binds = binds
        self._compose = composer.compose
        self._observer = observer
        self._random = random
        self._wake = wake
        self._queues: dict[tuple[str, str], deque[MobileTerminated]] = {}  # per account and handset
        self._followers: deque[MobileTerminated] = deque()  # heads of queues whose turn has come
        self._unbound: dict[str, deque[MobileTerminated]] = {}  # per account: nobody receives them now
        self._blocked: dict[int, deque[MobileTerminated]] = {}  # per bind: its window was full
        self._timed: list[tuple[float, int, MobileTerminated]] = []  # (due, number, sms)
        self._expires: float = inf  # not before it (ms) does one of those in _unbound and _blocked expire
        self._touched: dict[int, Bind] = {}

    @property
    def full(self) -> bool:
        """Whether new messages had better wait at the centre (RMSGQFUL)."""
        return self.depth >= self.limit

    def compose(self, sms: MobileTerminated) -> None:
        """Cut an SMS into the parts it will leave in. Raises ValueError when it cannot be sent at all.

        Parts that an earlier run had acknowledged count only while the text gives as many as then.
        """
        pieces = self._compose(sms)
        if len(pieces) != sms.parts or sms.parts_done >= len(pieces):
            sms.parts_done = 0
        sms.segments = pieces
        sms.parts = len(pieces)

    def hand_over(self, stored: Iterable[MobileTerminated], now: float, now_ms: int) -> None:
        """SMS that the store holds from now on: send what can be sent. Ends with flush()."""
        queues = self._queues
        for sms in stored:
            self.depth += 1
            key = (sms.account, sms.msisdn)
            queue = queues.get(key)
            if queue is None:
                queues[key] = deque((sms,))
                self._send(sms, now, now_ms)
            else:
                queue.append(sms)
        self._finish(now, now_ms)

    def holds(self, sms: MobileTerminated) -> bool:
        """Whether the SMS with that number waits here already, as one does that an operator took out of the
        park while older ones are still to be read from the store."""
        queue = self._queues.get((sms.account, sms.msisdn), ())
        return any(each.number == sms.number for each in queue)

    def touch(self, bind: Bind) -> None:
        """Somebody else has queued octets on that bind: they leave with the next flush()."""
        self._touched[bind.number] = bind

    def flush(self) -> None:
        """Write what was sent since the last call, one write per bind."""
        if self._touched:
            touched, self._touched = self._touched, {}
            for bind in touched.values():
                bind.flush()

    def bind_ready(self, bind: Bind, now: float, now_ms: int) -> None:
        """A receiver has bound: what waits for its account may leave."""
        for sms in self._unbound.pop(bind.account, ()):
            self._send(sms, now, now_ms)
        self._finish(now, now_ms)

    def sent(self, bind: Bind, sms: MobileTerminated, remote_id: str, now: float, now_ms: int) -> None:
        """The peer took the part in flight. The caller calls settle() behind the last of a run."""
        self.in_flight -= 1
        try:
            sms.parts_done += 1
            sms.refusals = 0
            sms.avoid = ()
            if sms.parts_done < sms.parts:
                self._change(sms)
                self._send(sms, now, now_ms)
            else:
                sms.error = ""
                sms.remote_id = remote_id
                self._close(sms, _SENT, now_ms)
                self._observer.sent(sms, bind, now - sms.handed_over, now_ms)
        except Exception as error:  # the boundary for bugs behind an answer
            self._break(sms, error, now_ms)

    def refused(self, sms: MobileTerminated, reason: str, now: float, now_ms: int, *, retry: bool) -> None:
        """The peer did not take the part in flight; retry: it may take it later. settle() as for sent()."""
        self.in_flight -= 1
        try:
            if retry:
                sms.error = reason
                self._retry_later(sms, now, now_ms)
            else:
                self._fail(sms, Delivery.FAILED, reason, now_ms)
        except Exception as error:  # the boundary for bugs behind an answer
            self._break(sms, error, now_ms)

    def unknown(self, bind: Bind, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """No answer in time, of a peer that answers others: it may have been delivered. It leaves again, on
        another bind or after a pause; unless it has been unanswered too often."""
        self.in_flight -= 1
        sms.repeat = sms.leaves_anew = True
        if not self.stopping:
            sms.losses += 1
        self._change(sms)
        if sms.losses >= LOSSES:
            self._park(sms)
            return
        sms.avoid = (*(number for number in sms.avoid if self._binds.get(number)), bind.number)
        sms.not_before = now + bind.response_timeout * 2 ** max(0, sms.losses - 1)
        self._send(sms, now, now_ms)

    def settle(self, bind: Bind, now: float, now_ms: int) -> None:
        """Answers of a bind have been taken: its window has room, followers may leave."""
        if bind.number in self._blocked:
            self._unblock(bind.number, now, now_ms)
        self._finish(now, now_ms)

    def lost(
        self, bind: Bind, unanswered: Iterable[MobileTerminated], loss: Loss, now: float, now_ms: int
    ) -> None:
        """A bind is gone (and out of Binds): what it left unanswered goes out again elsewhere or later.

        unanswered: oldest first. The oldest may be what broke the session.
        """
        counts = not (self.stopping or loss.silent)
        for sms in unanswered:
            self.in_flight -= 1
            sms.repeat = sms.leaves_anew = True
            if counts:
                sms.losses += 1
            self._change(sms)
            if sms.losses < LOSSES:
                self._send(sms, now, now_ms)
            else:
                self._park(sms)
            counts = False
        self._unblock(bind.number, now, now_ms)
        self._finish(now, now_ms)

    def retry(self, sms: MobileTerminated) -> None:
        """A parked SMS, as the store has it, is to leave once more, as soon as that is committed."""
        self._deciding[sms.number] = sms
        sms.state = Delivery.WAITING
        sms.losses = 0
        sms.error = ""
        self._change(sms)

    def drop(self, sms: MobileTerminated, reason: str, now_ms: int) -> None:
        """A parked SMS, as the store has it, is given up."""
        self._deciding[sms.number] = sms
        sms.state = Delivery.FAILED
        sms.error = reason
        sms.closed_at = now_ms
        self._closed.append(sms)
        self._observer.failed(sms)
        self._wake()

    def park_stored(self, sms: MobileTerminated, reason: str) -> None:
        """An SMS, as the store has it, cannot leave: it is parked with the next commit."""
        sms.state = Delivery.SUSPECT
        sms.error = reason
        self._changed.append(sms)
        self._observer.suspected(sms)
        self._wake()

    def is_deciding(self, number: int) -> bool:
        """Whether an operator has decided about that SMS and the decision is not stored yet."""
        return number in self._deciding

    @property
    def to_store(self) -> bool:
        """Whether anything became of SMS that the store does not know."""
        return bool(self._closed or self._changed)

    def hand_in(self, commit: Commit) -> None:
        """Put what became of SMS into a commit."""
        commit.closed, self._closed = self._closed, []
        commit.changed, self._changed = self._changed, []

    def take_back(self, commit: Commit) -> None:
        """That commit failed: all of it is still to be stored."""
        self._closed = [*commit.closed, *self._closed]
        self._changed = [*commit.changed, *self._changed]

    def committed(self, commit: Commit, now: float, now_ms: int) -> None:
        """A commit is on the disk: its new SMS leave, and parked ones that an operator wanted retried."""
        self.hand_over(commit.outgoing, now, now_ms)
        if not self._deciding:
            return
        for sms in chain(commit.changed, commit.closed):
            if self._deciding.pop(sms.number, None) is not None and sms.state is Delivery.WAITING:
                self.hand_over((sms,), now, now_ms)

    def tick(self, now: float, now_ms: int) -> None:
        """Send what is due; close what has expired while it waited; see to binds that end."""
        while self._timed and self._timed[0][0] <= now:
            self._send(heapq.heappop(self._timed)[2], now, now_ms)
        if now_ms >= self._expires:
            self._expires = inf
            self._expire(self._unbound, now_ms)
            self._expire(self._blocked, now_ms)
        for number in list(self._blocked):
            self._unblock(number, now, now_ms)
        self._finish(now, now_ms)

    def next_retry(self) -> float | None:
        """When the next SMS that waits for its time leaves, in monotonic seconds; None while none does."""
        return self._timed[0][0] if self._timed else None

    def _finish(self, now: float, now_ms: int) -> None:
        followers = self._followers
        while followers:
            self._send(followers.popleft(), now, now_ms)
        self.flush()

    def _send(self, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Send the next part of the first SMS of a handset, or keep it where it will be found again."""
        try:
            if now_ms >= sms.expires_at:
                self._fail(sms, Delivery.EXPIRED, "expired", now_ms)
                return
            if self.stopping:
                return
            bind = self._binds.choose(sms.account, sms.msisdn, sms.bind, sms.avoid)
            if bind is None and sms.avoid:
                bind = self._choose_again(sms)
                if bind is not None and bind.number == sms.avoid[-1] and now < sms.not_before:
                    self._observer.deferred(sms, "no response in time")
                    self._wait_until(sms.not_before, sms, now, now_ms)
                    return
            if bind is None:
                waiting = self._unbound.get(sms.account)
                if waiting is None:
                    waiting = self._unbound[sms.account] = deque()
                    self._observer.deferred(sms, "no receiver")
                self._wait_in(waiting, sms)
            elif bind.room <= 0 or bind.number in self._blocked:
                self._wait_in(self._blocked.setdefault(bind.number, deque()), sms)
            else:
                self._transmit(sms, bind, now, now_ms)
        except Exception as error:  # the boundary for bugs on the way out
            self._break(sms, error, now_ms)

    def _break(self, sms: MobileTerminated, error: Exception, now_ms: int) -> None:
        """A bug has met an SMS: it fails, unless it is over already, and its followers go."""
        if sms.state is Delivery.WAITING:
            self._fail(sms, Delivery.FAILED, type(error).__name__, now_ms, error)
        else:
            self._observer.failed(sms, error)

    def _choose_again(self, sms: MobileTerminated) -> Bind | None:
        """Every bind that may have it has left it unanswered: another one than last, else that one."""
        account, msisdn = sms.account, sms.msisdn
        return self._binds.choose(account, msisdn, sms.bind, sms.avoid[-1:]) or self._binds.choose(
            account, msisdn, sms.bind
        )

    def _wait_in(self, waiting: deque[MobileTerminated], sms: MobileTerminated) -> None:
        waiting.append(sms)
        if sms.expires_at < self._expires:
            self._expires = sms.expires_at

    def _wait_until(self, due: float, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Not beyond its expiry: its followers are to leave then."""
        expires = now + (sms.expires_at - now_ms + 1) / 1000  # the two clocks may differ by a part of 1 ms
        heapq.heappush(self._timed, (min(due, expires), sms.number, sms))

    def _unblock(self, number: int, now: float, now_ms: int) -> None:
        """Send what waits for a bind's window, as far as there is room; elsewhere when that bind ends."""
        blocked = self._blocked.get(number)
        if blocked is None or self.stopping:
            return
        bind = self._binds.get(number)
        if bind is None or not bind.receives:
            del self._blocked[number]
            for sms in blocked:
                self._send(sms, now, now_ms)
            return
        while blocked and bind.room > 0:
            sms = blocked.popleft()
            if now_ms >= sms.expires_at:
                self._fail(sms, Delivery.EXPIRED, "expired", now_ms)
            else:
                self._transmit(sms, bind, now, now_ms)
        if not blocked:
            del self._blocked[number]

    def _expire(self, places: dict[Place, deque[MobileTerminated]], now_ms: int) -> None:
        """Close those of the SMS that wait there that have expired; note when the next one does."""
        for key, waiting in list(places.items()):
            kept: deque[MobileTerminated] = deque()
            for sms in waiting:
                if now_ms >= sms.expires_at:
                    self._fail(sms, Delivery.EXPIRED, "expired", now_ms)
                else:
                    self._wait_in(kept, sms)
            if kept:
                places[key] = kept
            else:
                del places[key]

    def _transmit(self, sms: MobileTerminated, bind: Bind, now: float, now_ms: int) -> None:
        """Put its next part on a bind that has room. Whatever goes wrong in it, goes wrong for it alone."""
        try:
            if not sms.segments:
                self.compose(sms)
            bind.send(sms, now)
        except ValueError as error:
            self._fail(sms, Delivery.FAILED, str(error), now_ms)
            return
        except Exception as error:
            self._fail(sms, Delivery.FAILED, type(error).__name__, now_ms, error)
            return
        if sms.leaves_anew:
            sms.leaves_anew = False
            sms.attempts += 1
            if not sms.handed_over:
                sms.handed_over = now
        self.in_flight += 1
        self._touched[bind.number] = bind

    def _fail(
        self,
        sms: MobileTerminated,
        state: Delivery,
        reason: str,
        now_ms: int,
        error: Exception | None = None,
    ) -> None:
        sms.error = reason
        self._close(sms, state, now_ms)
        self._observer.failed(sms, error)

    def _change(self, sms: MobileTerminated) -> None:
        """To be written with the next commit, as it stands then."""
        changed = self._changed
        changed.append(sms)
        if len(changed) > 2 * self.limit:  # the store takes nothing for long: each once is enough
            changed[:] = dict.fromkeys(changed)
        self._wake()

    def _close(self, sms: MobileTerminated, state: Delivery, now_ms: int) -> None:
        """It is over: to be written with the next commit, and its follower's turn has come."""
        sms.state = state
        sms.closed_at = now_ms
        self._closed.append(sms)
        self._wake()
        self._leave(sms)

    def _park(self, sms: MobileTerminated) -> None:
        """It will not leave by itself any more; its follower's turn has come."""
        sms.state = Delivery.SUSPECT
        sms.error = f"unanswered {sms.losses} times (timeouts, lost sessions)"
        self._leave(sms)
        self._observer.suspected(sms)

    def _leave(self, sms: MobileTerminated) -> None:
        """It waits here no more."""
        sms.segments = ()
        self.depth -= 1
        key = (sms.account, sms.msisdn)
        queue = self._queues[key]
        queue.popleft()
        if queue:
            self._followers.append(queue[0])
        else:
            del self._queues[key]

    def _retry_later(self, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """1 s, doubling to 5 min, with jitter down to a half."""
        pause = min(RETRY_FIRST * 2 ** min(sms.refusals, 20), RETRY_MOST)
        sms.refusals += 1
        sms.leaves_anew = True
        self._change(sms)
        self._wait_until(now + pause * (0.5 + self._random.random() / 2), sms, now, now_ms)
        self._observer.deferred(sms, sms.error)
