"""A store on SQLite as the source of a copy (gateway.storage.copying)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.storage.contract import StoreUnusable
from gateway.storage.copying import BOOLEANS, KEPT, KEPT_ALIKE, TABLES, Row, Source
from gateway.storage.sqlite.store import SqliteStore, unusable

_OTHERWISE: Final = {
    ("outbox", "text"): "CASE WHEN secret THEN '' ELSE coalesce(text, '') END",
    ("outbox", "sealed"): "CASE WHEN secret THEN text END",
    ("product_record", "id"): "rowid",
    ("product_record", "msisdn"): "CAST(msisdn AS TEXT)",
}
"""Columns that stand otherwise here."""
_ALIKE: Final = "".join(f" OR key LIKE '{each}%'" for each in KEPT_ALIKE)
_WHERE: Final = {"meta": f"WHERE key IN ({', '.join(repr(key) for key in sorted(KEPT))}){_ALIKE}"}


class SqliteSource:
    """Reads one file; made by opened."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Source]:
        """Lock the store, and bring it to the schema of today. Raises StoreInUse, StoreUnusable."""
        if not path.exists():
            raise StoreUnusable(f"{path}: there is no store: storage.url must name that of a gateway")
        store = SqliteStore.open(path)
        try:
            with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
                yield cls(db)
        except sqlite3.Error as error:
            raise unusable(path, error) from error
        finally:
            store.release()

    def count(self, table: str) -> int:
        """One look at the table."""
        where = _WHERE.get(table, "")
        return int(self._db.execute(f"SELECT count(*) FROM {table} {where}").fetchone()[0])  # noqa: S608

    def rows(self, table: str) -> Iterator[Row]:
        """In one go: nobody writes."""
        columns = TABLES[table].split(", ")
        read = ", ".join(_OTHERWISE.get((table, column), column) for column in columns)
        logical = [place for place, column in enumerate(columns) if column in BOOLEANS]
        for found in self._db.execute(f"SELECT {read} FROM {table} {_WHERE.get(table, '')}"):  # noqa: S608
            row = list(found)
            for place in logical:
                row[place] = bool(row[place])
            yield tuple(row)
