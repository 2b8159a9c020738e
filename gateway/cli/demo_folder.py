"""The folder of a demo: store, key, log and config.yaml, which are gone when the demo is."""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.settings import Settings
from gateway.testing.configuration import write_config

PREFIX: Final = "fetion-demo-"  # short: the path of the control socket has about 100 octets at most

STORE: Final = "fetion.db"
KEY: Final = "fetion.key"
LOG: Final = "gateway.log"
_ALIVE: Final = "alive"
"""A file that is locked as long as its demo lives. The system unlocks it even after kill -9."""


class DemoFolder:
    """A fresh folder. keep: leave it at the end, for the next demo to remove. Made by `demo_folder`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keep = False

    @property
    def log(self) -> Path:
        """The gateway's log."""
        return self.path / LOG

    def write_config(self, settings: Settings, port: int) -> Path:
        """Write the config.yaml with which other commands find this gateway and its store."""
        listen = {"host": settings.smpp.listen.host, "port": port}
        return write_config(
            self.path,
            {
                "smpp": {"listen": listen},
                "storage": {"url": f"sqlite:///{STORE}", "key_file": KEY},
                "logging": {"file": LOG, "format": "json"},
            },
        )


@contextlib.contextmanager
def demo_folder() -> Iterator[DemoFolder]:
    """Make a folder below the system's temporary one, and remove it at the end.

    First removes those of demos that were killed. Raises OSError.
    """
    remove_dead(Path(tempfile.gettempdir()))
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder = DemoFolder(path)
    with _locked(path):
        try:
            yield folder
        finally:
            if not folder.keep:
                shutil.rmtree(path, ignore_errors=True)


def remove_dead(parent: Path) -> None:
    """Remove the folders in `parent` whose demo does not live any more.

    Only folders of this user that have the file of a demo; nothing that is a symbolic link.
    """
    for path in parent.glob(PREFIX + "*"):
        with contextlib.suppress(OSError):  # another demo removes it too, or it may not be read
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    """Raises OSError: it has no file of a demo, or the demo lives (BlockingIOError)."""
    descriptor = os.open(path / _ALIVE, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file that says that the demo lives. It gets its name when it is locked, never before."""
    unnamed = path / f"{_ALIVE}.new"
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unnamed.rename(path / _ALIVE)
        yield
    finally:
        os.close(descriptor)
