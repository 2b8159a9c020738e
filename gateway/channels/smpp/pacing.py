"""How fast SMS may leave on one bind. Pure: times are monotonic seconds, handed in.

A configured rate is a token bucket. A peer that throttles more than now and then (SHARE) slows the bind down
beside that: its pace begins at half of what the peer took, is halved with each further second in which it
throttles so, and grows steadily else.
Once it is what was offered when the peer began to throttle, and twice what it took, it is no limit any more;
from nothing to there it takes RECOVERY seconds, or STEP a second where that is more. So a full queue is not
offered whole, second after second.
"""

from math import inf
from typing import Final

FLOOR: Final = 0.2
"""SMS a second that a peer is offered however much it throttles: one in 5 s."""
STEP: Final = 1.0
"""SMS a second by which a pace grows at least, each second."""
ANY: Final = 1 << 30
"""More SMS than any window takes."""
ROUNDING: Final = 1e-9
RECOVERY: Final = 60.0
"""Seconds in which a pace grows from nothing to where it is no limit any more."""
MEASURED: Final = 2.0
"""Seconds over which is measured what a bind achieves."""
SHARE: Final = 0.2
"""So many of the SMS that left lately must be throttled. Fewer leave again by themselves; a bind that slowed
down for each of them would nearly stand still at a peer that throttles one in ten, whatever the pace."""
HOLD, HALVE, PAUSE = 80, 90, 100
"""From which congestion_state on the pace is not raised, is halved, and nothing leaves for a second (SMPP 5.0
section 4.8.4.18: 80 to 89 congested, 90 to 99 seriously so, 100 at the limit)."""


class Pace:
    """The pace of one bind. rate: SMS a second, 0: any number. burst: how many may leave at once."""

    __slots__ = (
        "_before", "_burst", "_ceiling", "_counted", "_grown_at", "_growth", "_held_until", "_last", "_limit",
        "_measured_at", "_not_before", "_offers", "_rate", "_slowed_at", "_throttles", "_tokens",
        "_tokens_at",
    )  # fmt: skip

    def __init__(self, rate: float = 0.0, burst: int = 1, now: float = 0.0) -> None:
        self._rate = rate or inf
        self._burst = float(burst)
        self._limit = inf  # the pace that the peer has brought about
        self._ceiling = inf  # beyond it there is no such pace any more
        self._growth = STEP
        self._tokens = self._burst
        self._tokens_at = self._measured_at = self._grown_at = now
        self._slowed_at = self._held_until = self._not_before = -inf
        self._counted = 0  # SMS since _measured_at, without those that were throttled
        self._last = 0.0  # SMS a second in the time before
        self._offers = self._throttles = 0  # SMS since _measured_at: all, and throttled ones
        self._before = (0, 0)  # the same of the time before

    @property
    def limit(self) -> float:
        """SMS a second that may leave now; `inf` for any number."""
        return min(self._rate, self._limit)

    def room(self, now: float) -> int:
        """How many SMS may leave now; ANY for any number."""
        if now < self._not_before:
            return 0
        if self._limit != inf:
            self._see(now)
        if self.limit == inf:
            return ANY
        self._see(now)
        return int(self._tokens + ROUNDING)

    def next(self, now: float) -> float:
        """When an SMS may leave where none may now."""
        self._see(now)
        missing = 1.0 - self._tokens
        if missing > ROUNDING and self.limit != inf:
            now = max(now, self._tokens_at) + missing / self.limit
        return max(now, self._not_before)

    def left(self, now: float, unanswered: int = 0) -> None:
        """An SMS has left. unanswered: how many wait for an answer, this one among them."""
        elapsed = now - self._measured_at
        if elapsed >= MEASURED:
            self._last = max(0, self._counted - unanswered + 1) / elapsed
            self._counted, self._measured_at = max(0, unanswered - 1), now
            self._before = (self._offers, self._throttles)
            self._offers = self._throttles = 0
        self._counted += 1
        self._offers += 1
        if self.limit != inf:
            self._see(now)
            self._tokens = max(0.0, self._tokens - 1.0)

    def throttled(self, now: float, unanswered: int = 0) -> None:
        """The peer did not take an SMS: too many came. unanswered: how many still wait for an answer."""
        self._throttles += 1
        offers, throttles = self._before
        if self._throttles + throttles >= SHARE * (self._offers + offers):
            self._slow_down(now, unanswered)
        self._counted = max(0, self._counted - 1)

    def congested(self, state: int, now: float, unanswered: int = 0) -> None:
        """The peer says how busy it is (congestion_state, 0 to 100)."""
        if state >= PAUSE:
            self._not_before = max(self._not_before, now + 1.0)
        if state >= HALVE:
            self._slow_down(now, unanswered)
        elif state >= HOLD:
            if self._limit == inf:
                achieved = self._achieved(now, unanswered)
                self._begin(achieved, max(self._offered(now), 2 * achieved), now)
            self._held_until = now + 1.0

    def _achieved(self, now: float, unanswered: int) -> float:
        """SMS a second that the peer took lately, at least FLOOR."""
        elapsed = now - self._measured_at
        taken = max(0, self._counted - unanswered)
        return max(FLOOR, self._last, taken / elapsed if elapsed >= MEASURED / 4 else 0.0)

    def _offered(self, now: float) -> float:
        """SMS a second that left lately."""
        return self._counted / max(now - self._measured_at, MEASURED / 4)

    def _slow_down(self, now: float, unanswered: int) -> None:
        """Halve the pace, once a second at most: one full window answers many times."""
        if now < self._slowed_at + 1.0:
            return
        self._slowed_at = now
        self._see(now)
        achieved = min(self._achieved(now, unanswered), self.limit)
        self._last = achieved
        self._begin(max(FLOOR, achieved / 2), max(self._offered(now), 2 * achieved), now)

    def _begin(self, limit: float, ceiling: float, now: float) -> None:
        """Set a pace, which ends at the ceiling."""
        self._see(now)
        self._limit, self._ceiling = limit, max(ceiling, 2 * limit)
        self._growth = max(STEP, self._ceiling / RECOVERY)
        self._tokens = min(self._tokens, 1.0)
        self._tokens_at = self._grown_at = now

    def _see(self, now: float) -> None:
        """Count the tokens that have come since the last time, and let the pace grow."""
        passed = max(0.0, now - self._tokens_at)
        if self.limit != inf:
            most = self._burst if self._rate != inf else max(self._burst, self._limit / 20)
            self._tokens = min(most, self._tokens + passed * self.limit)
        self._tokens_at = max(now, self._tokens_at)
        if self._limit != inf and now > self._held_until:
            self._limit += self._growth * max(0.0, now - max(self._grown_at, self._held_until))
            if self._limit >= self._ceiling:
                self._limit = self._ceiling = inf
        self._grown_at = max(now, self._grown_at)
