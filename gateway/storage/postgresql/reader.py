"""The Reader of a store on PostgreSQL: a connection of its own, beside the running gateway or without one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

import orjson
import psycopg

from commands.model import Customer, Hidden
from gateway.message import Answer, Attempt, Delivery, Kind, PartReceipt, ProductRecord
from gateway.storage.contract import StoreUnusable, other_schema
from gateway.storage.figures import FigureQuery, FigureRow
from gateway.storage.postgresql import figures, marks
from gateway.storage.postgresql.backwards import Backwards, Row, Step, Table, look_back, places_of
from gateway.storage.postgresql.customers import CUSTOMER_COLUMNS
from gateway.storage.postgresql.migration import SCHEMA_VERSION, Connection, version_of
from gateway.storage.postgresql.owner import FIRST_OF, LAST_OF, NODE_SHIFT, range_of
from gateway.storage.postgresql.place import BY_INDEX, Place, reason_of, unusable
from gateway.storage.postgresql.receipts import OF_SMS, part_receipt
from gateway.storage.postgresql.rows import text_of
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
    session, kind, coalesce((SELECT instruction FROM journal WHERE journal.number = outbox.cause), '')
FROM outbox"""
_JOURNAL_RECORD = f"{_JOURNAL} WHERE number = %s"
_DOWNLINK = f"{_OUTBOX} WHERE number = %s"
_CAUSED_BY = f"{_OUTBOX} WHERE number BETWEEN %s AND %s AND cause = %s ORDER BY number"
_OPEN = f"""
SELECT x.* FROM node n CROSS JOIN LATERAL (
    {_OUTBOX} WHERE node = n.number AND state = %(state)s AND state IN (0, 4)
    ORDER BY number LIMIT %(limit)s) x
ORDER BY number LIMIT %(limit)s
"""  # noqa: S608
_COUNT_OPEN = "SELECT count(*) FROM outbox WHERE state IN (0, 4)"
_ATTEMPTS = """
SELECT number, ordinal, part, left_at, at, session, remote, result, status, waited
FROM attempt WHERE number = %s ORDER BY ordinal
"""
_NODES = "SELECT number FROM node ORDER BY number"
_BEHIND = """
SELECT max(number) FROM (
    SELECT number FROM journal WHERE number BETWEEN %s AND %s ORDER BY number LIMIT %s) x
"""
_AMONG_LAST = """
SELECT min(number) FROM (
    SELECT number FROM journal WHERE number BETWEEN %s AND %s ORDER BY number DESC LIMIT %s) x
"""
_JOINED_WITH = f"""{_JOURNAL}
WHERE number BETWEEN %s AND %s AND at >= %s AND msisdn = %s AND parts > 1
    AND position('"joined":[' IN detail) > 0
ORDER BY number
"""
# Backwards by the key: neither table has an index on the handset, which would cost every SMS.
_OF_HANDSET = f"{_JOURNAL} WHERE number < %s AND number >= %s AND msisdn = %s ORDER BY number DESC"
_TO_HANDSET = f"{_OUTBOX} WHERE number < %s AND number >= %s AND msisdn = %s ORDER BY number DESC"
# %(handset)s "" and so on: any.
_WANTED = """
WHERE number < %(before)s AND number >= %(low)s AND at >= %(since)s AND at < %(until)s
    AND starts_with(msisdn, %(handset)s)"""
_WANTED_IN = f"""{_WANTED}
    AND %(instruction)s IN ('', instruction) AND %(outcome)s IN ('', outcome)
ORDER BY number DESC
"""
_WANTED_OUT = f"""{_WANTED} AND (%(state)s::int IS NULL OR state = %(state)s)
    AND (%(instruction)s = '' OR %(instruction)s = (
        SELECT instruction FROM journal WHERE journal.number = outbox.cause))
ORDER BY number DESC
"""  # noqa: S608
_ENDING = f"""
SELECT x.number FROM node n CROSS JOIN LATERAL (
    SELECT number FROM {{table}} WHERE number BETWEEN {FIRST_OF} AND {LAST_OF}
    ORDER BY number DESC LIMIT %s) x
WHERE x.number & %s = %s
"""  # noqa: S608
_JOURNAL_PAGE = f"""{_JOURNAL}
WHERE number > %(after)s AND number <= %(last)s AND at >= %(begin)s AND at < %(end)s
ORDER BY number LIMIT %(limit)s
"""
_WITH_SENDER = f"""{_OUTBOX.removesuffix("FROM outbox")}
    , coalesce((SELECT msisdn FROM journal WHERE journal.number = outbox.cause), '')
FROM outbox"""  # noqa: S608
_CLOSED_PAGE = f"""{_WITH_SENDER}
WHERE number > %(after)s AND state IN (1, 2, 3, 5, 6) AND closed_at >= %(begin)s AND closed_at < %(end)s
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
_CUSTOMER = f"SELECT {CUSTOMER_COLUMNS} FROM customer WHERE msisdn = %s"  # noqa: S608
_HOLDER = "SELECT msisdn FROM customer WHERE fetion_number = %s"

T = TypeVar("T")
R = TypeVar("R", JournalRecord, DownlinkRecord)


class PostgresReader:
    """Reader of one store: gateway.storage.reader says what each call gives."""

    def __init__(self, place: Place, db: Connection) -> None:
        self._place = place
        self._db = db
        self._backwards = Backwards(self._read)

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

    def receipts(self, number: int) -> list[PartReceipt]:
        """Look into the table by its key."""
        return [part_receipt(row) for row in self._read(OF_SMS, (number,))]

    def joined_with(self, part: JournalRecord) -> JournalRecord | None:
        """Look behind the part at the node that got it, then at nodes that may have taken it over: there
        among the last SMS."""
        node = part.number >> NODE_SHIFT
        first, last = part.number + 1, range_of(node)[1]
        [(end,)] = self._read(_BEHIND, (first, last, JOINED_WITHIN))
        spans = [(first, end)] if end is not None else []
        for other in self._nodes():
            low, high = range_of(other)
            if other != node:
                spans += [
                    (low, high) for (low,) in self._read(_AMONG_LAST, (low, high, JOINED_WITHIN)) if low
                ]
        for low, high in spans:
            for row in self._read(_JOINED_WITH, (low, high, part.at, part.msisdn)):
                sms = _journal_record(row)
                if part.number in sms.detail.get("joined", ()):
                    return sms
        return None

    def of_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[JournalRecord]:
        """Find out where the step ends, then read those ranges of the table."""
        step, token = self._backwards.step("journal", self._nodes(), before, rows)
        found = self._theirs(_OF_HANDSET, _journal_record, msisdn, step)
        return LookedAt(found, token, step.at, step.rows)

    def to_handset(self, msisdn: str, before: int, rows: int) -> LookedAt[DownlinkRecord]:
        """The same in the other table."""
        step, token = self._backwards.step("outbox", self._nodes(), before, rows)
        found = self._theirs(_TO_HANDSET, _downlink, msisdn, step)
        return LookedAt(found, token, step.at, step.rows)

    def search_in(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[JournalRecord]:
        """Go backwards from the place, at each node, of the latest time that is wanted."""
        return self._search(_SEARCH_IN, wanted, before, rows, limit)

    def search_out(self, wanted: Wanted, before: Position, rows: int, limit: int) -> Searched[DownlinkRecord]:
        """The same in the other table."""
        return self._search(_SEARCH_OUT, wanted, before, rows, limit)

    def _search(
        self, search: "_Search[R]", wanted: Wanted, before: Position, rows: int, limit: int
    ) -> Searched[R]:
        ends = {number >> NODE_SHIFT: number for number in before}
        ends = ends or places_of(self._read, search.table, self._nodes(), wanted.until)
        step = look_back(self._read, search.table, ends, rows)
        values = {
            "handset": wanted.handset,
            "since": wanted.since,
            "until": wanted.until,
            "instruction": wanted.instruction,
            "outcome": wanted.outcome,
            "state": wanted.state,
            "limit": limit,
        }
        by_node = [
            self._first(search, {**values, "low": low, "before": end}, wanted.sees)
            for low, end in step.ranges
        ]
        found = list(islice(merge(*by_node, key=lambda sms: -sms.at), limit))
        if len(found) == limit:
            reached = {sms.number >> NODE_SHIFT: sms.number for sms in found}
            return Searched(found, tuple({**ends, **reached}.values()), found[-1].at, step.rows)
        over = step.rows < rows or step.at < wanted.since - SLACK_MS
        return Searched(found, () if over else tuple(step.ends.values()), step.at, step.rows)

    def _first(
        self, search: "_Search[R]", values: dict[str, Any], sees: Callable[[str], bool] | None
    ) -> list[R]:
        """Give the first records of one node. Of customers who may not be seen only the number is read."""
        if sees is None:
            return list(map(search.record, self._read(search.records, values)))
        seen = (number for number, msisdn in self._read(search.handsets, values) if sees(msisdn))
        numbers = list(islice(seen, values["limit"]))
        return list(map(search.record, self._read(search.by_numbers, (numbers,)))) if numbers else []

    def _theirs(self, theirs: str, record: Callable[[Row], R], msisdn: str, step: Step) -> list[R]:
        """The SMS of a handset that a step looked at: by number where one node had them, else by time."""
        by_node = [map(record, self._read(theirs, (end, low, msisdn))) for low, end in step.ranges]
        return list(merge(*by_node, key=lambda sms: -sms.at))

    def _nodes(self) -> list[int]:
        return [number for (number,) in self._read(_NODES, ())]

    def ending(self, tail: int, bits: int, rows: int) -> list[int]:
        """Go backwards through the keys of both tables, at each node."""
        values = (rows, (1 << bits) - 1, tail)
        found = [
            row for table in ("journal", "outbox") for row in self._read(_ENDING.format(table=table), values)
        ]
        return sorted(number for (number,) in found)

    def count_waiting(self) -> int:
        """Read the index of what is open, whole."""
        return int(self._read(_COUNT_OPEN, ())[0][0])

    def waiting(self, limit: int) -> list[DownlinkRecord]:
        """Read the index of what is open, once for each state."""
        found: list[DownlinkRecord] = []
        for state in (Delivery.PARKED, Delivery.WAITING):
            values = {"state": state.value, "limit": limit - len(found)}
            found += map(_downlink, self._read(_OPEN, values))
        return found

    def journal(self, begin: int = 0, end: int = ENDLESS) -> Iterator[JournalRecord]:
        """Go through the table by its key, at all nodes at the same time: `at` has no index."""
        span = {"begin": begin, "end": end}
        by_node = [
            self._paged(_JOURNAL_PAGE, _journal_record, {**span, "after": first - 1, "last": last})
            for first, last in map(range_of, self._nodes())
        ]
        yield from merge(*by_node, key=lambda sms: sms.at)

    def closed(self, begin: int, end: int) -> Iterator[ClosedDownlink]:
        """Go through the table by its key, and look up each cause."""
        return self._paged(_CLOSED_PAGE, _closed_downlink, {"after": -1, "begin": begin, "end": end})

    def products(self, begin: int, end: int) -> Iterator[ProductRecord]:
        """Go through the table in the order of its rows."""
        return self._paged(_PRODUCT_PAGE, _product, {"after": -1, "begin": begin, "end": end})

    def orders(self) -> Iterator[CustomerOrders]:
        """Go through the customers whose documents have orders."""
        return self._paged(_ORDER_PAGE, _customer_orders, {"after": -1})

    def figures(self, query: FigureQuery) -> list[FigureRow]:
        """See gateway.storage.postgresql.figures, like the next one."""
        return figures.figures(self._read, query)

    def first_figure(self) -> str:
        """Search the primary key."""
        return figures.first_figure(self._read)

    def incomplete_days(self, first: str, last: str) -> list[str]:
        """See gateway.storage.postgresql.marks."""
        return marks.incomplete_days(self._read, first, last)

    def customer(self, msisdn: str) -> Customer | None:
        """Look into the table by its key."""
        rows = self._read(_CUSTOMER, (int(msisdn),))
        return without_password(customer_of(rows[0])) if rows else None

    def holder(self, fetion_number: str) -> str | None:
        """Look into the index of Fetion numbers."""
        rows = self._read(_HOLDER, (int(fetion_number),))
        return str(rows[0][0]) if rows else None

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _read(self, statement: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Row]:
        try:
            with self._db.transaction():
                self._db.execute(_ONLY_READ)
                self._db.execute(BY_INDEX)
                return self._db.execute(statement, values).fetchall()
        except psycopg.Error as error:
            raise StoreUnusable(
                f"{self._place.name}: the store cannot be read: {reason_of(error)}"
            ) from error

    def _paged(self, statement: str, record: Callable[[Row], T], begin: dict[str, int]) -> Iterator[T]:
        """Give what `record` makes of each row, PAGE rows at a time.

        statement: gives at most %(limit)s rows whose first column is above %(after)s, in its order.
        """
        values = {**begin, "limit": PAGE}
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
        raise other_schema(place.name, version, SCHEMA_VERSION)


def _journal_record(row: Row) -> JournalRecord:
    *others, text, detail, digest, repeated_at, hidden = row
    shown = "" if hidden else text_of(text)
    known = orjson.loads(detail) if detail else {}
    values = (*others, shown, known, bytes(digest), repeated_at, Hidden(hidden))
    return JournalRecord(*values)


def _downlink(row: Row) -> DownlinkRecord:
    number, cause, msisdn, account, source, destination, ton, npi, text, secret, *others = row
    reference, at, expires_at, state, *counts, kind, _ = others
    shown = "" if secret else text_of(text)
    address = (number, cause, msisdn, account, source, destination, ton, npi)
    values = (*address, shown, secret, reference, at, expires_at, Delivery(state), *counts, Kind(kind))
    return DownlinkRecord(*values)


class _Search(NamedTuple, Generic[R]):
    """The statements of a search in one table.

    records, handsets: what is wanted, whole, or number and handset only. by_numbers: some records.
    """

    table: Table
    records: str
    handsets: str
    by_numbers: str
    record: Callable[[Row], R]


_SEARCH_IN: Final = _Search(
    "journal",
    f"{_JOURNAL} {_WANTED_IN} LIMIT %(limit)s",
    f"SELECT number, msisdn FROM journal {_WANTED_IN}",  # noqa: S608
    f"{_JOURNAL} WHERE number = ANY(%s) ORDER BY number DESC",
    _journal_record,
)
_SEARCH_OUT: Final = _Search(
    "outbox",
    f"{_OUTBOX} {_WANTED_OUT} LIMIT %(limit)s",
    f"SELECT number, msisdn FROM outbox {_WANTED_OUT}",  # noqa: S608
    f"{_OUTBOX} WHERE number = ANY(%s) ORDER BY number DESC",
    _downlink,
)


def _attempt(row: Row) -> Attempt:
    *others, result, status, waited = row
    values = (*others, Answer(result), status, waited)
    return Attempt(*values)


def _closed_downlink(row: Row) -> ClosedDownlink:
    return ClosedDownlink(_downlink(row[:-1]), row[-2], row[-1])


def _product(row: Row) -> ProductRecord:
    _, *fields = row
    return ProductRecord(*fields)


def _customer_orders(row: Row) -> CustomerOrders:
    msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching = row
    customer = customer_of((msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching))
    return CustomerOrders(customer.msisdn, customer.orders)
