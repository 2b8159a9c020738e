"""An asyncio SMPP client: one bind to a message centre or to our own gateway.

The session (gateway.smpp.session) does the protocol. Here are only the wish to wait for a response,
and a bounded place for what the other side delivers.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from gateway.net.connection import Connection
from gateway.simulator.errors import BindRefusedError, NoResponseError, NotConnectedError
from gateway.smpp.pdu import Request, Response
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DeliverSm,
)
from gateway.smpp.session import Answered, Event, Limits, Session, Side, TimedOut, Timers
from gateway.smpp.status import CommandStatus, name_of

Bind: TypeAlias = Literal["transmitter", "receiver", "transceiver"]
Delivery: TypeAlias = DeliverSm | DataSm
Take: TypeAlias = Callable[[Delivery], int]
"""Called with a delivery; returns the command_status of the response (0: it is kept)."""

INBOX_LIMIT: Final = 1000
"""Deliveries that may wait in `Esme.inbox`; further ones are answered ESME_RMSGQFUL."""

_BINDS: Final[Mapping[str, type[BindRequest]]] = MappingProxyType(
    {"transmitter": BindTransmitter, "receiver": BindReceiver, "transceiver": BindTransceiver}
)


class Esme:
    """One bound connection; make it with `connect`, end it with `close` (or use it in `async with`).

    inbox: what was delivered, unless `take` was given to `connect`.
    """

    def __init__(self, limits: Limits, take: Take | None, lost: Callable[[str], None] | None) -> None:
        self.inbox: asyncio.Queue[Delivery] = asyncio.Queue(INBOX_LIMIT)
        self._loop = asyncio.get_running_loop()
        self._take = take or self._keep
        self._when_lost = lost
        self._connection: Connection | None = None
        self._gone: asyncio.Future[str] = self._loop.create_future()
        # One for each place in the session's window. A place is free again when the session says so, which
        # can be later than that its submit was given up.
        self._window = asyncio.Semaphore(limits.window_out)

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        system_id: str,
        password: str,
        *,
        bind: Bind = "transceiver",
        address_range: str = "",
        take: Take | None = None,
        lost: Callable[[str], None] | None = None,
        timers: Timers | None = None,
        limits: Limits | None = None,
        within: float = 10.0,
    ) -> "Esme":
        """Connect and bind. within: seconds that both may take.

        take is called with each delivery, lost once with the reason when the connection is gone.
        Raises NotConnectedError, BindRefusedError, and EncodeError for a value that the bind cannot carry.
        """
        limits = limits or Limits()
        esme = cls(limits, take, lost)
        session = Session(
            Side.ESME,
            now=esme._loop.time(),
            timers=timers or Timers(),
            limits=limits,
            serves=frozenset({DeliverSm.command_id, DataSm.command_id}),
        )
        request = _BINDS[bind](system_id=system_id, password=password, address_range=address_range)
        try:
            async with asyncio.timeout(within):
                _, esme._connection = await esme._loop.create_connection(
                    lambda: Connection(session, esme, esme._loop.time), host, port
                )
                response = await esme.submit(request)
        except (OSError, TimeoutError) as error:
            await esme.abort("bind not answered")
            raise NotConnectedError(f"cannot reach {host}:{port}: {_reason(error, within)}") from error
        except BaseException:
            await esme.abort("bind given up")
            raise
        if response.command_status != CommandStatus.ROK:
            await esme.abort("bind refused")
            raise BindRefusedError(system_id, name_of(response.command_status))
        return esme

    async def __aenter__(self) -> "Esme":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def lost_because(self) -> str | None:
        """Why the connection is gone; None while it is open."""
        return self._gone.result() if self._gone.done() else None

    @property
    def local(self) -> str:
        """Our own end of the connection, address and port: what the other side calls its peer. "": none."""
        return "" if self._connection is None else self._connection.local

    async def wait_lost(self) -> str:
        """Wait until the connection is gone, on either side. Returns the reason."""
        return await asyncio.shield(self._gone)

    async def submit(self, request: Request) -> Response:
        """Send a request and wait for its response, whatever its command_status. A full window makes it wait.

        Raises NotConnectedError, NoResponseError (in both cases the other side may have the request),
        NotAllowedError and EncodeError.
        """
        return await self._ask(lambda session, context: session.send(request, context, self._loop.time()))

    async def enquire(self) -> None:
        """Make a round trip: then everything that the other side had sent before has arrived.

        Raises NotConnectedError, NoResponseError.
        """
        await self._ask(lambda session, context: session.enquire(context, self._loop.time()))

    async def _ask(self, send: Callable[[Session, object], int]) -> Response:
        await self._window.acquire()
        answered: asyncio.Future[Response] = self._loop.create_future()
        try:
            connection = self._connected()
            send(connection.session, answered)
        except BaseException:
            self._window.release()
            raise
        connection.flush()
        return await answered

    async def close(self, within: float = 5.0) -> None:
        """Unbind, and wait until the connection is closed; abort it after the given seconds."""
        if self._connection is None or self._gone.done():
            return
        self._connection.unbind()
        try:
            async with asyncio.timeout(within):
                await self.wait_lost()
        except TimeoutError:
            await self.abort("unbind not answered")

    async def abort(self, reason: str = "dropped by us") -> None:
        """Drop the connection at once, as a crash would, and wait until it is gone."""
        if self._connection is not None:
            self._connection.abort(reason)
            await self.wait_lost()

    def opened(self, connection: Connection) -> None:
        """Connection: it is open."""
        self._connection = connection

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Connection: events. A client ignores refusals and notes of the session."""
        for event in events:
            match event:
                case Answered(context, response):
                    self._settle(context, response)
                case TimedOut(context):
                    self._settle(context, NoResponseError("no response within the response timer"))
                case DeliverSm() | DataSm():
                    self._answer(connection.session, event)
                case _:
                    pass

    def lost(self, _: Connection, contexts: list[object], reason: str) -> None:
        """Connection: it is gone."""
        self._gone.set_result(reason)
        for context in contexts:
            self._settle(context, NotConnectedError(f"connection lost: {reason}"))
        if self._when_lost is not None:
            self._when_lost(reason)

    def _connected(self) -> Connection:
        if self._connection is None or self._gone.done():
            raise NotConnectedError(f"connection lost: {self.lost_because or 'never made'}")
        return self._connection

    def _answer(self, session: Session, delivery: Delivery) -> None:
        status = self._take(delivery)
        if status != CommandStatus.ROK:
            session.refuse(delivery, status)
        else:
            session.answer(delivery, delivery.response())

    def _keep(self, delivery: Delivery) -> int:
        try:
            self.inbox.put_nowait(delivery)
        except asyncio.QueueFull:
            return CommandStatus.RMSGQFUL
        return CommandStatus.ROK

    def _settle(self, context: object, outcome: object) -> None:
        """Give a waiting `submit` its response or its error; it may have stopped waiting."""
        self._window.release()
        if not isinstance(context, asyncio.Future) or context.done():
            return
        if isinstance(outcome, Exception):
            context.set_exception(outcome)
        else:
            context.set_result(outcome)


def _reason(error: OSError, within: float) -> str:
    """Return why connecting failed, in the system's words; asyncio's text names the failed call instead."""
    if isinstance(error, TimeoutError):
        return f"no answer within {within:g} s"
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
