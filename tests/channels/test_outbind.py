"""outbind, both ways: a centre that comes to us and asks us to bind, and an ESME that we ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.net.connection import Connection
from gateway.smpp.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindRequest,
    DeliverSm,
    DeliverSmResp,
    Outbind,
    SubmitSm,
)
from gateway.smpp.session import Answered, Event, Noted, Session, Side
from gateway.testing.running import RunningGateway, running_gateway
from tests.channels.small_centre import PATIENCE, Peer, SmallCentre
from tests.channels.test_links import ALICE, link, mo, told
from tests.proofs.served import bind, until


def awaited(centre: SmallCentre, **more: Any) -> dict[str, Any]:
    """A link whose centre comes to us."""
    return link(centre, **{"outbind": "come1", **more})


@asynccontextmanager
async def waiting_for(folder: Path, *links: dict[str, Any]) -> AsyncIterator[RunningGateway]:
    """A gateway at whose listener centres may ask for a bind."""
    async with running_gateway(folder, {"smpp": {"links": list(links)}}) as gateway:
        yield gateway


async def come(gateway: RunningGateway, centre: SmallCentre, *said: Outbind) -> Peer:
    """Connect as a centre does, and say outbind."""
    loop = asyncio.get_running_loop()
    peer = Peer(centre)
    await loop.create_connection(lambda: centre.connection(peer), "127.0.0.1", gateway.app.port)
    peer.send(*said)
    return peer


async def test_a_centre_comes_and_asks_for_a_bind(tmp_path: Path) -> None:
    """It is nobody whom we dial; its connection carries SMS both ways, and it may come again."""
    async with SmallCentre() as centre, waiting_for(tmp_path, awaited(centre)) as gateway:
        assert gateway.app.links is not None
        assert gateway.app.links.report()[0]["state"] == "awaits outbind"
        for _ in range(2):
            peer = await come(gateway, centre, Outbind(system_id="fetion", password="come1"))
            assert await centre.bound() is peer
            assert peer.bind is not None
            assert (peer.bind.name, peer.bind.system_id, peer.bind.password) == (
                *("bind_transceiver", "fetion", "secret1"),
            )
            peer.send(mo())
            assert (await peer.answer()).command_status == 0
            assert (await peer.submit()).destination_addr == ALICE
            peer.connection.unbind()
            assert await peer.end() == "unbound"
            await until(lambda: not gateway.app.channel.connections, "the end of the connection")
        assert [line["pause_s"] for line in told(gateway, "link.down")] == [None, None]
        assert centre.connected == 2  # nobody has dialled it


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Outbind(system_id="fetion", password="wrong"), "outbind: wrong password"),
        (Outbind(system_id="fetion", password=""), "outbind: wrong password"),
        (Outbind(system_id="other", password="come1"), "outbind: unknown system_id"),
    ],
)
async def test_a_stranger_is_not_followed(tmp_path: Path, said: Outbind, reason: str) -> None:
    """The connection is closed after a delay, as after a failed bind; the log has no password."""
    async with SmallCentre() as centre, waiting_for(tmp_path, awaited(centre)) as gateway:
        peer = await come(gateway, centre, said)
        await peer.end()
        [refused] = told(gateway, "bind.refused")
        assert (refused["system_id"], refused["reason"]) == (said.system_id, reason)
        assert centre.binds.empty()
        assert "come1" not in gateway.log_file().read_text("utf-8")


async def test_a_centre_from_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """Its address must be in host, though an account lets it connect."""
    async with SmallCentre() as centre, waiting_for(tmp_path, awaited(centre, host="10.0.0.0/8")) as gateway:
        peer = await come(gateway, centre, Outbind(system_id="fetion", password="come1"))
        await peer.end()
        assert [line["reason"] for line in told(gateway, "bind.refused")] == [
            "outbind: address is not in host of link north"
        ]


async def test_a_second_outbind_is_refused_while_the_first_stands(tmp_path: Path) -> None:
    """A link has one bind; a paused one has none."""
    async with SmallCentre() as centre, waiting_for(tmp_path, awaited(centre)) as gateway:
        said = Outbind(system_id="fetion", password="come1")
        first = await come(gateway, centre, said)
        await centre.bound()
        await (await come(gateway, centre, said)).end()
        assert gateway.app.links is not None
        gateway.app.links.pause("north")
        await first.end()
        await until(lambda: gateway.app.links.report()[0]["state"] == "paused", "the pause")  # type: ignore[union-attr]
        await (await come(gateway, centre, said)).end()
        assert [line["reason"] for line in told(gateway, "bind.refused")] == [
            "outbind: link north is bound already",
            "outbind: link north is paused",
        ]


async def test_without_links_an_outbind_is_noted(tmp_path: Path) -> None:
    """As before there were links: logged and dropped, and the connection may still bind."""
    async with SmallCentre() as centre, waiting_for(tmp_path) as gateway:
        await come(gateway, centre, Outbind(system_id="fetion", password="come1"))
        await until(lambda: told(gateway, "pdu.noted"), "the note")
        assert told(gateway, "bind.refused") == []


class Summoned:
    """An ESME that binds when it is asked to. binds: whether it does."""

    def __init__(self) -> None:
        self.binds = True
        self.asked: asyncio.Queue[Outbind] = asyncio.Queue()
        self.delivered: asyncio.Queue[DeliverSm] = asyncio.Queue()
        self.connections: list[Connection] = []

    async def __aenter__(self) -> "Summoned":
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for each in self.connections:
            each.abort("test over")
        await self._server.wait_closed()

    def _accept(self) -> Connection:
        now = asyncio.get_running_loop().time
        session = Session(Side.ESME, now=now(), serves=frozenset({DeliverSm.command_id}))
        return Connection(session, self, now)

    def opened(self, connection: Connection) -> None:
        """Connection: it stands."""
        self.connections.append(connection)

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Connection: what came."""
        for event in events:
            match event:
                case Noted(_, Outbind() as outbind):
                    self.asked.put_nowait(outbind)
                    if self.binds:
                        bind: BindRequest = BindReceiver(system_id="smsc", password="fetion16")
                        connection.session.send(bind, bind, asyncio.get_running_loop().time())
                case DeliverSm():
                    connection.session.answer(event, DeliverSmResp())
                    self.delivered.put_nowait(event)
                case Answered(_, BindReceiverResp() as response):
                    assert response.command_status == 0
                case _:
                    pass

    def lost(self, _connection: Connection, _contexts: list[object], _reason: str) -> None:
        """Connection: it is gone."""


async def _next(queue: "asyncio.Queue[Any]") -> Any:
    async with asyncio.timeout(PATIENCE):
        return await queue.get()


async def test_an_esme_is_asked_to_bind_while_sms_wait(tmp_path: Path) -> None:
    """Not before; its bind is served on the connection that we dialled, and takes what waits."""
    async with Summoned() as esme:
        account = {
            "system_id": "smsc",
            "password": "fetion16",
            "default": True,
            "outbind": {"host": "127.0.0.1", "port": esme.port, "password": "s3same"},
        }
        async with running_gateway(tmp_path, {"smpp": {"accounts": [account]}}) as gateway:
            await gateway.advance(minutes=1)
            assert esme.connections == []
            await submit(gateway)
            outbind = await _next(esme.asked)
            assert (outbind.system_id, outbind.password) == ("fetion", "s3same")
            assert (await _next(esme.delivered)).destination_addr == ALICE
            assert len(told(gateway, "outbind.sent")) == 1
            assert "s3same" not in gateway.log_file().read_text("utf-8")


async def test_an_esme_that_does_not_bind_is_asked_again_after_a_pause(tmp_path: Path) -> None:
    """Its connection ends by session_init; the pauses grow, and so the log stays short."""
    async with Summoned() as esme:
        esme.binds = False
        account = {
            "system_id": "smsc",
            "password": "fetion16",
            "default": True,
            "outbind": {"host": "127.0.0.1", "port": esme.port, "password": "s3same"},
        }
        async with running_gateway(tmp_path, {"smpp": {"accounts": [account]}}) as gateway:
            await submit(gateway)
            await _next(esme.asked)
            await gateway.advance(seconds=31)
            await until(lambda: esme.connections[0].closed, "the end of the connection")
            await until(lambda: not gateway.app.channel.listener.connections, "the same here")
            await gateway.advance(seconds=0.1)
            [failed] = told(gateway, "outbind.failed")
            assert (failed["reason"], failed["failures"]) == ("the connection ended", 1)
            esme.binds = True
            await gateway.advance(seconds=2)
            await _next(esme.asked)
            assert (await _next(esme.delivered)).destination_addr == ALICE


async def submit(gateway: RunningGateway) -> None:
    """An SMS of a handset comes by an ESME that takes none; its reply waits."""
    async with await bind(gateway.app.port, "transmitter") as esme:
        sms = SubmitSm(source_addr=ALICE, destination_addr="161", short_message=b"KTFX")
        assert (await esme.submit(sms)).command_status == 0
    await until(lambda: gateway.app.outbox.lacks_receiver("smsc"), "an SMS that waits")
    gateway.app.tick_connections()
