"""Kannel (bearerbox and smsbox) as an ESME: handsets whose SMS go by way of its HTTP interface."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from gateway.simulator.handset import Account
from tests.ports import free_port

PATIENCE: Final = 20.0
"""Seconds to wait for what must happen."""

_CODECS: Final = {"0": "utf-8", "2": "utf-16-be"}
"""How smsbox writes a text, by its %c: the coding of the SMS."""

_CONFIGURATION: Final = """\
group = core
admin-port = {admin}
admin-password = admin
admin-allow-ip = 127.0.0.1
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
sms-resend-freq = 1

group = smsc
smsc = smpp
smsc-id = fetion
host = {account.host}
port = {account.port}
transceiver-mode = true
smsc-username = {account.system_id}
smsc-password = {account.password}
system-type = box
interface-version = 34
address-range = "{claim}"
source-addr-ton = 0
source-addr-npi = 1
dest-addr-ton = 0
dest-addr-npi = 1
reconnect-delay = 1
# data_coding 0 is GSM 03.38 at both ends
alt-charset = "GSM"

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {boxes}
sendsms-port = {sendsms}

group = sendsms-user
username = tester
password = tester
concatenation = true
max-messages = 20

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "http://127.0.0.1:{service}/?from=%p&to=%P&coding=%c&text=%b"
"""


def missing() -> str:
    """Why Kannel cannot be run; "" where it can."""
    if shutil.which("bearerbox", path=_PATH) and shutil.which("smsbox", path=_PATH):
        return ""
    return "Kannel is not installed (Debian: apt install kannel)"


_PATH: Final = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"


@dataclass(frozen=True, slots=True)
class Came:
    """An SMS that smsbox handed to its service."""

    sender: str
    receiver: str
    text: str


class Kannel:
    """A running Kannel. came: what its service was asked, in order."""

    def __init__(self) -> None:
        self.came: list[Came] = []
        self.sendsms = free_port()
        self._changed = asyncio.Event()

    async def send(self, sender: str, to: str, text: str) -> None:
        """Let a handset text a number. Returns when Kannel has queued it."""
        coding = 0 if text.isascii() else 2
        status, body = await self._get(
            f"/cgi-bin/sendsms?username=tester&password=tester&from={sender}&to={to}"
            f"&charset=UTF-8&coding={coding}&text={quote(text)}"
        )
        assert status == 202, body

    async def expect(self, receiver: str, part: str) -> Came:
        """The oldest SMS to a handset with this in its text, taken out."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for each in self.came:
                    if each.receiver == receiver and part in each.text:
                        self.came.remove(each)
                        return each
                self._changed.clear()
                await self._changed.wait()

    async def asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The service of smsbox: note what it says, answer nothing."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode("ascii")
                values = parse_qs(urlsplit(path).query, encoding="latin-1", keep_blank_values=True)
                codec = _CODECS[values["coding"][0]]
                text = values["text"][0].encode("latin-1").decode(codec)
                self.came.append(Came(values["from"][0], values["to"][0], text))
                self._changed.set()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()

    async def _get(self, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.sendsms)
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode("ascii"))
        answer = (await asyncio.wait_for(reader.read(), PATIENCE)).decode("utf-8", "replace")
        writer.close()
        return int(answer.split()[1]) if answer else 0, answer

    async def answers(self) -> None:
        """Wait until smsbox answers what it is asked: it listens earlier than that."""
        for _ in range(int(PATIENCE / 0.02)):
            if (await self._get("/"))[0]:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"smsbox answers nothing on {self.sendsms}")


@asynccontextmanager
async def kannel(folder: Path, account: Account, claim: str) -> AsyncIterator[Kannel]:
    """Run bearerbox and smsbox, bound at the account for the handsets of an address_range."""
    kannel = Kannel()
    service = await asyncio.start_server(kannel.asked, "127.0.0.1", 0)
    admin, boxes = free_port(), free_port()
    configuration = folder / "kannel.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            account=account,
            admin=admin,
            boxes=boxes,
            claim=claim,
            sendsms=kannel.sendsms,
            service=service.sockets[0].getsockname()[1],
        ),
        "utf-8",
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        for program, port in (("bearerbox", boxes), ("smsbox", kannel.sendsms)):
            started.append(_start(program, configuration))
            await _listens(port, started[-1], folder / f"{program}.log")
        await kannel.answers()
        yield kannel
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
        service.close()


def _start(program: str, configuration: Path) -> "subprocess.Popen[bytes]":
    path = shutil.which(program, path=_PATH)
    assert path is not None
    with (configuration.parent / f"{program}.log").open("wb") as log:
        return subprocess.Popen([path, "-v", "1", str(configuration)], stdout=log, stderr=log)


async def _listens(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until a process listens."""
    for _ in range(int(PATIENCE / 0.02)):
        assert process.poll() is None, _said(log)
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"nobody listens on {port}: {_said(log)}")


def _said(log: Path) -> str:
    return log.read_text("utf-8", "replace")
