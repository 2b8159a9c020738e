"""A real PostgreSQL server for tests: Debian's binaries, its own folder and port, fsync as in production.

It runs as `nobody` where the tests run as root, as which it refuses to.
"""

import atexit
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.ports import free_port

USER: Final = "fetion"
PASSWORD: Final = "kong-ming-deng"
START_WITHIN: Final = 60.0


def binaries() -> Path | None:
    """The folder of initdb and postgres, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def _children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return found


class Server:
    """One server. settings: lines of postgresql.conf."""

    def __init__(self, *settings: str) -> None:
        bin_folder = binaries()
        assert bin_folder is not None
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="fetion-pg-"))
        self._bin = bin_folder
        self.account: dict[str, Any] = {}
        if os.geteuid() == 0:
            self.account = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self.folder, "nobody", "nogroup")
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise(settings)

    def _initialise(self, settings: tuple[str, ...]) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        words: list[str | Path] = [self._bin / "initdb", "-D", self.data, "-U", USER, f"--pwfile={secret}"]
        words += ["--auth=scram-sha-256", "--no-locale", "--encoding=UTF8"]
        subprocess.run(words, check=True, capture_output=True, cwd=self.folder, **self.account)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n")
            file.write(f"unix_socket_directories = '{self.folder}'\nmax_connections = 40\n")
            file.write("shared_buffers = 32MB\nfsync = on\nsynchronous_commit = on\n")
            file.writelines(f"{line}\n" for line in settings)

    @property
    def data(self) -> Path:
        """Its files."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What it says."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def url(self, schema: str = "public", database: str = "postgres", password: str = PASSWORD) -> str:
        """As storage.url has it."""
        options = f"?options=-csearch_path%3D{schema}"
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}{options}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self.account,
            )
        deadline = time.monotonic() + START_WITHIN
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < deadline, self.log
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT cuts connections and writes all, SIGQUIT leaves that to the recovery."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """kill -9 of all its processes."""
        assert self._process is not None
        pids = _children(self._process.pid)
        self._process.kill()
        self._process.wait()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.01)
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        assert self._process is not None
        for pid in (self._process.pid, *_children(self._process.pid)):
            os.kill(pid, number)

    def remove(self) -> None:
        """Stop it and delete its files."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, statement: str, schema: str = "public") -> list[tuple[Any, ...]]:
        """Run a statement beside whoever uses the server."""
        with psycopg.connect(self.url(schema), autocommit=True) as db:
            cursor = db.execute(statement)
            return cursor.fetchall() if cursor.description else []


@cache
def shared() -> Server:
    """The server that all tests share which do not stop it; it runs until the end of the process."""
    server = Server()
    atexit.register(server.remove)
    server.start()
    return server


def missing() -> str:
    """Why no server can be started; "" if one can."""
    if binaries() is None:
        return "PostgreSQL is not installed: tests/servers.sh installs it where that is possible"
    return ""


def schema_of(folder: Path) -> str:
    """The name of the schema that stands for a folder in tests of stores."""
    return f"s{hashlib.blake2b(str(folder).encode(), digest_size=8).hexdigest()}"


def url_of(folder: Path) -> str:
    """The URL of the store that stands for a folder, on the shared server. The schema is made."""
    schema = schema_of(folder)
    server = shared()
    server.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    return server.url(schema)
