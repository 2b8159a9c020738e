"""What an operator may do wrong: a clear error with place and remedy, the right exit code, nothing lost."""

import asyncio
import re
import shutil
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gateway.cli.main import main
from gateway.message import Delivery
from gateway.smpp.codec import encode
from gateway.smpp.pdus import BindTransceiver, DeliverSm, DeliverSmResp, Unbind, UnbindResp
from gateway.storage.sqlite.store import SqliteStore
from routing.loader import FILES
from routing.table import Routing
from routing.tablefile import TableError
from tests.proofs.canaries import snapshot
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    Served,
    accepted,
    bind,
    delivered,
    events,
    frame,
    inside,
    rows,
    serving,
    sms,
    text_of,
    until,
    write_config,
)

ONE, OTHER = "13800138000", "13800138001"
SHIPPED_TABLES = Path(__file__).parents[2] / "routing"


def refused(config: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `serve` says when it does not start: one line on standard error, exit code 1, no port."""
    with pytest.raises(SystemExit) as left:
        sys.exit(main(["serve", "--config", str(config)]))
    assert left.value.code == 1
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "gateway.ready" not in said.out
    return said.err


def used_store(folder: Path) -> Path:
    """A store that a gateway has used, closed again."""
    SqliteStore.open(folder / "var/fetion.db").release()
    return folder / "var/fetion.db"


# Before anything runs


def test_unknown_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown key is named with its file, its line and the key that was meant; nothing is written."""
    config = tmp_path / "config.yaml"
    config.write_text("smpp:\n  listen: {port: 0}\n  timers: {enquire_lnik: 5}\n", encoding="utf-8")
    said = refused(config, capsys)
    assert f"{config}:3: smpp.timers.enquire_lnik:" in said
    assert "enquire_link" in said
    assert set(snapshot(tmp_path)) == {"config.yaml"}


def test_overlapping_tables(tmp_path: Path) -> None:
    """Two rows that share a number are refused: file, line and key of the one, the line of the other."""
    for name in FILES:
        shutil.copyfile(SHIPPED_TABLES / name, tmp_path / name)
    table = tmp_path / "appendix7.yaml"
    content = yaml.safe_load(table.read_bytes())
    content["rows"].append(content["rows"][0])
    table.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    with pytest.raises(TableError) as caught:
        Routing.load(tmp_path)
    place = (
        re.escape(f"{table}:") + rf"\d+: rows\[{len(content['rows']) - 1}\]\.tail: .* overlaps .* on line \d+"
    )
    assert re.search(place, str(caught.value))


def test_port_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken is named with the remedy; the store is closed and free for the next try."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(write_config(tmp_path, smpp={"listen": {"port": port}}), capsys)
    assert f"127.0.0.1:{port}: " in said
    assert "smpp.listen" in said
    used_store(tmp_path)


def below_a_file(folder: Path) -> None:
    """var is a regular file."""
    (folder / "var").write_text("mine")


def no_database(folder: Path) -> None:
    """The store is somebody's letter."""
    (folder / "var").mkdir()
    (folder / "var/fetion.db").write_text("Dear Sir or Madam, " * 100)


def a_folder(folder: Path) -> None:
    """The store is a folder."""
    (folder / "var/fetion.db").mkdir(parents=True)


def newer_schema(folder: Path) -> None:
    """A later gateway has been here."""
    database = sqlite3.connect(used_store(folder))
    database.execute("PRAGMA user_version = 99")
    database.close()


def open_key(folder: Path) -> None:
    """Everybody may read the key."""
    (folder / "var").mkdir()
    key = folder / "var/fetion.key"
    key.write_bytes(bytes(32))
    key.chmod(0o644)


def short_key(folder: Path) -> None:
    """Half a key."""
    (folder / "var").mkdir()
    key = folder / "var/fetion.key"
    key.touch(0o600)
    key.write_bytes(bytes(16))


def key_is_a_folder(folder: Path) -> None:
    """The key cannot be read."""
    (folder / "var/fetion.key").mkdir(parents=True, mode=0o700)


def log_below_a_file(folder: Path) -> None:
    """The log's folder is a regular file."""
    (folder / "logs").write_text("mine")
    write_config(folder, logging={"file": "logs/gateway.log"})


def long_path(folder: Path) -> None:
    """The store stands so deep that no control socket fits beside it."""
    write_config(folder, storage={"url": f"sqlite:///{'deep/' * 25}fetion.db"})


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (below_a_file, ["{0}/var/fetion.", "must"]),
        (no_database, ["{0}/var/fetion.db: ", "not a database", "storage.url"]),
        (a_folder, ["{0}/var/fetion.db: ", "storage.url"]),
        (newer_schema, ["{0}/var/fetion.db: ", "version 99", "newer gateway"]),
        (open_key, ["{0}/var/fetion.key: ", "chmod 600"]),
        (short_key, ["{0}/var/fetion.key: ", "backup"]),
        (key_is_a_folder, ["{0}/var/fetion.key: ", "storage.key_file"]),
        (log_below_a_file, ["{0}/logs", "logging.file"]),
        (long_path, ["{0}/deep/", "control socket", "storage.url"]),
    ],
)
def test_a_place_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], None], named: list[str]
) -> None:
    """Whatever is wrong with store, key or log: path and remedy are said, and what was there is as it was."""
    config = write_config(tmp_path)
    spoil(tmp_path)
    before = snapshot(tmp_path)
    said = refused(config, capsys)
    for words in named:
        assert words.format(tmp_path) in said
    after = snapshot(tmp_path)
    assert {name: after.get(name) for name in before} == before


async def test_second_gateway(tmp_path: Path) -> None:
    """A second gateway on a store is refused with the path and the remedy; the first one goes on."""
    config = write_config(tmp_path)
    second = tmp_path / "second"
    async with serving(config) as gateway, await bind(gateway.port) as handset:
        other = write_config(second, storage={"url": f"sqlite:///{tmp_path}/var/fetion.db"})
        with pytest.raises(AssertionError, match="another gateway") as refusal:
            async with serving(other):
                pass
        assert f"{tmp_path}/var/fetion.db" in str(refusal.value)
        assert "storage.url" in str(refusal.value)
        await accepted(handset, sms(ONE, "161", "KTFX"))
        assert "欢迎" in text_of(await delivered(handset))


# While it runs


async def test_hang_up_reopens_the_log(tmp_path: Path) -> None:
    """SIGHUP after the log was moved away: a new file of the same name, no line lost; and when the folder is
    gone, the old file stays in use and says so."""
    config = write_config(tmp_path, logging={"file": "logs/gateway.log"})
    log, moved = tmp_path / "logs/gateway.log", tmp_path / "logs/gateway.log.1"
    (tmp_path / "logs").mkdir()
    (tmp_path / "gateway.log").symlink_to(log)
    async with serving(config) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ONE, "161", "KTFX"))
        log.rename(moved)
        gateway.send(signal.SIGHUP)
        await until(log.exists, "the new file")
        await accepted(handset, sms(ONE, "161", "CXFX"))
        await until(lambda: "sms.handled" in events(log), "lines in the new file")
        (tmp_path / "logs").rename(tmp_path / "old")
        (tmp_path / "logs").write_text("no folder")
        gateway.send(signal.SIGHUP)
        await until(lambda: "log.reopen_failed" in events(tmp_path / "old/gateway.log"), "the complaint")
    told = events(tmp_path / "old/gateway.log.1") + events(tmp_path / "old/gateway.log")
    assert told.count("sms.handled") == 2


async def test_unbind_between_two_parts(tmp_path: Path) -> None:
    """A handset's centre takes the first part of a reply and unbinds in the same breath: the rest waits for
    the next bind, and the reply is not given up."""
    config = write_config(tmp_path)
    async with inside(config) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(encode(BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1)))
        await frame(reader)
        writer.write(encode(sms(ONE, "161", "BZ", sequence_number=2)))
        first = [pdu for pdu in (await frame(reader), await frame(reader)) if isinstance(pdu, DeliverSm)]
        answer = DeliverSmResp(sequence_number=first[0].sequence_number)
        writer.write(encode(answer) + encode(Unbind(sequence_number=3)))
        assert isinstance(await frame(reader), UnbindResp)
        writer.close()
        await writer.wait_closed()
        async with await bind(gateway.port) as handset:
            assert (await delivered(handset)).esm_class & 0x40
            await until(lambda: "sms.sent" in events(tmp_path / "gateway.log"), "the last part")
    assert [row["state"] for row in rows(tmp_path / "var/fetion.db", "SELECT state FROM outbox")] == [
        Delivery.SENT
    ]


async def stopped(gateway: Served, deadline: float) -> None:
    """SIGTERM ends it with 0, before its deadline and a little patience are over."""
    began = time.monotonic()
    assert await gateway.stop() == 0
    assert time.monotonic() - began < deadline + 3
    assert events(gateway.log)[-1] == "gateway.stopped"
    assert gateway.stderr == ""


async def test_stop_with_polite_binds(tmp_path: Path) -> None:
    """SIGTERM with binds that answer unbind: each is unbound, exit 0 without waiting for the deadline."""
    async with serving(write_config(tmp_path, shutdown={"deadline": 60})) as gateway:
        handsets = [await bind(gateway.port) for _ in range(3)]
        await stopped(gateway, 0)
        assert [await handset.wait_lost() for handset in handsets] == ["unbound by peer"] * 3


async def test_stop_with_a_deaf_bind(tmp_path: Path) -> None:
    """SIGTERM with a bind that answers neither its SMS nor unbind: exit 0 at the deadline; what was not
    acknowledged leaves again after the next start."""
    config = write_config(tmp_path, shutdown={"deadline": 0.5})
    async with serving(config) as gateway:
        deaf, silent = await deaf_bind(gateway.port), await deaf_bind(gateway.port)
        async with await bind(gateway.port, "transmitter") as sender:
            await accepted(sender, sms(ONE, "161", "KTFX"))
        await until(lambda: rows(tmp_path / "var/fetion.db", "SELECT * FROM outbox"), "the reply's row")
        await stopped(gateway, 0.5)
        deaf.close()
        silent.close()
    assert "gateway.stop_deadline" in events(tmp_path / "gateway.log")
    async with serving(config) as gateway, await bind(gateway.port) as handset:
        assert "欢迎" in text_of(await delivered(handset))


async def deaf_bind(port: int) -> socket.socket:
    """A transceiver that reads nothing any more."""
    request = bytes.fromhex("0000000900000000") + b"\x00\x00\x00\x01"
    body = f"{SYSTEM_ID}\0{PASSWORD}\0\0".encode() + b"\x34\x00\x00\x00"
    request = (16 + len(body)).to_bytes(4, "big") + request + body
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(request)
    assert connection.recv(4)
    return connection
