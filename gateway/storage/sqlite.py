"""The store on SQLite: WAL, synchronous=FULL, one connection, one writing process.

`write` opens a transaction and puts the rows in, `sync` commits it: the commit is the fsync of the
write-ahead log. Measured per 100 messages in docs/performance.md.
"""

import fcntl
import os
import sqlite3
import statistics
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from commands.model import Buddy, Keys, World
from gateway.model import (
    Commit,
    Delivery,
    MobileOriginated,
    MobileTerminated,
    StoredPart,
    Uncertain,
)
from gateway.smpp.long import PartHeader
from gateway.storage.contract import Conflict, StorageError, StoreFault, StoreFull, StoreInUse, StoreUnusable
from gateway.storage.records import customer_of, customer_row
from gateway.storage.sqlite_retention import forget

SCHEMA_VERSION = 2
BUSY = 0.05
"""Seconds to wait for a lock that somebody else has on the file: the loop stands still meanwhile."""
SLOW_COMMIT = 0.002
"""Seconds: where the measured commit takes longer, `slow` asks for a thread."""

_JOURNAL = """
INSERT INTO journal (number, at, account, session, sequence, source, destination, msisdn, access_code,
    sub_code, province, esm_class, data_coding, parts, instruction, outcome, text, detail, digest)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_OUTBOX = """
INSERT INTO outbox (number, cause, msisdn, account, source, destination, ton, npi, text, secret, reference,
    at, expires_at, state, parts, source_ton, source_npi)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_CHANGE = "UPDATE outbox SET state = ?, losses = ?, attempts = ?, parts_done = ?, error = ? WHERE number = ?"
_CLOSE = """
UPDATE outbox SET state = ?, closed_at = ?, parts_done = ?, attempts = ?, remote_id = ?, error = ?,
    text = CASE WHEN secret THEN NULL ELSE text END
WHERE number = ?
"""
_CUSTOMER = """
INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (msisdn) DO UPDATE SET fetion_number = excluded.fetion_number, state = excluded.state,
    account = excluded.account, spelling = excluded.spelling, ton = excluded.ton, npi = excluded.npi,
    doc = excluded.doc, matching = excluded.matching
"""
_BUDDY = "SELECT owner, other, name, since, blocked, matched_at FROM buddy WHERE owner = ? AND other = ?"
_BUDDIES = "SELECT owner, other, name, since, blocked, matched_at FROM buddy WHERE owner = ?"
_PRODUCT = "INSERT INTO product_record VALUES (?, ?, ?, ?, ?, ?, ?)"
_MATCHING_ENDS = """
SELECT (SELECT min(msisdn) FROM customer WHERE matching = 1),
    (SELECT max(msisdn) FROM customer WHERE matching = 1)
"""
_MATCHING = "SELECT msisdn FROM customer WHERE matching = 1 AND msisdn >= ? ORDER BY msisdn LIMIT ?"
_RECENT = """
SELECT at, msisdn, text, destination,
    CASE WHEN outcome = 'limited' THEN NULL ELSE ifnull(detail ->> '$.replies[0]', '') END
FROM journal
WHERE number > ifnull((SELECT number FROM journal WHERE at < ? ORDER BY number DESC LIMIT 1), 0)
    AND instruction != ''
ORDER BY number DESC LIMIT ?
"""
_PART = "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UNCERTAIN = "INSERT INTO uncertain VALUES (?, ?, ?, ?, ?)"
_LEAVING = """
SELECT number, cause, msisdn, account, source, destination, ton, npi, text, secret, reference, at, expires_at,
    parts, parts_done, attempts, losses, source_ton, source_npi
FROM outbox"""
_WAITING = f"{_LEAVING} WHERE state = 0 AND number > ? ORDER BY number LIMIT ?"
_PARKED = f"{_LEAVING} WHERE state = 4 AND number = ?"
_CUSTOMERS = "SELECT * FROM customer WHERE msisdn IN (SELECT value FROM json_each(?))"
_HOLDERS = """
SELECT fetion_number, msisdn FROM customer WHERE fetion_number IN (SELECT value FROM json_each(?))
"""
_DIGESTS = """
SELECT number, digest, repeated_at FROM journal
WHERE number BETWEEN ? AND ? AND (? = 0 OR session = ?) ORDER BY number
"""


def typed(error: sqlite3.Error, path: Path) -> StorageError:
    """The contract's error for what sqlite3 raised."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
        return StoreFull(f"{path}: {error}: make room on the disk or raise max_page_count")
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"{path}: {error}")
    return StoreFault(f"{path}: {error}")


def unusable(path: Path, error: sqlite3.Error | OSError) -> StoreUnusable:
    """The contract's error for a file that is no store, or cannot be one."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return StoreUnusable(f"{path}: {reason}: storage.url must name the store of a gateway, or a new file")


class SqliteStore:
    """Store on one SQLite file; see gateway.storage.contract for what each call promises."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        self._path = path
        self._db = connection
        self._lock = lock
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
            store.close()
            raise unusable(path, error) from error
        except StoreUnusable:
            store.close()
            raise
        return store

    def _prepare(self) -> None:
        """Pragmas, migrations, the run's number, and how long a commit takes here."""
        db = self._db
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA wal_autocheckpoint=4000")
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
        db.execute("INSERT INTO meta VALUES ('run', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1")
        self.run = int(db.execute("SELECT value FROM meta WHERE key='run'").fetchone()[0])

    def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise typed(error, self._path) from error

    def key_check(self) -> int | None:
        """A row of meta."""
        rows = self._read("SELECT value FROM meta WHERE key = 'key_check'")
        return rows[0][0] if rows else None

    def set_key_check(self, check: int) -> None:
        """The same row, in a commit of its own."""
        self._read("INSERT OR REPLACE INTO meta VALUES ('key_check', ?)", (check,))

    def load(self, keys: Keys, world: World) -> None:
        """One statement per kind of key."""
        if keys.customers:
            wanted = orjson.dumps([int(m) for m in keys.customers]).decode()
            for msisdn in keys.customers:
                world.customers[msisdn] = None
            for row in self._read(_CUSTOMERS, (wanted,)):
                customer = customer_of(row)
                world.customers[customer.msisdn] = customer
        if keys.holders:
            wanted = orjson.dumps([int(n) for n in keys.holders]).decode()
            for number in keys.holders:
                world.holders[number] = None
            for number, msisdn in self._read(_HOLDERS, (wanted,)):
                world.holders[str(number)] = str(msisdn)
        for owner, other in keys.buddies:
            rows = self._read(_BUDDY, (int(owner), int(other)))
            world.buddies[(owner, other)] = _buddy(rows[0]) if rows else None
        for owner in keys.lists:
            world.lists[owner] = tuple(_buddy(row) for row in self._read(_BUDDIES, (int(owner),)))

    def matching(self, place: float, limit: int) -> list[str]:
        """One search of the index, a second one from its beginning when the end was reached."""
        lowest, highest = self._read(_MATCHING_ENDS)[0]
        if lowest is None:
            return []
        start = lowest + round(place * (highest - lowest))
        found = [row[0] for row in self._read(_MATCHING, (start, limit))]
        if len(found) < limit:
            more = self._read(_MATCHING, (0, limit - len(found)))
            found += [row[0] for row in more if row[0] < start]
        return [str(msisdn) for msisdn in found]

    def write(self, commit: Commit) -> None:
        """All rows in one transaction, left open for sync."""
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            if commit.messages:
                db.executemany(_JOURNAL, [_journal_row(m) for m in commit.messages])
            customers = [customer_row(c) for c in commit.customers]
            if customers:
                db.executemany(_CUSTOMER, customers)
            if commit.outgoing:
                db.executemany(_OUTBOX, [_outbox_row(m) for m in commit.outgoing])
            if commit.changed:
                db.executemany(_CHANGE, [_changed_row(m) for m in commit.changed])
            if commit.closed:
                db.executemany(_CLOSE, [_closed_row(m) for m in commit.closed])
            self._write_rare(commit)
        except sqlite3.Error as error:
            self._roll_back()
            raise typed(error, self._path) from error

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
            db.executemany(_PART, [_part_row(p) for p in commit.parts])
        if commit.parts_gone:
            db.executemany("DELETE FROM part WHERE number=?", [(n,) for n in commit.parts_gone])
        if commit.repeats:
            db.executemany("UPDATE journal SET repeated_at=? WHERE number=?", commit.repeats)
        for span in commit.uncertain:
            db.execute(_UNCERTAIN, (span.session, span.first, span.last, span.at, span.until))
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

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            try:
                self._db.execute("ROLLBACK")
            except sqlite3.Error:
                return  # SQLite has rolled back by itself (full disk, I/O error)

    def recent(self, since: int, limit: int) -> list[tuple[int, str, str, str, str | None]]:
        """Backwards from the end of the journal: its numbers grow with time, and `at` has no index."""
        rows = self._read(_RECENT, (since, limit))
        return [(at, *rest) for at, *rest in reversed(rows)]

    def waiting(self, after: int, limit: int) -> list[MobileTerminated]:
        """Rows with state 0, as they were written; secret ones sealed."""
        return [_waiting_sms(row) for row in self._read(_WAITING, (after, limit))]

    def parked(self, number: int) -> MobileTerminated | None:
        """The row with that number, if its state is 4."""
        rows = self._read(_PARKED, (number,))
        return _waiting_sms(rows[0]) if rows else None

    def parts(self) -> list[StoredPart]:
        """All rows of the part table, oldest first."""
        return [
            StoredPart(
                number, account, source, destination, PartHeader(kind, reference, total, place),
                coding, octets, deadline,
            )
            for number, account, source, destination, kind, reference, total, place, coding, octets, deadline
            in self._read("SELECT * FROM part ORDER BY number")
        ]  # fmt: skip

    def uncertain(self) -> list[Uncertain]:
        """All rows of the uncertain table, oldest first."""
        return [Uncertain(*row) for row in self._read("SELECT * FROM uncertain ORDER BY at")]

    def settled(self) -> tuple[int, int]:
        """The watermark of certain answers."""
        found = dict(self._read("SELECT key, value FROM meta WHERE key IN ('settled', 'settled_at')"))
        return found.get("settled", 0), found.get("settled_at", 0)

    def digests(self, span: Uncertain) -> list[tuple[int, bytes, int]]:
        """Journal rows of a range, in order."""
        return self._read(
            _DIGESTS,
            (span.first, span.last, span.session, span.session),
        )

    def forget_uncertain(self, now: int) -> None:
        """Delete at once: losing this is harmless, it is done again."""
        try:
            self._db.execute("DELETE FROM uncertain WHERE until <= ?", (now,))
        except sqlite3.Error as error:
            raise typed(error, self._path) from error

    def forget(self, before: int, limit: int) -> int:
        """One step; see gateway.storage.sqlite_retention."""
        try:
            return forget(self._db, before, limit)
        except sqlite3.Error as error:
            self._roll_back()
            raise typed(error, self._path) from error

    def close(self) -> None:
        """Close the connection, then give the lock back."""
        self._db.close()
        os.close(self._lock)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to SCHEMA_VERSION, one numbered file after the other, each in its own transaction.

    Raises StoreUnusable for a store of a newer version.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path}: its schema is version {version}, this gateway knows up to {SCHEMA_VERSION}:"
            " use a newer gateway"
        )
    folder = resources.files("gateway.storage") / "sqlite_schema"
    for step in range(version + 1, SCHEMA_VERSION + 1):
        script = (folder / f"{step:04}.sql").read_text(encoding="utf-8")
        db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={step};\nCOMMIT;")


def _journal_row(m: MobileOriginated) -> tuple[Any, ...]:
    route = m.route
    return (
        m.number, m.at, m.account, m.session, m.sequence, m.source, m.destination, m.msisdn,
        route.access_code, route.prefix, m.province, m.esm_class, m.data_coding, m.parts,
        m.instruction, m.result, m.stored_text,
        None if m.detail is None else orjson.dumps(m.detail).decode(), m.digest,
    )  # fmt: skip


def _outbox_row(m: MobileTerminated) -> tuple[Any, ...]:
    return (
        m.number, m.cause, m.msisdn, m.account, m.source, m.destination, m.ton, m.npi,
        m.sealed if m.secret else m.text, int(m.secret), m.reference, m.at, m.expires_at, 0, m.parts,
        m.source_ton, m.source_npi,
    )  # fmt: skip


def _closed_row(m: MobileTerminated) -> tuple[Any, ...]:
    return (int(m.state), m.closed_at, m.parts_done, m.attempts, m.remote_id, m.error, m.number)


def _changed_row(m: MobileTerminated) -> tuple[Any, ...]:
    """One that has been closed meanwhile still counts as waiting here: closing it is a row of its own."""
    state = m.state if m.state is Delivery.SUSPECT else Delivery.WAITING
    return (int(state), m.losses, m.attempts, m.parts_done, m.error, m.number)


def _buddy(row: tuple[int, int, str, int, int, int]) -> Buddy:
    owner, other, name, since, blocked, matched_at = row
    return Buddy(str(owner), str(other), name, since, bool(blocked), matched_at)


def _part_row(p: StoredPart) -> tuple[Any, ...]:
    part = p.part
    return (
        p.number, p.account, p.source, p.destination, part.kind, part.reference, part.total, part.number,
        p.data_coding, p.octets, p.deadline,
    )  # fmt: skip


def _waiting_sms(row: tuple[Any, ...]) -> MobileTerminated:
    """An SMS of an earlier run: it may have left already."""
    number, cause, msisdn, account, source, destination, ton, npi, text, secret, *rest = row
    reference, at, expires_at, parts, parts_done, attempts, losses, source_ton, source_npi = rest
    plain, sealed = ("", text) if secret else (text, b"")
    return MobileTerminated(
        number, cause, msisdn, account, 0, source, destination, ton, npi, plain, at, expires_at,
        bool(secret), sealed, reference, parts=parts, parts_done=parts_done, attempts=attempts, repeat=True,
        losses=losses, source_ton=source_ton, source_npi=source_npi,
    )  # fmt: skip
