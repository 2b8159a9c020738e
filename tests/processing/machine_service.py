"""Runs a gateway on a free port, with a fresh store and a clock that can be put forward."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.app import Gateway
from gateway.simulator.esme import Esme
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    accepted,
    delivered,
    inside,
    rows,
    sms,
    until,
    write_config,
)
from tests.support import MovedClock, store_of

EVERY = {"journal": "SELECT number FROM journal", "part": "SELECT number FROM part WHERE complete = 0"}
QUERY = "CXFX"  # asks for one's state: may be done as often as one likes, and is always answered


@dataclass
class LiveGateway:
    """A running gateway, the folder of its store, and its clock."""

    gateway: Gateway
    folder: Path
    clock: MovedClock

    @property
    def port(self) -> int:
        """The port to bind to."""
        return self.gateway.port

    def journal(self, instruction: str = "service.state") -> list[dict[str, Any]]:
        """Return the rows of the journal with that instruction."""
        statement = "SELECT * FROM journal WHERE instruction = ? ORDER BY number"
        return rows(store_of(self.folder), statement, instruction)

    def count(self, table: str) -> int:
        """Count the rows of a table."""
        return len(rows(store_of(self.folder), EVERY[table]))

    async def closed(self, count: int) -> None:
        """Wait until `count` SMS to handsets are delivered and stored as sent."""
        statement = "SELECT 1 FROM outbox WHERE state = 1"
        await until(lambda: len(rows(store_of(self.folder), statement)) == count, f"{count} delivered SMS")


@asynccontextmanager
async def live_gateway(
    folder: Path, clock: MovedClock | None = None, **sections: Any
) -> AsyncIterator[LiveGateway]:
    """Run a gateway on a free port with its store in the folder. sections: of its configuration."""
    clock = clock or MovedClock()
    async with inside(write_config(folder, **sections), clock=clock) as gateway:
        yield LiveGateway(gateway, folder, clock)


def accounts(**changes: Any) -> dict[str, Any]:
    """Return the section smpp with the shipped account and these changes."""
    return {"accounts": [{"system_id": SYSTEM_ID, "password": PASSWORD, "default": True, **changes}]}


async def opened(esme: Esme, *handsets: str) -> None:
    """Let each handset open Fetion and read the answers."""
    for handset in handsets:
        await accepted(esme, sms(handset, "161", "KTFX"))
    await drained(esme)


async def drained(esme: Esme) -> list[DeliverSm]:
    """Return what the bind receives before the answer to an extra query, without that answer."""
    asker = "13700137000"
    await accepted(esme, sms(asker, "161", QUERY))
    found = []
    while (delivery := await delivered(esme)).destination_addr != asker:
        found.append(delivery)
    return found


async def status(esme: Esme, request: SubmitSm | DataSm) -> int:
    """Submit a request. Returns the command_status of the response."""
    return (await esme.submit(request)).command_status


async def stays_silent(esme: Esme) -> None:
    """Assert that the bind has received nothing that is unread."""
    assert await drained(esme) == []
