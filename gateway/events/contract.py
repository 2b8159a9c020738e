"""What a consumer of events and the relay to it must do. tests/events runs every rule.

A consumer:
1. `take` gets events in order, at least once each. It confirms all of them by returning; those that it
   returns as refused it will never take: they are parked and counted, and the relay goes on behind them.
2. It raises TemporaryFault when it cannot take them now. The same events come again, after a pause. Whatever
   else it raises is a bug: it is logged, and the events come again too, one by one.
3. It knows a repeat by `event_id`. Repeats follow a crash, a fault, a stop; they come in order, too.
4. It does not hold the event loop up, and bears being cancelled at the stop: the events come again.
5. Its `name` is its place in the store: under another name it is another consumer. `most` is how many events
   it is given at once, 1 to 50.

The relay, one for each consumer:
6. It gives events in the order of commits, which is total for a node. A customer's events have versions 1, 2,
   3 ... in that order.
7. The stored cursor never passes an event that was neither confirmed, nor parked, nor dropped and counted.
8. Whatever a consumer does, no SMS waits for it, no other consumer does, and the gateway goes on. Its events
   wait in the store, the oldest go beyond a bound, counted as dropped.
9. It does nothing while there is nothing to tell: a commit that holds events wakes it.
10. It ends within the deadline that it is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.message import StoredEvent as StoredEvent

MOST: Final = 50
"""Events that a consumer may be given at once."""


class TemporaryFault(Exception):
    """The consumer cannot take events now; they are to come again."""


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that a consumer will never take, and why."""

    event: StoredEvent
    reason: str


class Consumer(Protocol):
    """Who is told what happened. Rules 1 to 5."""

    @property
    def name(self) -> str:
        """What the store knows it by: stable, short."""

    @property
    def most(self) -> int:
        """How many events it takes at once, 1 to MOST."""

    async def take(self, events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
        """Take them; gives those of them that it refuses for good. Raises TemporaryFault."""
