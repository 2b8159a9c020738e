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
