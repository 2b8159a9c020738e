"""What ends the connections of the listener: garbage and silence."""

import pytest

from gateway.smpp.codec import encode
from gateway.smpp.pdus import (
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SubmitSmResp,
)
from gateway.smpp.session import Timers
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import CONGESTION_STATE
from tests.net.test_listener import POLITE, SMS, Remembers, dialled, listening
from tests.support import Wire


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\nHost: example\r\n\r\n",
        b"\0" * 64,
        b"\xff" * 64,
        bytes((0, 0, 0, 15)) + b"\0" * 12,
        (1 << 20).to_bytes(4, "big") + b"\0\0\0\x09" + b"\0" * 8,
    ],
    ids=["HTTP", "zeros", "ones", "15 octets", "1 MB"],
)
async def test_garbage_on_the_port(octets: bytes) -> None:
    """What cannot be SMPP gets generic_nack with RINVCMDLEN and the end; the listener goes on. It says what
    it was where the first octets tell."""
    application = Remembers()
    async with listening(application) as listener:
        async with Wire.to(listener.port) as wire:
            wire.send(octets)
            assert (await wire.reads(GenericNack)).command_status == CommandStatus.RINVCMDLEN
            assert await wire.read() is None
        async with Wire.to(listener.port) as wire:
            assert (await wire.bind()).command_status == 0
    told = [("turned away", "127.0.0.1", "it speaks HTTP")] if octets.startswith(b"GET") else []
    assert application.said[: len(told) + 1] == [*told, ("disconnected",)]


async def test_garbage_after_a_bind_ends_that_bind_only() -> None:
    """Nothing more is answered there, so nothing more counts as taken; other binds are not touched."""
    application = Remembers()
    async with dialled(application) as (listener, wire), Wire.to(listener.port) as other:
        await wire.bind()
        await other.bind()
        wire.send(SMS, b"\0" * 16)
        await wire.reads(GenericNack)
        assert await wire.read() is None
        other.send(SMS)
        await other.reads(SubmitSmResp)
    assert [said[3] for said in application.said if said[0] == "lost"] == [False, False]


@pytest.mark.parametrize(
    ("timers", "octets"),
    [
        (Timers(session_init=0.05), b""),
        (Timers(pdu_read=0.05), encode(SMS)[:20]),
        (Timers(pdu_read=0.05), encode(SMS)[:2]),
    ],
    ids=["nothing", "half a PDU", "half a length"],
)
async def test_silence_ends_the_connection(timers: Timers, octets: bytes) -> None:
    """Who connects and says nothing, or stops in the middle of a PDU, is closed when his time is over."""
    application = Remembers()
    async with dialled(application, timers) as (_, wire):
        wire.send(octets)
        assert await wire.read() is None
    assert application.said == [("disconnected",)]


async def test_what_a_stranger_says_of_its_congestion() -> None:
    """It counts for nothing before a bind: nobody has a pace yet."""
    application = Remembers()
    async with dialled(application) as (_, wire):
        crowded = DeliverSmResp(sequence_number=9, tlvs={CONGESTION_STATE: 95})
        wire.send(crowded)
        await wire.bind()
        wire.send(crowded, EnquireLink(sequence_number=3))
        await wire.reads(EnquireLinkResp)
    assert [said[1] for said in application.said if said[0] == "congested"] == [95]


async def test_a_quiet_peer_is_asked() -> None:
    """Without a word for a while we send enquire_link; who answers lives, who does not is cut."""
    application = Remembers()
    async with dialled(application, Timers(enquire_link=0.05, response=0.1)) as (_, wire):
        await wire.bind()
        asked = await wire.reads(EnquireLink)
        wire.send(EnquireLinkResp(sequence_number=asked.sequence_number))
        await wire.reads(EnquireLink)
        assert await wire.read() is None
    assert application.said[-2] == ("lost", [], "enquire_link not answered", not POLITE)
