"""The control socket: a Unix socket beside the store (0600), through which a running gateway is asked.

One JSON object a line each way: {"command": "binds"} -> {"binds": [...]} or {"error": "..."}.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

LONGEST_PATH = 100
"""Octets: what every system takes as the path of a Unix socket, less a margin."""
LONGEST_REQUEST = 4096


class PathTooLong(Exception):
    """The path of the control socket is longer than LONGEST_PATH."""


class NotRunning(Exception):
    """No gateway listens on the control socket."""


def socket_path(store: Path) -> Path:
    """Where the gateway of a store listens."""
    return store.with_name(store.name + ".control")


class Control:
    """Answers commands; `commands` are functions without arguments that return what is sent back."""

    def __init__(self, path: Path, commands: Mapping[str, Callable[[], Any]]) -> None:
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the socket. The store's lock is held, so a file in its place is left from a dead process.

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
        """Stop answering and take the socket away."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                line = await reader.readline()
                writer.write(orjson.dumps(self._answer(line), default=str) + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError):
            pass  # the asker is gone, or is no asker
        finally:
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = orjson.loads(line)
            name = str(request["command"])
        except (ValueError, KeyError, TypeError):
            return {"error": "a request is one JSON object with a command"}
        command = self._commands.get(name)
        if command is None:
            return {"error": f"no command {name!r}; there are: {', '.join(self._commands)}"}
        return {name: command()}


async def ask(store: Path, command: str) -> Any:
    """What the running gateway of a store answers. Raises NotRunning, or RuntimeError with its own words."""
    path = socket_path(store)
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=1 << 24)
    except OSError as error:
        raise NotRunning(f"no gateway runs on {store} ({path}: {error.strerror})") from error
    try:
        writer.write(orjson.dumps({"command": command}) + b"\n")
        answer = orjson.loads(await reader.readline())
    finally:
        writer.close()
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer[command]
