"""An SMS centre for tests of links: takes binds and submit_sm on a real port, sends what a test tells it."""

import asyncio
import ssl
from typing import Any

from gateway.net.connection import Connection
from gateway.smpp.pdu import Pdu, Request
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.session import Answered, Closing, Event, Session, Side, Timers

SERVES = frozenset(
    each.command_id for each in (BindReceiver, BindTransmitter, BindTransceiver, SubmitSm, DataSm)
)
PATIENCE = 5.0


class Peer:
    """One connection of the gateway to the centre: its bind, and what came and was answered."""

    def __init__(self, centre: "SmallCentre") -> None:
        self.centre = centre
        self.connection: Any = None
        self.bind: BindRequest | None = None
        self.submitted: asyncio.Queue[SubmitSm] = asyncio.Queue()
        self.answers: asyncio.Queue[Pdu] = asyncio.Queue()
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.polite = False

    def opened(self, connection: Connection) -> None:
        """Connection: it stands."""
        self.connection = connection
        self.centre.connected += 1

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Connection: what came."""
        for event in events:
            match event:
                case BindRequest():
                    self._bound(connection, event)
                case SubmitSm() if not self.centre.silent:
                    connection.session.answer(event, SubmitSmResp(message_id="77"))
                    self.submitted.put_nowait(event)
                case SubmitSm():
                    self.submitted.put_nowait(event)
                case Answered(_, response):
                    self.answers.put_nowait(response)
                case Closing():
                    self.polite = event.polite
                case _:
                    pass

    def _bound(self, connection: Connection, bind: BindRequest) -> None:
        self.bind = bind
        self.centre.binds.put_nowait(self)
        status = self.centre.refuses.pop(0) if self.centre.refuses else 0
        if status is None:
            return  # not answered at all
        if status:
            connection.session.refuse(bind, status)
            return
        assert bind.response is not None
        connection.session.answer(bind, bind.response())
        if self.centre.cuts:
            connection.flush()
            connection.close("cut")

    def lost(self, _connection: Connection, _contexts: list[object], reason: str) -> None:
        """Connection: it is gone."""
        self.ended.put_nowait(reason)

    def send(self, *requests: Request) -> None:
        """Send requests; their responses come in `answers`."""
        for request in requests:
            self.connection.session.send(request, request, asyncio.get_running_loop().time())
        self.connection.flush()

    async def answer(self) -> Pdu:
        """The next response of the gateway."""
        async with asyncio.timeout(PATIENCE):
            return await self.answers.get()

    async def submit(self) -> SubmitSm:
        """The next submit_sm of the gateway."""
        async with asyncio.timeout(PATIENCE):
            return await self.submitted.get()

    async def end(self) -> str:
        """Wait for the end of the connection; why it ended."""
        async with asyncio.timeout(PATIENCE):
            return await self.ended.get()


class SmallCentre:
    """Use it in `async with`. refuses: statuses of the next binds, 0: accepted, None: not answered. cuts: the
    connection ends as soon as it is bound. silent: no submit_sm is answered."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self._tls = tls
        self.refuses: list[int | None] = []
        self.cuts = self.silent = False
        self.connected = 0
        self.binds: asyncio.Queue[Peer] = asyncio.Queue()
        self.peers: list[Peer] = []

    async def __aenter__(self) -> "SmallCentre":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for peer in self.peers:
            if peer.connection is not None:
                peer.connection.abort("test over")
        await self._server.wait_closed()

    async def bound(self) -> Peer:
        """The next bind, refused or not."""
        async with asyncio.timeout(PATIENCE):
            return await self.binds.get()

    def _accept(self) -> Connection:
        return self.connection(Peer(self))

    def connection(self, peer: Peer) -> Connection:
        """A connection of the centre, for a peer."""
        self.peers.append(peer)
        now = asyncio.get_running_loop().time
        return Connection(Session(Side.MC, now=now(), serves=SERVES, timers=Timers()), peer, now)
