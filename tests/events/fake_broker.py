"""A broker that does what no real one does on demand: is silent, is full, takes little at once, goes away.

It knows as much of MQTT 5 as a publishing client needs.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import orjson

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 12, 13, 14
RECEIVE_MAXIMUM, MAXIMUM_PACKET_SIZE = 0x21, 0x27

Answer = Callable[[str, bytes], int | None]


def success(topic: str, payload: bytes) -> int | None:
    """Every publish is taken."""
    del topic, payload
    return 0


class FakeBroker:
    """answer: gives the reason code of a PUBACK, None for silence. accepts: whether there is a CONNACK.
    receive_maximum, packet_most: as the CONNACK says. held: PUBACKs for events wait until release().

    published: (topic, items), of what was answered with success, in order. most: publishes that waited at
    once. longest: octets of the longest packet.
    """

    def __init__(self, answer: Answer = success) -> None:
        self.answer = answer
        self.accepts = True
        self.receive_maximum = 65_535
        self.packet_most = 268_435_455
        self.published: list[tuple[str, list[dict[str, object]]]] = []
        self.connections = 0
        self.most = self.longest = self.waiting = 0
        self.held = False
        self._pending: list[Callable[[], None]] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        assert self._server is not None
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> "FakeBroker":
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Reset every connection."""
        self.waiting = 0
        self._pending.clear()
        for writer in list(self._writers):
            writer.transport.abort()

    def disconnect(self, code: int) -> None:
        """Send DISCONNECT on every connection."""
        for writer in list(self._writers):
            writer.write(bytes([DISCONNECT << 4, 2, code, 0]))

    def release(self) -> None:
        """Send what was held back, and hold nothing any more."""
        self.held = False
        pending, self._pending = self._pending, []
        for send in pending:
            send()

    @property
    def events(self) -> list[dict[str, object]]:
        """The items of events that it took."""
        return [
            item for topic, items in self.published if topic.startswith("fetion/events/") for item in items
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await self._packet(reader, writer)
        self._writers.discard(writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _packet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = (await reader.readexactly(1))[0]
        length, octets = await _variable(lambda: reader.readexactly(1))
        body = await reader.readexactly(length)
        if kind >> 4 == CONNECT and self.accepts:
            self.connections += 1
            properties = bytes([RECEIVE_MAXIMUM, *self.receive_maximum.to_bytes(2, "big")])
            properties += bytes([MAXIMUM_PACKET_SIZE, *self.packet_most.to_bytes(4, "big")])
            writer.write(bytes([CONNACK << 4, 3 + len(properties), 0, 0, len(properties)]) + properties)
        elif kind >> 4 == PUBLISH:
            self.longest = max(self.longest, 1 + octets + length)
            self._publish(body, writer)
        elif kind >> 4 == PINGREQ:
            writer.write(bytes([PINGRESP << 4, 0]))

    def _publish(self, body: bytes, writer: asyncio.StreamWriter) -> None:
        end = 2 + int.from_bytes(body[:2], "big")
        topic, number = body[2:end].decode(), body[end : end + 2]
        payload = body[end + 3 + body[end + 2] :]
        code = self.answer(topic, payload)
        self.waiting += 1
        self.most = max(self.most, self.waiting)

        def send() -> None:
            self.waiting -= 1
            writer.write(bytes([PUBACK << 4, 4]) + number + bytes([code or 0, 0]))
            if not code:
                self.published.append((topic, orjson.loads(payload)))

        if self.held and topic.startswith("fetion/events/"):
            self._pending.append(send)
        elif code is not None:
            send()


async def _variable(read: Callable[[], Awaitable[bytes]]) -> tuple[int, int]:
    """Read a variable byte integer: the value, and how many octets it took."""
    value = octets = 0
    while True:
        octet = (await read())[0]
        value |= (octet & 0x7F) << (7 * octets)
        octets += 1
        if octet < 0x80:
            return value, octets
