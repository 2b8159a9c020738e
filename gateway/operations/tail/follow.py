"""Reads a log while it grows, over every rotation, without losing or repeating a line.

Renamed, and a new file in its place (SIGHUP): the gateway closes the old file before it writes the first
line of the new one. So the old file is read until the new one has something in it, and then to its end.

Copied and truncated (logrotate: copytruncate): the octets before the place that was read to are compared at
each reading, so a truncation is found however much was written since. What was not read before is then read
from the copy, which is the file beside it that has the same octets at that place.

Further rotations, while the reader of our output blocked for example: the files between the one that was
read and the present one are those beside it that were written to last, and whose names are its name with a
number or a date (gateway.log.1, gateway.log-20070301, gateway-2007-03-01.log); gateway10.log is another log.

Not found: a second truncation before anything is read after the first (PAUSE), and a copy, or a file
between, that is compressed already. What a copying tool loses itself, between its copy and the truncation,
is lost for everybody.
"""

import os
import re
import select
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Final, Protocol

CHUNK: Final = 1 << 20
"""Octets of one reading."""
MARK: Final = 256
"""Octets before the place of reading by which a file is recognised: at least one time and message id."""
PAUSE: Final = 0.1
"""Seconds between two looks at a file that does not grow."""
LONGEST: Final = 1 << 18
"""Octets of a line; the rest of a longer one is left out."""
CUT: Final = b" ... (cut: the line is longer than 262144 octets)"
_NUMBER: Final = re.compile(r"[-._]\d[-._:T\d]*", re.ASCII)
_BACKWARDS: Final = 1 << 16
_SIBLINGS: Final = 100
"""Files beside the log that are opened."""


class Source(Protocol):
    """Where lines come from. ended: nothing more will come."""

    ended: bool

    def read(self) -> bytes:
        """Return the next octets; b"": there are none now."""

    def wait(self, seconds: float) -> None:
        """Wait until there may be more, at most so long."""

    def close(self) -> None:
        """Close what was opened."""


class Stream:
    """Standard input or a pipe: read as it comes, until its end. descriptor: stays open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.ended = False

    def read(self) -> bytes:
        """Source."""
        if self.ended or not select.select([self._descriptor], [], [], 0)[0]:
            return b""
        octets = os.read(self._descriptor, CHUNK)
        self.ended = not octets
        return octets

    def wait(self, seconds: float) -> None:
        """Source."""
        select.select([self._descriptor], [], [], seconds)

    def close(self) -> None:
        """Source."""


class GrowingFile:
    """A file that another process appends to, and rotates.

    Args:
        path: its name, also after a rotation.
        lines: begin with so many of its last lines; None: with its first one.

    Raises:
        OSError: it cannot be opened.
    """

    ended = False

    def __init__(self, path: Path, lines: int | None = None) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._next: list[int] = []  # are read when the present file, which is complete, is at its end
        self._place = 0 if lines is None else _last_lines(self._file, lines)
        before = min(self._place, MARK)
        self._mark = os.pread(self._file, before, self._place - before)

    @property
    def place(self) -> int:
        """Octets of the present file that were read or skipped."""
        return self._place

    @property
    def size(self) -> int:
        """Octets of the present file."""
        return os.fstat(self._file).st_size

    def read(self) -> bytes:
        """Source. A line that a rotation has torn is ended with a newline."""
        while True:
            octets = self._read_on()
            if octets:
                return octets
            if self._next:
                os.close(self._file)
                self._file = self._next.pop(0)
            elif octets is not None:
                if not self._is_succeeded():
                    return b""
                continue  # nothing is written into the old file any more: read its last lines
            elif (copy := self._copy()) is not None:
                self._next = [*self._missed(copy, self._file), self._file]
                self._file = copy
                continue
            torn = self._mark and not self._mark.endswith(b"\n")
            self._place, self._mark = 0, b""
            if torn:
                return b"\n"

    def wait(self, seconds: float) -> None:
        """Source."""
        time.sleep(min(seconds, PAUSE))

    def close(self) -> None:
        """Source."""
        for descriptor in (self._file, *self._next):
            os.close(descriptor)

    def _read_on(self) -> bytes | None:
        """Return the octets behind what was read; None: what was read is not in the file any more."""
        before = len(self._mark)
        octets = os.pread(self._file, before + CHUNK, self._place - before)
        if not octets.startswith(self._mark):
            return None
        fresh = octets[before:]
        self._place += len(fresh)
        self._mark = octets[-MARK:]
        return fresh

    def _is_succeeded(self) -> bool:
        """Return whether another file has its name and something in it; then that is what comes next."""
        try:
            if os.path.samestat(os.stat(self._path), os.fstat(self._file)):
                return False
            found = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:  # not there at the moment
            return False
        status = os.fstat(found)
        if S_ISREG(status.st_mode) and status.st_size:
            self._next = [*self._missed(self._file, found), found]
            return True
        os.close(found)
        return False

    def _copy(self) -> int | None:
        """Open the longest file beside ours that has all that we have read; None: there is no such file."""
        longest = sorted(self._siblings(), key=lambda each: each[1].st_size, reverse=True)
        for path, status in longest[:_SIBLINGS]:
            with suppress(OSError):
                if status.st_size >= self._place:
                    copy = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                    if os.pread(copy, len(self._mark), self._place - len(self._mark)) == self._mark:
                        return copy
                    os.close(copy)
        return None

    def _missed(self, before: int, present: int) -> list[int]:
        """Open the files that were the log after `before`, and are rotated already, in their order."""
        known = {os.fstat(before).st_ino, os.fstat(present).st_ino}
        since = os.fstat(before).st_mtime_ns
        missed = sorted(
            (status.st_mtime_ns, path)
            for path, status in self._siblings()
            if status.st_mtime_ns > since
            and status.st_ino not in known
            and self._is_rotated(os.path.basename(path))
        )
        opened = []
        for _, path in missed[-_SIBLINGS:]:
            with suppress(OSError):
                opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return opened

    def _is_rotated(self, name: str) -> bool:
        """Return whether this is the name of our log with a number or a date."""
        whole, stem, suffix = self._path.name, self._path.stem, self._path.suffix
        return bool(
            (name.startswith(whole) and _NUMBER.fullmatch(name[len(whole) :]))
            or (name.endswith(suffix) and _NUMBER.fullmatch(name[len(stem) :].removesuffix(suffix)))
        )

    def _siblings(self) -> list[tuple[str, os.stat_result]]:
        """Return the files beside ours whose names begin like its name."""
        found = []
        with suppress(OSError), os.scandir(self._path.parent) as entries:
            for entry in entries:
                if entry.name.startswith(self._path.stem) and entry.name != self._path.name:
                    with suppress(OSError):
                        if entry.is_file():
                            found.append((entry.path, entry.stat()))
        return found


class LineSplitter:
    """Makes lines of octets as they come. A line is given out when its newline has come."""

    def __init__(self) -> None:
        self._begun = b""
        self._skips = False

    def feed(self, octets: bytes) -> list[bytes]:
        """Return the lines that are complete now, without newlines."""
        lines = (self._begun + octets).split(b"\n")
        self._begun = lines.pop()
        if self._skips and lines:
            self._skips = False
            del lines[0]
        if self._skips:
            self._begun = b""
        elif len(self._begun) > LONGEST:
            lines.append(self._begun)
            self._begun, self._skips = b"", True
        if octets and lines and max(map(len, lines)) > LONGEST:
            lines = [line if len(line) <= LONGEST else line[:LONGEST] + CUT for line in lines]
        return lines

    def rest(self) -> list[bytes]:
        """Return the last line, which has no newline, if there is one."""
        begun, self._begun = self._begun, b""
        return [begun] if begun else []


def _last_lines(file: int, lines: int) -> int:
    """Return where the last so many lines of a file begin."""
    place = os.fstat(file).st_size
    if place and os.pread(file, 1, place - 1) != b"\n":
        lines -= 1  # the last line is not complete
    while place:
        begin = max(0, place - _BACKWARDS)
        block = os.pread(file, place - begin, begin)
        found = block.count(b"\n")
        if found > lines:
            for _ in range(lines + 1):
                block = block[: block.rfind(b"\n")]
            return begin + len(block) + 1
        lines -= found
        place = begin
    return 0
