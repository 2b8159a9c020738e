"""Which topic an event has, and which events go in one PUBLISH. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.events.contract import StoredEvent
from gateway.events.payloads import ITEMS_MOST
from gateway.message import PROVINCE


@dataclass(slots=True)
class Publish:
    """Events of one topic that go in one PUBLISH."""

    topic: str
    events: list[StoredEvent] = field(default_factory=list)


def topic_of(event: StoredEvent) -> str:
    """The topic of an event."""
    if event.family == PROVINCE:
        return f"fetion/province/{event.province}/{event.name}"
    return f"fetion/events/{event.province}/{event.family}/{event.name}"


def publishes(events: Sequence[StoredEvent]) -> list[Publish]:
    """Put events of one topic together, as far as each customer's events keep their order over all topics."""
    made: list[Publish] = []
    open_at: dict[str, int] = {}
    last_of: dict[str, int] = {}
    for event in events:
        topic = topic_of(event)
        place = open_at.get(topic, -1)
        full = place < 0 or len(made[place].events) == ITEMS_MOST
        if full or place < last_of.get(event.msisdn, -1):
            place = open_at[topic] = len(made)
            made.append(Publish(topic))
        made[place].events.append(event)
        last_of[event.msisdn] = place
    return made
