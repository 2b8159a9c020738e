"""Makes the traces of docs/trace.md: `python -m tests.cli.traces` writes them.

Each is of an SMS that went through a gateway over real sockets, with a clock that is moved and a fixed seed.
"""

import asyncio
import io
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gateway.cli.main import main as command
from gateway.message import message_id
from gateway.outbound.outbox import LOSSES
from gateway.smpp.status import CommandStatus
from gateway.testing import BadLink, RunningGateway, running_gateway
from tests.proofs.served import accepted, bind, delivered, rows, sms, until
from tests.support import ALICE, part_of_many
from tests.test_architecture import ROOT

PAGE: Final = ROOT / "docs" / "trace.md"
_BLOCK: Final = re.compile(r"(<!-- trace: (\w+) -->\n```text\n).*?(```\n)", re.DOTALL)
_BROKEN: Final = re.compile(r"connection error: [^)]*")
_TABLES: Final = re.compile(r"tables      [0-9a-f]{12}\.[0-9a-f]{12}")
_PEER: Final = re.compile(r"127\.0\.0\.1:\d+")


async def clean(gateway: RunningGateway) -> str:
    """Answered at the first attempt."""
    async with await bind(gateway.account.port) as esme:
        name = await accepted(esme, sms(ALICE, "161", "KTFX"))
        await delivered(esme)
        await gateway.settle()
    return name


async def cut(gateway: RunningGateway) -> str:
    """The connection breaks off before the response; a minute later the centre binds again."""
    async with (
        BadLink("127.0.0.1", gateway.account.port) as link,
        await bind(gateway.account.port, "transmitter") as sender,
    ):
        name = await _lost(gateway, link, lambda: accepted(sender, sms(ALICE, "161", "KTFX")))
        async with await bind(gateway.account.port, "receiver") as receiver:
            await delivered(receiver)
            await gateway.settle()
    return name


async def joined(gateway: RunningGateway) -> str:
    """Three parts, seconds apart."""
    async with await bind(gateway.account.port) as esme:
        for place, octets in ((1, b"HY#139"), (3, b"9000")):
            await accepted(esme, part_of_many(9, 3, place, octets))
            await gateway.advance(seconds=2)
        name = await accepted(esme, part_of_many(9, 3, 2, b"0013"))
        await delivered(esme)
        await gateway.settle()
    return name


async def parked(gateway: RunningGateway) -> str:
    """Each time that the answer is on its way the connection breaks off."""
    async with (
        BadLink("127.0.0.1", gateway.account.port) as link,
        await bind(gateway.account.port, "transmitter") as sender,
    ):
        await accepted(sender, sms(ALICE, "161", "KTFX"))
        for _ in range(LOSSES):
            await _lost(gateway, link, _nothing)
    [row] = rows(gateway.folder / "fetion.db", "SELECT number FROM outbox WHERE state = 4")
    return message_id(row["number"])


async def throttled(gateway: RunningGateway) -> str:
    """Refused for a while, twice."""
    answers = iter((CommandStatus.RTHROTTLED, CommandStatus.RMSGQFUL))
    async with await bind(gateway.account.port, take=lambda _: next(answers, 0)) as esme:
        name = await accepted(esme, sms(ALICE, "161", "KTFX"))
        await gateway.settle()
        await gateway.advance(seconds=10)
    return name


async def _nothing() -> str:
    return ""


async def _lost(gateway: RunningGateway, link: BadLink, then: Callable[[], Awaitable[str]]) -> str:
    """A receiver that breaks off at the first SMS, which `then` causes; the loss, and a minute behind it."""

    def breaks_off(_: object) -> int:
        link.cut()
        return 0

    receiver = await bind(link.port, "receiver", take=breaks_off)
    name = await then()
    await receiver.wait_lost()
    await until(lambda: len(gateway.app.binds.all()) == 1, "the loss")
    await gateway.advance(minutes=1)
    return name


TRACES: Final[Mapping[str, Callable[[RunningGateway], Awaitable[str]]]] = {
    each.__name__: each for each in (clean, cut, joined, parked, throttled)
}


async def trace(name: str) -> str:
    """What `trace` says of one of them; addresses of peers, how their kernel ends a connection, and the
    version of the tables differ and are made equal."""
    with TemporaryDirectory() as folder:
        async with running_gateway(Path(folder)) as gateway:
            sms_id = await TRACES[name](gateway)
            config = str(gateway.folder / "config.yaml")
            with redirect_stdout(io.StringIO()) as out:
                assert await asyncio.to_thread(command, ["trace", sms_id, "--config", config]) == 0
    said = _PEER.sub("10.1.2.3:40000", out.getvalue())
    said = _BROKEN.sub("closed by peer", said)
    return _TABLES.sub("tables      ed8455c2fcf5.66ea431d0586", said)


def updated(page: str, traces: Mapping[str, str]) -> str:
    """The page with these traces."""
    return _BLOCK.sub(lambda block: block[1] + traces[block[2]] + block[3], page)


async def all_of_them() -> dict[str, str]:
    """By name."""
    return {name: await trace(name) for name in TRACES}


def main() -> int:
    """Write them."""
    PAGE.write_text(updated(PAGE.read_text("utf-8"), asyncio.run(all_of_them())), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
