"""Looks at the schema of a store on PostgreSQL, and brings it up to date."""

from importlib import resources
from typing import Any, Final

import psycopg

from gateway.storage.contract import StoreUnusable
from gateway.storage.postgresql.owner import GONE, LIVE
from gateway.storage.postgresql.place import Place

SCHEMA_VERSION: Final = 5

_LOCK: Final = 0x0FE7_1011
"""Key of the lock that one migration holds, to the end of its transaction."""
_LOSES: Final = "what is acknowledged would be lost"
REFUSED: Final = (
    ("fsync", "off", f"{_LOSES}: set fsync = on"),
    ("synchronous_commit", "off", f"{_LOSES}: ALTER ROLE ... SET synchronous_commit = on"),
)
"""Settings of a server on which a store cannot keep its promises, and what to do."""
_ENCODING: Final = "UTF8"
_NODES: Final = 2
"""The first version with a table of nodes."""
_LIVES: Final = f"SELECT name FROM node n WHERE {LIVE} AND NOT ({GONE}) ORDER BY number LIMIT 1"  # noqa: S608

Connection = psycopg.Connection[tuple[Any, ...]]


def version_of(db: Connection) -> int:
    """The version of the schema; 0: there is no store."""
    found = db.execute("SELECT to_regclass('fetion_store')").fetchone()
    if found is None or found[0] is None:
        return 0
    row = db.execute("SELECT version FROM fetion_store").fetchone()
    return int(row[0]) if row else 0


def check_server(db: Connection, place: Place) -> None:
    """Raises StoreUnusable for a server whose settings lose or spoil what is stored."""
    for name, value, remedy in REFUSED:
        if _setting(db, name) == value:
            raise StoreUnusable(f"{place.name}: {name} of the server is {value}: {remedy}")
    if (encoding := _setting(db, "server_encoding")) != _ENCODING:
        raise StoreUnusable(
            f"{place.name}: the encoding of this database is {encoding}:"
            f" createdb --encoding={_ENCODING} --template=template0"
        )


def _setting(db: Connection, name: str) -> str:
    row = db.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def check_version(version: int, place: Place) -> None:
    """Raises StoreUnusable for a store of a newer version."""
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"{place.name}: its schema is version {version}, this gateway knows up to {SCHEMA_VERSION}:"
            " use a newer gateway, or a backup from before the upgrade"
        )


def migrate(db: Connection, place: Place) -> None:
    """Bring the schema to SCHEMA_VERSION, all numbered files in one transaction.

    Raises StoreUnusable for a store of a newer version, and while a gateway of an older one runs on it;
    psycopg.Error.
    """
    check_version(version := version_of(db), place)
    if version == SCHEMA_VERSION:
        return
    folder = resources.files("gateway.storage.postgresql") / "schema"
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        check_version(version := version_of(db), place)  # another gateway may just have done it
        if _NODES <= version < SCHEMA_VERSION and (lives := db.execute(_LIVES).fetchone()):
            raise StoreUnusable(
                f"{place.name}: a gateway of an older version has this store open"
                f" (node.name: {lives[0] or 'none'}): stop all of them, then start this one,"
                " which brings the schema up to date"
            )
        for step in range(version + 1, SCHEMA_VERSION + 1):
            db.execute((folder / f"{step:04}.sql").read_bytes())
            db.execute("UPDATE fetion_store SET version = %s", (step,))
