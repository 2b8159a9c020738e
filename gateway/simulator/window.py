"""Shows a conversation while it happens, on a terminal or any other stream, without making anybody wait."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Full, Queue
from textwrap import fill
from threading import Event, Thread
from typing import Final, TextIO

from gateway.simulator.layout import lay_out, visible
from gateway.simulator.sms import Sms
from gateway.simulator.terminal import shows_colours

BACKLOG: Final = 1000
"""SMS and remarks that may wait for the terminal; further ones are counted and not shown."""

PATIENCE: Final = 1.0
"""Seconds that close() waits for a terminal that is paused."""


@dataclass(frozen=True, slots=True)
class _Remark:
    text: str
    folded: bool = False


class Window:
    """A bounded queue, and a thread that lays out and writes what is in it.

    A thread, because a paused terminal (Ctrl-S) blocks whoever writes to it, and O_NONBLOCK would affect
    every process that shares it. Only one thread may use it.

    Args:
        names: who has which number, shown beside it.
        gloss: what an SMS says in English; None where it is not known.
        gone: called once, in the thread, when the stream cannot be written any more.
    """

    def __init__(
        self,
        stream: TextIO,
        names: Mapping[str, str],
        gloss: Callable[[Sms], str | None],
        gone: Callable[[], None] = lambda: None,
    ) -> None:
        self.broken = False
        self._stream = stream
        self._names = names
        self._gloss = gloss
        self._gone = gone
        self._colours = shows_colours(stream)
        self._descriptor = _descriptor_of(stream)
        self._queue: Queue[Sms | _Remark | Event | None] = Queue(BACKLOG)
        self._lost = self._told = 0
        # A daemon: a paused terminal must not keep the process from ending.
        self._thread = Thread(target=self._run, name="window", daemon=True)
        self._thread.start()

    def show(self, sms: Sms) -> None:
        """Show an SMS. Never waits."""
        self._put(sms)

    def say(self, text: str) -> None:
        """Show a remark of ours, as it stands: a command in it can be copied. Never waits."""
        self._put(_Remark(text))

    def note(self, text: str) -> None:
        """Show a remark without a command in it, indented and folded at the terminal's width. Never waits."""
        self._put(_Remark(text, folded=True))

    def written(self, patience: float = PATIENCE) -> bool:
        """Wait until all is written that was put; False after `patience` seconds."""
        done = Event()
        try:
            self._queue.put(done, timeout=patience)
        except Full:
            return False
        return done.wait(patience)

    def close(self, patience: float = PATIENCE) -> None:
        """Write what waits, within `patience` seconds, and end."""
        if self.written(patience):
            self._queue.put(None)
            self._thread.join(patience)

    def _put(self, item: Sms | _Remark) -> None:
        try:
            self._queue.put_nowait(item)
        except Full:
            self._lost += 1

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Event):
                item.set()
            elif not self.broken:
                self._write(self._missing() + self._laid_out(item))

    def _missing(self) -> str:
        """The line that says how many were not shown since it was said last."""
        lost = self._lost
        missing, self._told = lost - self._told, lost
        return f"({missing} not shown: the terminal was paused, or too slow)\n" if missing else ""

    def _laid_out(self, item: Sms | _Remark) -> str:
        if isinstance(item, _Remark):
            return (self._fold(item.text) if item.folded else item.text) + "\n"
        sender, receiver = self._who(item.sender), self._who(item.receiver)
        gloss = self._gloss(item)
        return lay_out(sender, receiver, item.text, gloss, self._width(), colours=self._colours) + "\n"

    def _fold(self, text: str) -> str:
        width = self._width()
        return fill(text, max(width or len(text) + 3, 20), initial_indent="  ", subsequent_indent="  ")

    def _who(self, number: str) -> str:
        name = self._names.get(number)
        return visible(number if name is None else f"{name} {number}")

    def _width(self) -> int | None:
        """The columns of the terminal now: it may have been resized. None: it is none, or does not say."""
        if self._descriptor is None:
            return None
        try:
            return os.get_terminal_size(self._descriptor).columns or None
        except OSError:
            return None

    def _write(self, text: str) -> None:
        """Write, past the stream's own buffer: at the end of the process nobody may wait for its lock."""
        try:
            if self._descriptor is None:
                self._stream.write(text)
                self._stream.flush()
                return
            rest = text.encode(self._stream.encoding or "utf-8", "replace")
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except (OSError, ValueError):  # the reader is gone, or the stream is closed
            self.broken = True
            self._gone()


def _descriptor_of(stream: TextIO) -> int | None:
    """The file of a stream; None where it has none, as in a test that captures it."""
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError):
        return None
