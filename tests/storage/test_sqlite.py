"""What is SQLite's own: which files it takes for a store."""

from pathlib import Path

import pytest

from gateway.storage.contract import StoreUnusable
from gateway.storage.sqlite.store import SqliteStore
from tests.contracts.engines import file_of


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    """Where no file can be is said at once, with the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable, match=r"file/var/fetion\.db"):
        SqliteStore.open(tmp_path / "file" / "var" / "fetion.db")


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """A file with something else in it is refused and stays as it is; the lock on it is given back."""
    file_of(tmp_path).write_bytes(b"not a database" * 1000)
    for _ in range(2):
        with pytest.raises(StoreUnusable, match=r"fetion\.db"):
            SqliteStore.open(file_of(tmp_path))
    assert file_of(tmp_path).read_bytes() == b"not a database" * 1000


def test_a_commit_reaches_the_drive(tmp_path: Path) -> None:
    """Both connections sync as fully as the system can; only macOS knows a difference."""
    store = SqliteStore.open(tmp_path / "fetion.db")
    try:
        for connection in (store._db, store._checkpoints._db):
            for pragma in ("fullfsync", "checkpoint_fullfsync"):
                assert connection.execute(f"PRAGMA {pragma}").fetchone() == (1,)
        assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    finally:
        store.release()
