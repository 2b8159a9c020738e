"""One wire in both directions: SMS to handsets leave beside a full load of SMS from handsets, and a peer that
does not read harms nobody else. Real sockets."""

import asyncio
from pathlib import Path
from socket import SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from typing import Final

from gateway.net.connection import HIGH_WATER
from gateway.smpp.codec import encode
from gateway.smpp.pdus import DeliverSm, DeliverSmResp, EnquireLink, SubmitSm, SubmitSmResp
from gateway.testing.running import running_gateway
from tests.support import Wire

COUNT: Final = 1_500
WINDOW: Final = 100
"""In both directions (window_out of the account). Where that of submits is n times as large, a peer that
answers all at once gets an n-th of the replies per round trip; the others come behind."""
STEP: Final = 300
SHARE: Final = 0.25
"""deliver_sm for each submit_sm_resp, of STEP of these in a row, at least. Each SMS has one reply."""
PATIENCE: Final = 10.0
READ: Final = 262_144
"""Octets that are read at once, and answered, before reading stops."""


def submit(number: int) -> SubmitSm:
    """A handset opens the service."""
    source = f"139{number:08}"
    return SubmitSm(
        source_addr=source, destination_addr="161", short_message=b"KTFX", sequence_number=number + 2
    )


async def test_replies_leave_under_full_submit_load(tmp_path: Path) -> None:
    """Submits never pause: as each is answered the next one comes. Of the replies as many arrive."""
    delivered, shares = 0, []
    async with running_gateway(tmp_path) as gateway, Wire.to(gateway.account.port) as wire:
        await wire.bind()
        wire.send(*map(submit, range(WINDOW)))
        acknowledged, sent, before = 0, WINDOW, 0
        while delivered < COUNT:
            pdu = await wire.read()
            if isinstance(pdu, SubmitSmResp):
                assert pdu.command_status == 0
                acknowledged += 1
                if sent < COUNT:
                    wire.send(submit(sent))
                    sent += 1
                if acknowledged % STEP == 0:
                    shares.append((delivered - before) / STEP)
                    before = delivered
            else:
                assert isinstance(pdu, DeliverSm)
                delivered += 1
                wire.send(DeliverSmResp(sequence_number=pdu.sequence_number))
        assert acknowledged == COUNT
    # At first the window fills; from then on the two directions share the wire.
    assert min(shares[1:]) >= SHARE, shares


async def test_a_peer_that_does_not_read_harms_nobody(tmp_path: Path) -> None:
    """It asks without end and reads nothing: what is unsent to it stays bounded, and an SMS on another bind
    gets its reply meanwhile."""
    question = encode(EnquireLink(sequence_number=7)) * STEP
    async with (
        running_gateway(tmp_path) as gateway,
        Wire.to(gateway.account.port) as healthy,
        Wire.to(gateway.account.port) as deaf,
    ):
        await healthy.bind()
        await deaf.bind()
        connections = gateway.app.channel.listener.connections
        for each in connections:  # small buffers of the system, or megabytes must come first
            assert each._transport is not None
            each._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, 8_192)
        deaf._writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, 8_192)
        async with asyncio.timeout(PATIENCE):
            while not any(each.clogged for each in connections):
                deaf.send(question)
                await asyncio.sleep(0)
            for number in range(20):
                healthy.send(submit(number))
                for _ in range(2):
                    pdu = await healthy.read()
                    if isinstance(pdu, DeliverSm):
                        healthy.send(DeliverSmResp(sequence_number=pdu.sequence_number))
        [clogged] = [each for each in connections if each.clogged]
        assert clogged._transport is not None
        assert clogged._transport.get_write_buffer_size() <= HIGH_WATER + READ
        assert clogged.session.pending_output == 0
