"""Keeps one handset from using up the service: how often it may write, and exchanges that go in circles.

Pure: the time is handed in, in milliseconds. The state is what the last minutes of the journal say, so it
is rebuilt from them at a start. Memory is bounded: two generations of handsets, of which the older is
forgotten when the younger is full or old enough. A flood of fresh handsets so makes the limits looser, and
the gateway no larger.
"""

import sys
from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, NamedTuple

MINUTE_MS: Final = 60_000
HANDSETS: Final = 50_000
"""Handsets of one generation: at most 500 octets each, beside their texts."""

# When a handset's minute began and what it wrote in it, in one int: nothing to build for a fresh handset, and
# nothing for the garbage collector to walk. Bits: the count, whether it had written before, the beginning.
_COUNT: Final = (1 << 16) - 1
_KNOWN: Final = 1 << 16
_BEGAN: Final = 17
_FIRST: Final = 1
_FRESH: Final = _KNOWN | _COUNT


class Limited(Enum):
    """Why an SMS is not handled."""

    TELL = auto()  # one too many in this minute: one sentence
    SILENCE = auto()  # more of them: no answer
    CIRCLE = auto()  # the same exchange over and over: no answer


class _Circle:
    """Text and number of the last SMS of a handset, what it led to, how often in a row, and since when."""

    __slots__ = ("exchange", "since", "text", "times", "to")

    def __init__(self, text: str, to: str, exchange: str, since: int) -> None:
        self.text = text
        self.to = to
        self.exchange = exchange
        self.times = 1
        self.since = since


class Past(NamedTuple):
    """An SMS of the journal. exchange: as it was told to `handled`, None when it was not handled."""

    at: int
    msisdn: str
    text: str
    to: str
    exchange: str | None


class Guard:
    """Counts the SMS of each handset.

    per_minute: SMS of one handset in a minute, which begins with its first. same: how often in a row the
    same text to the same number may lead to the same exchange within same_ms; the very first SMS of a
    handset is not looked at, or every fresh handset would cost twice as much. Either may be 0: no limit.
    handsets: of a generation.
    """

    __slots__ = (
        "_born",
        "_circles",
        "_handsets",
        "_minutes",
        "_old_circles",
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
        self._circles: dict[str, _Circle] = {}
        self._old_minutes: dict[str, int] = {}
        self._old_circles: dict[str, _Circle] = {}

    def admit(self, msisdn: str, text: str, to: str, now: int) -> Limited | None:
        """Count an SMS; why it is not to be handled, None where it is. text: as the journal keeps it."""
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
        circle = self._circles.get(msisdn)
        if circle is not None and circle.times >= self._same and circle.text == text and circle.to == to:
            return Limited.CIRCLE if 0 <= now - circle.since < self._same_ms else None
        return None

    def handled(self, msisdn: str, text: str, to: str, exchange: str, now: int) -> bool:
        """What an admitted SMS led to, in a word: the first sentence of the answer. Whether it counted as one
        of a circle; uncount() takes that back."""
        if self._minutes[msisdn] & _FRESH == _FIRST:
            return False
        circle = self._circles.get(msisdn)
        if (
            circle is not None
            and circle.text == text
            and circle.to == to
            and circle.exchange == exchange
            and 0 <= now - circle.since < self._same_ms
        ):
            circle.times += 1
        else:
            self._circles[msisdn] = _Circle(text, to, exchange, now)
        return True

    def give_back(self, msisdn: str) -> None:
        """An SMS that was admitted was not taken after all."""
        minute = self._minutes.get(msisdn, 0)
        if minute & _COUNT:
            self._minutes[msisdn] = minute - 1

    def uncount(self, msisdn: str) -> None:
        """What an SMS led to is not so after all."""
        circle = self._circles.get(msisdn)
        if circle is not None and circle.times:
            circle.times -= 1

    def rebuild(self, journal: Iterable[Past]) -> None:
        """Take in what was handled lately, in the order in which it was."""
        for past in journal:
            self.admit(past.msisdn, past.text, past.to, past.at)
            if past.exchange is not None:
                self.handled(past.msisdn, past.text, past.to, past.exchange, past.at)

    def _turn(self, now: int) -> None:
        """The younger generation becomes the older one, which is forgotten."""
        self._old_minutes, self._minutes = self._minutes, {}
        self._old_circles, self._circles = self._circles, {}
        self._born = now

    def _recall(self, msisdn: str) -> None:
        """A handset of the older generation goes on in the younger one; the caller counts its minute."""
        circle = self._old_circles.get(msisdn)
        if circle is not None:
            self._circles[msisdn] = circle
