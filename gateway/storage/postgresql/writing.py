"""The statements of a commit: one for each table that it touches, each for all of its rows."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.message import Commit
from gateway.storage.postgresql import candidates, events, provinces
from gateway.storage.postgresql.link import Statement
from gateway.storage.postgresql.rows import (
    attempt_row,
    buddy_row,
    changed_row,
    closed_row,
    journal_row,
    outbox_row,
    part_row,
    recordset,
)
from gateway.storage.records import customer_row

_CUSTOMER: Final = (
    "msisdn bigint, fetion_number bigint, state text, account text, spelling text, ton integer, npi integer,"
    " doc text, matching integer"
)
_CUSTOMER_COLUMNS: Final = tuple(column.split()[0] for column in _CUSTOMER.split(", "))


def inserting(table: str, columns: str) -> str:
    """The statement that inserts a recordset. columns: as in CREATE TABLE, without constraints."""
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM json_to_recordset(%s) AS x ({columns})"  # noqa: S608


_JOURNAL: Final = inserting(
    "journal",
    "number bigint, at bigint, account text, session bigint, sequence bigint, source text, destination text,"
    " msisdn text, access_code text, sub_code text, province text, esm_class integer, data_coding integer,"
    " parts integer, instruction text, outcome text, text text, detail text, digest bytea, hidden text",
)
_OUTGOING: Final = inserting(
    "outbox",
    "number bigint, cause bigint, msisdn text, account text, source text, destination text, ton integer,"
    " npi integer, text text, sealed bytea, secret boolean, reference integer, at bigint, expires_at bigint,"
    " parts integer, source_ton integer, source_npi integer",
)
_CUSTOMERS: Final = f"""{inserting("customer", _CUSTOMER)}
ON CONFLICT (msisdn) DO UPDATE SET fetion_number = excluded.fetion_number, state = excluded.state,
    account = excluded.account, spelling = excluded.spelling, ton = excluded.ton, npi = excluded.npi,
    doc = excluded.doc, matching = excluded.matching
"""
_BUDDY: Final = "owner bigint, other bigint, name text, since bigint, blocked boolean, matched_at bigint"
_BUDDIES: Final = f"""{inserting("buddy", _BUDDY)}
ON CONFLICT (owner, other) DO UPDATE SET name = excluded.name, since = excluded.since,
    blocked = excluded.blocked, matched_at = excluded.matched_at
"""
_NO_BUDDIES: Final = """
DELETE FROM buddy b USING json_to_recordset(%s) AS x (owner bigint, other bigint)
WHERE b.owner = x.owner AND b.other = x.other
"""
_PARTS: Final = inserting(
    "part",
    "number bigint, account text, source text, destination text, kind text, reference integer, total integer,"
    " place integer, data_coding integer, octets bytea, deadline bigint, msisdn text, ton integer,"
    " npi integer, at bigint, digest bytea, complete boolean",
)
_PARTS_COMPLETE: Final = """
UPDATE part p SET complete = TRUE, octets = '', deadline = x.deadline
FROM json_to_recordset(%s) AS x (deadline bigint, number bigint) WHERE p.number = x.number
"""
_PARTS_GONE: Final = "DELETE FROM part WHERE number = ANY(%s::bigint[])"
_PRODUCTS: Final = inserting(
    "product_record",
    "cause bigint, msisdn text, product text, operation text, at bigint, trial boolean, province text",
)
_CHANGED: Final = """
UPDATE outbox o SET state = x.state, losses = x.losses, attempts = x.attempts, parts_done = x.parts_done,
    error = x.error, repeat = x.repeat
FROM json_to_recordset(%s) AS x (number bigint, state integer, losses integer, attempts integer,
    parts_done integer, error text, repeat boolean)
WHERE o.number = x.number
"""
_CLOSED: Final = """
UPDATE outbox o SET state = x.state, closed_at = x.closed_at, parts_done = x.parts_done,
    attempts = x.attempts, remote_id = x.remote_id, error = x.error, session = x.session,
    sealed = NULL
FROM json_to_recordset(%s) AS x (number bigint, state integer, closed_at bigint, parts_done integer,
    attempts integer, remote_id text, error text, session bigint)
WHERE o.number = x.number
"""
_ATTEMPT: Final = (
    "number bigint, place integer, ordinal integer, part integer, left_at bigint, at bigint, session bigint,"
    " remote text, result text, status text, waited text"
)
_ATTEMPTS: Final = f"""{inserting("attempt", _ATTEMPT)}
WHERE EXISTS (SELECT FROM outbox o WHERE o.number = x.number)
ON CONFLICT (number, place) DO UPDATE SET ordinal = excluded.ordinal, part = excluded.part,
    left_at = excluded.left_at, at = excluded.at, session = excluded.session, remote = excluded.remote,
    result = excluded.result, status = excluded.status, waited = excluded.waited
"""
SET_META: Final = """
INSERT INTO meta VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""


def statements(commit: Commit, first_event: int, origin: int) -> Iterator[Statement]:
    """Every statement of a commit, in order. first_event, origin: of its events (EventNumbers).

    Rows of customers stand in the order of their keys, as all locks are taken.
    """
    if commit.messages:
        yield _JOURNAL, (recordset([journal_row(m) for m in commit.messages]),)
    if customers := {row[0]: row for row in map(customer_row, commit.customers)}:
        yield _CUSTOMERS, (recordset([_named(customers[key]) for key in sorted(customers)]),)
    yield from _buddies(commit)
    if commit.outgoing:
        yield _OUTGOING, (recordset([outbox_row(m) for m in commit.outgoing]),)
    if commit.changed:
        yield _CHANGED, (recordset(list({m.number: changed_row(m) for m in commit.changed}.values())),)
    if commit.closed:
        yield _CLOSED, (recordset(list({m.number: closed_row(m) for m in commit.closed}.values())),)
    if commit.attempts:
        latest = {(each.number, each.place): attempt_row(each) for each in commit.attempts}
        yield _ATTEMPTS, (recordset(list(latest.values())),)
    yield from _rare(commit)
    if commit.events:
        yield events.inserting(commit.events, first_event, origin)
    yield from provinces.statements(commit)
    yield from candidates.statements(commit)
    if commit.settled is not None:
        yield SET_META, ("settled", commit.settled.number)
        yield SET_META, ("settled_at", commit.settled.at)


def _named(row: tuple[Any, ...]) -> Mapping[str, Any]:
    return dict(zip(_CUSTOMER_COLUMNS, row, strict=True))


def _buddies(commit: Commit) -> Iterator[Statement]:
    known = [buddy_row(buddy) for buddy in commit.buddies.values() if buddy is not None]
    gone = [
        {"owner": int(owner), "other": int(other)}
        for (owner, other), buddy in commit.buddies.items()
        if buddy is None
    ]
    if known:
        yield _BUDDIES, (recordset(known),)
    if gone:
        yield _NO_BUDDIES, (recordset(gone),)


def _rare(commit: Commit) -> Iterator[Statement]:
    """What most batches do not hold."""
    if commit.products:
        yield _PRODUCTS, (recordset([each._asdict() for each in commit.products]),)
    if commit.parts:
        yield _PARTS, (recordset([part_row(p) for p in commit.parts]),)
    if commit.parts_complete:
        yield _PARTS_COMPLETE, (recordset([each._asdict() for each in commit.parts_complete]),)
    if commit.parts_gone:
        yield _PARTS_GONE, (commit.parts_gone,)
