"""The consumer for a program that runs the gateway in its own process: a function is called per event."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.events.contract import RefusedEvent, StoredEvent


class EventRefused(Exception):
    """Raised by the function for an event that it will never take: the event is parked with these words."""


class InProcess:
    """Calls a function with each event, in order; it returns, or is awaited, when the event is taken.

    The function may be plain or asynchronous. A plain one runs in the event loop's thread: SMS wait as long
    as it takes. It raises EventRefused for an event that it will never take, TemporaryFault for one that is
    to come again. name: what the store knows it by.
    """

    most: Final = 1

    def __init__(self, name: str, function: Callable[[StoredEvent], Awaitable[None] | None]) -> None:
        self.name = name
        self._function = function

    async def take(self, events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
        """One after the other."""
        refused = []
        for event in events:
            try:
                running = self._function(event)
                if inspect.isawaitable(running):
                    await running
            except EventRefused as refusal:
                refused.append(RefusedEvent(event, str(refusal)))
        return refused
