"""Writes the finished lines of the log: a bounded buffer, and a thread that writes it to the file.

The reader of the log may stall: a full pipe, a paused terminal, a slow disk. The loop never waits for it.
Only a thread helps in all cases: a regular file always blocks, and O_NONBLOCK on an inherited pipe would
affect every process that shares it.
"""

import io
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from os import write
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import BinaryIO, Final

BUFFER_SIZE = 65_536
"""Octets of collected lines after which they go to the writer."""

TOGETHER = 1_048_576
"""Octets after which the writer begins a new write."""

CLOSING = 1.0
"""Seconds that close() waits for a file that blocks."""

COMPLAINT = 0.5
"""Seconds that the writer waits for standard error."""


NO_POLL: Final = 0.01
"""Seconds between two tries to write where nothing says when: poll(2) of macOS takes no terminals."""


class Sink:
    """A buffer before a Writer. Its methods are those that structlog calls; only one thread may use them.

    notice: makes the line that reports the total of lost lines. It is written first when the file works
    again, before the next line.
    """

    __slots__ = ("_buffer", "_notice", "_told", "_writer")

    def __init__(self, writer: "Writer", notice: Callable[[int], bytes]) -> None:
        self._writer: Writer | None = writer
        self._notice = notice
        self._told = 0
        # Octets, not a list of lines: lines that stay alive cost the allocator as much as all the rest.
        self._buffer = bytearray()

    def info(self, line: bytes) -> None:
        """Add one line, with its newline."""
        self._buffer += line
        if len(self._buffer) > BUFFER_SIZE:
            self.flush()

    debug = warning = info

    def error(self, line: bytes) -> None:
        """Add one line, and flush."""
        self._buffer += line
        self.flush()

    critical = error

    def flush(self) -> None:
        """Pass the collected lines to the writer. Never waits."""
        writer = self._writer
        if writer is not None:
            if writer.lost != self._told and writer.has_room and not writer.failing:
                self._told = writer.lost
                self._buffer[:0] = self._notice(self._told)
            if self._buffer:
                writer.take(bytes(self._buffer))
        self._buffer.clear()

    def written(self, patience: float) -> bool:
        """Flush, and wait until everything is written. Returns False after `patience` seconds."""
        self.flush()
        return self._writer is None or self._writer.wait(patience)

    def reopen(self) -> None:
        """Reopen the file by its name after the collected lines are written. A stream stays."""
        self.flush()
        if self._writer is not None:
            self._writer.reopen()

    def refusal(self) -> str:
        """Return, once, why the last reopen failed; "": it did not."""
        return self._writer.take_refusal() if self._writer is not None else ""

    @property
    def lost(self) -> int:
        """Lines that were dropped since the start."""
        return self._writer.lost if self._writer is not None else self._told

    def close(self, patience: float = CLOSING) -> None:
        """Write the collected lines and close the file, within `patience` seconds. Drops later lines."""
        until = time.monotonic() + patience
        if self.written(patience):
            self.flush()  # reports lost lines
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(until - time.monotonic())


class Writer:
    """A thread that owns the file: only this thread writes, so only this thread waits.

    A file that cannot be written (disk full, reader gone) must not stop the gateway: its lines are dropped
    and counted in `lost`, like lines that find no room in the backlog. `failing`: whether the last write
    failed. Both are reported once on standard error, because the log cannot report them.

    Args:
        file: receives the lines.
        path: where append() opened the file, and where it can be reopened; None: a stream that we do not own.
        backlog: octets that may wait for the file, give or take one buffer; lines beyond that are dropped.
    """

    def __init__(self, file: BinaryIO, path: Path | None, backlog: int) -> None:
        self.failing = False
        self._backlog = backlog
        self._path = path
        self._file = file
        self._items: SimpleQueue[bytes | Callable[[], None] | None] = SimpleQueue()
        self._writing = b""
        self._torn = False
        self._complained = False
        self._reopening = False
        self._refusal = ""
        # Octets and lines. Of each pair the thread changes only one, and the owner only the other.
        self._taken = self._done = 0
        self._dropped = self._unwritten = 0
        # A daemon: a thread that cannot write must not keep the process from ending.
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Lines that were dropped: no room, or the file could not be written."""
        return self._dropped + self._unwritten

    @property
    def has_room(self) -> bool:
        """Whether take() would keep lines."""
        return self._taken - self._done < self._backlog

    def isatty(self) -> bool:
        """Return whether the file is a terminal."""
        return self._file.isatty()

    def take(self, lines: bytes) -> None:
        """Queue whole lines; drop them when there is no room."""
        if self.has_room:
            self._taken += len(lines)
            self._items.put(lines)
        else:
            if not self._dropped:
                _complain("the log takes no lines: those that find no room are lost until it does", 0)
            self._dropped += lines.count(b"\n")

    def wait(self, patience: float) -> bool:
        """Wait until all queued lines are written or lost. Returns False after `patience` seconds."""
        if not self._thread.is_alive():  # in a process that was forked off
            return False
        reached = Event()
        self._items.put(reached.set)
        return reached.wait(patience)

    def reopen(self) -> None:
        """Reopen the path after the lines queued before are written."""
        if self._path is not None and not self._reopening:
            self._reopening = True
            self._items.put(self._reopen)

    def take_refusal(self) -> str:
        """Return, once, why the path could not be reopened."""
        refusal, self._refusal = self._refusal, ""
        return refusal

    def close(self, patience: float) -> None:
        """Close the file after everything is written; a stream that we did not open stays open.

        Lines that are not written within `patience` seconds are lost, and reported on standard error.
        """
        self._items.put(None)
        self._thread.join(max(0.0, patience))
        if self._thread.is_alive():
            left = self._writing.count(b"\n")
            with suppress(Empty):
                while True:
                    item = self._items.get_nowait()
                    left += item.count(b"\n") if isinstance(item, bytes) else 0
            self._items.put(None)
            _complain(f"the log takes no lines: up to {left} are lost at the end", COMPLAINT)

    # In the thread

    def _run(self) -> None:
        lines: list[bytes] = []
        octets = 0
        while True:
            # All that waits goes in one write: a busy loop lets this thread run a few hundred times a second.
            if lines and (octets >= TOGETHER or self._items.empty()):
                octets = self._write_all(lines)
            item = self._items.get()
            if isinstance(item, bytes):
                lines.append(item)
                octets += len(item)
                continue
            octets = self._write_all(lines)
            if item is None:
                break
            item()
        if self._path is not None:
            with suppress(OSError):
                self._file.close()

    def _write_all(self, lines: list[bytes]) -> int:
        """Write the lines and clear the list. Returns the number of octets left, which is 0."""
        if lines:
            together = b"".join(lines)
            lines.clear()
            self._write(together)
            self._done += len(together)
        return 0

    def _write(self, lines: bytes) -> None:
        if self._torn:  # end the torn line, so that the next line is whole
            lines = b"\n" + lines
        start, written = int(self._torn), 0
        self._writing = lines
        try:
            while written < len(lines):
                written += self._file.write(memoryview(lines)[written:]) or self._until_it_takes()
            self._file.flush()
        except (OSError, ValueError) as error:  # ValueError: its owner has closed the stream
            whole = written > start and lines[written : written + 1] == b"\n"  # the newline comes next
            self._unwritten += lines.count(b"\n", max(written, start)) - whole
            self._torn = not lines[:written].endswith(b"\n") if written else self._torn
            self.failing = True
            self._complain_of(error)
        else:
            self._torn = self.failing = False
        self._writing = b""

    def _until_it_takes(self) -> int:
        """Wait for a full pipe or terminal that another process has made non-blocking."""
        ready = select.poll()
        ready.register(self._file.fileno(), select.POLLOUT)
        if any(state & select.POLLNVAL for _, state in ready.poll()):
            time.sleep(NO_POLL)
        return 0

    def _complain_of(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            reason = getattr(error, "strerror", None) or error
            lost = "its lines are lost until it can, and the gateway goes on"
            _complain(f"the log cannot be written ({reason}): {lost}", COMPLAINT)

    def _reopen(self) -> None:
        self._reopening = False
        assert self._path is not None
        try:
            new = append(self._path)
        except OSError as error:
            self._refusal = str(error)
            return
        with suppress(OSError):
            self._file.close()
        self._file, self._torn = new, False


def _complain(reason: str, patience: float) -> None:
    """Print a line on standard error. That may block too: wait at most `patience` seconds."""
    thread = Thread(target=_say, args=(f"fetion-gateway: {reason}\n",), daemon=True)
    with suppress(RuntimeError):  # no more threads
        thread.start()
        thread.join(patience)


def _say(text: str) -> None:
    """Write past Python's buffer: a thread that holds its lock would block the end of the process."""
    with suppress(OSError, ValueError):  # standard error may be gone as well
        if sys.stderr is not None:
            write(sys.stderr.fileno(), text.encode("utf-8", "backslashreplace"))


def append(path: Path) -> BinaryIO:
    """Open a file for appending; make its folder if it is missing. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return io.FileIO(path, "a")
