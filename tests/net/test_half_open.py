"""Peers that vanish without a word, as a machine does that loses its power."""

import asyncio

from gateway.net.connection import Connection
from gateway.smpp.pdus import EnquireLink
from gateway.smpp.session import Timers
from tests.net.test_listener import Remembers, listening
from tests.proofs.served import until
from tests.support import Wire

SILENCE = "enquire_link not answered"


async def test_a_bound_peer_that_vanishes() -> None:
    """It is asked after enquire_link seconds, and given up after response seconds more: what it has not
    answered comes back, and its place is free. The peer here neither closes nor answers."""
    application = Remembers()
    timers = Timers(enquire_link=0.1, response=0.2)
    loop = asyncio.get_running_loop()
    async with listening(application, timers) as listener, Wire.to(listener.port) as wire:
        since = loop.time()
        assert (await wire.bind()).command_status == 0
        await wire.reads(EnquireLink)
        [connection] = listener.connections
        assert isinstance(connection, Connection)
        await until(lambda: not listener.connections, "its end")
        took = loop.time() - since
    assert application.has("lost", [], SILENCE)()
    assert 0.28 < took < 5


async def test_an_unbound_peer_that_vanishes() -> None:
    """It has session_init seconds in all."""
    application = Remembers()
    async with listening(application, Timers(session_init=0.1)) as listener, Wire.to(listener.port):
        await until(lambda: listener.connections, "the connection")
        await until(lambda: not listener.connections, "its end")
    assert not application.has("bound")()
