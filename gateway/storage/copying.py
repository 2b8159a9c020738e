"""What a store consists of, whatever its engine: the tables that a copy to another engine has.

A row is a tuple of None, int, bool, str and bytes in the order of the columns below. Only what belongs to one
engine alone is left out: indices, who owns the store, which SMS are listed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, Protocol

from gateway.storage.marks import MARK, UNCOUNTED

Row = tuple[Any, ...]

TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "journal": "number, at, account, session, sequence, source, destination, msisdn, access_code,"
        " sub_code, province, esm_class, data_coding, parts, instruction, outcome, text, detail, digest,"
        " repeated_at, hidden",
        "outbox": "number, cause, msisdn, account, source, destination, ton, npi, text, sealed, secret,"
        " reference, at, expires_at, state, parts, parts_done, attempts, closed_at, remote_id, error,"
        " source_ton, source_npi, losses, repeat, session, kind, tlvs",
        "attempt": "number, place, ordinal, part, left_at, at, session, remote, result, status, waited",
        "customer": "msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching",
        "buddy": "owner, other, name, since, blocked, matched_at",
        "part": "number, account, source, destination, kind, reference, total, place, data_coding, octets,"
        " deadline, msisdn, ton, npi, at, digest, complete, registered",
        "product_record": "id, cause, msisdn, product, operation, at, trial, province",
        "uncertain": "id, session, first, last, until, done",
        "candidate": "number, digest, session, until, used_at",
        "event": "sequence, origin, at, cause, msisdn, fetion_number, province, family, name, version, data",
        "consumer": "name, cursor, parked, dropped",
        "parked_event": "consumer, sequence, origin, at, cause, msisdn, fetion_number, province, family,"
        " name, version, data, reason",
        "province_asked": "number, at, province, msisdn, destination, reply_by, over_at",
        "province_sent": "province, id, at, number",
        "receipt": "number, part, parts, msisdn, account, remote_id, key, at, until, state, said, error,"
        " receipted_at",
        "early_receipt": "account, key, other, remote_id, at, state, said, error, receipted_at, source,"
        " destination, reported",
        "figure": "kind, measure, period, province, way, what, outcome, count, parts",
        "active_customer": "kind, period, msisdn, province, ways",
        "console_account": "name, password, role, province, created_at, disabled",
        "console_session": "digest, account, token, created_at, seen_at, expires_at",
        "console_audit": "id, at, account, action, subject, reason, remote",
        "operator_action": "request, number, at, actor, action, msisdn, reason",
        "meta": "key, value",
    }
)
"""Table -> its columns."""

BOOLEANS: Final = frozenset({"secret", "blocked", "complete", "trial", "repeat", "reported", "disabled"})
"""Columns that say yes or no."""

KEPT: Final = frozenset({"run", "settled", "settled_at", "key_check", "figures_begun", "active_from"})
"""Keys of `meta` that belong to every engine."""
KEPT_ALIKE: Final = (MARK, UNCOUNTED)
"""What others of them begin with."""

Progress = Callable[[str, int, int], None]
"""Told how many rows of how many of a table are copied, or compared."""


class Source(Protocol):
    """A store that is open for copying: nobody writes it meanwhile."""

    def count(self, table: str) -> int:
        """How many rows a table has."""

    def rows(self, table: str) -> Iterator[Row]:
        """All rows of a table."""


class Digest:
    """Count and digest of rows, whatever their order."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, row: Row) -> None:
        """One more row."""
        self.count += 1
        self._sum += int.from_bytes(blake2b(repr(row).encode(), digest_size=16).digest(), "big")

    def through(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass rows on, each added."""
        for row in rows:
            self.add(row)
            yield row

    def __eq__(self, other: object) -> bool:
        """Whether the rows are the same."""
        return isinstance(other, Digest) and (self.count, self._sum) == (other.count, other._sum)

    __hash__ = None  # type: ignore[assignment]  # it changes
