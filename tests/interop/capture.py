"""Records octets that pass between two peers, writes them as a capture, and lets tshark read it."""

import asyncio
import contextlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Final

from gateway.smpp.framing import FrameSplitter

SMPP_PORT: Final = 2775
"""In the capture; tshark is told so."""

_CLIENT: Final = bytes((10, 0, 0, 1))
_SERVER: Final = bytes((10, 0, 0, 2))
_MAGIC: Final = 0xA1B2C3D4  # pcap, microseconds (draft-gharris-opsawg-pcap)
_RAW_IP: Final = 101
_SYN, _ACK, _PUSH = 2, 16, 8
_LARGEST: Final = 1400
"""Octets of a segment: PDUs lie across segments, as on the wire."""
_WARNING: Final = 0x600000
"""Severity of tshark's expert information from which on something is wrong."""


def missing() -> str:
    """Why no capture can be read; "" where one can."""
    return "" if shutil.which("tshark") else "tshark is not installed (Debian: apt install tshark)"


@dataclass(frozen=True, slots=True)
class Said:
    """Octets of one side of a conversation. from_server: the side that was dialled."""

    conversation: int
    from_server: bool
    octets: bytes


class Recorder:
    """A proxy that notes what passes, in order. Use it in `async with`; connect to `port`."""

    def __init__(self, port: int, said: list[Said], conversation: int) -> None:
        self.port = 0
        self._target = port
        self._said = said
        self._conversation = conversation
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Recorder":
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, back = await asyncio.open_connection("127.0.0.1", self._target)
        for source, target, from_server in ((reader, back, False), (far, writer, True)):
            self._tasks.add(asyncio.create_task(self._pass_on(source, target, from_server=from_server)))

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, from_server: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while octets := await source.read(65_536):
                self._said.append(Said(self._conversation, from_server, octets))
                target.write(octets)
                await target.drain()
        target.close()


def frames(said: list[Said]) -> list[bytes]:
    """The PDUs of all conversations."""
    splitters: dict[tuple[int, bool], FrameSplitter] = {}
    found = []
    for each in said:
        splitter = splitters.setdefault((each.conversation, each.from_server), FrameSplitter())
        found += splitter.feed(each.octets)
    return found


def write(path: Path, said: list[Said]) -> None:
    """Write a capture: each conversation is a TCP connection to SMPP_PORT."""
    streams: dict[int, _Stream] = {}
    with path.open("wb") as file:
        file.write(pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, 262_144, _RAW_IP))
        number = 0
        for each in said:
            stream = streams.setdefault(each.conversation, _Stream(40_000 + each.conversation))
            for packet in stream.packets(each):
                file.write(pack("<IIII", 1_180_670_400, number, len(packet), len(packet)) + packet)
                number += 1


class _Stream:
    """One TCP connection."""

    def __init__(self, client_port: int) -> None:
        self._client_port = client_port
        self._next = {False: 1000, True: 5000}
        self._open = False

    def packets(self, said: Said) -> list[bytes]:
        """The packets that carry it, the handshake first."""
        found = []
        if not self._open:
            self._open = True
            found += [self._packet(b"", _SYN, from_server=False)]
            self._next[False] += 1
            found += [self._packet(b"", _SYN | _ACK, from_server=True)]
            self._next[True] += 1
            found += [self._packet(b"", _ACK, from_server=False)]
        for start in range(0, len(said.octets), _LARGEST):
            piece = said.octets[start : start + _LARGEST]
            found.append(self._packet(piece, _PUSH | _ACK, from_server=said.from_server))
            self._next[said.from_server] += len(piece)
        return found

    def _packet(self, octets: bytes, flags: int, *, from_server: bool) -> bytes:
        ports = (SMPP_PORT, self._client_port) if from_server else (self._client_port, SMPP_PORT)
        acknowledged = self._next[not from_server] if flags & _ACK else 0
        tcp = pack(">HHIIBBHHH", *ports, self._next[from_server], acknowledged, 0x50, flags, 65_535, 0, 0)
        ends = (_SERVER, _CLIENT) if from_server else (_CLIENT, _SERVER)
        length = 20 + len(tcp) + len(octets)
        ip = pack(">BBHHHBBH4s4s", 0x45, 0, length, 0, 0x4000, 64, 6, 0, *ends)
        return ip + tcp + octets


@dataclass(frozen=True, slots=True)
class Read:
    """What tshark made of a capture. pdus: how many. complaints: packets that it found malformed or wrong."""

    pdus: int
    complaints: list[str]


def read(path: Path) -> Read:
    """Let tshark dissect a capture."""
    fields = ("frame.number", "smpp.command_id", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message")
    words = ["tshark", "-r", str(path), "-d", f"tcp.port=={SMPP_PORT},smpp", "-T", "fields"]
    words += ["-E", "separator=|", *(word for field in fields for word in ("-e", field))]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    pdus, complaints = 0, []
    for line in done.stdout.splitlines():
        _, commands, malformed, severities, _ = line.split("|", 4)
        pdus += len(commands.split(",")) if commands else 0
        severe = [each for each in severities.split(",") if each and int(each, 0) >= _WARNING]
        if malformed or severe:
            complaints.append(line)
    return Read(pdus, complaints)
