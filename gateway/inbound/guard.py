"""Keeps one handset from using up the service: limits how often it may write, and stops message loops.

Pure: the caller passes the time, in milliseconds. The state follows from the last minutes of the journal; a
start rebuilds it from them. Memory is bounded: the guard holds two generations of handsets and drops the
older one when the younger is full or old enough. So a flood of fresh handsets loosens the limits but does
not make the gateway larger.
"""

import sys
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

MINUTE_MS: Final = 60_000
HANDSETS: Final = 50_000
"""Handsets of one generation: at most 500 octets each, plus their texts."""

# One int holds when a handset's minute began and how many SMS it wrote in it: a fresh handset needs no
# object, and the garbage collector has nothing to walk. Bits: the count, whether the handset had written
# before, the beginning.
_COUNT: Final = (1 << 16) - 1
_KNOWN: Final = 1 << 16
_BEGAN: Final = 17
_FIRST: Final = 1
_FRESH: Final = _KNOWN | _COUNT


class Limited(Enum):
    """Why an SMS is not handled. The values stand in the journal."""

    TELL = "tell"  # the first SMS over the limit of this minute: answered with one sentence
    SILENCE = "silence"  # further ones in this minute: no answer
    LOOP = "circle"  # a message loop, the same exchange over and over: no answer


class _Exchange:
    """The last SMS of a handset: text, destination, reply; how often in a row, and since when (ms)."""

    __slots__ = ("exchange", "since", "text", "times", "to")

    def __init__(self, text: str, to: str, exchange: str, since: int) -> None:
        self.text = text
        self.to = to
        self.exchange = exchange
        self.times = 1
        self.since = since


class Past(NamedTuple):
    """An SMS of the journal. exchange: what `handled` was called with; None when the SMS was not handled."""

    at: int
    msisdn: str
    text: str
    to: str
    exchange: str | None


class Guard:
    """Counts the SMS of each handset.

    Args:
        per_minute: SMS that one handset may write in a minute, which begins with its first SMS; 0: no limit.
        same: how often in a row the same text to the same number may get the same reply within same_ms;
            0: no limit. The very first SMS of a handset does not count: a fresh handset would cost twice
            as much.
        same_ms: milliseconds.
        handsets: the size of a generation.
    """

    __slots__ = (
        "_born",
        "_exchanges",
        "_handsets",
        "_minutes",
        "_old_exchanges",
        "_old_minutes",
        "_per_minute",
        "_same",
        "_same_ms",
    )

    def __init__(self, per_minute: int, same: int, same_ms: int, handsets: int = HANDSETS) -> None:
        self._per_minute = per_minute or _COUNT + 1  # which no count exceeds
        self._same = same or sys.maxsize
        self._same_ms = same_ms
        self._handsets = handsets
        self._born = 0
        self._minutes: dict[str, int] = {}
        self._exchanges: dict[str, _Exchange] = {}
        self._old_minutes: dict[str, int] = {}
        self._old_exchanges: dict[str, _Exchange] = {}

    def admit(self, msisdn: str, text: str, to: str, now: int) -> Limited | None:
        """Count an SMS. Returns why it must not be handled, or None. text: as the journal keeps it."""
        minute = self._minutes.get(msisdn)
        if minute is None:
            if len(self._minutes) >= self._handsets or not 0 <= now - self._born < self._same_ms:
                self._turn(now)
            minute = self._old_minutes.get(msisdn)
            if minute is None:
                self._minutes[msisdn] = now << _BEGAN | _FIRST
                return None
            self._recall(msisdn)
        if not 0 <= now - (minute >> _BEGAN) < MINUTE_MS:
            minute = now << _BEGAN | _KNOWN
        count = (minute & _COUNT) + 1
        if count <= _COUNT:
            self._minutes[msisdn] = minute + 1
        if count > self._per_minute:
            return Limited.TELL if count == self._per_minute + 1 else Limited.SILENCE
        last = self._exchanges.get(msisdn)
        if last is not None and last.times >= self._same and last.text == text and last.to == to:
            return Limited.LOOP if 0 <= now - last.since < self._same_ms else None
        return None

    def handled(self, msisdn: str, text: str, to: str, exchange: str, now: int) -> bool:
        """Note how an admitted SMS was answered. exchange: the first sentence of the reply.

        Returns whether the SMS counts towards a message loop; uncount() takes that back.
        """
        if self._minutes[msisdn] & _FRESH == _FIRST:
            return False
        last = self._exchanges.get(msisdn)
        if (
            last is not None
            and last.text == text
            and last.to == to
            and last.exchange == exchange
            and 0 <= now - last.since < self._same_ms
        ):
            last.times += 1
        else:
            self._exchanges[msisdn] = _Exchange(text, to, exchange, now)
        return True

    def give_back(self, msisdn: str) -> None:
        """Uncount an SMS that was admitted but not taken."""
        minute = self._minutes.get(msisdn, 0)
        if minute & _COUNT:
            self._minutes[msisdn] = minute - 1

    def uncount(self, msisdn: str) -> None:
        """Take back what handled() counted."""
        last = self._exchanges.get(msisdn)
        if last is not None and last.times:
            last.times -= 1

    def rebuild(self, journal: Iterable[Past]) -> None:
        """Count the SMS of the journal, in their order."""
        for past in journal:
            self.admit(past.msisdn, past.text, past.to, past.at)
            if past.exchange is not None:
                self.handled(past.msisdn, past.text, past.to, past.exchange, past.at)

    def _turn(self, now: int) -> None:
        """Drop the older generation; the younger one takes its place."""
        self._old_minutes, self._minutes = self._minutes, {}
        self._old_exchanges, self._exchanges = self._exchanges, {}
        self._born = now

    def _recall(self, msisdn: str) -> None:
        """Move a handset from the older generation to the younger one; the caller counts its minute."""
        last = self._old_exchanges.get(msisdn)
        if last is not None:
            self._exchanges[msisdn] = last
