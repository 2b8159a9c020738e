"""The output of `tail`: lines, and on a terminal a last line that says how things stand."""

import asyncio
import os
import select
import shutil
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

from gateway.operations.control import CommandRefused, NotRunning, ask
from gateway.operations.log_lines import columns
from gateway.operations.tail.tally import Tally

ASKING: Final = 2.0
"""Seconds between two questions to the gateway."""
ANSWER: Final = 1.0
"""Seconds that it may take to answer."""
UNANSWERED: Final = 10.0
"""Seconds until the next question after one that was not answered."""
_CLEAR: Final = "\r\x1b[K"


class Screen:
    """Standard output. What its encoding does not have is escaped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._status = ""
        self.is_terminal = stream.isatty()
        self.has_status = self.is_terminal and os.environ.get("TERM") != "dumb"
        self._pipe: select.poll | None = None
        with suppress(OSError):  # no descriptor: a stream in memory
            if stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
                self._pipe = select.poll()
                self._pipe.register(stream.fileno(), 0)

    def write(self, lines: str) -> None:
        """Write whole lines, above the status line. Raises OSError."""
        if lines:
            self._put(f"{_CLEAR}{lines}{self._status}" if self._status else lines)

    def status(self, text: str) -> None:
        """Show a text as the last line of the terminal; "": none."""
        width = shutil.get_terminal_size().columns - 1
        while columns(text) > width:
            text = text[:-1]
        if text != self._status:
            self._status = text
            self._put(f"{_CLEAR}{text}")

    def raise_if_unread(self) -> None:
        """Raise BrokenPipeError if the reader of a pipe has gone; without this, only the next line would."""
        if self._pipe is not None and self._pipe.poll(0):
            raise BrokenPipeError

    def close(self) -> None:
        """Remove the status line."""
        if self._status:
            self.status("")

    def _put(self, text: str) -> None:
        self._stream.buffer.write(text.encode(self._encoding, "backslashreplace"))
        self._stream.flush()


class StatusLine:
    """Says how things stand, at most once a second.

    store: that of the gateway that is asked for binds and outbox over its control socket; where none answers,
    binds are as the log tells. None: nobody is asked.
    """

    def __init__(self, screen: Screen, tally: Tally, zone: ZoneInfo, store: Path | None) -> None:
        self._screen = screen
        self._tally = tally
        self._zone = zone
        self._store = store
        self._drawn = self._asked = float("-inf")
        self._pause = ASKING
        self._answer: dict[str, int] = {}

    def feed(self, lines: Sequence[bytes], *, live: bool) -> None:
        """Count lines. live: they come now."""
        self._tally.feed(lines, live=live)
        if live:
            self.draw()

    def draw(self) -> None:
        """Draw it, if a second has passed."""
        now = time.monotonic()
        if now - self._drawn < 1:
            return
        self._drawn = now
        if self._store is not None and now - self._asked >= self._pause:
            self._answer = asyncio.run(standing(self._store))
            self._asked, self._pause = time.monotonic(), ASKING if self._answer else UNANSWERED
        self._screen.status(self._text())

    def _text(self) -> str:
        rates = self._tally.rates()
        said = [f"{datetime.now(self._zone):%H:%M:%S} {self._zone}"]
        said += [f"{word} {rate:.1f}/s" for word, rate in rates.items() if rate or word in {"in", "out"}]
        binds = self._answer.get("binds", self._tally.binds)
        if binds is not None:
            said.append(f"{binds} bound")
        if "outbox" in self._answer:
            said.append(f"outbox {self._answer['outbox']}")
        elif self._store is not None and not self._answer:
            said.append("no answer from the gateway")
        return "  ".join(said)


async def standing(store: Path) -> dict[str, int]:
    """Ask the gateway of a store how many binds it has, and how many SMS wait; {}: it does not answer."""
    with suppress(NotRunning, TimeoutError, OSError, ValueError):
        async with asyncio.timeout(ANSWER):
            with suppress(CommandRefused):  # an older gateway
                return _counts(await ask(store, "status"))
            with suppress(CommandRefused):
                return {"binds": len(await ask(store, "binds"))}
    return {}


def _counts(report: dict[str, Any]) -> dict[str, int]:
    """Return the binds of all accounts and modes, and the depth of the outbox."""
    binds = sum(count for modes in report["binds"].values() for count in modes.values())
    return {"binds": binds, "outbox": report["outbox"]["depth"]}
