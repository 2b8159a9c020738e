"""What a consumer of events and the relay to it must do. tests/events runs every rule.

A consumer:
1. `take` gets events in order, at least once each. It confirms them by returning, but for those that it
   returns as refused: they are parked and counted, and the relay goes on behind them.
2. It raises TemporaryFault when it cannot take them now. The same events come again, after a pause. Whatever
   else it raises is a bug: it is logged, and the events come again too, one by one.
3. It knows a repeat by `event_id`. Repeats follow a crash, a fault, a stop; they come in order, too.
4. It does not hold the event loop up, and bears being cancelled at the stop: the events come again.
5. Its `name` is its place in the store: under another name it is another consumer. `most` is how many events
   it is given at once, 1 to 1000.
6. One that has topics (TopicConsumer) may refuse an event for a while: what follows on its topic is parked
   behind it unseen, and other topics go on.
7. One that has something to keep up (Running) is run from start to stop, and may say when it is ready.

The relay, one for each consumer:
8. It gives events in the order of commits, which is total for a node. A customer's events have versions 1, 2,
   3 ... in that order.
9. The stored cursor never passes an event that was neither confirmed, nor parked, nor dropped and counted.
10. Whatever a consumer does, no SMS waits for it, no other consumer does, and the gateway goes on. Its events
   wait in the store, the oldest go beyond a bound, counted as dropped.
11. It does nothing while there is nothing to tell: a commit that holds events wakes it.
12. It ends within the deadline that it is given.
13. What was refused for a while is offered again, now and then and after a start, the oldest of each topic
    first; once it is taken, what waits behind it follows in order, and only then new events of that topic.
    It stays parked until it is taken. Order holds within a topic, and among topics that are not held.
14. An event of the family PROVINCE has the text of an SMS and one receiver: it is given to consumers with
    topics only (rule 6). Others are done with it unseen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from gateway.message import StoredEvent as StoredEvent

MOST: Final = 1000
"""Events that a consumer may be given at once."""


class TemporaryFault(Exception):
    """The consumer cannot take events now; they are to come again."""


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that a consumer does not take, and why. again: it may later; its topic is held until then."""

    event: StoredEvent
    reason: str
    again: bool = False


class Consumer(Protocol):
    """Who is told what happened. Rules 1 to 7."""

    @property
    def name(self) -> str:
        """What the store knows it by: stable, short."""

    @property
    def most(self) -> int:
        """How many events it takes at once, 1 to MOST."""

    async def take(self, events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
        """Take them; gives those of them that it refuses. Raises TemporaryFault."""


@runtime_checkable
class TopicConsumer(Consumer, Protocol):
    """One that may refuse for a while."""

    def topic(self, event: StoredEvent) -> str:
        """What an event belongs to: if one of a topic is refused, the next ones of that topic wait. Pure."""


@runtime_checkable
class Running(Protocol):
    """A consumer with a task of its own, such as one that keeps a connection up."""

    async def run(self) -> None:
        """Run until cancelled, which comes after the last call of take."""

    async def ready(self) -> None:
        """Wait until it can take events. Asked before each take: what goes meanwhile is not taken."""
