"""Tells other nodes that SMS were moved to them, and hears it from them: fetion/nodes/{node}/mt.

A hint only. The rows in the store are the truth, and every node looks at them once a second: a hint that is
lost, late, repeated, forged or nonsense changes nothing but when that look comes.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from gateway.clock import Clock
from gateway.events.payloads import node_moved
from gateway.events.reading import Incoming
from gateway.events.subscription import Publish, Wanted

GAP: Final = 0.1
"""Seconds between two looks because of hints, and between two hints to a node: ten a second at most."""


class WakeUps:
    """Those of one node. woken: called when it is time to look.

    wanted: what it subscribes to, with a session that ends with its connection: nothing is kept for a node
    that is away.
    """

    def __init__(self, node: str, clock: Clock, woken: Callable[[], None]) -> None:
        # No name of a node has a slash: this is the client id of no other connection.
        self.wanted = Wanted("node", f"fetion-gateway/{node}/mt", _topic(node), keep=0)
        self._node = node
        self._clock = clock
        self._woken = woken
        self._connected = False
        self._moved: Counter[str] = Counter()  # a key for each node: 127 at most
        self._news = asyncio.Event()

    def tell(self, moved: Mapping[str, int]) -> None:
        """Note how many SMS were moved to which nodes. Without a connection they see it at their look."""
        if self._connected:
            self._moved.update(moved)
            self._news.set()

    async def take(self, messages: Sequence[Incoming]) -> Iterable[tuple[str, bytes]]:
        """Whatever came: it is time to look (subscription.Take). What comes during the pause is one hint."""
        del messages
        self._woken()
        await asyncio.sleep(GAP)
        return ()

    async def talk(self, publish: Publish) -> None:
        """Publish what is told while there is a connection (subscription.Talk)."""
        self._moved.clear()
        self._news.clear()
        self._connected = True
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                moved, self._moved = self._moved, Counter()
                now_ms = self._clock.now_ms()
                await publish([(_topic(to), node_moved(self._node, now_ms, to, moved[to])) for to in moved])
                await asyncio.sleep(GAP)
        finally:
            self._connected = False


def _topic(node: str) -> str:
    return f"fetion/nodes/{node}/mt"
