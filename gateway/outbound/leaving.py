"""Sends the SMS of an outbox: chooses the bind of each, or puts it where it waits."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final

from gateway.channels.contract import Bind, Composer
from gateway.message import Delivery, MobileTerminated
from gateway.observer import Observer
from gateway.outbound.lanes import Lanes
from gateway.outbound.selection import Binds
from gateway.outbound.unstored import Unstored
from gateway.outbound.waiting import NO_RECEIVER, UNANSWERED, WINDOW, with_reason

RETRY_FIRST: Final = 1.0
RETRY_MOST: Final = 300.0
"""Seconds of the first pause after a temporary failure, and of the longest one."""


class Leaving(Unstored, Lanes):
    """The half of an outbox that sends. stopping: SMS stay in the store and are not sent."""

    def __init__(
        self,
        binds: Binds,
        composer: Composer,
        observer: Observer,
        random: Random,
        wake: Callable[[], None],
        limit: int,
    ) -> None:
        Unstored.__init__(self, observer, wake, limit)
        Lanes.__init__(self)
        self.stopping = False
        self._binds = binds
        self._compose = composer.compose
        self._random = random
        self._touched: dict[int, Bind] = {}

    def compose(self, sms: MobileTerminated) -> None:
        """Split an SMS into parts. Raises ValueError when it cannot be sent at all.

        Parts acknowledged in an earlier run count only if the text still has the same number of parts.
        """
        pieces = self._compose(sms)
        if len(pieces) != sms.parts or sms.parts_done >= len(pieces):
            sms.parts_done = 0
        sms.segments = pieces
        sms.parts = len(pieces)

    def touch(self, bind: Bind) -> None:
        """Let the next flush() write what somebody else has queued on the bind."""
        self._touched[bind.number] = bind

    def flush(self) -> None:
        """Write what was queued since the last call, one write per bind."""
        if self._touched:
            touched, self._touched = self._touched, {}
            for bind in touched.values():
                bind.flush()

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
                self._wait_for_room(sms, bind, now, now_ms)
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

    def _wait_for_room(self, sms: MobileTerminated, bind: Bind, now: float, now_ms: int) -> None:
        """Let an SMS wait for the window of a bind; of links of one centre another one may have room."""
        if bind.link and not self._ahead():
            other = self._binds.with_room(sms.account, sms.msisdn, sms.avoid)
            if other is not None and other.number not in self._blocked:
                self._transmit(sms, other, now, now_ms)
                return
        sms.waited = with_reason(sms.waited, WINDOW)
        self._wait_in(self._blocked.setdefault(bind.number, deque()), sms)

    def _relieve(self, bind: Bind, now: float, now_ms: int) -> None:
        """Send on a link that has room what waits for its siblings."""
        if self.stopping or not bind.receives:
            return
        for sibling in self._binds.siblings(bind):
            waiting = self._blocked.get(sibling.number)
            if waiting is None:
                continue
            unfit = []
            while waiting and bind.room > 0 and not self._ahead():
                sms = waiting.popleft()
                if now_ms >= sms.expires_at:
                    self._fail(sms, Delivery.EXPIRED, "expired", now_ms)
                elif (bind.number in sms.avoid and now < sms.not_before) or bind.asks_for(sms.msisdn) == 0:
                    unfit.append(sms)
                else:
                    self._transmit(sms, bind, now, now_ms)
            waiting.extendleft(reversed(unfit))
            if not waiting:
                del self._blocked[sibling.number]

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

    def _close(self, sms: MobileTerminated, state: Delivery, now_ms: int) -> None:
        """Close an SMS with the next commit; its follower is next."""
        sms.state = state
        sms.closed_at = now_ms
        self._closed.append(sms)
        self._wake()
        self._leave(sms)

    def _park(self, sms: MobileTerminated, now_ms: int) -> None:
        """Park an SMS for an operator; its follower is next. A receipt fails: nobody is to look after it."""
        reason = f"unanswered {sms.losses} times (timeouts, lost sessions)"
        if sms.kind:
            self._fail(sms, Delivery.FAILED, reason, now_ms)
            return
        sms.state = Delivery.PARKED
        sms.error = reason
        self._leave(sms)
        self._observer.parked(sms)

    def _retry_later(self, sms: MobileTerminated, now: float, now_ms: int) -> None:
        """Retry after 1 s, doubling up to 5 min, with jitter down to a half."""
        pause = min(RETRY_FIRST * 2 ** min(sms.refusals, 20), RETRY_MOST)
        sms.refusals += 1
        sms.leaves_anew = True
        self._change(sms)
        self._wait_until(now + pause * (0.5 + self._random.random() / 2), sms, now, now_ms)
        self._observer.deferred(sms, sms.error)
