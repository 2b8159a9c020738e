"""docs/operating.md: its commands for rotation, backup and restore do what it says, beside a gateway at work;
those of fetion-gateway exist."""

import asyncio
import os
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.main import COMMANDS
from gateway.message import number_of
from gateway.simulator.esme import Esme
from tests.operating.page import PAGE, commands, is_like, named_line
from tests.proofs.served import (
    accepted,
    bind,
    delivered,
    inside,
    lines,
    rows,
    serving,
    sms,
    start,
    text_of,
    until,
    write_config,
)
from tests.support import ALICE, store_of

FIRST = 13_700_000_000


async def shell(block: str, folder: Path, **environ: str) -> str:
    """Run a block of the page as it runs in a terminal, in the folder of a configuration. Returns its
    output."""
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", block.replace(".venv/bin/python", sys.executable)),
        cwd=folder,
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_rotation(tmp_path: Path) -> None:
    """The old file ends, the new one begins, and no line is lost or twice."""
    async with serving(write_config(tmp_path)) as gateway, await bind(gateway.port) as peer:
        log, old = gateway.log, tmp_path / "gateway.log.1"
        ids = [await accepted(peer, sms(ALICE, "161", "CXFX"))]
        await shell(commands("rotation"), tmp_path, PID=str(gateway.process.pid))
        await until(log.exists, "the new file")
        ids.append(await accepted(peer, sms(ALICE, "161", "CXFX")))
        await until(lambda: "sms.handled" in log.read_text("utf-8"), "its first lines")
        assert await gateway.stop() == 0
    told = [line for file in (old, log) for line in lines(file) if line["event"] == "sms.handled"]
    assert [line["message_id"] for line in told] == ids
    assert lines(log)[-1]["event"] == "gateway.stopped"


async def test_going_back(tmp_path: Path) -> None:
    """A version that does not know the schema of a store does not start, says what the page says, and leaves
    the store as it is: the newer version starts on it."""
    config, store = write_config(tmp_path), store_of(tmp_path)
    async with inside(config):
        pass
    known = rows(store, "PRAGMA user_version")[0]["user_version"]
    for version in (known + 1, known):
        with closing(sqlite3.connect(store, isolation_level=None)) as database:
            database.execute(f"PRAGMA user_version = {version}")
        if version > known:
            gateway = start(config)
            assert await gateway.ended() == 1
            assert is_like(lines(gateway.log)[-1], named_line("newer"))
    async with inside(config) as again, await bind(again.port) as peer:
        await accepted(peer, sms(ALICE, "161", "KTFX"))


class Opening:
    """A peer whose customers open the service, one after another, until it is told to stop."""

    def __init__(self, peer: Esme) -> None:
        self._peer = peer
        self.opened = 0
        self.stopped = False

    async def run(self) -> None:
        """Eight at a time."""
        while not self.stopped:
            requests = (sms(str(FIRST + self.opened + number), "161", "KTFX") for number in range(8))
            await asyncio.gather(*(accepted(self._peer, request) for request in requests))
            self.opened += 8


async def test_backup_and_restore(tmp_path: Path) -> None:
    """A backup beside a gateway that executes SMS is a whole store: restored over one that is broken, with
    its key, all customers are known who were when it began, and SMS are executed."""
    config, store = write_config(tmp_path), store_of(tmp_path)
    async with serving(config) as gateway, await bind(gateway.port, take=lambda _: 0) as peer:
        opening = Opening(peer)
        running = asyncio.create_task(opening.run())
        await until(lambda: opening.opened >= 80, "some customers")
        known = opening.opened
        assert (await shell(commands("backup"), tmp_path)).strip().endswith("ok")
        after = opening.opened
        opening.stopped = True
        await running
        assert after > known, "nothing came meanwhile"
        assert await gateway.stop() == 0
    backup = tmp_path / "backup"
    assert sorted(file.name for file in backup.iterdir()) == ["fetion.db", "fetion.key"]
    assert {file.stat().st_mode & 0o777 for file in backup.iterdir()} == {0o600}
    with closing(sqlite3.connect(backup / "fetion.db")) as copy:
        assert copy.execute("SELECT count(*) FROM customer").fetchone()[0] >= known
    store.write_bytes(b"broken" * 1000)
    store.with_name("fetion.db-wal").write_bytes(b"another log")
    (tmp_path / "var" / "fetion.key").unlink()
    await shell(commands("restore"), tmp_path)
    async with serving(config) as gateway, await bind(gateway.port) as peer:
        # Replies that waited at the moment of the backup may leave once more.
        mobile = str(FIRST + known - 1)
        number = number_of(await accepted(peer, sms(mobile, "161", "CXFX")))
        while (reply := await delivered(peer)).destination_addr != mobile or "开通" not in text_of(reply):
            pass
        assert await gateway.stop() == 0
    [row] = rows(store, "SELECT instruction, outcome FROM journal WHERE number = ?", number)
    assert row == {"instruction": "service.state", "outcome": "done"}


async def test_a_backup_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    """Where the store cannot be read, or the copy not be written, the good backup stays."""
    config, store = write_config(tmp_path), store_of(tmp_path)
    async with inside(config):
        pass
    await shell(commands("backup"), tmp_path)
    good = (tmp_path / "backup" / "fetion.db").read_bytes()
    store.with_name("fetion.db-wal").unlink(missing_ok=True)
    store.write_bytes(b"broken" * 1000)
    with pytest.raises(AssertionError, match="file is not a database"):
        await shell(commands("backup"), tmp_path)
    assert (tmp_path / "backup" / "fetion.db").read_bytes() == good


async def test_a_restore_loses_no_store(tmp_path: Path) -> None:
    """Without a backup nothing is moved; what an earlier restore moved away is not written over."""
    config, store = write_config(tmp_path), store_of(tmp_path)
    async with inside(config):
        pass
    with pytest.raises(AssertionError, match="backup"):
        await shell(commands("restore"), tmp_path)
    assert store.exists()
    await shell(commands("backup"), tmp_path)
    (tmp_path / "bin").mkdir()
    for number in (1, 2):  # seconds apart, for the name of the folder
        (tmp_path / "bin" / "date").write_text(f"#!/bin/sh\necho 20261127-15000{number}\n")
        (tmp_path / "bin" / "date").chmod(0o755)
        store.write_bytes(b"%d" % number)
        await shell(commands("restore"), tmp_path, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    moved = [tmp_path / f"broken-20261127-15000{number}" / "fetion.db" for number in (1, 2)]
    assert [file.read_bytes() for file in moved] == [b"1", b"2"]


async def test_a_copy_without_the_log_is_not_whole(tmp_path: Path) -> None:
    """Why the page forbids cp while the gateway runs: the file of the store alone lacks the last SMS."""
    store = store_of(tmp_path)
    async with serving(write_config(tmp_path)) as gateway, await bind(gateway.port) as peer:
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        (tmp_path / "copy.db").write_bytes(store.read_bytes())
        assert rows(store, "SELECT msisdn FROM customer") == [{"msisdn": int(ALICE)}]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        tables = copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'customer'").fetchone()[0]
        assert not tables or not copy.execute("SELECT count(*) FROM customer").fetchone()[0]


@pytest.mark.parametrize(
    "words", sorted(set(re.findall(r"fetion-gateway ([a-z]+(?: [a-z]+)?)", PAGE.read_text("utf-8"))))
)
def test_its_commands_exist(words: str) -> None:
    """Each command that the page names is one of the command line, with all of its words."""
    names = {entry.name for entry in COMMANDS}
    assert words in names or words.split()[0] in names


def test_links_within_the_page_lead_somewhere() -> None:
    """Each link to a heading of the page names one."""
    page = PAGE.read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) - anchors == set()
