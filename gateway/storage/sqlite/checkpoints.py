"""Brings the write-ahead log of a store into its file, beside the commits.

A thread with a connection of its own copies what is in the log; that takes no lock that a commit needs. While
commits follow one another it never reaches the end of the log, and only at its end can the log begin from its
start again: so where the log has grown long, one commit waits until the thread has copied the rest, which is
what two or three commits wrote.
"""

import os
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gateway.disk import sync_data

PAGES: Final = 6_000
"""Pages (24 MB) in the log for which the thread begins: small passes write pages that change often again and
again."""
FEWEST: Final = 16
MOST: Final = 256
"""Commits between two beginnings; how many pages a commit writes is learned from the passes."""
PASSES: Final = 5
"""How often the thread looks for what came meanwhile, before it leaves the rest for the next time."""
LITTLE: Final = 3
"""Commits behind the log with which the thread leaves it at that."""
LONG: Final = 8_000
"""Pages (32 MB) that make a log long."""
TOO_FAR: Final = 4
"""Times as many commits, which the file may be behind the log before the next one waits: a disk on which the
thread does not keep up holds the gateway back."""
HUGE: Final = 4 * LONG
"""Pages in the log that are told, when they cannot be copied because somebody reads."""
KEPT: Final = 128 << 20
"""Octets of the log's file that are not given back to the disk."""

Fault = sqlite3.Error | OSError

_PASS = "PRAGMA wal_checkpoint(PASSIVE)"  # gives: busy, pages in the log, those of them in the file


def sync_fully(db: sqlite3.Connection) -> None:
    """Let the syncs of a connection reach the drive itself on macOS (gateway.disk); elsewhere this changes
    nothing (sqlite.org/pragma.html#pragma_fullfsync)."""
    db.execute("PRAGMA fullfsync=ON")
    db.execute("PRAGMA checkpoint_fullfsync=ON")


class Checkpoints:
    """The checkpoints of one file.

    The owner of the committing connection calls the methods, one at a time, and writes `_made`; the thread
    writes what its passes find out.
    """

    def __init__(self, path: Path) -> None:
        """Raises sqlite3.Error or OSError where the file cannot be opened."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._thread.submit(lambda: None).result()  # now: later there may be no thread to be had
        self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        sync_fully(self._db)
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._job: Future[None] | None = None
        self._made = 0
        self._copied = 0
        self._pages = 0
        self._every = min(64, MOST)
        self._seen = (0, 0)  # commits made, and pages in the log, at the last pass
        self._told: Fault | None = None
        self._distrusted = False  # a sync has failed: what is in the file nobody knows, the log has to stay
        self.held = False
        self.fault: Fault | None = None

    @property
    def behind(self) -> int:
        """Commits that are in the log and may not be in the file."""
        return self._made - self._copied

    @property
    def too_far_behind(self) -> bool:
        """Whether commits have to end, unless a pass succeeds."""
        return self.behind >= TOO_FAR * self._every

    @property
    def must_wait(self) -> bool:
        """Whether the next commit has to wait for `job`. While somebody reads an old state it does not: that
        would not help."""
        if self.held:
            return False
        return self.too_far_behind or self._pages >= (2 * LONG if self._running else LONG)

    def committed(self) -> None:
        """One more commit is in the log: have the thread begin when it is time."""
        self._made += 1
        if self.behind >= self._every and not self._running:
            self._job = self._thread.submit(self._follow)

    def job(self) -> Future[None]:
        """The work of the thread; where it has none, the last pass of a long log."""
        if self._job is None or self._job.done():
            self._job = self._thread.submit(self._pass)
        return self._job

    def news(self) -> Fault | None:
        """Why passes fail, once; None while they do not."""
        fault = self.fault
        if fault is self._told:
            return None
        self._told = fault
        return fault

    def close(self, committing: sqlite3.Connection) -> None:
        """Wait for the thread, and let go of the file. The connection that is closed last copies what is left
        of the log, and deletes it; after a failed sync none is the last, and the next start copies it all."""
        self._thread.shutdown()
        if not self._distrusted:
            self._db.close()
        committing.close()
        if not self._distrusted:
            os.close(self._file)  # last: a descriptor that is closed earlier takes SQLite's locks along

    @property
    def _running(self) -> bool:
        return self._job is not None and not self._job.done()

    def _follow(self) -> None:
        """Pass after pass, each for what came during the one before, until that is nearly nothing.

        SQLite syncs the file in a pass that reaches the end of the log, and in no other. That is the one for
        which a commit waits, so what the others copied is on the disk before.
        """
        for _ in range(PASSES):
            self._pass()
            self._sync()
            if self.fault is not None or self.held or self.behind <= LITTLE:
                break

    def _sync(self) -> None:
        """Have what was copied on the disk."""
        try:
            sync_data(self._file)
        except OSError as error:
            self.fault = self.fault or error
            self._distrusted, self.held = True, False

    def _pass(self) -> None:
        """Copy what is in the log now."""
        if self._distrusted:
            return
        made = self._made
        try:
            _, pages, copied = self._db.execute(_PASS).fetchone()
        except sqlite3.Error as error:
            self.fault = self.fault or error
            self._distrusted = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_IOERR_FSYNC
            return
        self._learn(made, pages)
        self.held = copied < pages
        if self.held and pages >= HUGE:
            size = f"the log has {pages >> 8} MB, because somebody has been reading an old state for long"
            self.fault = self.fault or sqlite3.OperationalError(size)
        else:
            self.fault = None
        if not self.held:
            self._copied = made
            # Nothing came meanwhile: the next commit begins at the log's start. (If one was just being
            # written it does not, and a later pass sees that.)
            self._pages = 0 if self._made == made else pages

    def _learn(self, made: int, pages: int) -> None:
        """After how many commits the log has PAGES more; it may have begun anew since the last pass."""
        made_before, pages_before = self._seen
        if made > made_before:
            grown = pages - pages_before if pages > pages_before else pages
            every = PAGES * (made - made_before) // max(1, grown)
            self._every = min(MOST, max(FEWEST, every))
            self._seen = (made, pages)
