"""A reload of tables that lie on a disk which does not answer, and one whose client goes away.

The disk is a lease of a file (fcntl(2)): who opens the file waits until the lease is given back.
"""

import asyncio
import fcntl
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.operations.control import CommandRefused, ask, follow
from tests.operations.swapped import write_version
from tests.proofs.served import PATIENCE, Served, events, serving, write_config
from tests.support import store_of

pytestmark = pytest.mark.skipif(not hasattr(fcntl, "F_SETLEASE"), reason="leases of files are Linux's")


@contextmanager
def standing(path: Path) -> Iterator[None]:
    """Let everybody wait who opens a file."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the system asks for the lease with it
    try:
        with path.open("r+b") as file:
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as error:
                pytest.skip(f"this file system has no leases: {error}")
            yield
    finally:
        signal.signal(signal.SIGIO, before)


@asynccontextmanager
async def serving_tables(folder: Path) -> AsyncIterator[Served]:
    """A gateway with version A in its folder of tables, which then gets version B."""
    write_version(folder / "tables", "A")
    async with serving(write_config(folder, tables={"folder": "tables"})) as served:
        write_version(folder / "tables", "B")
        yield served


def reload(folder: Path) -> Any:
    """The answers to a reload."""
    return aclosing(follow(store_of(folder), "tables reload", PATIENCE, dry_run="no"))


async def test_a_disk_that_hangs_does_not_keep_a_gateway_from_stopping(tmp_path: Path) -> None:
    """SMS are not concerned; the process ends in order, and its log has nothing but its own events."""
    async with serving_tables(tmp_path) as served, reload(tmp_path) as answers:
        with standing(tmp_path / "tables" / "appendix8.yaml"):
            assert await anext(answers) == {"reading": True}
            assert await served.stop() == 0
        assert [each async for each in answers] == []
    assert events(served.log)[-1] == "gateway.stopped"
    assert "library.log" not in events(served.log)
    assert served.stderr == ""


async def test_a_reload_whose_client_goes_away_changes_nothing(tmp_path: Path) -> None:
    """Ctrl-C while the files are read: the old tables stay, and the next reload is served."""
    async with serving_tables(tmp_path) as served:
        store = store_of(tmp_path)
        before = (await ask(store, "tables"))["version"]
        with standing(tmp_path / "tables" / "appendix8.yaml"):
            async with reload(tmp_path) as answers:
                await anext(answers)
            with pytest.raises(CommandRefused, match="another reload is under way"):
                async with reload(tmp_path) as answers:
                    await anext(answers)
        await until_served(tmp_path)
        assert (await ask(store, "tables"))["version"] == before
        assert events(served.log).count("tables.loaded") == 1


async def until_served(folder: Path) -> None:
    """Wait until no reload is under way."""
    for _ in range(int(PATIENCE / 0.01)):
        try:
            asked = follow(store_of(folder), "tables reload", PATIENCE, dry_run="yes")
            assert [each async for each in asked]
        except CommandRefused:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("a reload is under way for ever")
