"""Binds of each version at a running gateway, and what they ask beside submit_sm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.smpp.pdu import Request, Response
from gateway.smpp.pdus import (
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    SubmitMulti,
)
from gateway.smpp.status import CommandStatus
from gateway.smpp.wire import DistributionList, SmeAddress
from gateway.storage.memory import MemoryStores
from gateway.testing import RunningGateway, running_gateway
from tests.proofs.served import until
from tests.support import ALICE, Wire

S = CommandStatus
SERVICE, NOBODY = "12520", "99999"
NO_ID = "0" * 16


@asynccontextmanager
async def gateway(folder: Path, **account: Any) -> AsyncIterator[RunningGateway]:
    """A running gateway with a store in memory, and two accounts. account: changes of the shipped one."""
    usual = {"system_id": "smsc", "password": "fetion16", "default": True, **account}
    other = {"system_id": "other", "password": "fetion16"}
    config = {"smpp": {"accounts": [usual, other]}}
    async with running_gateway(folder, config, open_store=MemoryStores().open_store) as running:
        yield running


@asynccontextmanager
async def bound(
    running: RunningGateway, version: int = 0x34, account: str = "smsc", *, receives: bool = False
) -> AsyncIterator[Wire]:
    """A bind of that version, as a transmitter: nothing but answers comes on it."""
    kind = BindTransceiver if receives else BindTransmitter
    async with Wire.to(running.account.port) as wire:
        answer = await wire.bind(
            kind(system_id=account, password="fetion16", interface_version=version, sequence_number=1)
        )
        assert answer.command_status == S.ROK
        yield wire


async def nobody_is_bound(running: RunningGateway) -> None:
    """Wait until the gateway has seen the end of every bind, and what follows from it."""
    await until(lambda: not running.app.binds.all(), "the end of every bind")
    await running.settle()


async def ask(wire: Wire, request: Request) -> Any:
    """The response to a request."""
    wire.send(request)
    while True:
        read = await wire.read()
        assert read is not None
        if isinstance(read, Response) and read.command_id & 0xFFFF == request.command_id:
            return read


async def delivered(wire: Wire) -> str:
    """From which number the next SMS to a handset is; it is taken."""
    sms = await wire.reads(DeliverSm)
    wire.send(DeliverSmResp(sequence_number=sms.sequence_number))
    return sms.source_addr


def sme(*numbers: str) -> tuple[SmeAddress, ...]:
    """Destinations."""
    return tuple(SmeAddress(1, 1, number) for number in numbers)


def multi(*to: SmeAddress | DistributionList, text: bytes = b"CXFX", **more: Any) -> SubmitMulti:
    """One text to many."""
    return SubmitMulti(
        **{"source_addr": ALICE, "dest_addresses": to, "short_message": text, "sequence_number": 7, **more}
    )
