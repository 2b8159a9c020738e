"""Keeps one bind at an SMS centre: dials, binds, and dials again after a pause when it is lost.

A round tries every place in order, and every address of its name, until one accepts the bind. After a round
in vain, or a bind that was lost, comes a pause with full jitter below a bound that doubles. Only a bind that
stood for STEADY seconds makes the pauses short again: a centre that accepts and cuts is not dialled in a
tight loop. One task lives while a round lasts, one timer while a pause lasts; neither while the bind stands.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Any, Final, Protocol

from gateway.net.admission import peer_of
from gateway.net.client import Application, CentreTerms, Client
from gateway.net.connection import Connection
from gateway.smpp.pdus import BindResponse
from gateway.smpp.status import CommandStatus

CONNECTING: Final = 10.0
"""Seconds for one address to take the connection, TLS included."""
PAUSE_FIRST: Final = 1.0
PAUSE_MOST: Final = 60.0
"""Seconds: the bound of the first pause, and that of the longest."""
STEADY: Final = 60.0
"""Seconds for which a bind must have stood to make the pauses short again."""
PAUSE_DENIED: Final = 30.0
"""Seconds between two binds at least that the centre refuses because of system_id or password: some lock an
account after a few."""
DENIED: Final = frozenset({CommandStatus.RINVPASWD, CommandStatus.RINVSYSID})
STOPPED: Final = "stopped"


class DialState(Enum):
    """What a dialer does."""

    PAUSED = "paused"
    AWAITING = "awaits outbind"
    WAITING = "waits"  # for the end of a pause
    DIALLING = "dials"
    BINDING = "binds"  # the connection stands
    BOUND = "bound"
    UNBINDING = "unbinds"
    STOPPED = "stopped"


class Told(Protocol):
    """Who hears how a dialer fares."""

    def opened(self, connection: Connection) -> None:
        """A connection stands; it is not bound yet."""

    def bound(self, client: Client, connection: Connection, response: BindResponse) -> Any:
        """The bind was accepted. Gives what the application calls it."""

    def failed(self, reason: str, failures: int, pause: float | None) -> None:
        """A round was in vain, for the so many-th time in a row; the next one is in `pause` seconds, None:
        the centre has to come."""

    def lost(self, client: Client, contexts: list[object], reason: str, pause: float | None) -> None:
        """A bind is gone; the next round is in `pause` seconds, None: there is none."""

    def gone(self, connection: Connection | None) -> None:
        """A connection is gone, bound or not, and its bind was told of; None: a round has ended."""


class Dialer:
    """Keeps one bind. clock: seconds. failures: how many rounds, and binds that were lost soon, in a row.
    reason: why the last one ended. due: when the pause ends."""

    def __init__(
        self,
        terms: CentreTerms,
        application: Application,
        told: Told,
        account: str,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self.terms = terms
        self.state = DialState.PAUSED
        self.failures = 0
        self.reason = ""
        self.due = 0.0
        self._application = application
        self._told = told
        self._account = account
        self._clock = clock
        self._random = random
        self._wanted = False
        self._first = 0  # the place with which the next round begins
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._client: Client | None = None  # that of the bind, or of the try under way
        self._answer: asyncio.Future[str] | None = None  # to its bind; "" is yes
        self._bound_at = 0.0

    @property
    def dialling(self) -> bool:
        """Whether a round goes on, and has no connection now."""
        return self._task is not None and (self._client is None or self._client.connection is None)

    def start(self) -> None:
        """Keep a bind from now on."""
        self._wanted = True
        if self._task is None and self._client is None:
            self._end_timer()
            self._begin()

    def pause(self) -> None:
        """Keep none any more: unbind politely, or give up the round under way."""
        self.stop(DialState.PAUSED)
        if self._client is not None and self._client.connection is not None:
            self.state = DialState.UNBINDING
            self._client.connection.unbind()

    def stop(self, state: DialState = DialState.STOPPED) -> None:
        """Dial no more; a bind that stands goes on."""
        self._wanted = False
        self._end_timer()
        if self._task is not None:
            self._task.cancel()
        if self.state is DialState.BINDING and self._client is not None and self._client.connection:
            self._client.connection.unbind()
        if self.state not in (DialState.BOUND, DialState.UNBINDING):
            self.state = state

    def tick(self) -> None:
        """See whether the pause is over: for the timer, and for whoever moves the clock."""
        if self.state is DialState.WAITING and self._clock() >= self.due:
            self._end_timer()
            self._begin()

    # A round

    def _begin(self) -> None:
        self.state = DialState.DIALLING
        self._task = asyncio.get_running_loop().create_task(self._round(), name=f"dial {self._account}")
        self._task.add_done_callback(self._round_ended)

    async def _round(self) -> None:
        """Try the places until one accepts the bind, or says that nobody will by this password."""
        tried, least, client = list[str](), 0.0, None
        places, first = self.terms.places, self._first
        for place in range(len(places)):
            number = (first + place) % len(places)
            host, port = places[number]
            try:
                client, reason = await self._place(host, port)
            except Exception as error:  # the boundary for bugs on the way to a centre: it is dialled again
                self._application.broken(error)
                reason = type(error).__name__
            if not reason:
                self._first = 0
                return
            tried.append(f"{peer_of(host, port)}: {reason}")
            if client is not None and client.status in DENIED:
                self._first = (number + 1) % len(places)
                least = PAUSE_DENIED
                break
        self._fail("; ".join(tried), least)

    async def _place(self, host: str, port: int) -> tuple[Client | None, str]:
        """Try all addresses of a place. Gives the last client, and why it failed, "": it is bound."""
        client: Client | None = None
        reason = "has no address"
        for address in await self._addresses(host, port):
            client = self._client = Client(self.terms, self._application, self._account, self._clock, self)
            answer = self._answer = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(CONNECTING):
                    await self._connect(client, address, port, host)
                reason = await answer
            except TimeoutError:
                reason = f"no connection within {CONNECTING:g} s"
            except OSError as error:
                reason = said_of(error)
            if not reason:
                break
            self._client = None
            if client.status in DENIED:
                break
        return client, reason

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Of a name all that it has; of an address itself. Empty where nobody knows the name."""
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            return [host]
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECTING):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError):
            return []
        return list(dict.fromkeys(str(where[0]) for _, _, _, _, where in found))

    async def _connect(self, client: Client, address: str, port: int, host: str) -> None:
        """Raises OSError. Reads the certificates anew: they are renewed now and then."""
        tls: dict[str, Any] = {}
        if self.terms.tls is not None:
            tls = {"ssl": self.terms.tls(), "server_hostname": self.terms.server_name or host}
        loop = asyncio.get_running_loop()
        await loop.create_connection(client.protocol, address, port, **tls)

    def _round_ended(self, _task: "asyncio.Task[None]") -> None:
        self._task = self._answer = None
        if self._client is not None and self._client.connection is None:
            self._client = None  # given up before it was connected
        self._go_on()
        if self._client is None:
            self._told.gone(None)

    def _go_on(self) -> None:
        """Begin anew where a bind is wanted, and nothing leads to one."""
        waiting = self.state is DialState.WAITING
        if self._wanted and not waiting and self._task is None and self._client is None:
            self._begin()

    def _fail(self, reason: str, least: float = 0.0) -> None:
        """The round was in vain."""
        self.failures += 1
        self.reason = reason
        pause = self._wait(least)
        self._told.failed(reason, self.failures, pause)

    # A pause

    def _wait(self, least: float = 0.0) -> float:
        """Begin a pause; how many seconds it is."""
        pause = max(least, pause_of(self._random, self.failures))
        self.state, self.due = DialState.WAITING, self._clock() + pause
        self._set_timer()
        return pause

    def _set_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.0, self.due - self._clock()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.tick()
        if self.state is DialState.WAITING:
            self._set_timer()  # the clock stands still, or the timer was early

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # The connection (gateway.net.client.Holder)

    def opened(self, client: Client, connection: Connection) -> None:
        """It stands. One that nobody waits for any more ends."""
        self._told.opened(connection)
        if client is not self._client or not self._wanted:
            connection.abort(STOPPED)
        else:
            self.state = DialState.BINDING

    def bound(self, client: Client, connection: Connection, response: BindResponse) -> Any:
        """The bind was accepted."""
        self._bound_at = self._clock()
        if self._wanted:
            self.state = DialState.BOUND
        if self._answer is not None and not self._answer.done():
            self._answer.set_result("")
        return self._told.bound(client, connection, response)

    def ended(self, client: Client, contexts: list[object], reason: str) -> None:
        """It is gone."""
        if client is self._client:
            self._client = None
            if client.bind is not None:
                self._lose(client, contexts, reason)
            elif self._answer is not None and not self._answer.done():
                self._answer.set_result(reason or STOPPED)
            elif self.state is DialState.UNBINDING:
                self.state = DialState.PAUSED
            elif self.state is DialState.BOUND and self._wanted:
                self._fail(reason)  # a bug met the bind
            self._go_on()
        self._told.gone(client.connection)

    def _lose(self, client: Client, contexts: list[object], reason: str) -> None:
        """A bind is gone."""
        pause = None
        self.reason = reason
        if self._wanted:
            if self._clock() - self._bound_at >= STEADY:
                self.failures = 0
            self.failures += 1
            pause = self._wait()
        else:
            self.state = DialState.PAUSED if self.state is DialState.UNBINDING else DialState.STOPPED
        self._told.lost(client, contexts, reason, pause)


def pause_of(random: Random, failures: int) -> float:
    """Draw the seconds to wait after so many failures in a row, 1 or more."""
    return random.uniform(0, min(PAUSE_FIRST * 2 ** min(failures - 1, 30), PAUSE_MOST))


def said_of(error: OSError | UnicodeError) -> str:
    """What an error of the system says, without the address, which stands before it."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and (error.errno or 0) > 0:
        file = f"{error.filename}: " if error.filename else ""
        return file + os.strerror(error.errno or 0)  # asyncio has words of its own for it
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
