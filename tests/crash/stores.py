"""Stores for the proofs: one that dies inside a commit, one that answers too early, one that takes notes.

They are the real store with one seam each, and no part of the gateway.
"""

import mmap
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import _GeneratorContextManager
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

from gateway.message import Commit
from gateway.storage.sqlite.store import SqliteStore


class Instant(IntEnum):
    """Where inside a commit a process dies."""

    NEVER = 0
    WRITTEN = 1  # rows are in an open transaction, nothing is durable
    COMMITTING = 2  # COMMIT runs: the disk will have all or nothing of it
    COMMITTED = 3  # all is durable, nobody has been answered


class Wish:
    """Two octets in a file that the test and the gateway's process share: when that one is to die.

    delay: for COMMITTING, how many hundredths of a millisecond (0..255) behind the beginning of COMMIT.
    """

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(2)
            self._octets = mmap.mmap(file.fileno(), 2)

    @property
    def instant(self) -> Instant:
        """What is wished now."""
        return Instant(self._octets[0])

    @instant.setter
    def instant(self, instant: Instant) -> None:
        self._octets[0] = instant

    @property
    def delay(self) -> int:
        """See the class."""
        return self._octets[1]

    @delay.setter
    def delay(self, delay: int) -> None:
        self._octets[1] = delay

    def close(self) -> None:
        """Let go of the file."""
        self._octets.close()


class MortalStore(SqliteStore):
    """Dies with SIGKILL at the wished instant of the next commit that holds messages."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        super().__init__(path, connection, lock)
        self.wish: Wish | None = None
        self._carries = False
        self._at_commit = threading.Event()
        threading.Thread(target=self._kill_during_commit, name="death", daemon=True).start()

    def write(self, commit: Commit) -> None:
        """As always, then perhaps the end."""
        super().write(commit)
        self._carries = bool(commit.messages)
        if self._is_due(Instant.WRITTEN):
            die()

    def sync(self) -> None:
        """As always, perhaps with the end in the midst of it or behind it."""
        if self._is_due(Instant.COMMITTING):
            # sqlite3 lets other threads run while it commits, and not before.
            self._at_commit.set()
            super().sync()
            threading.Event().wait()
        super().sync()
        if self._is_due(Instant.COMMITTED):
            die()

    def _is_due(self, instant: Instant) -> bool:
        return self._carries and self.wish is not None and self.wish.instant is instant

    def _kill_during_commit(self) -> None:
        self._at_commit.wait()
        assert self.wish is not None
        threading.Event().wait(self.wish.delay / 100_000)
        die()


class AnswersFirst(MortalStore):
    """What must not be: every batch is answered first, and committed when the next one is written."""

    _late = False

    def write(self, commit: Commit) -> None:
        """Commit the batch before; where the wish is WRITTEN, die with it uncommitted."""
        self._catch_up()
        SqliteStore.write(self, commit)
        self._carries = bool(commit.messages)

    def sync(self) -> None:
        """Say that it is durable. It is not."""
        self._late = True

    def _transaction(self) -> _GeneratorContextManager[sqlite3.Connection]:
        """What the gateway commits beside batches begins behind them."""
        self._catch_up()
        return super()._transaction()

    async def close(self) -> None:
        """Orderly all the same."""
        self._catch_up()
        await super().close()

    def _catch_up(self) -> None:
        if self._late:
            if self._is_due(Instant.WRITTEN):
                die()
            self._late = False
            SqliteStore.sync(self)


class NotingStore(SqliteStore):
    """Keeps what each commit held, once its `sync` has returned. Messages in are noted by number, SMS out by
    (destination, source, text)."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        super().__init__(path, connection, lock)
        self.batches = 0
        self.durable: set[int] = set()
        self.durable_out: set[tuple[str, str, str]] = set()
        self._last: Commit | None = None

    def write(self, commit: Commit) -> None:
        """As always."""
        super().write(commit)
        self._last = commit

    def sync(self) -> None:
        """As always, then the notes."""
        super().sync()
        commit = self._last
        assert commit is not None
        if commit.messages:
            self.batches += 1
            self.durable.update(m.number for m in commit.messages)
            self.durable_out.update((sms.destination, sms.source, sms.text) for sms in commit.outgoing)

    def pragma(self, name: str) -> object:
        """A setting of the very connection that commits."""
        return self._db.execute(f"PRAGMA {name}").fetchone()[0]


class LateNotingStore(NotingStore):
    """What must not be, for the notes: each batch is committed when the next one is written."""

    _late = False

    def write(self, commit: Commit) -> None:
        """Commit the batch before."""
        self._catch_up()
        super().write(commit)

    def sync(self) -> None:
        """Say that it is durable. It is not."""
        self._late = True

    def _transaction(self) -> _GeneratorContextManager[sqlite3.Connection]:
        """What the gateway commits beside batches begins behind them."""
        self._catch_up()
        return super()._transaction()

    async def close(self) -> None:
        """Orderly all the same."""
        self._catch_up()
        await super().close()

    def _catch_up(self) -> None:
        if self._late:
            self._late = False
            NotingStore.sync(self)


def opener(kind: type[MortalStore], wish: Wish) -> Callable[[Path], SqliteStore]:
    """What Gateway takes as open_store."""

    def open_store(path: Path) -> SqliteStore:
        store = kind.open(path)
        assert isinstance(store, MortalStore)
        store.wish = wish
        return store

    return open_store


def die() -> NoReturn:
    """kill -9 of this process; returns to nobody."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()
    raise AssertionError("outlived SIGKILL")
