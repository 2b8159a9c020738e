"""Tells over MQTT which links to SMS centres are up: retained, on fetion/links/{name}/state."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.clock import Clock
from gateway.events.payloads import link_state

QUIET: Final = 60.0
"""Seconds without a word after the broker has denied a topic: some close the connection behind a denial."""
FAILURE: Final = 0x80
"""Reason codes from here on are failures (MQTT 5, 2.4)."""

Denied = Callable[[str, str], None]
"""Told of a topic that the broker denies, and of its answer."""


class Publisher(Protocol):
    """A connection to the broker (gateway.events.mqtt.MqttClient). denied: whether it has denied a topic."""

    denied: bool

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> "asyncio.Future[Any]":
        """Publish; the future has the reason code."""

    async def answer(self, sent: "asyncio.Future[Any]") -> Any:
        """Wait for that. Raises TemporaryFault when the connection is gone."""

    async def lost(self) -> None:
        """Wait for the end of the connection. Raises TemporaryFault."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """What is told of a link. at: milliseconds since the epoch. reason: why it is down, "": it is up."""

    at: int
    reason: str


class LinkStates:
    """The states of the links of this node, and which of them the broker has not been told."""

    def __init__(self, node: str, clock: Clock) -> None:
        self._node = node
        self._clock = clock
        self._states: dict[str, LinkState] = {}
        self._untold: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._quiet_until = 0.0

    def note(self, name: str, reason: str) -> None:
        """A link is down for this reason; "": it is up (gateway.channels.smpp.links.LinkTold)."""
        self._states[name] = LinkState(self._clock.now_ms(), reason)
        self._untold[name] = None
        self._changed.set()

    async def tell(self, client: Publisher, denied: Denied) -> None:
        """Publish the state of each link, and each change, until the connection is gone. Raises
        TemporaryFault then."""
        self._untold = dict.fromkeys(self._states)
        lost = asyncio.create_task(client.lost(), name="the connection to the broker")
        changed = asyncio.create_task(self._changed.wait(), name="a change of a link")
        try:
            while True:
                self._changed.clear()
                await self._publish(client, denied)
                if changed.done():
                    changed = asyncio.create_task(self._changed.wait(), name="a change of a link")
                await asyncio.wait((lost, changed), return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    return lost.result()
        finally:
            lost.cancel()
            changed.cancel()
            await asyncio.gather(lost, changed, return_exceptions=True)

    async def _publish(self, client: Publisher, denied: Denied) -> None:
        while self._untold and self._clock.monotonic() >= self._quiet_until:
            name = next(iter(self._untold))
            del self._untold[name]
            state, topic = self._states[name], f"fetion/links/{name}/state"
            payload = link_state(self._node, name, state.at, state.reason)
            code = await client.answer(client.send(topic, payload, retain=True))
            if code.value >= FAILURE:
                client.denied = True
                self._quiet_until = self._clock.monotonic() + QUIET
                denied(topic, f"0x{code.value:02X} {code}")
