"""outbind (SMPP 3.4 section 4.1.7), both ways: a centre that comes to us and asks us to bind, and an ESME
that we ask because SMS wait for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

from gateway.net.client import Application, CentreTerms, Client
from gateway.net.connection import Connection
from gateway.net.dialer import CONNECTING, DialState, Told, pause_of, said_of
from gateway.net.listener import Listener
from gateway.smpp.pdus import BindResponse

LOOK: Final = 1.0
"""Seconds between two looks whether SMS wait."""


class Awaited:
    """Keeps one bind of a link whose centre asks for it, as gateway.net.dialer.Dialer does of one that we
    dial.

    failures: binds in a row that the centre refused after it had asked. reason: why the last one ended.
    """

    dialling: Final = False

    def __init__(
        self,
        terms: CentreTerms,
        application: Application,
        told: Told,
        account: str,
        clock: Callable[[], float],
    ) -> None:
        self.state = DialState.PAUSED
        self.failures = 0
        self.reason = ""
        self.due = 0.0
        self._terms = terms
        self._application = application
        self._told = told
        self._account = account
        self._clock = clock
        self._wanted = False
        self._client: Client | None = None
        self._gone: Callable[[Connection], None] | None = None

    @property
    def refusal(self) -> str:
        """Why no connection is taken now; "": one is."""
        if self._client is not None:
            return "is bound already"
        return "" if self._wanted else "is paused"

    def start(self) -> None:
        """Take a connection from now on."""
        self._wanted = True
        if self._client is None:
            self.state = DialState.AWAITING

    def pause(self) -> None:
        """Take none any more, and unbind politely."""
        self.stop(DialState.PAUSED)
        if self._client is not None and self._client.connection is not None:
            self.state = DialState.UNBINDING
            self._client.connection.unbind()

    def stop(self, state: DialState = DialState.STOPPED) -> None:
        """Take none any more; a bind that stands goes on."""
        self._wanted = False
        if self._client is None:
            self.state = state

    def tick(self) -> None:
        """Nothing waits for a time."""

    def adopt(self, connection: Connection, gone: Callable[[Connection], None]) -> None:
        """Bind on a connection of the centre. gone: told of its end."""
        self._gone = gone
        self._client = Client(self._terms, self._application, self._account, self._clock, self)
        self.state = DialState.BINDING
        connection.turn_into(self._client.session(), self._client)

    # gateway.net.client.Holder

    def opened(self, client: Client, connection: Connection) -> None:
        """The bind leaves."""

    def bound(self, client: Client, connection: Connection, response: BindResponse) -> Any:
        """The bind was accepted."""
        self.state = DialState.BOUND
        self.failures = 0
        return self._told.bound(client, connection, response)

    def ended(self, client: Client, contexts: list[object], reason: str) -> None:
        """The connection is gone."""
        self._client = None
        self.reason = reason
        self.state = DialState.AWAITING if self._wanted else DialState.PAUSED
        if client.bind is not None:
            self._told.lost(client, contexts, reason, None)
        else:
            self.failures += 1
            self._told.failed(f"outbind: {reason}", self.failures, None)
        if client.connection is not None and self._gone is not None:
            self._gone(client.connection)


class Heard(Protocol):
    """Who hears of the outbinds that we send."""

    def outbind_sent(self, account: str, peer: str) -> None:
        """One has left."""

    def outbind_failed(self, account: str, reason: str, failures: int, pause: float) -> None:
        """None could be sent, or no bind came of it; the next one leaves in `pause` seconds if SMS wait."""


@dataclass(frozen=True, slots=True)
class Summons:
    """Whom to ask: an account, where it listens, and the password that the outbind says."""

    account: str
    host: str
    port: int
    password: str


class Summoner:
    """Asks one account to bind while SMS wait for it and no receiver of it is bound.

    waiting: whether that is so. clock: seconds. The bind comes on the connection that we dial, and is served
    as any other; where none comes the timer session_init ends the connection.
    """

    def __init__(
        self,
        summons: Summons,
        listener: Listener,
        waiting: Callable[[str], bool],
        heard: Heard,
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self._summons = summons
        self._listener = listener
        self._waits = waiting
        self._clock = clock
        self._heard = heard
        self._random = random
        self._failures = 0
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connection: Connection | None = None

    @property
    def dialling(self) -> bool:
        """Whether a connection is being opened."""
        return self._task is not None

    def start(self) -> None:
        """Look now and then from now on."""
        self.tick()
        self._timer = asyncio.get_running_loop().call_later(LOOK, self.start)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()

    def tick(self) -> None:
        """Dial if it is time: for the timer, and for whoever moves the clock."""
        if self._task is not None:
            return
        connection = self._connection
        if connection is not None:
            if connection in self._listener.connections:
                return
            self._connection = None
            self._fail("the connection ended")
        if not self._waiting():
            self._failures = 0
        elif self._clock() >= self._due:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._dial(), name=f"outbind to {self._summons.account}")
            self._task.add_done_callback(self._dialled)

    async def _dial(self) -> None:
        summons = self._summons
        try:
            async with asyncio.timeout(CONNECTING):
                self._connection = await self._listener.summon(summons.host, summons.port, summons.password)
        except TimeoutError:
            self._fail(f"no connection within {CONNECTING:g} s")
        except (OSError, UnicodeError) as error:
            self._fail(said_of(error))
        else:
            self._heard.outbind_sent(summons.account, self._connection.peer)

    def _waiting(self) -> bool:
        return self._waits(self._summons.account)

    def _dialled(self, _task: "asyncio.Task[None]") -> None:
        self._task = None

    def _fail(self, reason: str) -> None:
        """Another try comes after a pause. It is a failure as long as SMS wait, whatever came of it."""
        self._failures += 1
        pause = pause_of(self._random, self._failures)
        self._due = self._clock() + pause
        if self._waiting():
            self._heard.outbind_failed(self._summons.account, reason, self._failures, pause)
