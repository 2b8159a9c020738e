"""Where a store on PostgreSQL is, and what an error of the server means to whoever uses the store."""

from dataclasses import dataclass, field
from typing import Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.storage.contract import Conflict, StorageError, StoreFault, StoreFull, StoreUnusable
from gateway.storage.nodes import Stale

_USUAL: Final[dict[str, str | int]] = {
    "application_name": "fetion-gateway",
    "connect_timeout": 5,
    # A server that is cut off is noticed within some ten seconds, not after two hours.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""What a URL need not say; libpq's names (docs/postgresql.md)."""

_DISK_FULL: Final = "53100"
_READ_ONLY: Final = "25006"
_ONE_ROW: Final = ("23", "22", "21")
"""Classes of SQLSTATE for which one row is to blame, so that the others can be stored without it: a rule is
broken, a value has no place."""
_STALE: Final = "22012"
"""Division by zero: how a statement of ours says that what a batch has read has changed since."""
_EQUAL: Final = "answered_pkey"
"""The rule that another node breaks which has just stored an equal SMS."""
_AGAIN: Final = frozenset({"40001", "40P01"})
"""Serialisation failure, deadlock: the same transaction may well succeed."""
_LOST: Final = frozenset({"FATAL", "PANIC"})
"""Severities with which the server ends the connection."""

_POOLER: Final = "is a pooler in transaction mode between? set its pool_mode to session, or connect directly"
_REMEDIES: Final = {
    "42501": "the user of storage.url may not do that: make it the owner of the schema",
    "3F000": "create the schema that search_path names",
    "55006": "stop it, then start this one, which brings the schema up to date",
    "42P07": "something else is in this schema: storage.url must name an empty database or schema",
    "55P03": "somebody else holds a lock on a table of the store: pg_locks and pg_stat_activity say who",
    "42P05": _POOLER,
    "26000": _POOLER,
    _READ_ONLY: "storage.url must name the primary; with several hosts: target_session_attrs=read-write",
}
"""What to do at a start, by SQLSTATE."""
_TEMPORARY: Final = frozenset({_READ_ONLY, "55P03", "42P05", "26000"})
"""Of these, what may pass while a store is open."""
_REFUSED: Final = (
    ("too many c", "close other connections, or raise max_connections or the CONNECTION LIMIT"),
    ("remaining connection slots", "close other connections, or raise max_connections"),
    ("certificate verify failed", "sslrootcert must name the authority that signed the server's certificate"),
    ("does not match host name", "name the server in storage.url as its certificate does"),
    ("root certificate file", "sslrootcert of storage.url must name a file that this user may read"),
)
"""The same where a connection is refused, which has no SQLSTATE: words of libpq and the server."""
_REMEDY: Final = "is the server up, and are host, user, password and database of storage.url right?"

BY_INDEX: Final = """
SELECT set_config('enable_seqscan', 'off', TRUE), set_config('enable_sort', 'off', TRUE),
    set_config('jit', 'off', TRUE)
"""
"""For one transaction. What the planner knows of a table is old, and so is a plan that is kept: made while
the table was small, it would read or sort all of it. A statement on a table without an index looks very
expensive then: it must not be compiled."""


SESSION: Final = """
SELECT set_config('lock_timeout', '10s', FALSE),
    set_config('idle_in_transaction_session_timeout', '15s', FALSE),
    set_config('tcp_keepalives_idle', '5', FALSE), set_config('tcp_keepalives_interval', '2', FALSE),
    set_config('tcp_keepalives_count', '3', FALSE), set_config('tcp_user_timeout', '10000', FALSE)
"""
"""For one connection, on the server's side. A lock that somebody else holds is refused after a while, and a
call that we have given up does not wait for it for ever. A gateway that stands still, or whose machine is
gone, does not keep its locks: the next one waits for them. Statements of SQL, as PgBouncer passes no
`options` on. There is no statement_timeout: what is cut on our side is asked for, and a step at the start
may take long."""


class Again(StoreFault):
    """The transaction met another one; the same may succeed."""


@dataclass(frozen=True, slots=True)
class Place:
    """name: the URL without its secrets, for messages. conninfo: for libpq."""

    name: str
    conninfo: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL. Raises StoreUnusable, without repeating what may be a password."""
        try:
            given = conninfo_to_dict(url)
            known = ("user", "host", "port", "dbname")
            user, host, port, database = (str(given.get(key) or "") for key in known)
            host = f"[{host}]" if ":" in host else host
            name = f"postgresql://{user and f'{user}@'}{host}{port and f':{port}'}/{database}"
            if options := given.get("options"):  # they may name the schema
                name += f" ({options})"
            return cls(name, make_conninfo("", **{**_USUAL, **given}))
        except psycopg.Error as error:
            raise StoreUnusable(
                "storage.url: PostgreSQL does not understand it:"
                " postgresql://user:password@host:port/database, with %40 for @ and %2F for / in a password"
            ) from error


def reason_of(error: psycopg.Error) -> str:
    """What happened, in one line: never the DETAIL of the server, which repeats rows."""
    if error.diag.message_primary:
        return error.diag.message_primary
    said: list[str] = []  # libpq says the same of each of its attempts, with TLS and without
    for line in (" ".join(line.split()) for line in str(error).splitlines()):
        if not any(line in earlier for earlier in said):
            said.append(line)
    return " ".join(said) or type(error).__name__


def is_lost(error: psycopg.Error) -> bool:
    """Whether the server has ended the connection, as far as the error tells."""
    return error.diag.severity_nonlocalized in _LOST


def typed(error: psycopg.Error, place: Place) -> StorageError:
    """The contract's error for one of an open store."""
    state, text = error.sqlstate or "", f"{place.name}: {reason_of(error)}"
    if state == _DISK_FULL:
        return StoreFull(f"{text}: make room on the disk of the server")
    if state in _TEMPORARY:
        return StoreFault(f"{text}: {_REMEDIES[state]}")
    if state == _STALE or error.diag.constraint_name == _EQUAL:
        return Stale(f"{place.name}: what the batch has read has changed since")
    if state in _AGAIN:
        return Again(text)
    if state.startswith(_ONE_ROW):
        return Conflict(text)
    return StoreFault(text)


def unusable(error: psycopg.Error, place: Place) -> StoreUnusable:
    """The contract's error for a store that cannot be opened."""
    reason = reason_of(error)
    found = (remedy for words, remedy in _REFUSED if words in reason)
    remedy = _REMEDIES.get(error.sqlstate or "") or next(found, _REMEDY)
    return StoreUnusable(f"{place.name}: {reason}: {remedy}")
