"""Fills an empty store on PostgreSQL from another one (gateway.storage.copying): all, checked, or nothing."""

from collections.abc import Iterator
from typing import Any, Final

import psycopg

from gateway.storage.contract import StoreUnusable
from gateway.storage.copying import TABLES, Digest, Progress, Row, Source
from gateway.storage.postgresql.migration import Connection, check_server, migrate
from gateway.storage.postgresql.owner import take
from gateway.storage.postgresql.place import Place, unusable
from gateway.storage.postgresql.rows import kept, text_of

STEP: Final = 10_000
"""Rows between two calls of progress."""

_WATERMARK: Final = (
    """
    UPDATE node SET settled = coalesce((SELECT value FROM meta WHERE key = 'settled'), 0),
        settled_at = coalesce((SELECT value FROM meta WHERE key = 'settled_at'), 0)
    WHERE number = 0
    """,
    "DELETE FROM meta WHERE key IN ('settled', 'settled_at')",
)
"""Here it stands in the row of the node, which is that of a gateway without a name."""
_LEAVE: Final = "UPDATE node SET holder = '', until = 'epoch' WHERE number = 0"

_NUMBERED: Final = ("product_record", "uncertain", "console_audit")
"""Tables whose `id` the server draws."""


def fill(url: str, source: Source, progress: Progress) -> dict[str, int]:
    """Copy all tables in one transaction, read them again, and compare counts and digests.

    Gives how many rows each has. Raises StoreUnusable; then nothing is copied.
    """
    place = Place.of(url)
    try:
        with psycopg.connect(place.conninfo, autocommit=True) as db:
            check_server(db, place)
            migrate(db, place)
            take(db, place)
            try:
                with db.transaction():
                    counts = {table: _copy(db, table, source, progress, place) for table in TABLES}
                    for statement in _WATERMARK:
                        db.execute(statement)
                    return counts
            finally:
                db.execute(_LEAVE)
    except psycopg.Error as error:
        raise unusable(error, place) from error


def _copy(db: Connection, table: str, source: Source, progress: Progress, place: Place) -> int:
    """Copy one table and check it."""
    columns, count = TABLES[table], source.count(table)
    found = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    if found is None or found[0]:
        raise StoreUnusable(f"{place.name}: {table} has rows already: a copy needs an empty store")
    written, read = Digest(), Digest()
    with db.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
        for row in written.through(source.rows(table)):
            copy.write_row(tuple(map(kept, row)))
            if written.count % STEP == 0 and written.count < count:
                progress(table, written.count, count)
    for row in _stored(db, table, columns):
        read.add(row)
        if read.count % STEP == 0 and read.count < count:
            progress(f"{table}, check", read.count, count)
    if written != read or written.count != count:
        raise StoreUnusable(
            f"{place.name}: {table}: {read.count} rows of {count} are there, or some are not as they were:"
            " nothing is copied"
        )
    if table in _NUMBERED:
        sequence = f"pg_get_serial_sequence('{table}', 'id')"
        db.execute(f"SELECT setval({sequence}, max(id)) FROM {table} HAVING count(*) > 0")  # noqa: S608
    progress(table, count, count)
    return count


def _stored(db: Connection, table: str, columns: str) -> Iterator[Row]:
    """All rows as the server has them now."""
    with db.cursor("stored") as cursor:
        cursor.itersize = STEP
        for row in cursor.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608
            yield tuple(map(_value, row))


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return text_of(value)
    return bytes(value) if isinstance(value, memoryview) else value
