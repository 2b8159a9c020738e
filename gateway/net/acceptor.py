"""Accepts connections on a port, and goes on after the system had no file descriptor for one.

The loop's own server does not do: without a free file descriptor, uvloop's closes the connection and reports
nothing; and both loops build a connection before the caller can look at its address.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, Final

BACKLOG: Final = 256
BURST: Final = 64
"""Connections accepted in a row before other callbacks of the loop run."""
PAUSE: Final = 1.0
"""Seconds after which a failed accept is tried again; new connections wait in the backlog meanwhile."""

NOT_HERE: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""A name may have addresses that this machine lacks (::1 without IPv6); then the others suffice."""

Taken = Callable[[socket.socket, Any], None]
"""Called with a connection and its address, as socket.accept returns them."""

Accepting = Callable[[OSError | None], None]
"""Called with the reason why accept fails; None: it works again."""


class Acceptor:
    """Listens on every address that a host name has, all on one port."""

    def __init__(self, taken: Taken, accepting: Accepting) -> None:
        self._taken = taken
        self._accepting = accepting
        self._sockets: list[socket.socket] = []
        self._again: asyncio.TimerHandle | None = None
        self._failing = False

    async def start(self, host: str, port: int) -> int:
        """Open the port (0: any free one). Returns its number. Raises OSError when it is in use."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        ends = list(dict.fromkeys((family, where) for family, _, _, _, where in found))
        missing: OSError | None = None
        try:
            for family, where in ends:
                try:
                    port = self._open(family, (where[0], port, *where[2:]), only=len(ends) > 1)
                except OSError as error:
                    if error.errno not in NOT_HERE:
                        raise
                    missing = error
            if missing is not None and not self._sockets:
                raise missing
        except OSError:
            self.close()
            raise
        self._go_on()
        return port

    def _open(self, family: int, where: Any, *, only: bool) -> int:
        """Listen on one address. only: an IPv6 socket takes no IPv4, which has a socket of its own."""
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.settimeout(0)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            listening.bind(where)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        self._sockets.append(listening)
        return int(listening.getsockname()[1])

    def close(self) -> None:
        """Stop listening."""
        self._stop()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()

    def _go_on(self) -> None:
        self._again = None
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.add_reader(listening, self._ready, listening)

    def _stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
            return
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.remove_reader(listening)

    def _ready(self, listening: socket.socket) -> None:
        for _ in range(BURST):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._failing = True
                self._stop()
                self._again = asyncio.get_running_loop().call_later(PAUSE, self._go_on)
                self._accepting(error)
                return
            if self._failing:
                self._failing = False
                self._accepting(None)
            if not address:  # macOS: the peer has gone already
                connection.close()
                continue
            self._taken(connection, address)
