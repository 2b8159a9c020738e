"""The Reader of an SQLite store: a read-only connection, beside the running gateway or without one."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar
from urllib.parse import quote

import orjson

from commands.model import Customer, Hidden
from gateway.message import Answer, Attempt, Delivery, Kind, PartReceipt, ProductRecord
from gateway.storage.bisection import first_behind
from gateway.storage.contract import StoreUnusable, other_schema
from gateway.storage.figures import FigureQuery, FigureRow
from gateway.storage.reader import (
    ENDLESS,
    JOINED_WITHIN,
    REPLIES_WITHIN,
    SLACK_MS,
    ClosedDownlink,
    CustomerOrders,
    DownlinkRecord,
    JournalRecord,
    LookedAt,
    Position,
    Searched,
    Wanted,
)
from gateway.storage.records import customer_of, without_password
from gateway.storage.sqlite import figures, marks
from gateway.storage.sqlite.migration import SCHEMA_VERSION
from gateway.storage.sqlite.outgoing import waiting
from gateway.storage.sqlite.receipts import OF_SMS, part_receipt

PAGE = 5000
"""Rows that an iterator reads at a time: one long look would keep the write-ahead log from shrinking."""
BUSY: Final = 5.0
"""Seconds to wait for a lock that somebody else has on the file."""

# Of every statement the first column tells where the next page begins.
_JOURNAL = """
SELECT number, at, account, session, sequence, source, destination, msisdn, access_code, sub_code, province,
    esm_class, data_coding, parts, instruction, outcome, text, detail, digest, repeated_at, hidden
FROM journal"""
_OUTBOX = """
SELECT number, cause, msisdn, account, source, destination, ton, npi, text, secret, reference, at, expires_at,
    state, parts, parts_done, attempts, closed_at, remote_id, error, source_ton, source_npi, losses, repeat,
    session, kind, coalesce((SELECT instruction FROM journal WHERE number = cause), '')
FROM outbox"""
_JOURNAL_RECORD = f"{_JOURNAL} WHERE number = ?"
_DOWNLINK = f"{_OUTBOX} WHERE number = ?"
_CAUSED_BY = f"{_OUTBOX} WHERE number BETWEEN ?1 AND ?1 + ?2 AND cause = ?1 ORDER BY number"
# The states as the partial indexes have them.
_PARKED = f"{_OUTBOX} WHERE state = 4 AND number > :after ORDER BY number LIMIT :limit"
_WAITING = waiting(_OUTBOX)
_COUNT_WAITING = """
SELECT (SELECT count(*) FROM outbox WHERE state = 4)
    + (SELECT count(*) FROM outbox WHERE listed = 1 AND state = 0)
    + (SELECT count(*) FROM outbox
        WHERE number > (SELECT value FROM meta WHERE key = 'listed') AND listed = 0 AND state = 0)
"""
_ATTEMPTS = """
SELECT number, ordinal, part, left_at, at, session, remote, result, status, waited
FROM attempt WHERE number = ? ORDER BY ordinal
"""
_BEHIND = "SELECT max(number) FROM (SELECT number FROM journal WHERE number > ? ORDER BY number LIMIT ?)"
_HAS_JOINED = "AND EXISTS (SELECT 1 FROM json_each(detail, '$.joined') WHERE value = ?1)"
_JOINED_WITH = (
    f"{_JOURNAL} WHERE number > ?1 AND number <= ?2 AND msisdn = ?3 AND parts > 1 {_HAS_JOINED} LIMIT 1"
)
# Backwards by the key: neither table has an index on the handset, which would cost every SMS.
_OF_HANDSET = f"{_JOURNAL} WHERE number < ?1 AND number >= ?2 AND msisdn = ?3 ORDER BY number DESC"
_TO_HANDSET = f"{_OUTBOX} WHERE number < ?1 AND number >= ?2 AND msisdn = ?3 ORDER BY number DESC"
_JOURNAL_STEP = """
SELECT min(number), min(at), count(*)
FROM (SELECT number, at FROM journal WHERE number < ? ORDER BY number DESC LIMIT ?)
"""
_OUTBOX_STEP = """
SELECT min(number), min(at), count(*)
FROM (SELECT number, at FROM outbox WHERE number < ? ORDER BY number DESC LIMIT ?)
"""
# :handset "" and so on: any.
_WANTED = """
WHERE number < :before AND number >= :low AND at >= :since AND at < :until
    AND substr(msisdn, 1, length(:handset)) = :handset"""
_WANTED_IN = f"""{_WANTED}
    AND (:instruction = '' OR instruction = :instruction) AND (:outcome = '' OR outcome = :outcome)
ORDER BY number DESC
"""
_WANTED_OUT = f"""{_WANTED} AND (:state IS NULL OR state = :state)
    AND (:instruction = '' OR :instruction = (SELECT instruction FROM journal WHERE number = cause))
ORDER BY number DESC
"""  # noqa: S608
_JOURNAL_FROM = "SELECT number, at FROM journal WHERE number >= ? ORDER BY number LIMIT 1"
_OUTBOX_FROM = "SELECT number, at FROM outbox WHERE number >= ? ORDER BY number LIMIT 1"
_JOURNAL_ENDING = """
SELECT number FROM (SELECT number FROM journal ORDER BY number DESC LIMIT ?) WHERE number & ? = ?
"""
_OUTBOX_ENDING = """
SELECT number FROM (SELECT number FROM outbox ORDER BY number DESC LIMIT ?) WHERE number & ? = ?
"""
_JOURNAL_PAGE = (
    f"{_JOURNAL} WHERE number > :after AND at >= :begin AND at < :end ORDER BY number LIMIT :limit"
)
_WITH_SENDER = f"""{_OUTBOX.removesuffix("FROM outbox")}
    , coalesce((SELECT msisdn FROM journal WHERE number = cause), '')
FROM outbox"""  # noqa: S608
_CLOSED_PAGE = f"""{_WITH_SENDER}
WHERE number > :after AND state IN (1, 2, 3, 5, 6) AND closed_at >= :begin AND closed_at < :end
ORDER BY number LIMIT :limit
"""
_PRODUCT_PAGE = """
SELECT rowid, cause, msisdn, product, operation, at, trial, province FROM product_record
WHERE rowid > :after AND at >= :begin AND at < :end ORDER BY rowid LIMIT :limit
"""
_ORDER_PAGE = """
SELECT msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching FROM customer
WHERE msisdn > :after AND json_extract(doc, '$.orders') IS NOT NULL ORDER BY msisdn LIMIT :limit
"""
_CUSTOMER = """
SELECT msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching FROM customer WHERE msisdn = ?
"""
_HOLDER = "SELECT msisdn FROM customer WHERE fetion_number = ?"

T = TypeVar("T")
S = TypeVar("S", JournalRecord, DownlinkRecord)
Row = tuple[Any, ...]


class SqliteReader:
    """Reader of one SQLite file: gateway.storage.reader says what each call gives."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = path
        self._db = db

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file for reading. Raises StoreUnusable where there is no store of this schema."""
        try:
            db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY)
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error as error:
            raise StoreUnusable(f"{path}: {error}: storage.url must name the store of a gateway") from error
        if version != SCHEMA_VERSION:
            db.close()
            raise other_schema(str(path), version, SCHEMA_VERSION)
        return cls(path, db)

    def journal_record(self, number: int) -> JournalRecord | None:
        """Look into the table by its key."""
        rows = self._read(_JOURNAL_RECORD, (number,))
        return _journal_record(rows[0]) if rows else None

    def downlink(self, number: int) -> DownlinkRecord | None:
        """Look into the table by its key."""
        rows = self._read(_DOWNLINK, (number,))
        return _downlink(rows[0]) if rows else None

    def caused_by(self, number: int) -> list[DownlinkRecord]:
        """Search the numbers behind that of the cause."""
        return [_downlink(row) for row in self._read(_CAUSED_BY, (number, REPLIES_WITHIN))]

    def attempts(self, number: int) -> list[Attempt]:
        """Look into the table by its key."""
        return [_attempt(row) for row in self._read(_ATTEMPTS, (number,))]

    def receipts(self, number: int) -> list[PartReceipt]:
        """Look into the table by its key."""
        return [part_receipt(row) for row in self._read(OF_SMS, (number,))]

    def joined_with(self, part: JournalRecord) -> JournalRecord | None:
        """Find out how far to look, then search that range of the table."""
        [(end,)] = self._read(_BEHIND, (part.number, JOINED_WITHIN))
        rows = self._read(_JOINED_WITH, (part.number, end, part.msisdn))
        return _journal_record(rows[0]) if rows else None

    def of_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[JournalRecord]:
        """Find out where the step ends, then read that range of the table."""
        return self._backwards(_JOURNAL_STEP, _OF_HANDSET, _journal_record, msisdn, before, rows)

    def to_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[DownlinkRecord]:
        """The same in the other table."""
        return self._backwards(_OUTBOX_STEP, _TO_HANDSET, _downlink, msisdn, before, rows)

    def _backwards(
        self, step: str, theirs: str, record: Callable[[Row], T], msisdn: str, before: int, rows: int
    ) -> LookedAt[T]:
        [(low, at, count)] = self._read(step, (before, rows))
        if low is None:
            return LookedAt([], 0, 0, 0)
        found = list(map(record, self._read(theirs, (before, low, msisdn))))
        return LookedAt(found, low if count == rows else 0, at, count)

    def search_in(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[JournalRecord]:
        """Go backwards from the place of the latest time that is wanted."""
        return self._search(_SEARCH_IN, wanted, before, rows, limit)

    def search_out(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[DownlinkRecord]:
        """The same in the other table."""
        return self._search(_SEARCH_OUT, wanted, before, rows, limit)

    def _begin(self, first: str, until: int) -> int:
        """Find the number below which all SMS before a time are."""
        if until == ENDLESS:
            return ENDLESS

        def probe(number: int) -> tuple[int, int] | None:
            rows = self._read(first, (number,))
            return (rows[0][0], rows[0][1]) if rows else None

        return first_behind(probe, 0, ENDLESS, until + SLACK_MS)

    def _search(
        self, search: "_Search[S]", wanted: Wanted, before: Position, rows: int, limit: int
    ) -> Searched[S]:
        begin = before[0] if before else self._begin(search.place, wanted.until)
        [(low, at, count)] = self._read(search.step, (begin, rows))
        if low is None:
            return Searched([], (), 0, 0)
        values = {
            "before": begin,
            "low": low,
            "handset": wanted.handset,
            "since": wanted.since,
            "until": wanted.until,
            "instruction": wanted.instruction,
            "outcome": wanted.outcome,
            "state": wanted.state,
            "limit": limit,
        }
        if wanted.sees is None:
            found = list(map(search.record, self._read(search.records, values)))
        else:
            found = self._seen(search, values, wanted.sees, limit)
        if len(found) == limit:
            return Searched(found, (found[-1].number,), found[-1].at, count)
        over = count < rows or at < wanted.since - SLACK_MS
        return Searched(found, () if over else (low,), at, count)

    def _seen(
        self, search: "_Search[S]", values: dict[str, Any], sees: Callable[[str], bool], limit: int
    ) -> list[S]:
        """Give the first records of customers who may be seen. Of the others only the number is read."""
        try:
            with closing(self._db.execute(search.handsets, values)) as rows:
                numbers = list(islice((number for number, msisdn in rows if sees(msisdn)), limit))
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return [search.record(row) for number in numbers for row in self._read(search.by_number, (number,))]

    def ending(self, tail: int, bits: int, rows: int) -> list[int]:
        """Go backwards through the keys of both tables."""
        values = (rows, (1 << bits) - 1, tail)
        found = [*self._read(_JOURNAL_ENDING, values), *self._read(_OUTBOX_ENDING, values)]
        return sorted(number for (number,) in found)

    def count_waiting(self) -> int:
        """Read the same indexes, whole."""
        return int(self._read(_COUNT_WAITING, ())[0][0])

    def waiting(self, limit: int) -> list[DownlinkRecord]:
        """Read one partial index after the other."""
        found: list[DownlinkRecord] = []
        for statement in (_PARKED, _WAITING):
            values = {"after": -1, "limit": limit - len(found)}
            found += map(_downlink, self._read(statement, values))
        return found

    def journal(self, begin: int = 0, end: int = ENDLESS) -> Iterator[JournalRecord]:
        """Go through the table by its key: `at` has no index."""
        return self._paged(_JOURNAL_PAGE, _journal_record, begin, end)

    def closed(self, begin: int, end: int) -> Iterator[ClosedDownlink]:
        """Go through the table by its key, and look up each cause."""
        return self._paged(_CLOSED_PAGE, _closed_downlink, begin, end)

    def products(self, begin: int, end: int) -> Iterator[ProductRecord]:
        """Go through the table in the order of its rows."""
        return self._paged(_PRODUCT_PAGE, _product, begin, end)

    def orders(self) -> Iterator[CustomerOrders]:
        """Go through the customers whose documents have orders."""
        return self._paged(_ORDER_PAGE, _customer_orders)

    def figures(self, query: FigureQuery) -> list[FigureRow]:
        """See gateway.storage.sqlite.figures, like the next one."""
        return figures.figures(self._read, query)

    def first_figure(self) -> str:
        """Search the primary key."""
        return figures.first_figure(self._read)

    def incomplete_days(self, first: str, last: str) -> list[str]:
        """See gateway.storage.sqlite.marks."""
        return marks.incomplete_days(self._read, first, last)

    def customer(self, msisdn: str) -> Customer | None:
        """Look into the table by its key."""
        rows = self._read(_CUSTOMER, (int(msisdn),))
        return without_password(customer_of(rows[0])) if rows else None

    def holder(self, fetion_number: str) -> str | None:
        """Look into the index of Fetion numbers."""
        rows = self._read(_HOLDER, (int(fetion_number),))
        return str(rows[0][0]) if rows else None

    def _read(self, statement: str, values: Sequence[Any] | dict[str, int]) -> list[Row]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.Error) -> StoreUnusable:
        return StoreUnusable(f"{self._path}: the store cannot be read: {error}")

    def _paged(
        self, statement: str, record: Callable[[Row], T], begin: int = 0, end: int = ENDLESS
    ) -> Iterator[T]:
        """Give what `record` makes of each row, PAGE rows at a time.

        statement: gives at most :limit rows whose first column is above :after, in its order.
        """
        values = {"after": -1, "begin": begin, "end": end, "limit": PAGE}
        while rows := self._read(statement, values):
            yield from map(record, rows)
            values["after"] = rows[-1][0]

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


def _journal_record(row: Row) -> JournalRecord:
    *others, text, detail, digest, repeated_at, hidden = row
    if hidden:
        text = ""
    known = orjson.loads(detail) if detail else {}
    values = (*others, text, known, digest, repeated_at, Hidden(hidden))
    return JournalRecord(*values)


def _downlink(row: Row) -> DownlinkRecord:
    number, cause, msisdn, account, source, destination, ton, npi, text, secret, *others = row
    reference, at, expires_at, state, *counts, repeat, session, kind, _ = others
    if secret:
        text = ""
    address = (number, cause, msisdn, account, source, destination, ton, npi)
    left = (reference, at, expires_at, Delivery(state), *counts, bool(repeat), session, Kind(kind))
    values = (*address, text, bool(secret), *left)
    return DownlinkRecord(*values)


class _Search(NamedTuple, Generic[S]):
    """The statements of a search in one table.

    place: where a time is. step: how far a step goes. records, handsets: what is wanted, whole, or number and
    handset only. by_number: one record.
    """

    place: str
    step: str
    records: str
    handsets: str
    by_number: str
    record: Callable[[Row], S]


_SEARCH_IN: Final = _Search(
    _JOURNAL_FROM,
    _JOURNAL_STEP,
    f"{_JOURNAL} {_WANTED_IN} LIMIT :limit",
    f"SELECT number, msisdn FROM journal {_WANTED_IN}",  # noqa: S608
    _JOURNAL_RECORD,
    _journal_record,
)
_SEARCH_OUT: Final = _Search(
    _OUTBOX_FROM,
    _OUTBOX_STEP,
    f"{_OUTBOX} {_WANTED_OUT} LIMIT :limit",
    f"SELECT number, msisdn FROM outbox {_WANTED_OUT}",  # noqa: S608
    _DOWNLINK,
    _downlink,
)


def _attempt(row: Row) -> Attempt:
    *others, result, status, waited = row
    values = (*others, Answer(result), status, waited)
    return Attempt(*values)


def _closed_downlink(row: Row) -> ClosedDownlink:
    return ClosedDownlink(_downlink(row[:-1]), row[-2], row[-1])


def _product(row: Row) -> ProductRecord:
    _, cause, msisdn, product, operation, at, trial, province = row
    return ProductRecord(cause, str(msisdn), product, operation, at, bool(trial), province)


def _customer_orders(row: Row) -> CustomerOrders:
    msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching = row
    customer = customer_of((msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching))
    return CustomerOrders(customer.msisdn, customer.orders)
