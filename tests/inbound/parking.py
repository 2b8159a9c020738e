"""A gateway with an SMS that is parked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.message import message_id, number_of
from gateway.operations.control import ask
from gateway.outbound.outbox import LOSSES
from gateway.testing import BadLink, RunningGateway, running_gateway
from tests.proofs.served import accepted, bind, rows, sms, until
from tests.support import ALICE


@dataclass
class Parked:
    """A gateway with one parked SMS, the answer to a KTFX or a P, and its id."""

    gateway: RunningGateway
    id: str

    @property
    def store(self) -> Path:
        """The file of its store."""
        return self.gateway.folder / "fetion.db"

    def row(self) -> dict[str, Any]:
        """Its outbox row."""
        [row] = rows(self.store, "SELECT * FROM outbox WHERE number = ?", number_of(self.id))
        return row

    async def ask(self, command: str, message: str = "") -> Any:
        """The control socket, as the command line uses it."""
        return await ask(self.store, command, message=message or self.id)


@asynccontextmanager
async def parking(folder: Path, text: str) -> AsyncIterator[Parked]:
    """The receiver breaks off whenever the answer to that text comes, until it comes no more."""
    async with (
        running_gateway(folder) as gateway,
        BadLink("127.0.0.1", gateway.account.port) as link,
        await bind(gateway.account.port, "transmitter") as transmitter,
    ):
        if text != "KTFX":
            async with await bind(gateway.account.port, "receiver"):
                await accepted(transmitter, sms(ALICE, "161", "KTFX"))
                await gateway.settle()
        await accepted(transmitter, sms(ALICE, "161", text))

        def breaks_off(_: object) -> int:
            link.cut()
            return 0

        for _ in range(LOSSES):
            receiver = await bind(link.port, "receiver", take=breaks_off)
            await receiver.wait_lost()
            await until(lambda: len(gateway.app.binds.all()) == 1, "the loss")
        await gateway.settle()
        [row] = rows(folder / "fetion.db", "SELECT number FROM outbox WHERE state = 4")
        yield Parked(gateway, message_id(row["number"]))
