"""A store and its reader are opened by one function each, by URL or path."""

from contextlib import closing
from pathlib import Path

import pytest

from gateway.message import Commit
from gateway.storage.contract import StoreInUse, StoreUnusable
from gateway.storage.engines import open_reader, open_store
from tests.support import received


def url(path: Path) -> str:
    """As storage.url has it."""
    return f"sqlite:///{path}"


async def test_url_and_path_are_one_store(tmp_path: Path) -> None:
    """The URL of a file and its path open the same store."""
    path = tmp_path / "fetion.db"
    store = open_store(url(path))
    await store.commit(Commit(messages=[received(1)]))
    with pytest.raises(StoreInUse, match=str(path)):
        open_store(path)
    for where in (path, url(path)):
        with closing(open_reader(where)) as reader:
            assert [sms.number for sms in reader.journal()] == [1]
    await store.close()
    await open_store(path).close()


async def test_a_relative_path_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes are followed by a path that begins where the process stands."""
    monkeypatch.chdir(tmp_path)
    await open_store("sqlite:///var/fetion.db").close()
    assert (tmp_path / "var" / "fetion.db").exists()
    open_reader(Path("var/fetion.db")).close()


@pytest.mark.parametrize("where", ["oracle://db/fetion", "fetion.db", ""])
def test_an_unknown_engine_is_refused(where: str) -> None:
    """A URL whose engine is not in the table is refused, and the fault names those that are."""
    for opened in (open_store, open_reader):
        with pytest.raises(StoreUnusable, match=r"storage\.url must begin with one of: sqlite://"):
            opened(where)
