"""The requests that were sent: those without a response yet, and up to which one the peer has read.

Sequence numbers go from 1 to 0x7FFFFFFF and begin again; 0 stands for none.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from math import inf
from typing import Final

from gateway.smpp.timers import ends

MAX_SEQUENCE: Final = 0x7FFFFFFF  #: SMPP 3.4 section 5.1.4
GRAIN: Final = 0.25
"""Seconds of which a ReadMarks remembers only the last response."""
OVERDUE: Final = 10_000
"""Requests without a response in time that a session remembers."""
REMEMBERED: Final = 10.0
"""Seconds for which a ReadMarks remembers when responses came."""


def not_after(a: int, b: int) -> bool:
    """Whether request number `a` was sent before number `b`, or is the same one; none (0) is before all.

    Serial number arithmetic (as RFC 1982): right while fewer than 2^30 requests lie between the two.
    """
    if not a or not b:
        return not a
    return (b - a) % MAX_SEQUENCE <= MAX_SEQUENCE // 2


@dataclass(slots=True)
class InFlight:
    """A request on its way: when it was sent (seconds), what it belongs to, which response it awaits."""

    sent_at: float
    context: object
    response_id: int


class Window:
    """Requests in the order in which they were sent.

    ``requests``: by sequence_number; to be looked up and deleted from outside, added to by add(). All wait
    equally long, so the first one is the first to be late and no request needs a timer. The limit is with
    the caller: it differs between requests of the application and those of the session.
    """

    __slots__ = ("requests", "sequence")

    def __init__(self, sequence: int = 0) -> None:
        self.requests: dict[int, InFlight] = {}
        self.sequence = sequence  # the newest number that was given

    def __len__(self) -> int:
        return len(self.requests)

    def next_sequence(self) -> int:
        """A sequence_number from 1 to 0x7FFFFFFF that no request in flight has; after the last comes 1."""
        requests = self.requests
        sequence = self.sequence % MAX_SEQUENCE + 1
        while sequence in requests:
            sequence = sequence % MAX_SEQUENCE + 1
        self.sequence = sequence
        return sequence

    def add(self, sequence: int, now: float, context: object, response_id: int) -> None:
        """Note a request that was sent under a number of next_sequence."""
        self.requests[sequence] = InFlight(now, context, response_id)

    def remove(self, sequence: int) -> None:
        """The request with this number has its response."""
        del self.requests[sequence]

    def oldest(self) -> float:
        """When the first of the requests in flight was sent; ``inf`` when there is none."""
        for request in self.requests.values():
            return request.sent_at
        return inf

    def expired(self, limit: float, now: float) -> list[tuple[int, InFlight]]:
        """The requests that have waited for ``limit`` seconds, oldest first; with 0 none has."""
        late = []
        for sequence, request in self.requests.items():
            if ends(request.sent_at, limit) > now:
                break
            late.append((sequence, request))
        return late

    def clear(self) -> list[InFlight]:
        """Take out all requests, oldest first."""
        requests = list(self.requests.values())
        self.requests.clear()
        return requests


class Overdue:
    """Requests without a response in time, of which the last ``most`` are remembered."""

    __slots__ = ("_most", "_requests")

    def __init__(self, most: int = OVERDUE) -> None:
        self._most = most
        self._requests: OrderedDict[int, InFlight] = OrderedDict()

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, sequence: int, request: InFlight) -> None:
        """Remember a request; the oldest one is forgotten where there are too many."""
        self._requests[sequence] = request
        if len(self._requests) > self._most:
            self._requests.popitem(last=False)

    def take(self, sequence: int, response_id: int) -> InFlight | None:
        """Take out the request with this number, if a response with this id answers it; else None."""
        request = self._requests.get(sequence)
        if request is None or response_id != request.response_id:
            return None
        return self._requests.pop(sequence)


class ReadMarks:
    """Which request was the newest with a response, at each moment of the last REMEMBERED seconds.

    Who answers a request has read everything that we had sent before it. Times are kept at a grain: what is
    told of a moment may be older than the truth by GRAIN seconds, never newer.
    """

    __slots__ = ("_at", "_ends", "_marks", "newest")

    def __init__(self) -> None:
        self.newest = 0
        self._at = -inf  # when its response came
        self._ends = -inf  # until then only the last response is remembered
        self._marks: deque[tuple[float, int]] = deque()  # (at, newest) of earlier grains

    def note(self, sequence: int, now: float) -> None:
        """A response to the request with this number has come."""
        if now >= self._ends:
            self._begin(now)
        newest = self.newest
        if not newest or (sequence - newest) % MAX_SEQUENCE <= MAX_SEQUENCE // 2:
            self.newest = sequence
            self._at = now

    def before(self, moment: float) -> int:
        """The newest request whose response had come at or before that moment; 0: none is known."""
        if self._at <= moment:
            return self.newest
        for at, newest in reversed(self._marks):
            if at <= moment:
                return newest
        return 0

    def _begin(self, now: float) -> None:
        """A new grain. Of what is too old to be asked for, the newest stays."""
        marks = self._marks
        if self.newest and (not marks or marks[-1][1] != self.newest):
            marks.append((self._at, self.newest))
        while len(marks) > 1 and marks[1][0] <= now - REMEMBERED:
            marks.popleft()
        self._ends = now + GRAIN
