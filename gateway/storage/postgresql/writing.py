"""The statements of a commit: one for each table that it touches, each for all of its rows."""

from collections.abc import Iterator
from typing import Final

from gateway.message import Commit
from gateway.storage.postgresql import actions, answered, candidates, customers, events, provinces, receipts
from gateway.storage.postgresql.link import Statement
from gateway.storage.postgresql.owner import Owner
from gateway.storage.postgresql.rows import (
    attempt_row,
    changed_row,
    closed_row,
    journal_row,
    marked_row,
    outbox_row,
    part_row,
    recordset,
)


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
    " parts integer, source_ton integer, source_npi integer, node integer, moved boolean",
)
_PARTS: Final = inserting(
    "part",
    "number bigint, account text, source text, destination text, kind text, reference integer, total integer,"
    " place integer, data_coding integer, octets bytea, deadline bigint, msisdn text, ton integer,"
    " npi integer, at bigint, digest bytea, complete boolean, node integer,"
    " registered integer",
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
_MARKED: Final = """
UPDATE outbox o SET kind = x.kind, tlvs = x.tlvs
FROM json_to_recordset(%s) AS x (number bigint, kind integer, tlvs bytea) WHERE o.number = x.number
"""
_CHANGED: Final = """
UPDATE outbox o SET state = x.state, losses = x.losses, attempts = x.attempts, parts = x.parts,
    parts_done = x.parts_done, error = x.error, repeat = x.repeat
FROM json_to_recordset(%s) AS x (number bigint, state integer, losses integer, attempts integer,
    parts integer, parts_done integer, error text, repeat boolean)
WHERE o.number = x.number AND o.node = %s
"""
_CLOSED: Final = """
UPDATE outbox o SET state = x.state, closed_at = x.closed_at, parts = x.parts, parts_done = x.parts_done,
    attempts = x.attempts, remote_id = x.remote_id, error = x.error, session = x.session,
    sealed = NULL, moved = FALSE
FROM json_to_recordset(%s) AS x (number bigint, state integer, closed_at bigint, parts integer,
    parts_done integer, attempts integer, remote_id text, error text, session bigint)
WHERE o.number = x.number AND o.node = %s
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
SET_KEY_CHECK: Final = """
INSERT INTO meta AS m VALUES ('key_check', %s)
ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE m.value = %s
"""


def statements(commit: Commit, owner: Owner, numbers: events.EventNumbers) -> Iterator[Statement]:
    """Every statement of a commit, in order. numbers: of its events.

    Rows that other nodes may change too are locked in the order of their keys.
    """
    node = owner.node
    if owner.shared:
        yield from candidates.checks(commit, node)
        yield from receipts.checks(commit)
    yield from customers.statements(commit, shared=owner.shared)
    if commit.messages:
        yield _JOURNAL, (recordset([journal_row(m) for m in commit.messages]),)
    if commit.outgoing:
        yield _OUTGOING, (recordset([outbox_row(m, node) for m in commit.outgoing]),)
        if marked := [marked_row(m) for m in commit.outgoing if m.kind or m.tlvs]:
            yield _MARKED, (recordset(marked),)
    if commit.changed:
        changed = {m.number: changed_row(m) for m in commit.changed}
        yield _CHANGED, (recordset(list(changed.values())), node)
    if commit.closed:
        yield _CLOSED, (recordset(list({m.number: closed_row(m) for m in commit.closed}.values())), node)
    if commit.attempts:
        latest = {(each.number, each.place): attempt_row(each) for each in commit.attempts}
        yield _ATTEMPTS, (recordset(list(latest.values())),)
    yield from _rare(commit, node)
    if commit.events:
        yield events.inserting(commit.events, numbers)
    yield from provinces.statements(commit)
    yield from receipts.statements(commit)
    yield from actions.statements(commit)
    yield from candidates.statements(commit, node)
    if owner.shared:
        yield from answered.statements(commit, node)


def _rare(commit: Commit, node: int) -> Iterator[Statement]:
    """What most batches do not hold."""
    if commit.products:
        yield _PRODUCTS, (recordset([each._asdict() for each in commit.products]),)
    if commit.parts:
        yield _PARTS, (recordset([part_row(p, node) for p in commit.parts]),)
    if commit.parts_complete:
        yield _PARTS_COMPLETE, (recordset([each._asdict() for each in commit.parts_complete]),)
    if commit.parts_gone:
        yield _PARTS_GONE, (commit.parts_gone,)
