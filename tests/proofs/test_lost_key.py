"""The key file that a store was made with: what happens when it is gone, or is another one."""

import asyncio
import secrets
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.message import message_id
from gateway.operations.control import CommandRefused, ask
from tests.proofs.served import (
    accepted,
    bind,
    delivered,
    inside,
    lines,
    rows,
    serving,
    sms,
    text_of,
    write_config,
)

ONE, OTHER = "13800138000", "13800138001"


async def used(config: Path) -> Path:
    """A store that has customers; its key file."""
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ONE, "161", "KTFX"))
        await delivered(handset)
    return config.parent / "var/fetion.key"


def refused(config: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What `serve` says when it does not start."""
    assert main(["serve", "--config", str(config)]) == 1
    return capsys.readouterr().err


def test_a_missing_key_is_never_replaced_silently(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that knows its key is not served without it: the key file and both remedies are named, no
    new key is made."""
    config = write_config(tmp_path)
    key = asyncio.run(used(config))
    key.unlink()
    said = refused(config, capsys)
    assert said.startswith(f"fetion-gateway: {key}: the key of this store is missing: ")
    assert "restore it from a backup" in said
    assert "serve --new-key" in said
    assert not key.exists()


def test_another_key_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key of the right size that belongs to another store is refused, and left as it is."""
    config = write_config(tmp_path)
    key = asyncio.run(used(config))
    other = secrets.token_bytes(32)
    key.write_bytes(other)
    assert "not the key that this store was made with" in refused(config, capsys)
    assert key.read_bytes() == other


def test_the_restored_key_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The refusal has spoilt nothing: with the key back in its place the store is served."""
    config = write_config(tmp_path)
    key = asyncio.run(used(config))
    kept = key.rename(key.with_name("kept"))
    refused(config, capsys)
    kept.rename(key)
    assert asyncio.run(used(config)) == key


@pytest.mark.parametrize("gone", [True, False], ids=["missing", "another"])
async def test_the_loss_is_accepted_once(tmp_path: Path, gone: bool) -> None:
    """With new_key the store goes on with another key, keeps its customers, and needs no flag afterwards."""
    config = write_config(tmp_path)
    key = await used(config)
    key.unlink()
    if not gone:
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(32))
    async with inside(config, new_key=True):
        pass
    [replaced] = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "key.replaced"]
    assert replaced["file"] == str(key)
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ONE, "161", "CXFX"))
        assert "开通" in text_of(await delivered(handset))
    assert len(rows(tmp_path / "var/fetion.db", "SELECT * FROM meta WHERE key = 'key_check'")) == 1


async def test_serve_takes_the_flag(tmp_path: Path) -> None:
    """`serve --new-key` is how an operator accepts the loss."""
    config = write_config(tmp_path)
    key = await used(config)
    key.unlink()
    async with serving(config, "--new-key") as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(OTHER, "161", "KTFX"))
    assert key.stat().st_size == 32


async def test_a_lost_store_costs_no_key(tmp_path: Path) -> None:
    """A new store takes the key that is there."""
    config = write_config(tmp_path)
    key = await used(config)
    before = key.read_bytes()
    for path in (tmp_path / "var").glob("fetion.db*"):
        path.unlink()
    await used(config)
    assert key.read_bytes() == before


async def test_what_the_lost_key_had_sealed_is_parked(tmp_path: Path) -> None:
    """A password that waits cannot be read with another key: it is parked where an operator sees it, keeps
    nobody waiting, and can be dropped."""
    config = write_config(tmp_path)
    key = await used(config)
    async with inside(config) as gateway, await bind(gateway.port, "transmitter") as handset:
        await accepted(handset, sms(ONE, "161", "P"))
    key.unlink()
    async with inside(config, new_key=True) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ONE, "161", "CXFX"))
        assert "飞信号" in text_of(await delivered(handset))
        store = tmp_path / "var/fetion.db"
        [parked] = rows(store, "SELECT number, error FROM outbox WHERE state = 4")
        assert parked["error"] == "sealed with another key"
        with pytest.raises(CommandRefused, match="can only be dropped"):
            await ask(store, "outbox retry", message=message_id(parked["number"]))
        assert await ask(store, "outbox drop", message=message_id(parked["number"])) == "failed"
    assert rows(store, "SELECT 1 FROM outbox WHERE state IN (0, 4)") == []
