"""The links of the SMPP channel for the suite of channels: here the gateway dials, and is the ESME."""

import asyncio
import socket
from dataclasses import replace
from itertools import count
from random import Random

from gateway.channels.contract import Bind
from gateway.channels.smpp.centre import without_tls
from gateway.channels.smpp.composing import Composition, SmppComposer
from gateway.channels.smpp.links import Dialling, LinkChannel
from gateway.channels.smpp.settings import LinkSettings
from gateway.channels.smpp.watching import Watches
from gateway.net.connection import Connection
from gateway.observer import Observer
from gateway.smpp.pdus import BindRequest, DataSm, DataSmResp, SubmitSm, Unbind
from gateway.smpp.session import Timers
from gateway.smpp.status import name_of
from gateway.smpp.tlvs import MESSAGE_PAYLOAD
from tests.contracts.channels import STATUS, WINDOW, Far, Told
from tests.proofs.served import SYSTEM_ID
from tests.support import GSM, Wire


class CentreFar:
    """An SMS centre on a socket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._sequence = count(10)
        self._came: list[SubmitSm] = []

    async def submits(self, source: str, to: str, text: str) -> None:
        """A data_sm in UCS-2: unlike deliver_sm it is answered with a message id."""
        self._wire.send(
            DataSm(
                source_addr=source,
                destination_addr=to,
                data_coding=8,
                tlvs={MESSAGE_PAYLOAD: text.encode("utf-16-be")},
                sequence_number=next(self._sequence),
            )
        )

    async def answered(self) -> str:
        """The next data_sm_resp."""
        response = await self._wire.reads(DataSmResp)
        return name_of(response.command_status) if response.command_status else response.message_id

    async def arrives(self) -> None:
        """A submit_sm."""
        self._came.append(await self._wire.reads(SubmitSm))

    async def answers(self, refuses: str = "", *, newest: bool = False) -> None:
        """Its submit_sm_resp."""
        pdu = self._came.pop(-1 if newest else 0)
        status, sequence = STATUS[refuses], pdu.sequence_number
        self._wire.send(replace(pdu.response(), command_status=status, sequence_number=sequence))

    async def unbinds(self) -> None:
        """unbind_resp, then the end of the connection."""
        pdu = await self._wire.reads(Unbind)
        self._wire.send(replace(pdu.response(), sequence_number=pdu.sequence_number))
        self._wire.close()

    async def cut(self) -> None:
        """The socket is closed."""
        self._wire.close()


class LinkRig:
    """Links that are paused until somebody has to bind."""

    reads_at_once = False

    def __init__(self) -> None:
        self.told = Told()
        self._ahead = 0.0
        self._wires: list[Wire] = []
        self._loop = asyncio.get_running_loop()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0)
        self.composer = SmppComposer({SYSTEM_ID: Composition(GSM)})
        port = self._listening.getsockname()[1]
        self._unused = {mode: [f"{mode}{n}" for n in range(4)] for mode in ("transceiver", "receiver")}
        links = [
            LinkSettings.model_validate(
                {
                    "name": name,
                    "centre": SYSTEM_ID,
                    "host": "127.0.0.1",
                    "port": port,
                    "bind": mode,
                    "system_id": "f",
                    "password": "p",
                    "window": WINDOW,
                    "paused": True,
                }
            )
            for mode, names in self._unused.items()
            for name in names
        ]
        connections: set[Connection] = set()
        self._connections = connections
        watches = Watches(connections, {SYSTEM_ID}, lambda _: None)
        dialling = Dialling(
            links, Timers(), Random(1), watches, connections, None, lambda *_: None, without_tls, lambda: 0
        )
        self.channel = LinkChannel(dialling, self.told, Observer(), self._now, count(1))

    def _now(self) -> float:
        return self._loop.time() + self._ahead

    def time_passes(self, seconds: float) -> None:
        """Its connections look at their timers."""
        self._ahead += seconds
        for connection in list(self._connections):
            connection.tick()

    async def bind(self, *, receives: bool = True, wants: str = "") -> tuple[Bind, Far]:
        """A link binds as transceiver, or as receiver: there no SMS may leave."""
        assert not wants, "a centre cannot ask"
        name = self._unused["transceiver" if receives else "receiver"].pop()
        self.channel.resume(name)
        accepted, _ = await self._loop.sock_accept(self._listening)
        wire = Wire(*await asyncio.open_connection(sock=accepted))
        self._wires.append(wire)
        request = await wire.read()
        assert isinstance(request, BindRequest)
        assert request.response is not None
        wire.send(replace(request.response(), sequence_number=request.sequence_number))
        await self.told.until("ready", len(self._wires))
        return self.told.binds[-1], CentreFar(wire)

    def end(self) -> None:
        """All sockets are closed."""
        self._listening.close()
        for wire in self._wires:
            wire.close()
