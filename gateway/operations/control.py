"""The control socket: a Unix socket beside the store (0600) that takes commands for a running gateway.

One JSON object per line in each direction: {"command": "binds"} -> {"binds": [...]}, or {"error": "..."} if
the command is unknown or refused. The other keys of the object are the arguments of the command, all strings.
A command that streams (`pdus`) is answered with one object per line until it ends or the client goes away.
"""

import asyncio
import inspect
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

import orjson

LONGEST_PATH = 100
"""Octets that every system accepts as the path of a Unix socket, less a margin."""
LONGEST_REQUEST = 4096
LONGEST_ANSWER = 1 << 24
PATIENCE = 5.0
"""Seconds that a command may take."""

STALLED = 60.0
"""Seconds for which the client of a stream may read nothing."""

_NO_ANSWER: Final = (
    "the answer is not that of a gateway of this version: which program made the control socket?"
)

Item = dict[str, Any]
"""One line of a stream."""
Stream = Callable[..., AsyncIterator[list[Item]]]
"""Called as a Command is; each list is sent as lines. An empty one only looks whether the client is there.
Raises CommandRefused before the first list."""
_NO_STREAMS: Final[Mapping[str, Stream]] = MappingProxyType({})

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


def path_fault(path: Path) -> str:
    """Say why no control socket can have this path; "" where one can."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return ""
    return (
        f"{path}: longer than {LONGEST_PATH} octets, too long for a control socket:"
        " storage.url must name a shorter path"
    )


class Control:
    """Answers commands. commands, streams: by name."""

    def __init__(
        self, path: Path, commands: Mapping[str, Command], streams: Mapping[str, Stream] = _NO_STREAMS
    ) -> None:
        self._path = path
        self._commands = commands
        self._streams = streams
        self._streaming: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the socket. We hold the lock of the store, so a file in its place is left from a dead process.

        Raises PathTooLong, OSError.
        """
        if fault := path_fault(self._path):
            raise PathTooLong(fault)
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_REQUEST)
        finally:
            os.umask(before)

    def close(self) -> None:
        """Stop answering, end the streams, and remove the socket."""
        for task in self._streaming:
            task.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                request = _request(await reader.readline())
            if request.get("command") in self._streams:
                await self._stream(request, reader, writer)
                return
            async with asyncio.timeout(PATIENCE):
                writer.write(orjson.dumps(await self._answer(request), default=str) + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError):
            writer.transport.abort()  # the client is gone, sends no request, or does not read
        except asyncio.CancelledError:  # by close: the task ends here, and nobody waits for it
            writer.transport.abort()
        finally:
            writer.close()

    async def _answer(self, request: dict[str, str]) -> dict[str, Any]:
        try:
            command = self._find(request, self._commands)
            return {request["command"]: await command(**_arguments(request))}
        except CommandRefused as refused:
            return {"error": str(refused)}

    def _find(self, request: dict[str, str], among: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
        """What was asked for. Raises CommandRefused."""
        if "command" not in request:
            raise CommandRefused("a request is one JSON object with a command")
        name = request["command"]
        command = among.get(name)
        if command is None:
            names = ", ".join((*self._commands, *self._streams))
            raise CommandRefused(f"no command {name!r}; there are: {names}")
        wanted = list(inspect.signature(command).parameters)
        arguments = _arguments(request)
        if set(arguments) != set(wanted) or not all(isinstance(value, str) for value in arguments.values()):
            raise CommandRefused(f"{name} takes these texts: {', '.join(wanted) or 'none'}")
        return command

    async def _stream(
        self, request: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send what a stream gives. Raises TimeoutError or OSError when nobody reads it any more."""
        task = asyncio.current_task()
        assert task is not None
        self._streaming.add(task)
        task.add_done_callback(self._streaming.discard)
        try:
            stream = self._find(request, self._streams)(**_arguments(request))
            async with aclosing(cast(AsyncGenerator[list[Item], None], stream)) as lists:
                async for items in lists:
                    if reader.at_eof() or writer.transport.is_closing():
                        return
                    if items:
                        writer.write(b"".join(orjson.dumps(each, default=str) + b"\n" for each in items))
                    async with asyncio.timeout(STALLED):
                        await writer.drain()
        except CommandRefused as refused:
            writer.write(orjson.dumps({"error": str(refused)}) + b"\n")


def _request(line: bytes) -> dict[str, Any]:
    """The object of a request; empty where it is none, or names no command."""
    try:
        request = orjson.loads(line)
        return {**request, "command": str(request["command"])}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _arguments(request: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != "command"}


async def ask(store: Path, command: str, **arguments: str) -> Any:
    """Send a command to the running gateway of a store. Returns its answer.

    Raises NotRunning, or CommandRefused with the text of the gateway.
    """
    reader, writer = await _connect(store)
    try:
        writer.write(orjson.dumps({"command": command, **arguments}) + b"\n")
        async with asyncio.timeout(2 * PATIENCE):
            line = await reader.readline()
    except OSError:  # it hangs, or it has just ended
        line = b""
    finally:
        writer.close()
    if not line.endswith(b"\n"):
        raise CommandRefused(f"{command}: no answer within {PATIENCE:g} s: is the store failing? See the log")
    answer = _object(line)
    if command not in answer:
        raise CommandRefused(_NO_ANSWER)
    return answer[command]


async def follow(store: Path, command: str, lasting: float, **arguments: str) -> AsyncGenerator[Item, None]:
    """Send a command that streams to the running gateway of a store, and give what comes, to its end.

    lasting: seconds after which the gateway ends the stream. Raises NotRunning, or CommandRefused with the
    text of the gateway, or because it hangs.
    """
    reader, writer = await _connect(store)
    now = asyncio.get_running_loop().time
    begin, end = now() + 2 * PATIENCE, now() + 2 * PATIENCE + lasting
    try:
        writer.write(orjson.dumps({"command": command, **arguments}) + b"\n")
        due = begin
        while (line := await _line(reader, due)).endswith(b"\n"):
            yield _object(line)
            due = end
    except TimeoutError:
        raise CommandRefused(f"{command}: the gateway does not answer: does it hang? See the log") from None
    except OSError:
        return  # the gateway has ended
    finally:
        writer.close()


async def _line(reader: asyncio.StreamReader, due: float) -> bytes:
    """Raises TimeoutError when there is none at that time of the loop."""
    async with asyncio.timeout_at(due):
        return await reader.readline()


def _object(line: bytes) -> Item:
    """The object of a line. Raises CommandRefused with the text of the gateway, or if it is none."""
    try:
        found = orjson.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CommandRefused(_NO_ANSWER)
    if "error" in found:
        raise CommandRefused(found["error"])
    return found


async def _connect(store: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises NotRunning, or CommandRefused where we may not ask."""
    path = socket_path(store)
    try:
        return await asyncio.open_unix_connection(path, limit=LONGEST_ANSWER)
    except PermissionError as error:
        raise CommandRefused(
            f"{path}: only the user that the gateway runs as may ask it, and root"
        ) from error
    except BlockingIOError as error:  # uvloop; asyncio takes it for a connection, which then fails
        raise CommandRefused(f"{path}: no answer: too many wait for one. See the log") from error
    except OSError as error:
        raise NotRunning(f"no gateway runs on {store} ({path}: {error.strerror})") from error
