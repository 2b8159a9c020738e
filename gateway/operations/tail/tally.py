"""Counts the lines of a log as they come: SMS per second, and the binds that the log tells of."""

import re
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Final

SPAN: Final = 10
"""Seconds over which rates are counted."""
RATES: Final = {"in": "sms.handled", "out": "sms.sent", "rejected": "sms.rejected", "failed": "sms.failed"}
"""Words of the status line, and the events that they count."""

# A quotation mark inside a value is escaped, so only keys of the line itself are found.
_EVENT = re.compile(
    rb'"event": ?"(sms\.handled|sms\.sent|sms\.rejected|sms\.failed|bind\.accepted|bind\.closed'
    rb'|gateway\.starting|gateway\.stopped)"'
)


class Tally:
    """Counts. monotonic: returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._started = monotonic()
        self._seconds: deque[tuple[int, Counter[str]]] = deque()
        self.binds: int | None = None
        """Binds as far as the log tells; None: its start of the gateway was not seen."""

    def feed(self, lines: Iterable[bytes], *, live: bool) -> None:
        """Count lines. live: they come now, rather than from the past."""
        for name in _EVENT.findall(b"\n".join(lines)):
            event = name.decode()
            if event.startswith("sms."):
                if live:
                    self._now()[event] += 1
            elif event.startswith("gateway."):
                self.binds = 0
            elif self.binds is not None:
                self.binds = max(0, self.binds + (1 if event == "bind.accepted" else -1))

    def rates(self) -> dict[str, float]:
        """Return lines per second by the words of RATES, over the last SPAN seconds."""
        self._now()
        seconds = max(1.0, min(SPAN, self._monotonic() - self._started))
        total: Counter[str] = Counter()
        for _, counted in self._seconds:
            total += counted
        return {word: total[event] / seconds for word, event in RATES.items()}

    def _now(self) -> Counter[str]:
        """Return the counter of this second; forget those that are too old."""
        second = int(self._monotonic())
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, Counter()))
            while self._seconds[0][0] <= second - SPAN:
                self._seconds.popleft()
        return self._seconds[-1][1]
