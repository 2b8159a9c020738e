"""The control socket: a Unix socket beside the store (0600) that takes commands for a running gateway.

One JSON object per line in each direction: {"command": "binds"} -> {"binds": [...]}, or {"error": "..."} if
the command is unknown or refused. The other keys of the object are the arguments of the command, all strings.
"""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

LONGEST_PATH = 100
"""Octets that every system accepts as the path of a Unix socket, less a margin."""
LONGEST_REQUEST = 4096
PATIENCE = 5.0
"""Seconds that a command may take."""

Command = Callable[..., Awaitable[Any]]
"""Called with its arguments by name; its result is sent back. Raises CommandRefused to refuse."""


class PathTooLong(Exception):
    """The path of the control socket is longer than LONGEST_PATH."""


class NotRunning(Exception):
    """No gateway listens on the control socket."""


class CommandRefused(Exception):
    """A command cannot be executed; the text says why."""


def socket_path(store: Path) -> Path:
    """Return the path of the control socket of a store."""
    return store.with_name(store.name + ".control")


class Control:
    """Answers commands. commands: by name."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the socket. We hold the lock of the store, so a file in its place is left from a dead process.

        Raises PathTooLong, OSError.
        """
        if len(os.fsencode(self._path)) > LONGEST_PATH:
            raise PathTooLong(
                f"{self._path}: longer than {LONGEST_PATH} octets, too long for a control socket:"
                " storage.url must name a shorter path"
            )
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_REQUEST)
        finally:
            os.umask(before)

    def close(self) -> None:
        """Stop answering and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                line = await reader.readline()
                writer.write(orjson.dumps(await self._answer(line), default=str) + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError):
            writer.transport.abort()  # the client is gone, sends no request, or does not read
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = orjson.loads(line)
            name = str(request.pop("command"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": "a request is one JSON object with a command"}
        command = self._commands.get(name)
        if command is None:
            return {"error": f"no command {name!r}; there are: {', '.join(self._commands)}"}
        wanted = list(inspect.signature(command).parameters)
        if set(request) != set(wanted) or not all(isinstance(value, str) for value in request.values()):
            return {"error": f"{name} takes these texts: {', '.join(wanted) or 'none'}"}
        try:
            return {name: await command(**request)}
        except CommandRefused as refused:
            return {"error": str(refused)}


async def ask(store: Path, command: str, **arguments: str) -> Any:
    """Send a command to the running gateway of a store. Returns its answer.

    Raises NotRunning, or CommandRefused with the text of the gateway.
    """
    path = socket_path(store)
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=1 << 24)
    except OSError as error:
        raise NotRunning(f"no gateway runs on {store} ({path}: {error.strerror})") from error
    try:
        writer.write(orjson.dumps({"command": command, **arguments}) + b"\n")
        line = await reader.readline()
    finally:
        writer.close()
    if not line:
        raise CommandRefused(f"{command}: no answer within {PATIENCE:g} s: is the store failing? See the log")
    answer = orjson.loads(line)
    if "error" in answer:
        raise CommandRefused(answer["error"])
    return answer[command]
