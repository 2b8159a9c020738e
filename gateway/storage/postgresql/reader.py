"""The Reader of a store on PostgreSQL: a connection of its own, beside the running gateway or without one."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Self, TypeVar

import orjson
import psycopg

from commands.model import Hidden
from gateway.message import Answer, Attempt, Delivery, ProductRecord
from gateway.storage.contract import StoreUnusable
from gateway.storage.postgresql.customers import CUSTOMER_COLUMNS
from gateway.storage.postgresql.migration import SCHEMA_VERSION, Connection, version_of
from gateway.storage.postgresql.place import BY_INDEX, Place, reason_of, unusable
from gateway.storage.postgresql.rows import text_of
from gateway.storage.reader import (
    ENDLESS,
    JOINED_WITHIN,
    REPLIES_WITHIN,
    ClosedDownlink,
    CustomerOrders,
    DownlinkRecord,
    JournalRecord,
    LookedAt,
)
from gateway.storage.records import customer_of

PAGE: Final = 5000
"""Rows that an iterator reads at a time: an old snapshot that is held would keep autovacuum from its work."""

_ONLY_READ = "SET TRANSACTION READ ONLY"
# Of every statement the first column tells where the next page begins.
_JOURNAL = """
SELECT number, at, account, session, sequence, source, destination, msisdn, access_code, sub_code, province,
    esm_class, data_coding, parts, instruction, outcome, text, detail, digest, repeated_at, hidden
FROM journal"""
_OUTBOX = """
SELECT number, cause, msisdn, account, source, destination, ton, npi, text, secret, reference, at, expires_at,
    state, parts, parts_done, attempts, closed_at, remote_id, error, source_ton, source_npi, losses, repeat,
    session, coalesce((SELECT instruction FROM journal WHERE journal.number = outbox.cause), '')
FROM outbox"""
_JOURNAL_RECORD = f"{_JOURNAL} WHERE number = %s"
_DOWNLINK = f"{_OUTBOX} WHERE number = %s"
_CAUSED_BY = f"{_OUTBOX} WHERE number BETWEEN %s AND %s AND cause = %s ORDER BY number"
_OPEN = f"{_OUTBOX} WHERE state = %s AND state IN (0, 4) ORDER BY number LIMIT %s"
_COUNT_OPEN = "SELECT count(*) FROM outbox WHERE state IN (0, 4)"
_ATTEMPTS = """
SELECT number, ordinal, part, left_at, at, session, remote, result, status, waited
FROM attempt WHERE number = %s ORDER BY ordinal
"""
_BEHIND = """
SELECT max(number) FROM (SELECT number FROM journal WHERE number > %s ORDER BY number LIMIT %s) x
"""
_JOINED_WITH = f"""{_JOURNAL}
WHERE number > %s AND number <= %s AND msisdn = %s AND parts > 1 AND position('"joined":[' IN detail) > 0
ORDER BY number
"""
# Backwards by the key: neither table has an index on the handset, which would cost every SMS.
_OF_HANDSET = f"{_JOURNAL} WHERE number < %s AND number >= %s AND msisdn = %s ORDER BY number DESC"
_TO_HANDSET = f"{_OUTBOX} WHERE number < %s AND number >= %s AND msisdn = %s ORDER BY number DESC"
_JOURNAL_STEP = """
SELECT min(number), min(at), count(*)
FROM (SELECT number, at FROM journal WHERE number < %s ORDER BY number DESC LIMIT %s) x
"""
_OUTBOX_STEP = """
SELECT min(number), min(at), count(*)
FROM (SELECT number, at FROM outbox WHERE number < %s ORDER BY number DESC LIMIT %s) x
"""
_JOURNAL_ENDING = """
SELECT number FROM (SELECT number FROM journal ORDER BY number DESC LIMIT %s) x WHERE number & %s = %s
"""
_OUTBOX_ENDING = """
SELECT number FROM (SELECT number FROM outbox ORDER BY number DESC LIMIT %s) x WHERE number & %s = %s
"""
_JOURNAL_PAGE = f"""{_JOURNAL}
WHERE number > %(after)s AND at >= %(begin)s AND at < %(end)s ORDER BY number LIMIT %(limit)s
"""
_CLOSED_PAGE = f"""{_OUTBOX}
WHERE number > %(after)s AND state IN (1, 2, 3) AND closed_at >= %(begin)s AND closed_at < %(end)s
ORDER BY number LIMIT %(limit)s
"""
_PRODUCT_PAGE = """
SELECT id, cause, msisdn, product, operation, at, trial, province FROM product_record
WHERE id > %(after)s AND at >= %(begin)s AND at < %(end)s ORDER BY id LIMIT %(limit)s
"""
# The name of a key in a document: within a text of the document its quotes would be escaped.
_ORDER_PAGE = f"""
SELECT {CUSTOMER_COLUMNS} FROM customer
WHERE msisdn > %(after)s AND position('"orders":[' IN doc) > 0 ORDER BY msisdn LIMIT %(limit)s
"""  # noqa: S608

T = TypeVar("T")
Row = tuple[Any, ...]


class PostgresReader:
    """Reader of one store: gateway.storage.reader says what each call gives."""

    def __init__(self, place: Place, db: Connection) -> None:
        self._place = place
        self._db = db

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect. Raises StoreUnusable where there is no store of this schema."""
        place = Place.of(url)
        try:
            db = psycopg.connect(place.conninfo, autocommit=True)
        except psycopg.Error as error:
            raise unusable(error, place) from error
        try:
            check_readable(db, place)
        except BaseException:
            db.close()
            raise
        return cls(place, db)

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
        return [_downlink(row) for row in self._read(_CAUSED_BY, (number, number + REPLIES_WITHIN, number))]

    def attempts(self, number: int) -> list[Attempt]:
        """Look into the table by its key."""
        return [_attempt(row) for row in self._read(_ATTEMPTS, (number,))]

    def joined_with(self, part: JournalRecord) -> JournalRecord | None:
        """Find out how far to look, then search that range of the table."""
        [(end,)] = self._read(_BEHIND, (part.number, JOINED_WITHIN))
        later = map(_journal_record, self._read(_JOINED_WITH, (part.number, end, part.msisdn)))
        return next((sms for sms in later if part.number in sms.detail.get("joined", ())), None)

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

    def ending(self, tail: int, bits: int, rows: int) -> list[int]:
        """Go backwards through the keys of both tables."""
        values = (rows, (1 << bits) - 1, tail)
        found = [*self._read(_JOURNAL_ENDING, values), *self._read(_OUTBOX_ENDING, values)]
        return sorted(number for (number,) in found)

    def count_waiting(self) -> int:
        """Read the index of what is open, whole."""
        return int(self._read(_COUNT_OPEN, ())[0][0])

    def waiting(self, limit: int) -> list[DownlinkRecord]:
        """Read the index of what is open, once for each state."""
        found: list[DownlinkRecord] = []
        for state in (Delivery.PARKED, Delivery.WAITING):
            found += map(_downlink, self._read(_OPEN, (state.value, limit - len(found))))
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

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _read(self, statement: str, values: Row | dict[str, int]) -> list[Row]:
        try:
            with self._db.transaction():
                self._db.execute(_ONLY_READ)
                self._db.execute(BY_INDEX)
                return self._db.execute(statement, values).fetchall()
        except psycopg.Error as error:
            raise StoreUnusable(
                f"{self._place.name}: the store cannot be read: {reason_of(error)}"
            ) from error

    def _paged(
        self, statement: str, record: Callable[[Row], T], begin: int = 0, end: int = ENDLESS
    ) -> Iterator[T]:
        """Give what `record` makes of each row, PAGE rows at a time.

        statement: gives at most %(limit)s rows whose first column is above %(after)s, in its order.
        """
        values = {"after": -1, "begin": begin, "end": end, "limit": PAGE}
        while rows := self._read(statement, values):
            yield from map(record, rows)
            values["after"] = rows[-1][0]


def check_readable(db: Connection, place: Place) -> None:
    """Raises StoreUnusable where there is no store of this schema."""
    try:
        version = version_of(db)
    except psycopg.Error as error:
        raise unusable(error, place) from error
    if not version:
        raise StoreUnusable(f"{place.name}: there is no store: storage.url must name that of a gateway")
    if version != SCHEMA_VERSION:
        raise StoreUnusable(
            f"{place.name}: its schema is version {version}, this command reads {SCHEMA_VERSION}"
        )


def _journal_record(row: Row) -> JournalRecord:
    *others, text, detail, digest, repeated_at, hidden = row
    shown = "" if hidden else text_of(text)
    known = orjson.loads(detail) if detail else {}
    values = (*others, shown, known, bytes(digest), repeated_at, Hidden(hidden))
    return JournalRecord(*values)


def _downlink(row: Row) -> DownlinkRecord:
    number, cause, msisdn, account, source, destination, ton, npi, text, secret, *others = row
    reference, at, expires_at, state, *counts, _ = others
    shown = "" if secret else text_of(text)
    address = (number, cause, msisdn, account, source, destination, ton, npi)
    values = (*address, shown, secret, reference, at, expires_at, Delivery(state), *counts)
    return DownlinkRecord(*values)


def _attempt(row: Row) -> Attempt:
    *others, result, status, waited = row
    values = (*others, Answer(result), status, waited)
    return Attempt(*values)


def _closed_downlink(row: Row) -> ClosedDownlink:
    return ClosedDownlink(_downlink(row), row[-1])


def _product(row: Row) -> ProductRecord:
    _, *fields = row
    return ProductRecord(*fields)


def _customer_orders(row: Row) -> CustomerOrders:
    msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching = row
    customer = customer_of((msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching))
    return CustomerOrders(customer.msisdn, customer.orders)
