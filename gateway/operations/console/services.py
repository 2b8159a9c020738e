"""What the pages need of the gateway. Each section of the console adds its own service here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from commands.tables import InForce
from gateway.clock import Clock
from gateway.operations.console.customers.agents import Agents
from gateway.operations.console.reading import Reading
from gateway.operations.console.settings import Console as ConsoleSettings
from gateway.storage.contract import Store
from gateway.storage.reader import Reader

T = TypeVar("T")


@dataclass(slots=True)
class Services:
    """The gateway as the console sees it.

    open_reader: opens a Reader of the store, to be used in one thread and closed. status: what
    `fetion-gateway status` reports. agents: what the section of customers needs.
    """

    settings: ConsoleSettings
    clock: Clock
    zone: ZoneInfo
    in_force: InForce
    store: Store
    open_reader: Callable[[], Reader]
    status: Callable[[], Awaitable[dict[str, Any]]]
    agents: Agents
    _reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        self._reading = Reading(self.open_reader)

    async def read(self, function: Callable[[Reader], T]) -> T:
        """Return what a function gives for a Reader, in a thread of its own.

        Raises Refused 503 if too many wait, and if the store cannot be read now.
        """
        return await self._reading.read(function)

    def close(self) -> None:
        """Begin no reading any more."""
        self._reading.close()
