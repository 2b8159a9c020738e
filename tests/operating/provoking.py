"""The troubles of docs/operating.md between the gateway and its peers: each is brought about on a gateway
with real sockets, and remedied as the page says.

Each function takes a folder and gives the log in which both are told.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.cli.main import main
from gateway.outbound.outbox import LOSSES
from gateway.simulator.errors import BindRefusedError, NotConnectedError
from gateway.simulator.esme import Esme
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import DeliverSm, DeliverSmResp, EnquireLink, EnquireLinkResp, SubmitSmResp
from gateway.smpp.status import CommandStatus
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    accepted,
    bind,
    delivered,
    events,
    inside,
    lines,
    sms,
    text_of,
    until,
    write_config,
)
from tests.support import ALICE, BOB, MovedClock, Wire

ACCOUNT = {"system_id": SYSTEM_ID, "password": PASSWORD, "default": True}
LOG = "gateway.log"


def account(**values: Any) -> dict[str, Any]:
    """The section smpp with one account."""
    return {"listen": {"port": 0}, "accounts": [{**ACCOUNT, **values}]}


async def logged(log: Path, event: str, **values: Any) -> dict[str, Any]:
    """Wait for a line with these values. Returns the last one."""

    def found() -> list[dict[str, Any]]:
        return [line for line in lines(log) if line["event"] == event and values.items() <= line.items()]

    await until(found, f"{event} {values}")
    return found()[-1]


async def command(config: Path, *words: str) -> int:
    """Run `fetion-gateway` in a thread, as an operator does in a terminal. Returns its exit code."""
    return await asyncio.to_thread(main, [*words, "--config", str(config)])


async def refused_bind(port: int, system_id: str, password: str, **more: Any) -> None:
    """A bind that must fail."""
    with pytest.raises(BindRefusedError):
        await Esme.connect("127.0.0.1", port, system_id, password, **more)


async def bind_refused(folder: Path) -> Path:
    """Every reason for which a bind is refused, then one that is right."""
    other = {"system_id": "far", "password": "fetion17", "allow_from": ["10.0.0.0/8"]}
    smpp = account(modes=["transceiver"])
    smpp["accounts"].append(other)
    async with inside(write_config(folder, smpp=smpp)) as gateway:
        await refused_bind(gateway.port, "nobody", PASSWORD)
        await refused_bind(gateway.port, "far", "fetion17")
        await refused_bind(gateway.port, SYSTEM_ID, PASSWORD, bind="receiver")
        await refused_bind(gateway.port, SYSTEM_ID, "wrong")
        async with await bind(gateway.port):
            pass
    return folder / LOG


async def address_not_allowed(folder: Path) -> Path:
    """The network of the peer is in no allow_from; then it is."""
    async with inside(write_config(folder, smpp=account(allow_from=["10.0.0.0/8"]))) as gateway:
        with pytest.raises(NotConnectedError):
            await bind(gateway.port)
    config = write_config(folder, smpp=account(allow_from=["10.0.0.0/8", "127.0.0.0/8"]))
    async with inside(config) as gateway, await bind(gateway.port):
        pass
    return folder / LOG


async def peer_is_silent(folder: Path) -> Path:
    """A peer answers no enquire_link; then one that does stays bound over several of them."""
    clock = MovedClock()
    async with inside(write_config(folder), clock=clock) as gateway:
        async with Wire.to(gateway.port) as peer:
            await peer.bind()
            pass_time(gateway, clock, 31)
            await peer.reads(EnquireLink)
            pass_time(gateway, clock, 61)
            assert await peer.read() is None
        await logged(folder / LOG, "bind.closed")
        async with Wire.to(gateway.port) as peer:
            await peer.bind()
            for _ in range(5):
                pass_time(gateway, clock, 31)
                asked = await peer.reads(EnquireLink)
                peer.send(EnquireLinkResp(sequence_number=asked.sequence_number))
                await until(lambda: not gateway.asking, "the answer to arrive")
            assert len(gateway.binds.all()) == 1
    return folder / LOG


def pass_time(gateway: Gateway, clock: MovedClock, seconds: float) -> None:
    """Put the clock of a gateway forward, and let its sessions see it."""
    clock.ahead += seconds
    gateway.tick_connections()


async def nobody_receives(folder: Path) -> Path:
    """Only a transmitter is bound; then a receiver comes."""
    config = write_config(folder)
    async with inside(config) as gateway, await bind(gateway.port, "transmitter") as peer:
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        await logged(folder / LOG, "sms.deferred")
        async with await bind(gateway.port, "receiver") as receiver:
            assert (await delivered(receiver)).destination_addr == ALICE
            await logged(folder / LOG, "sms.sent")
        assert await command(config, "outbox", "list") == 0
    return folder / LOG


async def peer_refuses(folder: Path) -> Path:
    """A peer refuses one SMS for a while and takes it at the next attempt; it refuses another for good."""
    answers = iter((CommandStatus.RTHROTTLED, CommandStatus.ROK, CommandStatus.RINVDSTADR, CommandStatus.ROK))
    async with (
        inside(write_config(folder)) as gateway,
        await bind(gateway.port, take=lambda _: int(next(answers))) as peer,
    ):
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        sent = await logged(folder / LOG, "sms.sent", msisdn=ALICE)
        assert sent["attempts"] == 2
        await accepted(peer, sms(BOB, "161", "KTFX"))
        await logged(folder / LOG, "sms.failed", msisdn=BOB)
        await accepted(peer, sms(BOB, "161", "CXFX"))
        await logged(folder / LOG, "sms.sent", msisdn=BOB)
    return folder / LOG


async def window_exceeded(folder: Path) -> Path:
    """A peer sends more at once than window_in; then window_in is raised."""
    requests = [sms(ALICE, "161", "CXFX", sequence_number=number) for number in range(2, 7)]
    for window, refused in ((3, 2), (5, 0)):
        config = write_config(folder, smpp=account(window_in=window))
        async with inside(config) as gateway, Wire.to(gateway.port) as peer:
            await peer.bind()
            peer.send(*requests)
            answers = [await responded(peer) for _ in requests]
            throttled = [each for each in answers if each.command_status == CommandStatus.RTHROTTLED]
            assert len(throttled) == refused
    return folder / LOG


async def responded(peer: Wire) -> SubmitSmResp:
    """The next response to an SMS; SMS to handsets are taken meanwhile."""
    while True:
        pdu = await peer.read()
        if isinstance(pdu, SubmitSmResp):
            return pdu
        assert isinstance(pdu, DeliverSm)
        peer.send(DeliverSmResp(sequence_number=pdu.sequence_number))


@dataclass
class Forgetful:
    """A peer that answers everything but SMS, as one does whose own queue has lost them. came: SMS so far."""

    wire: Wire
    takes: bool = False
    came: int = 0

    def has(self, count: int) -> bool:
        """Whether so many SMS came."""
        return self.came == count

    async def run(self) -> None:
        """Until the connection ends."""
        while (pdu := await self.wire.read()) is not None:
            self.came += isinstance(pdu, DeliverSm)
            answer = pdu.response if isinstance(pdu, Request) else None
            if answer is not None and (self.takes or not isinstance(pdu, DeliverSm)):
                self.wire.send(answer(sequence_number=pdu.sequence_number))


@contextlib.asynccontextmanager
async def forgetful(port: int) -> AsyncIterator[Forgetful]:
    """A bound one."""
    async with Wire.to(port) as wire:
        await wire.bind()
        peer = Forgetful(wire)
        running = asyncio.create_task(peer.run())
        try:
            yield peer
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def parked(folder: Path) -> Path:
    """An SMS is left unanswered three times; then the operator retries it, and the peer takes it."""
    clock, config, log = MovedClock(), write_config(folder), folder / LOG
    async with inside(config, clock=clock) as gateway, forgetful(gateway.port) as peer:
        peer.wire.send(sms(ALICE, "161", "KTFX", sequence_number=2))
        for losses in range(1, LOSSES + 1):
            await until(partial(peer.has, losses), "the SMS to leave")
            pass_time(gateway, clock, 61)
            await until(lambda: not gateway.outbox.in_flight, "the end of the response timer")
            await until(lambda: not gateway.asking, "the answer of the peer")
            pass_time(gateway, clock, 60 * 2**losses)
            await until(lambda: not gateway.asking, "the answer of the peer")
            await gateway.tick(housekeeping=True)
        await until(lambda: any("losses" in line for line in lines(log)), "the SMS to be parked")
        [line] = [line for line in lines(log) if "losses" in line]
        assert await command(config, "outbox", "list") == 0
        assert await command(config, "trace", line["message_id"]) == 0
        peer.takes = True
        assert await command(config, "outbox", "retry", line["message_id"]) == 0
        await logged(log, "sms.sent", message_id=line["message_id"])
    return log


async def wrong_alphabet(folder: Path) -> Path:
    """The peer sends GBK under data_coding 0; then its account says so."""
    request = sms(ALICE, "161", "x")
    request.short_message = "开通飞信".encode("gbk")
    for alphabet in ({}, {0: "gbk"}):
        config = write_config(folder, smpp=account(alphabet=alphabet))
        async with inside(config) as gateway, await bind(gateway.port) as peer:
            await accepted(peer, request)
            opened = "欢迎" in text_of(await delivered(peer))
            assert opened is bool(alphabet)
            instruction = "service.open" if opened else "misunderstood"  # both rounds write into one log
            read = await logged(folder / LOG, "sms.handled", instruction=instruction)
            assert await command(config, "trace", read["message_id"]) == 0
    return folder / LOG


async def outbox_full(folder: Path) -> Path:
    """As many SMS as the outbox holds wait for a receiver; then one comes."""
    async with inside(write_config(folder)) as gateway, await bind(gateway.port, "transmitter") as peer:
        gateway.outbox.limit = 1
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        answer = await peer.submit(sms(BOB, "161", "KTFX"))
        assert answer.command_status == CommandStatus.RMSGQFUL
        async with await bind(gateway.port, "receiver") as receiver:
            await delivered(receiver)
            await logged(folder / LOG, "sms.sent")
            await accepted(peer, sms(BOB, "161", "KTFX"))
    return folder / LOG


async def unknown_number(folder: Path) -> Path:
    """The peer spells our number as nobody does here; then as we do."""
    async with inside(write_config(folder)) as gateway, await bind(gateway.port) as peer:
        answer = await peer.submit(sms(ALICE, "10658161", "KTFX"))
        assert answer.command_status == CommandStatus.RINVDSTADR
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        await logged(folder / LOG, "sms.handled")
    assert "sms.rejected" in events(folder / LOG)
    return folder / LOG
