"""The store on SQLite: WAL, synchronous=FULL, one connection, one writing process.

A commit is `write`, which opens a transaction and puts the rows in, and `sync`, which is the fsync of the
write-ahead log. Both run in the loop's thread; where an fsync is slow, `sync` alone moves to another thread,
and whoever calls meanwhile waits: the connection has one owner at a time.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from commands.model import LoadKeys, World
from gateway.message import OPERATOR, Commit, Expected, MobileTerminated, StoredPart, Watermark
from gateway.message_numbers import RUNS
from gateway.storage.contract import (
    Candidate,
    Conflict,
    RecentSms,
    StorageError,
    StoreFault,
    StoreFull,
    StoreInUse,
    StoreUnusable,
)
from gateway.storage.sqlite.accounts import AccountCalls
from gateway.storage.sqlite.actions import ActionCalls
from gateway.storage.sqlite.actions import write as write_actions
from gateway.storage.sqlite.candidates import Candidates
from gateway.storage.sqlite.checkpoints import KEPT, Checkpoints, sync_fully
from gateway.storage.sqlite.customers import Customers
from gateway.storage.sqlite.enquiries import EnquiryCalls
from gateway.storage.sqlite.events import EventCalls, EventTables
from gateway.storage.sqlite.figures import FigureCalls, FigureTables
from gateway.storage.sqlite.marks import Marks
from gateway.storage.sqlite.migration import migrate
from gateway.storage.sqlite.outgoing import Outgoing
from gateway.storage.sqlite.provinces import ProvinceCalls
from gateway.storage.sqlite.provinces import write as write_provinces
from gateway.storage.sqlite.receipts import ReceiptCalls
from gateway.storage.sqlite.receipts import write as write_receipts
from gateway.storage.sqlite.retention import forget
from gateway.storage.sqlite.rows import journal_row, part_row, stored_part

BUSY = 0.05
"""Seconds to wait for a lock that somebody else has on the file: the loop stands still meanwhile."""
SLOW_COMMIT = 0.002
"""Seconds: where the measured commit takes longer, `slow` asks for a thread."""

_JOURNAL = """
INSERT INTO journal (number, at, account, session, sequence, source, destination, msisdn, access_code,
    sub_code, province, esm_class, data_coding, parts, instruction, outcome, text, detail, digest, hidden)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PRODUCT = "INSERT INTO product_record VALUES (?, ?, ?, ?, ?, ?, ?)"
_MATCHING_ENDS = """
SELECT (SELECT min(msisdn) FROM customer WHERE matching = 1),
    (SELECT max(msisdn) FROM customer WHERE matching = 1)
"""
_MATCHING = "SELECT msisdn FROM customer WHERE matching = 1 AND msisdn >= ? ORDER BY msisdn LIMIT ?"
_RECENT = f"""
SELECT at, msisdn, text, destination,
    CASE WHEN outcome = 'limited' THEN NULL ELSE ifnull(detail ->> '$.replies[0]', '') END
FROM journal
WHERE number > ifnull((SELECT number FROM journal WHERE at < ? ORDER BY number DESC LIMIT 1), 0)
    AND instruction != '' AND account != '{OPERATOR}'
ORDER BY number DESC LIMIT ?
"""  # noqa: S608
_PART = "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SET_KEY_CHECK = """
INSERT INTO meta VALUES ('key_check', ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value = ?
"""
_LAST_TIME = """
SELECT max(coalesce((SELECT value FROM meta WHERE key = 'settled_at'), 0),
    coalesce((SELECT at FROM journal ORDER BY number DESC LIMIT 1), 0))
"""

T = TypeVar("T")


def typed(error: sqlite3.Error | OSError, path: Path | str) -> StorageError:
    """The contract's error for what sqlite3 or the disk raised. path: of the store, and what it did."""
    code = getattr(error, "sqlite_errorcode", None)
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or (code is not None and code & 0xFF == sqlite3.SQLITE_FULL):
        return StoreFull(f"{path}: {error}: make room on the disk or raise max_page_count")
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"{path}: {error}")
    return StoreFault(f"{path}: {error}")


def unusable(path: Path, error: sqlite3.Error | OSError) -> StoreUnusable:
    """The contract's error for a file that is no store, or cannot be one."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return StoreUnusable(f"{path}: {reason}: storage.url must name the store of a gateway, or a new file")


class SqliteStore(
    EventCalls, ProvinceCalls, ReceiptCalls, EnquiryCalls, AccountCalls, FigureCalls, ActionCalls
):
    """Store on one SQLite file; see gateway.storage.contract for what each call promises."""

    node = 0

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        self._path = path
        self._db = connection
        self._lock = lock
        self._committing: asyncio.Future[Any] | None = None
        # Of its own, and started now: where no thread can be started later, a commit must not run unnoticed.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._thread.submit(lambda: None).result()
        self._checkpoints = Checkpoints(path)
        self.run = 0
        self.slow = False

    @classmethod
    def open(cls, path: Path) -> "SqliteStore":
        """Open or create the store. Raises StoreInUse or StoreUnusable, naming the path and the remedy."""
        path = Path(os.path.realpath(path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnusable(
                f"{path}: {error.strerror}: storage.url must name a file in a writable folder"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StoreInUse(
                f"{path}: another gateway has this store open; stop it or set storage.url"
            ) from error
        try:
            # SQLite would give the WAL the permissions of the database: nobody else reads customers' texts.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(
                path, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=64
            )
        except (sqlite3.Error, OSError) as error:
            os.close(lock)
            raise unusable(path, error) from error
        store = cls(path, connection, lock)
        try:
            store._prepare()
        except sqlite3.Error as error:
            store.release()
            raise unusable(path, error) from error
        except StoreUnusable:
            store.release()
            raise
        return store

    def _prepare(self) -> None:
        """Pragmas, migrations, the run's number, and how long a commit takes here."""
        db = self._db
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        sync_fully(db)
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute(f"PRAGMA journal_size_limit={KEPT}")
        db.execute("PRAGMA cache_size=-65536")
        migrate(db, self._path)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            db.execute(
                "INSERT INTO meta VALUES ('probe', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1"
            )
            times.append(time.perf_counter() - start)
        self.slow = statistics.median(times) > SLOW_COMMIT
        self.run = self._draw_run()
        self._candidates = Candidates(db)
        self._customers = Customers(db)
        self._outgoing = Outgoing(db)
        self._events = EventTables(db)
        self._figures = FigureTables(db)
        self._marks = Marks(db, self._events)

    def _draw_run(self) -> int:
        """Raises StoreUnusable at the end of the series."""
        db = self._db
        found = db.execute("SELECT value FROM meta WHERE key = 'run'").fetchone()
        run = int(found[0]) + 1 if found else 1
        if run >= RUNS:
            raise StoreUnusable(
                f"{self._path}: its {RUNS} runs are used up, no number for another SMS is left:"
                " set storage.url to a new store"
            )
        db.execute("INSERT OR REPLACE INTO meta VALUES ('run', ?)", (run,))
        return run

    async def _free(self) -> None:
        """Wait until no commit is under way in another thread."""
        while self._committing is not None:
            await asyncio.wait((self._committing,))

    @contextlib.contextmanager
    def _typed(self) -> Iterator[sqlite3.Connection]:
        """The connection; what it raises is one of the contract's errors."""
        try:
            yield self._db
        except sqlite3.Error as error:
            raise typed(error, self._path) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A commit of its own, in this thread."""
        with self._typed() as db:
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
                self._checkpoints.committed()
            except BaseException:
                self._roll_back()
                raise

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        if self._committing is not None:
            await self._free()
        with self._typed() as db:
            return db.execute(statement, values).fetchall()

    async def key_check(self) -> int | None:
        """A row of meta."""
        rows = await self._read("SELECT value FROM meta WHERE key = 'key_check'")
        return rows[0][0] if rows else None

    async def set_key_check(self, check: int, known: int | None) -> None:
        """The same row, in a commit of its own."""
        await self._read(_SET_KEY_CHECK, (check, known))

    async def next_run(self) -> int:
        """Another row of meta."""
        await self._free()
        with self._typed():
            return self._draw_run()

    async def last_time(self) -> int:
        """Of the last SMS, or of the watermark, which moves without one."""
        return int((await self._read(_LAST_TIME))[0][0])

    async def load(self, keys: LoadKeys, world: World) -> None:
        """See gateway.storage.sqlite.customers."""
        if self._committing is not None:
            await self._free()
        with self._typed():
            self._customers.load(keys, world)

    async def matching(self, place: float, limit: int) -> list[str]:
        """One search of the index, a second one from its beginning when the end was reached."""
        lowest, highest = (await self._read(_MATCHING_ENDS))[0]
        if lowest is None:
            return []
        start = lowest + round(place * (highest - lowest))
        found = [row[0] for row in await self._read(_MATCHING, (start, limit))]
        if len(found) < limit:
            more = await self._read(_MATCHING, (0, limit - len(found)))
            found += [row[0] for row in more if row[0] < start]
        return [str(msisdn) for msisdn in found]

    async def commit(self, commit: Commit) -> None:
        """write, then sync; a sync in another thread is waited for even when the caller is cancelled."""
        if self._committing is not None:
            await self._free()
        if self._checkpoints.must_wait:
            await self._await_checkpoint()
        self.write(commit)
        if not self.slow:
            self.sync()
            return
        await self._in_thread(self.sync)

    async def _await_checkpoint(self) -> None:
        """Wait until the log, which is long, is copied. Raises StoreFull or StoreFault where checkpoints have
        failed for very many commits."""
        checkpoints = self._checkpoints
        await asyncio.wait((asyncio.wrap_future(checkpoints.job()),))
        await self._free()
        if checkpoints.fault is not None and checkpoints.too_far_behind:
            raise typed(checkpoints.fault, f"{self._path}, checkpoint")

    async def _in_thread(self, work: Callable[..., T], *values: Any) -> T:
        """The connection belongs to that thread until the work is done, also when the caller is cancelled."""
        job = asyncio.get_running_loop().run_in_executor(self._thread, work, *values)
        self._committing = job
        job.add_done_callback(self._in_thread_no_more)
        return await asyncio.shield(job)

    def _in_thread_no_more(self, job: asyncio.Future[Any]) -> None:
        self._committing = None
        if not job.cancelled():
            job.exception()  # seen here: a caller that was cancelled does not look at it any more

    def write(self, commit: Commit) -> None:
        """All rows in one transaction, left open for sync."""
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            if commit.messages:
                db.executemany(_JOURNAL, [journal_row(m) for m in commit.messages])
            self._customers.write(commit.customers)
            self._outgoing.write(commit)
            self._write_rare(commit)
        except sqlite3.Error as error:
            self._roll_back()
            raise typed(error, self._path) from error
        except BaseException:  # a bug: nothing of it may stay in the transaction
            self._roll_back()
            raise

    def _write_rare(self, commit: Commit) -> None:
        """What most batches do not hold."""
        db = self._db
        for (owner, other), buddy in commit.buddies.items():
            if buddy is None:
                db.execute("DELETE FROM buddy WHERE owner=? AND other=?", (int(owner), int(other)))
            else:
                db.execute(
                    "INSERT OR REPLACE INTO buddy VALUES (?, ?, ?, ?, ?, ?)",
                    (int(owner), int(other), buddy.name, buddy.since, int(buddy.blocked), buddy.matched_at),
                )
        if commit.products:
            db.executemany(_PRODUCT, commit.products)
        if commit.parts:
            db.executemany(_PART, [part_row(p) for p in commit.parts])
        if commit.parts_complete:
            db.executemany(
                "UPDATE part SET complete = 1, octets = x'', deadline = ? WHERE number = ?",
                commit.parts_complete,
            )
        if commit.parts_gone:
            db.executemany("DELETE FROM part WHERE number=?", [(n,) for n in commit.parts_gone])
        if commit.events:
            self._events.write(commit.events)
        write_provinces(db, commit)
        write_receipts(db, commit)
        write_actions(db, commit)
        self._candidates.write(commit)
        if commit.settled is not None:
            number, at = commit.settled
            db.execute("INSERT OR REPLACE INTO meta VALUES ('settled', ?)", (number,))
            db.execute("INSERT OR REPLACE INTO meta VALUES ('settled_at', ?)", (at,))

    def sync(self) -> None:
        """COMMIT: returns when the write-ahead log is on the disk."""
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise typed(error, self._path) from error
        self._customers.reload()
        self._events.committed()
        self._checkpoints.committed()

    def _roll_back(self) -> None:
        self._events.rolled_back()
        self._customers.reload()
        self._outgoing.reload()
        with contextlib.suppress(sqlite3.Error):  # SQLite may have done so itself (full disk, I/O error)
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        with contextlib.suppress(sqlite3.Error):
            self._candidates.recount()

    async def recent(self, since: int, limit: int) -> list[RecentSms]:
        """Backwards from the end of the journal: its numbers grow with time, and `at` has no index."""
        rows = await self._read(_RECENT, (since, limit))
        return [RecentSms(*row) for row in reversed(rows)]

    async def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        """See gateway.storage.sqlite.outgoing, like the next one."""
        await self._free()
        with self._typed():
            return self._outgoing.waiting(after, limit)

    async def parked(self, number: int) -> MobileTerminated | None:
        """One row."""
        await self._free()
        with self._typed():
            return self._outgoing.parked(number)

    async def parts(self) -> list[StoredPart]:
        """All rows of the part table, oldest first."""
        return [stored_part(row) for row in await self._read("SELECT * FROM part ORDER BY number")]

    async def settled(self) -> Watermark:
        """The watermark of certain answers."""
        rows = await self._read("SELECT key, value FROM meta WHERE key IN ('settled', 'settled_at')")
        found = dict(rows)
        return Watermark(found.get("settled", 0), found.get("settled_at", 0))

    async def recover(self, until: int) -> None:
        """See gateway.storage.sqlite.candidates, like the next three."""
        settled = await self.settled()
        with self._transaction():
            self._candidates.recover(settled, until)
            self._outgoing.recover()

    async def expect(self, limit: int) -> Expected:
        """One step."""
        await self._free()
        with self._transaction():
            return self._candidates.expect(limit)

    async def candidates(self, digests: Iterable[bytes], now: int) -> list[Candidate]:
        """One search of an index for each digest."""
        await self._free()
        with self._typed():
            return self._candidates.find(digests, now)

    async def forget_candidates(self, now: int, limit: int) -> int:
        """One step."""
        await self._free()
        with self._transaction():
            return self._candidates.forget(now, limit)

    async def forget(self, before: int, limit: int) -> int:
        """One step; see gateway.storage.sqlite.retention. Raises what a checkpoint has failed with, once."""
        await self._free()
        if (fault := self._checkpoints.news()) is not None:
            raise typed(fault, f"{self._path}, checkpoint")
        if not self.slow:
            return self._forget(before, limit)
        return await self._in_thread(self._forget, before, limit)

    def _forget(self, before: int, limit: int) -> int:
        with self._typed() as db:
            try:
                gone = forget(db, before, limit)
            except sqlite3.Error:
                self._roll_back()
                raise
            self._checkpoints.committed()
            return gone

    def give_up(self) -> None:
        """Nothing is ever in doubt."""

    async def close(self) -> None:
        """When no commit is under way: close the connection, then give the lock back."""
        await self._free()
        self.release()

    def release(self) -> None:
        """End the threads, close the connection (which copies the rest of the log), give the lock back."""
        self._thread.shutdown()
        self._checkpoints.close(self._db)
        os.close(self._lock)
