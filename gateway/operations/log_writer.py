"""Where the finished lines of the log end: a bounded buffer, and the thread that writes it into the file.

Whoever reads the log may stall: a full pipe, a paused terminal, a slow disk. The loop never waits for it. A
thread is what helps with all of them: a regular file always blocks, and O_NONBLOCK on a pipe that we were
given would hold for every process that shares it.
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
from typing import BinaryIO

BUFFER_SIZE = 65_536
"""Octets after which the collected lines are handed to the writer."""

TOGETHER = 1_048_576
"""Octets from which the writer begins a new write."""

CLOSING = 1.0
"""Seconds that the end waits for a file that takes nothing."""

COMPLAINT = 0.5
"""Seconds that the writer waits for standard error."""


class Sink:
    """A buffer before a Writer. Its methods are the ones structlog calls; all of them belong to one thread.

    notice: the line that tells how many lines have been lost in all. It goes before the first line that
    gets out again, and is the first thing written once a file takes lines again.
    """

    __slots__ = ("_buffer", "_notice", "_told", "_writer")

    def __init__(self, writer: "Writer", notice: Callable[[int], bytes]) -> None:
        self._writer: Writer | None = writer
        self._notice = notice
        self._told = 0
        # Octets, not a list of lines: lines that stay alive cost the allocator as much as all the rest.
        self._buffer = bytearray()

    def info(self, line: bytes) -> None:
        """Take one line, with its newline."""
        self._buffer += line
        if len(self._buffer) > BUFFER_SIZE:
            self.flush()

    debug = warning = info

    def error(self, line: bytes) -> None:
        """Take one line and hand over everything."""
        self._buffer += line
        self.flush()

    critical = error

    def flush(self) -> None:
        """Hand over what has been collected. Never waits."""
        writer = self._writer
        if writer is not None:
            if writer.lost != self._told and writer.has_room and not writer.failing:
                self._told = writer.lost
                self._buffer[:0] = self._notice(self._told)
            if self._buffer:
                writer.take(bytes(self._buffer))
        self._buffer.clear()

    def written(self, patience: float) -> bool:
        """Hand over, and wait until everything is written; False when it is not within so many seconds."""
        self.flush()
        return self._writer is None or self._writer.wait(patience)

    def reopen(self) -> None:
        """Go on in a new file of the same name once what was collected is written; a stream stays."""
        self.flush()
        if self._writer is not None:
            self._writer.reopen()

    def refusal(self) -> str:
        """Why the last reopen failed, told once; "" when it did not."""
        return self._writer.take_refusal() if self._writer is not None else ""

    def close(self, patience: float = CLOSING) -> None:
        """Write what there is and let go of the file, within so many seconds. Later lines are dropped."""
        until = time.monotonic() + patience
        if self.written(patience):
            self.flush()  # what was lost is told of
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(until - time.monotonic())


class Writer:
    """A thread that owns the file: it alone writes, and so it alone waits.

    path: where the file was opened with append(), and may be opened anew; None: a stream of somebody else.
    backlog: octets that may wait for the file, within one buffer; what comes beyond it is dropped.

    A file that cannot be written (disk full, reader gone) must not stop the gateway: its lines are dropped
    and counted in `lost`, like those that find no room in the backlog. `failing` says whether the last write
    failed. Standard error is told once of either: the log itself is where nobody can read it.
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
        # Octets and lines; of either pair one is counted by the thread alone, the other by its owner alone.
        self._taken = self._done = 0
        self._dropped = self._unwritten = 0
        # A daemon: a thread that cannot write must not keep the process from ending.
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Lines that were dropped, for want of room or because the file could not be written."""
        return self._dropped + self._unwritten

    @property
    def has_room(self) -> bool:
        """Whether take() would keep what it is given."""
        return self._taken - self._done < self._backlog

    def isatty(self) -> bool:
        """Whether somebody looks at it."""
        return self._file.isatty()

    def take(self, lines: bytes) -> None:
        """Whole lines to be written; dropped when there is no room."""
        if self.has_room:
            self._taken += len(lines)
            self._items.put(lines)
        else:
            if not self._dropped:
                _complain("the log takes no lines: those that find no room are lost until it does", 0)
            self._dropped += lines.count(b"\n")

    def wait(self, patience: float) -> bool:
        """Wait until everything taken is written, or lost; False when it is not within so many seconds."""
        if not self._thread.is_alive():  # in a process that was forked off
            return False
        reached = Event()
        self._items.put(reached.set)
        return reached.wait(patience)

    def reopen(self) -> None:
        """Open the path anew, once what was taken before is written."""
        if self._path is not None and not self._reopening:
            self._reopening = True
            self._items.put(self._reopen)

    def take_refusal(self) -> str:
        """Why the path could not be opened anew, once."""
        refusal, self._refusal = self._refusal, ""
        return refusal

    def close(self, patience: float) -> None:
        """Let go of the file once everything is written; a stream that we did not open stays open.

        What is not written within so many seconds is given up, and told of on standard error.
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
        """Write them and forget them; gives how many octets are left, which is none."""
        if lines:
            together = b"".join(lines)
            lines.clear()
            self._write(together)
            self._done += len(together)
        return 0

    def _write(self, lines: bytes) -> None:
        if self._torn:  # what is half there must not take the next line with it
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
        """Somebody has made the pipe or terminal non-blocking, and it is full: wait as if it were not."""
        ready = select.poll()
        ready.register(self._file.fileno(), select.POLLOUT)
        ready.poll()
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
    """A line on standard error. It may be stalled as well: nobody waits for it longer than that."""
    thread = Thread(target=_say, args=(f"fetion-gateway: {reason}\n",), daemon=True)
    with suppress(RuntimeError):  # no more threads
        thread.start()
        thread.join(patience)


def _say(text: str) -> None:
    """Past Python's buffer: a thread that holds its lock would break the end of the process."""
    with suppress(OSError, ValueError):  # standard error may be gone as well
        if sys.stderr is not None:
            write(sys.stderr.fileno(), text.encode("utf-8", "backslashreplace"))


def append(path: Path) -> BinaryIO:
    """A file to write on at its end, its folder made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return io.FileIO(path, "a")
