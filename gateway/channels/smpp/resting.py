"""When a link that fails rests (a circuit breaker). Pure: times are monotonic seconds, handed in.

After the rest one SMS decides: while it is on its way no other leaves; taken, it ends the matter; failed, the
link rests twice as long, at most MOST times the configured rest.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gateway.smpp.status import CommandStatus

MINUTE: Final = 60.0
"""Seconds that are looked back at."""
MOST: Final = 10
_GRAIN: Final = 1.0

OF_ONE_SMS: Final = frozenset(
    {
        CommandStatus.RINVDSTADR, CommandStatus.RINVDSTTON, CommandStatus.RINVDSTNPI,
        CommandStatus.RINVDSTADDRSUBUNIT, CommandStatus.RINVMSGLEN, CommandStatus.RINVEXPIRY,
        CommandStatus.RINVDCS, CommandStatus.RX_T_APPN, CommandStatus.RX_P_APPN, CommandStatus.RX_R_APPN,
        CommandStatus.RDELIVERYFAILURE,
    }
)  # fmt: skip
"""Statuses that are about one handset or one text. They say nothing of the link."""
THROTTLING: Final = frozenset({CommandStatus.RTHROTTLED, CommandStatus.RMSGQFUL})
"""Statuses that slow a bind down (gateway.channels.smpp.pacing). They do not count here either."""


@dataclass(slots=True)
class _Second:
    began: float
    total: int = 0
    failed: int = 0


class _State(Enum):
    WORKS = "works"
    RESTS = "rests"
    TRIES = "tries"


class Rest:
    """Whether one link rests. It outlives its binds. share, least, rest: as in settings.Breaker."""

    def __init__(self, share: float, least: int, rest: float) -> None:
        self._share = share
        self._least = least
        self._rest = rest
        self._state = _State.WORKS
        self._seconds: deque[_Second] = deque()
        self._times = 0  # rests in a row
        self._trying = False  # the SMS that decides is on its way
        self.until = 0.0

    @property
    def rests(self) -> bool:
        """Whether nothing leaves."""
        return self._state is _State.RESTS

    @property
    def most(self) -> int | None:
        """How many SMS may leave now; None: any number."""
        if self._state is _State.WORKS:
            return None
        return 0 if self._trying or self._state is _State.RESTS else 1

    def left(self) -> None:
        """An SMS has left."""
        self._trying = self._state is _State.TRIES

    def taken(self, now: float) -> bool:
        """An SMS was taken. Returns whether that ends the matter."""
        if self._state is _State.WORKS:
            self._count(now, failed=False)
            return False
        if self._state is _State.RESTS:
            return False
        self._state, self._times, self._trying = _State.WORKS, 0, False
        self._seconds.clear()
        return True

    def passed_over(self) -> None:
        """The answer to an SMS says nothing of the link, or its bind is lost: another one may decide."""
        self._trying = False

    def failed(self, now: float) -> float:
        """An SMS failed. Returns for how many seconds the link rests because of it, 0: it does not."""
        if self._state is _State.WORKS:
            self._count(now, failed=True)
            total = sum(each.total for each in self._seconds)
            failed = sum(each.failed for each in self._seconds)
            if total < self._least or failed < self._share * total:
                return 0.0
        elif self._state is _State.RESTS:
            return 0.0
        seconds = self._rest * float(min(1 << self._times, MOST))
        self._times = min(self._times + 1, MOST)
        self._state, self._trying, self.until = _State.RESTS, False, now + seconds
        self._seconds.clear()
        return seconds

    def see(self, now: float) -> bool:
        """Note the time. Returns whether the rest is over with it."""
        if self._state is not _State.RESTS or now < self.until:
            return False
        self._state = _State.TRIES
        return True

    def _count(self, now: float, *, failed: bool) -> None:
        seconds = self._seconds
        while seconds and seconds[0].began <= now - MINUTE:
            seconds.popleft()
        if not seconds or now >= seconds[-1].began + _GRAIN:
            seconds.append(_Second(now))
        seconds[-1].total += 1
        seconds[-1].failed += failed
