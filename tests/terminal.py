"""A real pseudo-terminal with a command in it: for tests, and for the recordings."""

import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PATIENCE: Final = 20.0
"""Seconds to wait for what should take one."""

CTRL_C: Final = "\x03"
CTRL_D: Final = "\x04"
CTRL_S: Final = "\x13"
CTRL_Q: Final = "\x11"

# Makes its standard input the controlling terminal, so that Ctrl-C is a signal, and becomes the command.
_LEAD: Final = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A terminal of `columns` x 40 in which a command runs. seen: all octets that it wrote.

    environ: over the one of this process; a value that is empty counts as not set for most programs.
    """

    def __init__(
        self, command: Sequence[str], columns: int, environ: Mapping[str, str], folder: Path | None = None
    ) -> None:
        self.seen = b""
        self._master, slave = os.openpty()
        self.resize(columns)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LEAD, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=folder,
            env=os.environ | dict(environ),
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """What was written so far."""
        return self.seen.decode("utf-8", "replace").replace("\r\n", "\n")

    def resize(self, columns: int) -> None:
        """Make the terminal wider or narrower."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def until(self, text: str, count: int = 1) -> str:
        """Wait until a text was written so often. Returns all that was written.

        Raises AssertionError after PATIENCE seconds, or when the command ends first.
        """
        deadline = time.monotonic() + PATIENCE
        while self.text.count(text) < count:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"no {text!r} in the terminal, but:\n{self.text}")
        return self.text

    def end(self) -> int:
        """Wait until the command has ended. Returns its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(max(deadline - time.monotonic(), 0.1))

    def _read(self, patience: float) -> bool:
        """Read what is there; False at the end, or when nothing comes."""
        ready, _, _ = select.select([self._master], [], [], max(patience, 0))
        if not ready:
            return False
        try:
            octets = os.read(self._master, 65_536)
        except OSError:  # Linux: nobody has the other end open
            octets = b""
        self.seen += octets
        return bool(octets)
