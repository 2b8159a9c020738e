"""What the pages need of the gateway. Each section of the console adds its own service here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from commands.tables import InForce
from gateway.clock import Clock
from gateway.operations.console.settings import Console as ConsoleSettings
from gateway.storage.contract import Store
from gateway.storage.reader import Reader


@dataclass(slots=True)
class Services:
    """The gateway as the console sees it.

    open_reader: opens a Reader of the store, to be used in one thread and closed. status: what
    `fetion-gateway status` reports.
    """

    settings: ConsoleSettings
    clock: Clock
    zone: ZoneInfo
    in_force: InForce
    store: Store
    open_reader: Callable[[], Reader]
    status: Callable[[], Awaitable[dict[str, Any]]]
