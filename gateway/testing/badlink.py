"""A TCP proxy that cuts, holds back, delays and splits octets."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class BadLink:
    """A TCP proxy that misbehaves on demand. Connect to `port` on 127.0.0.1.

    Use it in `async with`. pieces: octets are passed on so many at a time at most; 0: as they come. delay:
    seconds by which every piece is late. Both may be changed while it runs.
    """

    def __init__(self, host: str, port: int, *, pieces: int = 0, delay: float = 0.0) -> None:
        self.pieces = pieces
        self.delay = delay
        self.port = 0
        self.passed = 0
        self._far = (host, port)
        self._left: int | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut all connections and stop listening."""
        assert self._server is not None
        self._server.close()
        self.cut()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Cut every connection at once, like a pulled plug; new ones are accepted."""
        self._left = None
        for writer in self._writers:
            writer.transport.abort()

    def cut_after(self, octets: int) -> None:
        """Cut every connection after that many more octets, in both directions together."""
        self._left = octets

    def stall(self) -> None:
        """Hold back octets; connections stay open."""
        self._flowing.clear()

    def resume(self) -> None:
        """Pass on what was held back, and everything after it."""
        self._flowing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        ends = {writer}
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._far)
            ends.add(far_writer)
            self._writers |= ends
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far_writer))
                both.create_task(self._pump(far_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # nobody listens at the far end; or the link ends, and asyncio would log that as an error
        finally:
            self._lines.discard(line)
            self._writers -= ends
            for each in ends:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy one direction to its end, then close the other side."""
        with contextlib.suppress(OSError):  # also: the other side is gone already
            while octets := await reader.read(65_536):
                size = self.pieces or len(octets)
                for start in range(0, len(octets), size):
                    if not await self._pass_on(octets[start : start + size], writer):
                        return
            writer.write_eof()

    async def _pass_on(self, piece: bytes, writer: asyncio.StreamWriter) -> bool:
        """Pass on one piece. Returns False when the connection was cut within it."""
        await asyncio.sleep(self.delay)
        await self._flowing.wait()
        whole = self._left is None or len(piece) < self._left
        piece = piece if whole else piece[: self._left]
        writer.write(piece)
        self.passed += len(piece)
        if self._left is not None:
            self._left -= len(piece)
        if not whole:
            await asyncio.sleep(0)
            self.cut()
            return False
        await writer.drain()
        return True
