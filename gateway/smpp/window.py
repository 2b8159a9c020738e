"""The requests that were sent and have no response yet, by sequence_number."""

from dataclasses import dataclass
from math import inf
from typing import Final

from gateway.smpp.timers import ends

MAX_SEQUENCE: Final = 0x7FFFFFFF  #: SMPP 3.4 section 5.1.4


@dataclass(slots=True)
class InFlight:
    """A request on its way: when it was sent (seconds), what it belongs to, which response it awaits."""

    sent_at: float
    context: object
    response_id: int


class Window:
    """Requests in the order in which they were sent.

    All wait equally long, so the first one is the first to time out and no request needs a timer. The
    limit is with the caller: it differs between requests of the application and those of the session.
    """

    __slots__ = ("_requests", "_sequence")

    def __init__(self, sequence: int = 0) -> None:
        self._requests: dict[int, InFlight] = {}
        self._sequence = sequence

    def __len__(self) -> int:
        return len(self._requests)

    def next_sequence(self) -> int:
        """A sequence_number from 1 to 0x7FFFFFFF that no request in flight has; after the last comes 1."""
        requests = self._requests
        sequence = self._sequence % MAX_SEQUENCE + 1
        while sequence in requests:
            sequence = sequence % MAX_SEQUENCE + 1
        self._sequence = sequence
        return sequence

    def add(self, sequence: int, now: float, context: object, response_id: int) -> None:
        """Note a request that was sent under a number of next_sequence."""
        self._requests[sequence] = InFlight(now, context, response_id)

    def get(self, sequence: int) -> InFlight | None:
        """The request with this number, if it is in flight."""
        return self._requests.get(sequence)

    def remove(self, sequence: int) -> None:
        """The request with this number has its response."""
        del self._requests[sequence]

    def oldest(self) -> float:
        """When the first of the requests in flight was sent; ``inf`` when there is none."""
        for request in self._requests.values():
            return request.sent_at
        return inf

    def expired(self, limit: float, now: float) -> list[InFlight]:
        """Take out the requests that have waited for ``limit`` seconds, oldest first; with 0 none has."""
        late = []
        for sequence, request in self._requests.items():
            if ends(request.sent_at, limit) > now:
                break
            late.append((sequence, request))
        for sequence, _ in late:
            del self._requests[sequence]
        return [request for _, request in late]

    def clear(self) -> list[InFlight]:
        """Take out all requests, oldest first."""
        requests = list(self._requests.values())
        self._requests.clear()
        return requests
