"""Sends mobile terminated SMS, from the commit that stored them to the response that closes them.

Order: one unanswered PDU per handset, and the parts of a long SMS in sequence; a temporary failure holds back
only that handset's followers. The outbox gets an SMS from memory directly after its commit; only a start
reads from disk. Each SMS is sent at least once: after a crash, a lost session or a timeout it is sent again,
marked `repeat`; after a timeout on another bind if there is one, else on the same bind after a pause (the
response timer, doubling). The outbox counts losses that the SMS may have caused: a timeout (the session
reports one only of a peer that answers other PDUs), and the loss of a session of which it was the oldest
unanswered PDU. It does not count a loss when the peer had stopped answering at all, nor during our stop.
After LOSSES of them the SMS is parked until an operator retries or drops it, and its followers leave.

A response that comes after all closes the SMS where it waits, or the copy of it that has left meanwhile; on a
link that is told to wait (`unanswered: wait`) an SMS stays in flight until it comes. SMS of an account that
has had no receiver for long move to its backup (gateway.outbound.backups; docs/decisions/026-ways-out.md).

So the first SMS of a handset is always in one of five places, and leaves each without help: in flight (until
the response, the response timer or the end of the session), waiting for a late response (until it comes, or
the end of the session), waiting for the window or rate of a bind (until a response, a token, a commit or the
end of the bind), waiting for a receiver (until the next bind, or a backup), waiting for its time. In the last
four its expiry ends the wait too.

Everything runs in the loop's thread, without a task per SMS. Pauses run on the monotonic clock (`now`,
seconds), expiry on the clock of the store (`now_ms`). Changed and closed SMS wait for the next commit
(gateway.outbound.unstored). A kill before it sends closed SMS again: where a commit takes long, or fails, no
more SMS leave than AHEAD says.
"""

from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, filterfalse
from math import inf
from operator import attrgetter
from random import Random
from typing import Final

from gateway.channels.contract import Bind, Composer, Loss
from gateway.message import Answer, Commit, Delivery, MobileTerminated
from gateway.observer import Observer
from gateway.outbound.backups import STEP, Backups
from gateway.outbound.leaving import RETRY_FIRST, RETRY_MOST, Leaving
from gateway.outbound.selection import Binds
from gateway.outbound.unstored import AHEAD
from gateway.outbound.waiting import UNANSWERED, Wait, with_move
from gateway.outbound.withdrawals import Withdrawals

__all__ = ["AHEAD", "LOSSES", "RETRY_FIRST", "RETRY_MOST", "Outbox"]

LOSSES: Final = 3
"""Counted timeouts and lost sessions after which an SMS is parked."""
# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_SENT: Final = Delivery.SENT
_WAITING: Final = Delivery.WAITING
_NODE: Final = attrgetter("node")


class Outbox(Leaving):
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
        super().__init__(binds, composer, observer, random, wake, limit)
        self.backups: Backups | None = None
        self.withdrawals = Withdrawals(self._queues, (self._unbound, self._blocked), self._followers)

    @property
    def full(self) -> bool:
        """Whether new messages should wait at the SMSC (RMSGQFUL)."""
        return self.depth >= self.limit

    def hand_over(self, stored: Iterable[MobileTerminated], now: float, now_ms: int) -> None:
        """Queue SMS that are stored now, send those that can leave, and flush."""
        if self.backups is not None and self.backups.any_away:
            stored = [self._followed(sms) for sms in stored]
        self._queue(stored, now, now_ms)
        self._finish(now, now_ms)

    def _queue(self, stored: Iterable[MobileTerminated], now: float, now_ms: int) -> None:
        queues = self._queues
        for sms in stored:
            self.depth += 1
            key = (sms.account, sms.msisdn or sms.number)
            queue = queues.get(key)
            if queue is None:
                queues[key] = deque((sms,))
                self._send(sms, now, now_ms)
            else:
                queue.append(sms)

    def take_out(self, elsewhere: Callable[[str, str], int], most: int) -> dict[int, list[MobileTerminated]]:
        """Take out SMS that find no receiver, with those behind them: about `most`, by where they can leave.

        elsewhere: gives the node for an account and a handset, 0 for none. SMS of which something is not
        stored stay.
        """
        return self._take_out({sms.number for sms in self._changed}, elsewhere, most)

    def bind_ready(self, bind: Bind, now: float, now_ms: int) -> None:
        """Send the SMS that wait for the account of a new receiver, or for the windows of its siblings."""
        for sms in self._unbound.pop(bind.account, ()):
            self._send(sms, now, now_ms)
        self.settle(bind, now, now_ms)

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
                    if sms.repeat and sms.state is not _WAITING:
                        self._answered_again(sms, bind, Answer.OK, "", now, now_ms)
                        return
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
            if sms.state is not _WAITING:
                self._answered_again(sms, bind, Answer.REFUSED, reason, now, now_ms)
                return
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

        The SMS is sent again, on another bind or after a pause, or parked after LOSSES; or it waits on.
        """
        if bind.if_unanswered == "wait" and sms.state is _WAITING:
            bind.held = self._wait_for_answer(bind.number, sms)
            self._observer.deferred(sms, UNANSWERED)
            return
        self.in_flight -= 1
        if sms.state is not _WAITING:
            self._answered_again(sms, bind, Answer.TIMEOUT, "", now, now_ms)
            return
        self._attempts.ended(sms, bind, Answer.TIMEOUT, "", now, now_ms)
        sms.error = UNANSWERED
        sms.repeat = sms.leaves_anew = True
        if not self.stopping:
            sms.losses += 1
        self._change(sms)
        if sms.losses >= LOSSES:
            self._park(sms, now_ms)
            return
        sms.avoid = (*(number for number in sms.avoid if self._binds.get(number)), bind.number)
        sms.not_before = now + bind.response_timeout * 2 ** max(0, sms.losses - 1)
        self._send(sms, now, now_ms)

    def late(self, bind: Bind, sms: MobileTerminated, remote_id: str, now: float, now_ms: int) -> None:
        """Note that the peer accepted, too late, the part that the SMS wants acknowledged. Then settle()."""
        if self._awaited and self._awaits(bind.number, sms):
            bind.held = len(self._awaited.get(bind.number, ()))
            self.sent(bind, sms, remote_id, now, now_ms)
            return
        twice = not sms.leaves_anew
        self._observer.late(sms, bind, twice=twice)
        if sms.state is not _WAITING or not self._is_first(sms):
            return
        part = sms.parts_done + 1
        if not twice:
            self._withdraw(sms)
            sms.leaves_anew = False
            self.in_flight += 1
            self.sent(bind, sms, remote_id, now, now_ms)
            self._attempts.late(sms, bind, sms.attempts, part, now, now_ms)
        elif part == sms.parts:
            # The copy that has left keeps its place in the window, and its handset, until it is answered.
            self._attempts.late(sms, bind, max(1, sms.attempts - 1), part, now, now_ms)
            sms.parts_done = part
            sms.error, sms.remote_id, sms.session = "", remote_id, bind.number
            sms.state, sms.closed_at = _SENT, now_ms
            self._closed.append(sms)
            self._wake()
            self._observer.sent(sms, bind, now - sms.handed_over, now_ms)

    def late_refused(
        self, bind: Bind, sms: MobileTerminated, reason: str, now: float, now_ms: int, *, retry: bool
    ) -> None:
        """Note that the peer refused, too late, that part: as refused(), unless it has left again."""
        if self._awaited and self._awaits(bind.number, sms):
            bind.held = len(self._awaited.get(bind.number, ()))
        elif sms.state is _WAITING and sms.leaves_anew and self._is_first(sms):
            self._withdraw(sms)
            self.in_flight += 1
        else:
            return
        self.refused(bind, sms, reason, now, now_ms, retry=retry)

    def available(self, account: str, msisdn: str, now: float, now_ms: int) -> None:
        """Send what pauses for a handset after a refusal: it can be reached again."""
        queue = self._queues.get((account, msisdn))
        if queue and not queue[0].avoid and self._pauses.cancel(queue[0]):
            self._send(queue[0], now, now_ms)
            self._finish(now, now_ms)

    def settle(self, bind: Bind, now: float, now_ms: int) -> None:
        """Send followers, and what waits for this bind or its siblings, after a run of responses."""
        if self._blocked:
            self._unblock(bind.number, now, now_ms)
            if bind.link and self._blocked:
                self._relieve(bind, now, now_ms)
        self._finish(now, now_ms)

    def lost(
        self, bind: Bind, unanswered: Iterable[MobileTerminated], loss: Loss, now: float, now_ms: int
    ) -> None:
        """Send again, elsewhere or later, what a bind that is gone (and out of Binds) left unanswered.

        unanswered: oldest first. Only the oldest may have caused the loss of the session.
        """
        counts = not (self.stopping or loss.silent)
        for sms in chain(self._awaited.pop(bind.number, {}).values(), unanswered):
            self.in_flight -= 1
            if sms.state is not _WAITING:
                self._answered_again(sms, bind, Answer.LOST, loss.reason, now, now_ms)
                counts = False
                continue
            self._attempts.ended(sms, bind, Answer.LOST, loss.reason, now, now_ms)
            sms.repeat = sms.leaves_anew = True
            if counts:
                sms.losses += 1
            self._change(sms)
            if sms.losses < LOSSES:
                self._send(sms, now, now_ms)
            else:
                self._park(sms, now_ms)
            counts = False
        if self.backups is not None:
            self.backups.look(now)
        self._unblock(bind.number, now, now_ms)
        self._finish(now, now_ms)

    def wait_of(self, number: int, account: str, msisdn: str, now: float) -> Wait:
        """Tell why an SMS to a handset waits."""
        links = self._binds.links(account)
        return self._wait_of(number, account, msisdn, now, store_behind=self._ahead(), links=links)

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
        while (sms := self._pauses.take(now)) is not None:
            self._send(sms, now, now_ms)
        if now_ms >= self._expires:
            self._expire(now_ms)
        if self.backups is not None:
            self._back_up(self.backups, now, now_ms)
        for number in list(self._blocked):
            self._unblock(number, now, now_ms)
        if self._blocked:
            for bind in self._binds.all():
                if bind.link:
                    self._relieve(bind, now, now_ms)
        self._finish(now, now_ms)

    def next_retry(self) -> float | None:
        """Return when tick() has something to send (monotonic seconds); None if there is nothing."""
        due = self._pauses.next()
        if self.backups is None or not self._unbound:
            return due
        moves = self.backups.next(self._unbound)
        return due if moves is None else moves if due is None else min(due, moves)

    def _expire(self, now_ms: int) -> None:
        """Close the waiting SMS that have expired, and note the next expiry."""
        self._expires = inf
        expired = self._pop_expired(self._unbound, now_ms) + self._pop_expired(self._blocked, now_ms)
        for number, sms in self._pop_unanswered(now_ms):
            self.in_flight -= 1
            if sms.state is _WAITING:
                expired.append(sms)
            else:  # a copy of one that a late response has closed
                self._leave(sms)
            if (bind := self._binds.get(number)) is not None:
                bind.held = len(self._awaited.get(number, ()))
        for sms in expired:
            self._fail(sms, Delivery.EXPIRED, "expired", now_ms)

    def _back_up(self, backups: Backups, now: float, now_ms: int) -> None:
        """Move SMS that have waited long for a receiver to the backups of their accounts."""
        backups.look(now)
        targets = {} if self.stopping else backups.targets(self._unbound, now)
        taken = self._take_out(set(), backups.elsewhere(targets), STEP) if targets else {}
        if not taken:
            backups.stayed(self._unbound, now)
        for account, moved in taken.items():
            for sms in moved:
                self._move(backups, sms, account)
            self._queue(moved, now, now_ms)
        if backups.any_away:
            backups.forget(self.waits_for)

    def _move(self, backups: Backups, sms: MobileTerminated, account: str) -> None:
        """Make an SMS one of another account."""
        before = sms.account
        backups.move(sms, account)
        sms.waited = with_move(sms.waited, account)
        if sms.repeat:
            self._change(sms)
        self._observer.moved(sms, before)

    def _followed(self, sms: MobileTerminated) -> MobileTerminated:
        """Let a new SMS go where earlier ones of its handset went and still wait."""
        assert self.backups is not None
        account = self.backups.follow(sms, self.waits_for)
        if account:
            self._move(self.backups, sms, account)
        return sms

    def _answered_again(
        self, sms: MobileTerminated, bind: Bind, answer: Answer, status: str, now: float, now_ms: int
    ) -> None:
        """The second copy of an SMS is over, which a late response to the first one had closed."""
        sms.parts_done = min(sms.parts_done, sms.parts)
        self._attempts.again(sms, bind, answer, status, now, now_ms)
        self._leave(sms)
