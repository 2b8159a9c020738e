"""Brings the schema of an SQLite store up to date."""

import sqlite3
from importlib import resources
from pathlib import Path

from gateway.storage.contract import StoreUnusable

SCHEMA_VERSION = 9


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the schema to SCHEMA_VERSION, one numbered file after the other, each in its own transaction.

    Raises StoreUnusable for a store of a newer version.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StoreUnusable(
            f"{path}: its schema is version {version}, this gateway knows up to {SCHEMA_VERSION}:"
            " use a newer gateway, or a backup from before the upgrade"
        )
    folder = resources.files("gateway.storage.sqlite") / "schema"
    for step in range(version + 1, SCHEMA_VERSION + 1):
        script = (folder / f"{step:04}.sql").read_text(encoding="utf-8")
        db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={step};\nCOMMIT;")
