"""What the pages need of the gateway. Each section of the console adds its own service here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from commands.tables import InForce
from gateway.channels.phones.channel import PhonesChannel
from gateway.clock import Clock
from gateway.observer import Observer
from gateway.operations.console.customers.agents import Agents
from gateway.operations.console.messages.lives import Lives
from gateway.operations.console.overview.boards import Boards
from gateway.operations.console.phones.hints import Hints
from gateway.operations.console.places import Places
from gateway.operations.console.reading import Reading
from gateway.operations.console.sessions import Clocks, Sessions
from gateway.operations.console.settings import Console as ConsoleSettings
from gateway.operations.console.tables.service import TableService
from gateway.operations.metrics.building import Metrics
from gateway.secrets import HashCost
from gateway.storage.contract import Store
from gateway.storage.reader import Reader

T = TypeVar("T")

SHARE: Final = 4
"""One account has at most this part of all live pages."""


@dataclass(slots=True)
class Services:
    """The gateway as the console sees it.

    open_reader: opens a Reader of the store, to be used in one thread and closed. status: what
    `fetion-gateway status` reports. hash_cost: of passwords; None for the usual one. agents: what the
    section of customers needs. phones: None: no number is for phones of the page. hints:
    what they can write. sessions: who is logged in.
    streams: places of live pages. boards: of the overview. lives: what
    happened to single SMS. counting: figures are counted (statistics.enabled).
    """

    settings: ConsoleSettings
    clock: Clock
    zone: ZoneInfo
    in_force: InForce
    store: Store
    open_reader: Callable[[], Reader]
    status: Callable[[], Awaitable[dict[str, Any]]]
    observer: Observer
    hash_cost: HashCost | None
    agents: Agents
    lives: Lives
    metrics: Metrics
    phones: PhonesChannel | None
    tables: TableService
    counting: bool = True
    hints: Hints = field(default_factory=Hints)
    sessions: Sessions = field(init=False)
    streams: Places = field(init=False)
    boards: Boards = field(init=False)
    _reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        clocks = Clocks(self.clock.now_ms, self.clock.monotonic)
        self.sessions = Sessions(self.store, self.settings, clocks, self.observer, self.hash_cost)
        most = self.settings.streams
        self.streams = Places(most, max(most // SHARE, 1))
        self._reading = Reading(self.open_reader, lambda: self.metrics.loop_time.busy)
        self.boards = Boards(self.metrics, self.clock, self.zone, self.in_force, self.read)

    async def read(self, function: Callable[[Reader], T], *, paced: bool = False, account: str = "") -> T:
        """Return what a function gives for a Reader, in a thread of its own. paced: it may compute for long.
        account: who asks for what is paced, "": a stranger.

        Raises Refused 503 if too many wait, and if the store cannot be read now.
        """
        return await self._reading.read(function, paced=paced, account=account)

    async def compute(self, function: Callable[[], T], account: str) -> T:
        """Return what a function gives, in a thread: what would keep the event loop for long. account: who
        asks for it, "": a stranger.

        Raises Refused 503 if too many wait.
        """
        return await self._reading.compute(function, account=account)

    def close(self) -> None:
        """Begin no reading any more, and hash no password."""
        self._reading.close()
        self.sessions.close()
