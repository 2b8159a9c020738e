"""Builds what speaks MQTT. Its library is imported only where there is a broker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from gateway.clock import Clock
from gateway.events.contract import Consumer
from gateway.events.links import LinkStates
from gateway.observer import Observer
from gateway.processing.nodes import Nodes
from gateway.processing.provinces import Duty, Provinces
from gateway.settings import Settings
from gateway.storage.contract import Store

if TYPE_CHECKING:
    from gateway.events.subscription import Subscriptions


@dataclass(frozen=True, slots=True)
class Talking:
    """What connections to the broker have of the gateway. node: its name."""

    settings: Settings
    node: str
    clock: Clock
    random: Random
    observer: Observer


def publisher(talking: Talking, unheard: Callable[[Sequence[int]], None], links: LinkStates) -> Consumer:
    """What publishes events, and the states of links. unheard: told the numbers of SMS to provinces that
    nobody gets."""
    from gateway.events.mqtt import MqttEvents

    return MqttEvents(
        talking.settings.mqtt,
        talking.node,
        talking.clock,
        talking.random,
        talking.observer,
        unheard,
        links,
    )


def subscriptions(
    talking: Talking, store: Store, provinces: Provinces, nodes: Nodes | None, work: Callable[[], None]
) -> "Subscriptions | None":
    """What receives; None where there is no broker. work: lets the pipeline do a step."""
    if talking.settings.mqtt.url is None:
        return None
    from gateway.events.subscription import Subscription, Subscriptions, Surroundings, Wanted
    from gateway.events.wakeups import WakeUps

    mqtt = talking.settings.mqtt
    around = Surroundings(talking.clock, talking.random, talking.observer)
    wanted = Wanted("provinces", talking.settings.provinces.client_id, "fetion/province/+/mt")
    made = [Subscription(mqtt, wanted, provinces.take, around, Duty(store, provinces))]
    if nodes is not None:
        moved = nodes.moved

        def woken() -> None:
            moved()
            work()

        wakeups = WakeUps(talking.node, talking.clock, woken)
        nodes.wake = wakeups.tell
        made.append(Subscription(mqtt, wakeups.wanted, wakeups.take, around, talk=wakeups.talk))
    return Subscriptions(made)
