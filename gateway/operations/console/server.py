"""Serves the console over HTTP in the gateway's own event loop. Signals stay the gateway's.

Of uvicorn only the protocol is used: it has no loop of its own that the stop would wait for. Connections that
have no request under way give way to newer ones (gateway.net.admission).
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from functools import partial
from typing import Final

from uvicorn import Config
from uvicorn.server import ServerState

from gateway.net.acceptor import Acceptor
from gateway.net.admission import Admission, ConnectionLimits, address_of
from gateway.operations.console.application import Application, fixed_headers
from gateway.operations.console.certificates import contexts_of
from gateway.operations.console.http import Connection
from gateway.operations.console.services import Services
from gateway.operations.console.settings import Console, ConsoleListen

HANDSHAKE_SECONDS: Final = 10.0
CLOSING_SECONDS: Final = 1.0
"""For what pages do when they are cancelled at the stop."""
SHARE: Final = 4
"""One address has at most this part of all connections; a proxy all of them."""
FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class ConsoleUnusable(Exception):
    """The console cannot be opened; the text names the place and the remedy."""


class ConsoleServer:
    """Listens from start() to close(). port: the one that it got."""

    def __init__(self, application: Application, services: Services, listen: ConsoleListen) -> None:
        self.port = 0
        self.application = application
        self._services = services
        self._listen = listen
        self._config = Config(
            application,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            ws="none",
        )
        self._state = ServerState()
        self._fixed = fixed_headers(secure=services.sessions.secure)
        self._admission: Admission[Connection] = Admission(limits_of(services.settings), ())
        self._acceptor = Acceptor(self._taken, lambda _: None)
        self._opening: dict[Connection, asyncio.Task[None]] = {}
        self._connections: set[Connection] = set()
        self._tls = contexts_of(listen, services.observer)

    @property
    def url(self) -> str:
        """Where browsers find it."""
        scheme = "http" if self._listen.tls is None else "https"
        host = self._listen.host
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    async def start(self) -> dict[str, object]:
        """Listen; what gateway.ready says of it. Raises ConsoleUnusable."""
        self._config.load()
        host, port = self._listen.host, self._listen.port
        try:
            self.port = await self._acceptor.start(host, port)
        except OSError as error:
            remedy = "set console.listen.host to an address of this machine"
            if error.errno == errno.EADDRINUSE:
                remedy = "stop what listens there or set console.listen.port (console.listen: null = none)"
            raise ConsoleUnusable(
                f"the console, {host}:{port}: {error.strerror or error}: {remedy}"
            ) from error
        if self._tls is not None:
            self._tls.tell()
        return {"console": self.url}

    def follow(self, now_ms: int, *, again: bool = False) -> None:
        """Read the certificate when its files have changed."""
        if self._tls is not None:
            self._tls.follow(now_ms, again=again)

    async def close(self) -> None:
        """End all connections, streams too, and stop listening."""
        self._acceptor.close()
        for connection in list(self._connections):
            self._end(connection)
        for task in (tasks := list(self._state.tasks)):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSING_SECONDS)

    # Connections

    def _taken(self, accepted: socket.socket, where: tuple[str, int]) -> None:
        """Let in a new connection, or close it."""
        connection = Connection(self._config, self._state, self, self._fixed)
        reason, last = self._admission.enter(connection, address_of(where[0]))
        if last is not None:
            self._end(last)
        accepted.settimeout(0)
        if reason:
            with contextlib.suppress(OSError):
                if self._tls is None:
                    accepted.send(FULL)
            accepted.close()
            return
        self._connections.add(connection)
        loop = asyncio.get_running_loop()
        opening = loop.create_task(self._open(connection, accepted), name="console accept")
        self._opening[connection] = opening
        opening.add_done_callback(partial(self._opened, connection, accepted))

    async def _open(self, connection: Connection, accepted: socket.socket) -> None:
        """From the socket to HTTP. Raises OSError."""
        loop = asyncio.get_running_loop()
        if accepted.family in {socket.AF_INET, socket.AF_INET6}:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            await loop.connect_accepted_socket(lambda: connection, accepted)
            return
        await loop.connect_accepted_socket(
            lambda: connection, accepted, ssl=self._tls(), ssl_handshake_timeout=HANDSHAKE_SECONDS
        )

    def _opened(self, connection: Connection, accepted: socket.socket, opening: "asyncio.Task[None]") -> None:
        """Clean up when no connection could be made of the socket."""
        self._opening.pop(connection, None)
        error = None if opening.cancelled() else opening.exception()
        if error is None and not opening.cancelled():
            return
        accepted.close()
        self.gone(connection)
        if isinstance(error, Exception) and not isinstance(error, OSError | ssl.SSLError):
            self._services.observer.broken("console", error)

    def _end(self, connection: Connection) -> None:
        connection.abort()
        if opening := self._opening.get(connection):
            opening.cancel()

    # What connections tell

    def busy(self, connection: Connection) -> None:
        """It does not give way to newer ones."""
        self._admission.bound(connection)

    def idle(self, connection: Connection) -> None:
        """It does again."""
        if connection in self._connections:
            self._admission.leave(connection)
            self._admission.enter(connection, address_of(connection.client[0] if connection.client else ""))

    def gone(self, connection: Connection) -> None:
        """It has ended."""
        self._connections.discard(connection)
        self._admission.leave(connection)


def limits_of(settings: Console) -> ConnectionLimits:
    """How many connections there may be."""
    most = settings.connections
    share = most if settings.behind_proxy else max(most // SHARE, 10)
    return ConnectionLimits(most, share, most)
