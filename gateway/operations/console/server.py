"""Serves the console over HTTP in the gateway's own event loop. Signals stay the gateway's."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from gateway.operations.console.application import Application
from gateway.operations.console.settings import ConsoleListen


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The ordered stop of the gateway begins with them, not with us."""
        yield


class ConsoleServer:
    """Listens from start() to close(). port: the one that it got."""

    def __init__(self, application: Application, listen: ConsoleListen, connections: int) -> None:
        self.port = 0
        self.application = application
        self._listen = listen
        tls = listen.tls
        config = uvicorn.Config(
            application,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=connections,
            ws="none",
            ssl_certfile=None if tls is None else str(tls.cert),
            ssl_keyfile=None if tls is None else str(tls.key),
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, object]:
        """Listen; what gateway.ready says of it. Raises OSError."""
        bound = socket.create_server((self._listen.host, self._listen.port))
        self.port = bound.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve([bound]), name="console")
        scheme = "http" if self._listen.tls is None else "https"
        return {"console": f"{scheme}://{self._listen.host}:{self.port}"}

    async def close(self) -> None:
        """End all connections, streams too, and stop listening."""
        self._server.should_exit = self._server.force_exit = True
        if self._serving is not None:
            await self._serving
