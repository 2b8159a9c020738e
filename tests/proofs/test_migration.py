"""Stores of earlier versions open, and go on where they were.

tests/vectors/store_2.db was made by version 0.1.0 at schema 2 on 2026-11-27, killed with kill -9 in the midst
of its work: SMS that wait (one with a sealed password), one that is parked, a part that waits, ranges of
answers in doubt, a retransmission that was answered, texts that were not stored, and a customer who texted
the words <secret>.
"""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.message import Delivery
from gateway.storage.sqlite import migration
from gateway.testing import FakeClock
from tests.proofs.served import accepted, bind, delivered, inside, rows, sms, text_of, write_config
from tests.support import at_once, part_of_many, store_at, store_of

VECTORS = Path(__file__).parent.parent / "vectors"
KILLED_AT = 1_795_764_924_600
"""Some milliseconds after the last row."""
ALICE, BOB, CAROL, DAVE, ERIN = "13800138000", "13900139000", "13600136000", "13500135000", "13700137000"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose store is the old one."""
    config = write_config(tmp_path)
    store = store_of(tmp_path)
    store.parent.mkdir()
    shutil.copy(VECTORS / "store_2.db", store)
    shutil.copy(VECTORS / "store_2.key", store.with_suffix(".key"))
    store.with_suffix(".key").chmod(0o600)
    return config


async def test_what_waited_leaves_and_what_is_known_stays(config: Path, tmp_path: Path) -> None:
    """The SMS that waited leave, the sealed password too; the parked one stays parked; customers, buddies and
    orders are there; the part that waited is joined by its other half."""
    async with inside(config, clock=FakeClock(KILLED_AT)) as gateway, await bind(gateway.port) as esme:
        [waiting] = rows(VECTORS / "store_2.db", "SELECT sum(parts) AS parts FROM outbox WHERE state = 0")
        told: dict[str, str] = {}
        for each in [await delivered(esme) for _ in range(waiting["parts"])]:
            told[each.destination_addr] = told.get(each.destination_addr, "") + text_of(each)
        assert set(told) == {ALICE, BOB, CAROL, ERIN}
        assert "密码是" in told[BOB]
        await accepted(esme, part_of_many(9, 2, 2, b"second half", sender=BOB))
        assert text_of(await delivered(esme)) == "first half second half"
        assert BOB in told[ALICE]
        await accepted(esme, sms(BOB, "161", f"CX#{ALICE}"))
        assert ALICE in text_of(await delivered(esme))
    parked = rows(store_of(tmp_path), "SELECT msisdn FROM outbox WHERE state = 4")
    assert [row["msisdn"] for row in parked] == [DAVE]


@pytest.mark.parametrize("version", [2, 3])
def test_every_sms_that_leaves_comes_through(
    version: int, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From either version: what waits waits, what is parked is parked, and no closed row is another one."""
    path = store_of(config.parent)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, monkeypatch.context() as patch:
        patch.setattr(migration, "SCHEMA_VERSION", version)
        migration.migrate(db, path)
        query = "SELECT number, state, closed_at, text, secret, attempts FROM outbox ORDER BY number"
        before = db.execute(query).fetchall()
    numbers = {state: [row[0] for row in before if row[1] == state] for state in Delivery}
    assert all(numbers[state] for state in (Delivery.WAITING, Delivery.PARKED, Delivery.SENT))
    store = store_at(path)
    assert store._db.execute(query).fetchall() == before
    assert [sms.number for sms in at_once(store.waiting(0, 1000))] == numbers[Delivery.WAITING]
    at_once(store.recover(KILLED_AT))
    assert [sms.number for sms in at_once(store.waiting(0, 1000))] == numbers[Delivery.WAITING]
    for number in numbers[Delivery.PARKED]:
        assert at_once(store.parked(number)) is not None
    store.release()


@pytest.mark.parametrize("version", [2, 5])
def test_what_is_parked_has_one_name(version: int, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of its own under that name takes the place of the old one; no attempt is made up, and the
    session of what was closed is not known."""
    path = store_of(config.parent)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, monkeypatch.context() as patch:
        patch.setattr(migration, "SCHEMA_VERSION", version)
        migration.migrate(db, path)
        assert "suspect" in str(db.execute("SELECT name FROM sqlite_master").fetchall())
    store_at(path).release()
    [names] = rows(path, "SELECT group_concat(name) AS names FROM sqlite_master")
    assert "outbox_parked" in names["names"]
    assert "suspect" not in names["names"]
    [found] = rows(path, "SELECT max(session) AS session, (SELECT count(*) FROM attempt) AS n FROM outbox")
    assert found == {"session": 0, "n": 0}


async def test_the_trace_of_an_old_sms(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was parked before is parked now, and its trace says that nothing is known of its attempts."""
    async with inside(config, clock=FakeClock(KILLED_AT)):
        pass
    [parked] = rows(store_of(tmp_path), "SELECT number, attempts FROM outbox WHERE state = 4")
    assert await asyncio.to_thread(main, ["trace", f"{parked['number']:016x}", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert f"{parked['number']:016x}  parked, {parked['attempts']} attempt" in said
    assert ": not known (" in said
    assert f"fetion-gateway outbox retry {parked['number']:016x}" in said


async def test_what_was_in_doubt_may_come_again(config: Path, tmp_path: Path) -> None:
    """QXFX was answered on a session that was cut: its retransmission gets the number that it had; the CXFX
    that had come again is expected once more, for its second answer was in doubt at the kill; an hour later
    both are new SMS."""
    clock = FakeClock(KILLED_AT)
    async with inside(config, clock=clock) as gateway, await bind(gateway.port, "transmitter") as esme:
        assert await accepted(esme, sms(CAROL, "161", "QXFX")) == "0000000100000021"
        assert await accepted(esme, sms(ERIN, "161", "CXFX")) == "0000000100000020"
        clock.move_to(KILLED_AT + 3_600_000)
        assert await accepted(esme, sms(ALICE, "161", "HYLB")) != "0000000100000027"
    [row] = rows(store_of(tmp_path), "SELECT count(*) AS n FROM journal WHERE instruction = 'service.cancel'")
    assert row["n"] == 1


async def test_why_a_text_is_not_stored(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marks in texts become a column: what a customer wrote is a text, also where it looks like a mark; tools
    show <masked> in place of the others."""
    async with inside(config, clock=FakeClock(KILLED_AT)):
        pass
    found = rows(
        store_of(tmp_path),
        "SELECT number, text, hidden, sub_code FROM journal WHERE text IN ('', '<secret>')",
    )
    by_reason = {(row["text"], row["hidden"]): row["number"] for row in found if row["hidden"] or row["text"]}
    assert set(by_reason) == {("", "password"), ("", "attempt"), ("<secret>", "")}
    assert (
        await asyncio.to_thread(main, ["trace", f"{by_reason['', 'attempt']:016x}", "--config", str(config)])
        == 0
    )
    assert "<masked>" in capsys.readouterr().out


def test_an_old_store_is_not_read_beside_its_gateway(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands that only read do not migrate: they say which version it is, and change nothing."""
    before = store_of(config.parent).read_bytes()
    assert main(["trace", "0000000100000021", "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert "version 2" in said
    assert "start its gateway in this version" in said
    assert store_of(config.parent).read_bytes() == before


def test_a_newer_store_is_not_read(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The remedy is another one than that of an old store."""
    with closing(sqlite3.connect(store_of(config.parent))) as db:
        db.execute(f"PRAGMA user_version={migration.SCHEMA_VERSION + 1}")
    assert main(["outbox", "list", "--config", str(config)]) == 1
    assert "use the command of the newer version" in capsys.readouterr().err
