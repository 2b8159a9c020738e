"""Standard input and output of the simulator's commands."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Final, TextIO

from gateway.operations.log_lines import wants_colours
from gateway.simulator.transcript import Line, Pause

_CHUNK: Final = 65_536


def shows_colours(stream: TextIO) -> bool:
    """Return whether to use colours on a stream."""
    return wants_colours(os.environ, terminal=stream.isatty())


def line_printer(stream: TextIO) -> Callable[[Line | Pause], None]:
    """Prints lines of a transcript, coloured on a terminal."""
    coloured = shows_colours(stream)

    def show(line: Line | Pause) -> None:
        say(line.coloured() if coloured else str(line), stream)

    return show


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line and flush, so that a pipe passes it on at once."""
    out = stream or sys.stdout
    out.write(text + "\n")
    out.flush()


async def lines_of(descriptor: int) -> AsyncGenerator[str, None]:
    """Yield the lines of a file, pipe or terminal as they arrive, to the end.

    Not a reading thread: Ctrl-C would have to wait for it.
    """
    rest = b""
    while True:
        await _readable(descriptor)
        chunk = os.read(descriptor, _CHUNK)
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
        if not chunk:
            break
    if rest:
        yield rest.decode("utf-8", "replace")


async def _readable(descriptor: int) -> None:
    """Wait until a read does not block."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def fire() -> None:
        loop.remove_reader(descriptor)  # or it fires again before the octets are read
        if not ready.done():
            ready.set_result(None)

    try:
        loop.add_reader(descriptor, fire)
    except PermissionError:  # a regular file cannot be waited for, and need not be
        return
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
