"""Sends mobile terminated SMS, from the commit that stored them to the response that closes them.

Order: one unanswered PDU per handset, and the parts of a long SMS in sequence; a temporary failure holds back
only that handset's followers. The outbox gets an SMS from memory directly after its commit; only a start
reads from disk. Each SMS is sent at least once: after a crash, a lost session or a timeout it is sent again,
marked `repeat`; after a timeout on another bind if there is one, else on the same bind after a pause (the
response timer, doubling). The outbox counts losses that the SMS may have caused: a timeout (the session
reports one only of a peer that answers other PDUs), and the loss of a session of which it was the oldest
unanswered PDU. It does not count a loss when the peer had stopped answering at all, nor during our stop.
After LOSSES of them the SMS is parked until an operator retries or drops it, and its followers leave.

So the first SMS of a handset is always in one of four places, and leaves each without help: in flight (until
the response, the response timer or the end of the session), waiting for the window of a bind (until a
response, a commit or the end of the bind), waiting for a receiver (until the next bind), waiting for its time
(`_timed`). In the last three its expiry ends the wait too.

Everything runs in the loop's thread, without a task per SMS. Pauses run on the monotonic clock (`now`,
seconds), expiry on the clock of the store (`now_ms`). Changed and closed SMS wait in `_changed` and `_closed`
for the next commit. A kill before it sends closed SMS again: where a commit takes long, or fails, no more SMS
leave than AHEAD says.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, filterfalse
from math import inf
from operator import attrgetter
from random import Random
from typing import Final, TypeVar

from gateway.channels.contract import Bind, Composer, Loss
from gateway.message import Answer, Commit, Delivery, MobileTerminated
from gateway.observer import Observer
from gateway.outbound.attempts import Attempts
from gateway.outbound.moving import take_out
from gateway.outbound.selection import Binds
from gateway.outbound.waiting import NO_RECEIVER, RETRIED, UNANSWERED, WINDOW, Wait, wait_of, with_reason

RETRY_FIRST: Final = 1.0
RETRY_MOST: Final = 300.0
"""Seconds of the first pause after a temporary failure, and of the longest one."""
LOSSES: Final = 3
"""Counted timeouts and lost sessions after which an SMS is parked."""
AHEAD: Final = 256
"""Closed SMS, beyond as many as are in flight, that may wait to be stored while others leave."""
Place = TypeVar("Place", int, str)
# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_SENT: Final = Delivery.SENT
_NODE: Final = attrgetter("node")


class Outbox:
    """Holds the SMS that wait and those in flight.

    Args:
        composer: splits texts into parts.
        wake: called when there is something to commit.
        limit: how many SMS may be held; beyond it the gateway refuses new messages.
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
        self._storing = 0  # closed SMS in the commit under way
        self._attempts = Attempts(2 * limit)
        self._deciding: dict[int, MobileTerminated] = {}  # parked SMS that an operator has retried or dropped
        self.limit = limit
        self.stopping = False  # SMS stay in the store and are not sent
        self.may_send: Callable[[], bool] | None = None  # asked before each SMS; None: yes
        self.depth = 0
        self.in_flight = 0
        self._binds = binds
        self._compose = composer.compose
        self._observer = observer
        self._random = random
        self._wake = wake
        self._queues: dict[tuple[str, str], deque[MobileTerminated]] = {}  # per account and handset
        self._followers: deque[MobileTerminated] = deque()  # heads of queues whose turn has come
        self._unbound: dict[str, deque[MobileTerminated]] = {}  # per account: no receiver is bound
        self._blocked: dict[int, deque[MobileTerminated]] = {}  # per bind: its window was full
        self._timed: list[tuple[float, int, MobileTerminated]] = []  # (due, number, sms)
        self._expires: float = inf  # earliest expiry (ms) in _unbound and _blocked
        self._touched: dict[int, Bind] = {}

    @property
    def full(self) -> bool:
        """Whether new messages should wait at the SMSC (RMSGQFUL)."""
        return self.depth >= self.limit

    def compose(self, sms: MobileTerminated) -> None:
        """Split an SMS into parts. Raises ValueError when it cannot be sent at all.

        Parts acknowledged in an earlier run count only if the text still has the same number of parts.
        """
        pieces = self._compose(sms)
        if len(pieces) != sms.parts or sms.parts_done >= len(pieces):
            sms.parts_done = 0
        sms.segments = pieces
        sms.parts = len(pieces)

    def hand_over(self, stored: Iterable[MobileTerminated], now: float, now_ms: int) -> None:
        """Queue SMS that are stored now, send those that can leave, and flush."""
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
        """Return whether it waits here already: an operator may have retried it while older ones are read."""
        queue = self._queues.get((sms.account, sms.msisdn), ())
        return any(each.number == sms.number for each in queue)

    def waits_for(self, account: str, msisdn: str) -> bool:
        """Return whether SMS to a handset wait here, so that others to it come behind them."""
        return (account, msisdn) in self._queues

    def lacks_receiver(self, account: str) -> bool:
        """Return whether SMS wait for a bind of an account that receives."""
        return bool(self._unbound.get(account))

    def take_out(self, elsewhere: Callable[[str, str], int], most: int) -> dict[int, list[MobileTerminated]]:
        """Take out SMS that find no receiver, with those behind them: about `most`, by where they can leave.

        elsewhere: gives the node for an account and a handset, 0 for none. SMS of which something is not
        stored stay.
        """
        unstored = {sms.number for sms in self._changed}
        taken = take_out(self._unbound, self._queues, unstored, elsewhere, most)
        self.depth -= sum(map(len, taken.values()))
        return taken

    def touch(self, bind: Bind) -> None:
        """Let the next flush() write what somebody else has queued on the bind."""
        self._touched[bind.number] = bind

    def flush(self) -> None:
        """Write what was queued since the last call, one write per bind."""
        if self._touched:
            touched, self._touched = self._touched, {}
            for bind in touched.values():
                bind.flush()

    def bind_ready(self, bind: Bind, now: float, now_ms: int) -> None:
        """Send the SMS that wait for the account of a new receiver."""
        for sms in self._unbound.pop(bind.account, ()):
            self._send(sms, now, now_ms)
        self._finish(now, now_ms)

    def sent(self, bind: Bind, sms: MobileTerminated, remote_id: str, now: float, now_ms: int) -> None:
        """Note that the peer accepted the part in flight. Call settle() after a run of responses."""
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
                sms.session = bind.number
                if sms.attempts > 1 or sms.repeat or sms.waited:
                    self._attempts.succeeded(sms, bind, now, now_ms)
                self._close(sms, _SENT, now_ms)
                self._observer.sent(sms, bind, now - sms.handed_over, now_ms)
        except Exception as error:  # the boundary for bugs behind an answer
            self._break(sms, error, now_ms)

    def refused(
        self, bind: Bind, sms: MobileTerminated, reason: str, now: float, now_ms: int, *, retry: bool
    ) -> None:
        """Note that the peer refused the part in flight. retry: send it again later. Then settle()."""
        self.in_flight -= 1
        try:
            sms.session = bind.number
            self._attempts.ended(sms, bind, Answer.REFUSED, reason, now, now_ms)
            if retry:
                sms.error = reason
                self._retry_later(sms, now, now_ms)
            else:
                self._fail(sms, Delivery.FAILED, reason, now_ms)
        except Exception as error:  # the boundary for bugs behind an answer
            self._break(sms, error, now_ms)

    def unknown(self, bind: Bind, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Note that a peer that answers other PDUs did not answer this one in time: it may be delivered.

        The SMS is sent again, on another bind or after a pause, or parked after LOSSES.
        """
        self.in_flight -= 1
        self._attempts.ended(sms, bind, Answer.TIMEOUT, "", now, now_ms)
        sms.error = UNANSWERED
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
        """Send followers, and what waits for the window of this bind, after a run of responses."""
        if bind.number in self._blocked:
            self._unblock(bind.number, now, now_ms)
        self._finish(now, now_ms)

    def lost(
        self, bind: Bind, unanswered: Iterable[MobileTerminated], loss: Loss, now: float, now_ms: int
    ) -> None:
        """Send again, elsewhere or later, what a bind that is gone (and out of Binds) left unanswered.

        unanswered: oldest first. Only the oldest may have caused the loss of the session.
        """
        counts = not (self.stopping or loss.silent)
        for sms in unanswered:
            self.in_flight -= 1
            self._attempts.ended(sms, bind, Answer.LOST, loss.reason, now, now_ms)
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
        """Send a parked SMS, as the store has it, once more as soon as that decision is committed."""
        self._deciding[sms.number] = sms
        sms.state = Delivery.WAITING
        sms.losses = 0
        sms.error = ""
        sms.waited = RETRIED
        self._change(sms)

    def drop(self, sms: MobileTerminated, reason: str, now_ms: int) -> None:
        """Close a parked SMS, as the store has it, as failed."""
        self._deciding[sms.number] = sms
        sms.state = Delivery.FAILED
        sms.error = reason
        sms.closed_at = now_ms
        self._closed.append(sms)
        self._observer.failed(sms)
        self._wake()

    def park_stored(self, sms: MobileTerminated, reason: str) -> None:
        """Park an SMS, as the store has it, with the next commit: it cannot be sent."""
        sms.state = Delivery.PARKED
        sms.error = reason
        self._changed.append(sms)
        self._observer.parked(sms)
        self._wake()

    def wait_of(self, number: int, account: str, msisdn: str, now: float) -> Wait:
        """Tell why an SMS to a handset waits."""
        return wait_of(number, self._queues.get((account, msisdn)), now, store_behind=self._ahead())

    def is_deciding(self, number: int) -> bool:
        """Return whether an operator has retried or dropped the SMS and that is not stored yet."""
        return number in self._deciding

    @property
    def to_store(self) -> int:
        """How many changed and closed SMS are not stored."""
        return len(self._closed) + len(self._changed)

    def hand_in(self, commit: Commit) -> None:
        """Put changed and closed SMS into a commit."""
        commit.closed, self._closed = self._closed, []
        self._storing = len(commit.closed)
        commit.changed, self._changed = self._changed, []
        self._attempts.hand_in(commit)

    def take_back(self, commit: Commit) -> None:
        """Take back the SMS of a commit that failed; the next one stores them."""
        self._closed = [*commit.closed, *self._closed]
        self._storing = 0
        self._changed = [*commit.changed, *self._changed]
        self._attempts.take_back(commit)

    def committed(self, commit: Commit, now: float, now_ms: int) -> None:
        """Send the new SMS of a stored commit that leave here, and parked ones that an operator retried."""
        held, self._storing = self._ahead(), 0
        if held:
            for number in list(self._blocked):
                self._unblock(number, now, now_ms)
        self.hand_over(filterfalse(_NODE, commit.outgoing), now, now_ms)
        if not self._deciding:
            return
        for sms in chain(commit.changed, commit.closed):
            if self._deciding.pop(sms.number, None) is not None and sms.state is Delivery.WAITING:
                self.hand_over((sms,), now, now_ms)

    def tick(self, now: float, now_ms: int) -> None:
        """Send what is due, close what has expired, and move SMS off binds that have ended."""
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
        """Return when the next timed SMS is due (monotonic seconds); None if there is none."""
        return self._timed[0][0] if self._timed else None

    def _finish(self, now: float, now_ms: int) -> None:
        followers = self._followers
        while followers:
            self._send(followers.popleft(), now, now_ms)
        self.flush()

    def _send(self, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Send the next part of the first SMS of a handset, or put it where it waits."""
        try:
            if now_ms >= sms.expires_at:
                self._fail(sms, Delivery.EXPIRED, "expired", now_ms)
                return
            if self.stopping:
                return
            bind = self._binds.choose(sms.account, sms.msisdn, sms.bind, sms.avoid)
            if bind is None and sms.avoid:
                bind = self._binds.choose_again(sms.account, sms.msisdn, sms.bind, sms.avoid)
                if bind is not None and bind.number == sms.avoid[-1] and now < sms.not_before:
                    self._observer.deferred(sms, UNANSWERED)
                    self._wait_until(sms.not_before, sms, now, now_ms)
                    return
            if bind is None:
                sms.waited = with_reason(sms.waited, NO_RECEIVER)
                waiting = self._unbound.get(sms.account)
                if waiting is None:
                    waiting = self._unbound[sms.account] = deque()
                    self._observer.deferred(sms, NO_RECEIVER)
                self._wait_in(waiting, sms)
            elif bind.room <= 0 or bind.number in self._blocked or self._ahead():
                sms.waited = with_reason(sms.waited, WINDOW)
                self._wait_in(self._blocked.setdefault(bind.number, deque()), sms)
            else:
                self._transmit(sms, bind, now, now_ms)
        except Exception as error:  # the boundary for bugs on the way out
            self._break(sms, error, now_ms)

    def _break(self, sms: MobileTerminated, error: Exception, now_ms: int) -> None:
        """Fail an SMS that met a bug, unless it is closed already; its followers leave."""
        if sms.state is Delivery.WAITING:
            self._fail(sms, Delivery.FAILED, type(error).__name__, now_ms, error)
        else:
            self._observer.failed(sms, error)

    def _wait_in(self, waiting: deque[MobileTerminated], sms: MobileTerminated) -> None:
        waiting.append(sms)
        if sms.expires_at < self._expires:
            self._expires = sms.expires_at

    def _wait_until(self, due: float, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Let an SMS wait until `due`, but not beyond its expiry: its followers leave then."""
        expires = now + (sms.expires_at - now_ms + 1) / 1000  # the two clocks may differ by a part of 1 ms
        sms.due = min(due, expires)
        heapq.heappush(self._timed, (sms.due, sms.number, sms))

    def _unblock(self, number: int, now: float, now_ms: int) -> None:
        """Send what waits for the window of a bind while it has room, or elsewhere if the bind has ended."""
        blocked = self._blocked.get(number)
        if blocked is None or self.stopping:
            return
        bind = self._binds.get(number)
        if bind is None or not bind.receives:
            del self._blocked[number]
            for sms in blocked:
                self._send(sms, now, now_ms)
            return
        while blocked and bind.room > 0 and not self._ahead():
            sms = blocked.popleft()
            if now_ms >= sms.expires_at:
                self._fail(sms, Delivery.EXPIRED, "expired", now_ms)
            else:
                self._transmit(sms, bind, now, now_ms)
        if not blocked:
            del self._blocked[number]

    def _ahead(self) -> bool:
        """Return whether so many closed SMS are not stored that no others may leave, or none may at all."""
        if self.may_send is not None and not self.may_send():
            return True
        return self._storing + len(self._closed) >= AHEAD + self.in_flight

    def _expire(self, places: dict[Place, deque[MobileTerminated]], now_ms: int) -> None:
        """Close the waiting SMS that have expired, and note the next expiry."""
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
        """Queue the next part on a bind that has room. A fault fails this SMS only."""
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
            else:
                sms.left = now
        self.in_flight += 1
        self._touched[bind.number] = bind

    def _fail(
        self, sms: MobileTerminated, state: Delivery, reason: str, now_ms: int, error: Exception | None = None
    ) -> None:
        sms.error = reason
        self._close(sms, state, now_ms)
        self._observer.failed(sms, error)

    def _change(self, sms: MobileTerminated) -> None:
        """Let the next commit write the SMS, with the state that it has then."""
        changed = self._changed
        changed.append(sms)
        if len(changed) > 2 * self.limit:  # the store has failed for long: list each SMS once
            changed[:] = dict.fromkeys(changed)
        self._wake()

    def _close(self, sms: MobileTerminated, state: Delivery, now_ms: int) -> None:
        """Close an SMS with the next commit; its follower is next."""
        sms.state = state
        sms.closed_at = now_ms
        self._closed.append(sms)
        self._wake()
        self._leave(sms)

    def _park(self, sms: MobileTerminated) -> None:
        """Park an SMS for an operator; its follower is next."""
        sms.state = Delivery.PARKED
        sms.error = f"unanswered {sms.losses} times (timeouts, lost sessions)"
        self._leave(sms)
        self._observer.parked(sms)

    def _leave(self, sms: MobileTerminated) -> None:
        """Remove an SMS from its queue."""
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
        """Retry after 1 s, doubling up to 5 min, with jitter down to a half."""
        pause = min(RETRY_FIRST * 2 ** min(sms.refusals, 20), RETRY_MOST)
        sms.refusals += 1
        sms.leaves_anew = True
        self._change(sms)
        self._wait_until(now + pause * (0.5 + self._random.random() / 2), sms, now, now_ms)
        self._observer.deferred(sms, sms.error)
