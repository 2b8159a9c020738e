"""Receipts: their statements, and the calls of gateway.storage.contract.ReceiptStore."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from gateway.message import Commit, Delivery, EarlyReceipt, PartReceipt, receipt_key
from gateway.storage.postgresql.link import Link, Statement
from gateway.storage.postgresql.rows import recordset, text_of

_COLUMNS: Final = (
    "number, part, parts, msisdn, account, remote_id, at, until, state, said, error, receipted_at"
)
_EARLY_COLUMNS: Final = (
    "account, key, other, remote_id, at, state, said, error, receipted_at, source, destination, reported"
)
_PUT: Final = f"""
INSERT INTO receipt ({_COLUMNS}, key) SELECT {_COLUMNS}, key
FROM json_to_recordset(%s) AS x (number bigint, part integer, parts integer, msisdn text, account text,
    remote_id text, at bigint, until bigint, state integer, said text, error text, receipted_at bigint,
    key text)
WHERE EXISTS (SELECT FROM outbox o WHERE o.number = x.number) ORDER BY number, part
ON CONFLICT (number, part) DO UPDATE SET parts = excluded.parts, msisdn = excluded.msisdn,
    remote_id = excluded.remote_id, key = excluded.key,
    account = excluded.account, at = excluded.at, until = excluded.until, state = excluded.state,
    said = excluded.said, error = excluded.error, receipted_at = excluded.receipted_at
"""  # noqa: S608
_OUTCOME: Final = """
UPDATE outbox o SET state = x.state FROM json_to_recordset(%s) AS x (number bigint, state integer)
WHERE o.number = x.number AND o.state = 1
"""
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS x (number)"
_AS_SEEN: Final = """
SELECT 1 / (count(*) = 0)::integer FROM json_to_recordset(%s) AS x (number bigint, final integer)
WHERE final != (SELECT count(*) FROM receipt r WHERE r.number = x.number AND r.state IN (5, 6))
"""
_PUT_EARLY: Final = f"""
INSERT INTO early_receipt ({_EARLY_COLUMNS}) SELECT {_EARLY_COLUMNS}
FROM json_to_recordset(%s) AS x (account text, key text, other text, remote_id text, at bigint,
    state integer, said text, error text, receipted_at bigint, source text, destination text,
    reported boolean)
ORDER BY account, key, state
ON CONFLICT (account, key, state) DO UPDATE SET other = excluded.other, remote_id = excluded.remote_id,
    at = excluded.at, said = excluded.said, error = excluded.error, receipted_at = excluded.receipted_at,
    source = excluded.source, destination = excluded.destination, reported = excluded.reported
"""  # noqa: S608
_PAIRS: Final = "json_to_recordset(%s) AS x (account text, key text)"
_EARLY_GONE: Final = f"""
DELETE FROM early_receipt e USING {_PAIRS}
WHERE e.account = x.account AND e.key = x.key AND NOT e.reported
"""  # noqa: S608
_OF: Final = f"SELECT {_COLUMNS} FROM receipt WHERE number = ANY(%s) ORDER BY number, part"  # noqa: S608
OF_SMS: Final = f"SELECT {_COLUMNS} FROM receipt WHERE number = %s ORDER BY part"  # noqa: S608
_DUE: Final = f"""
SELECT {_COLUMNS} FROM receipt WHERE until > 0 AND until <= %s ORDER BY until LIMIT %s
"""  # noqa: S608
_NAMED: Final = f"""
SELECT {", ".join(f"r.{each}" for each in _COLUMNS.split(", "))}
FROM receipt r JOIN {_PAIRS} ON r.account = x.account AND r.key = x.key ORDER BY r.number, r.part
"""  # noqa: S608
_EARLY_NAMED: Final = f"""
SELECT DISTINCT {", ".join(f"e.{each}" for each in _EARLY_COLUMNS.split(", "))}
FROM {_PAIRS} JOIN LATERAL (
    SELECT {_EARLY_COLUMNS} FROM early_receipt WHERE account = x.account AND key = x.key
    UNION SELECT {_EARLY_COLUMNS} FROM early_receipt
    WHERE account = x.account AND other = x.key AND NOT reported) e ON TRUE
WHERE NOT e.reported
"""  # noqa: S608
_EARLY_OPEN: Final = f"""
SELECT {_EARLY_COLUMNS} FROM early_receipt WHERE NOT reported AND at <= %s ORDER BY at LIMIT %s
"""  # noqa: S608


def part_receipt(row: Sequence[Any]) -> PartReceipt:
    """The value of a row."""
    number, part, parts, msisdn, account, remote_id, at, until, state, said, error, receipted_at = row
    return PartReceipt(
        number, part, parts, msisdn, account, text_of(remote_id), at, until, Delivery(state), text_of(said),
        text_of(error), receipted_at,
    )  # fmt: skip


def _early_receipt(row: Sequence[Any]) -> EarlyReceipt:
    account, key, other, remote_id, at, state, said, error, receipted_at, *rest = row
    source, destination, reported = rest
    return EarlyReceipt(
        account, text_of(key), text_of(other), text_of(remote_id), at, Delivery(state), text_of(said),
        text_of(error), receipted_at, text_of(source), text_of(destination), reported,
    )  # fmt: skip


def checks(commit: Commit) -> Iterator[Statement]:
    """What must be so where there are other nodes: of a long SMS nobody has written a final receipt since.

    Two that write the receipts of two parts at once would each miss that the SMS is complete.
    """
    if commit.receipts_seen:
        seen = [{"number": number, "final": final} for number, final in sorted(commit.receipts_seen.items())]
        yield _ONE_AT_A_TIME, (sorted(commit.receipts_seen),)
        yield _AS_SEEN, (recordset(seen),)


def statements(commit: Commit) -> Iterator[Statement]:
    """Their part of a commit, behind that of the SMS."""
    if commit.receipts:
        latest = {(each.number, each.part): each for each in commit.receipts}
        rows = [
            {**each._asdict(), "state": each.state.value, "key": receipt_key(each.remote_id)}
            for each in latest.values()
        ]
        yield _PUT, (recordset(rows),)
    if commit.outcomes:
        outcomes = [{"number": number, "state": state.value} for number, state in commit.outcomes.items()]
        yield _OUTCOME, (recordset(outcomes),)
    if commit.early_gone:
        yield _EARLY_GONE, (recordset(_pairs(commit.early_gone)),)
    if commit.early:
        last = {(each.account, each.key, each.state): each for each in commit.early}
        yield _PUT_EARLY, (recordset([{**e._asdict(), "state": e.state.value} for e in last.values()]),)


def _pairs(keys: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"account": account, "key": key} for account, key in keys]


class ReceiptCalls:
    """The calls; the rest of the store is PostgresStore."""

    _link: Link

    async def receipts_named(self, keys: Sequence[tuple[str, str]]) -> list[PartReceipt]:
        """Searches of an index."""
        rows = await self._link.read(_NAMED, (recordset(_pairs(list(dict.fromkeys(keys)))),))
        return [part_receipt(row) for row in rows]

    async def receipts_of(self, numbers: Sequence[int]) -> list[PartReceipt]:
        """Searches of the primary key."""
        return [part_receipt(row) for row in await self._link.read(_OF, (list(numbers),))]

    async def receipts_due(self, now: int, limit: int) -> list[PartReceipt]:
        """A search of the index of those that are waited for."""
        return [part_receipt(row) for row in await self._link.read(_DUE, (now, limit))]

    async def early_named(self, keys: Sequence[tuple[str, str]]) -> list[EarlyReceipt]:
        """Searches of the primary key, and of an index."""
        rows = await self._link.read(_EARLY_NAMED, (recordset(_pairs(list(dict.fromkeys(keys)))),))
        return sorted(map(_early_receipt, rows))

    async def early_open(self, before: int, limit: int) -> list[EarlyReceipt]:
        """A search of the index of those that are not reported."""
        return [_early_receipt(row) for row in await self._link.read(_EARLY_OPEN, (before, limit))]
