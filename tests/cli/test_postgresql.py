"""The commands on a store on PostgreSQL, from check to settle, with the gateway as its own process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.storage import engines
from gateway.storage.contract import StoreUnusable
from tests.postgresql import PASSWORD, missing, schema_of, shared, url_of
from tests.proofs.served import accepted, bind, delivered, inside, serving, sms, write_config

ONE = "13800138000"
needs_server = pytest.mark.skipif(bool(missing()), reason=missing())


def configured(folder: Path, url: str) -> Path:
    """A gateway on that store."""
    return write_config(folder, storage={"url": url, "key_file": str(folder / "fetion.key")})


def call(*words: str) -> tuple[int, str]:
    """Exit code, and all that a command says."""
    command = [sys.executable, "-m", "gateway", *words]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    return done.returncode, done.stdout + done.stderr


@needs_server
async def test_every_command_works(tmp_path: Path) -> None:
    """check, serve, trace, outbox list, binds, replay and settle; none of them says the password."""
    config = configured(tmp_path, url_of(tmp_path))
    said = [call("check", "--config", str(config))]
    async with serving(config) as gateway:
        async with await bind(gateway.port) as handset:
            name = await accepted(handset, sms(ONE, "161", "KTFX"))
            await delivered(handset)
            said += [
                call(*words, "--config", str(config)) for words in (["binds"], ["outbox", "list"], ["status"])
            ]
        traced, unknown = (
            call("trace", number, "--config", str(config)) for number in (name, "0000000100ffffff")
        )
        assert await gateway.stop() == 0
        said.append((0, gateway.stderr + gateway.log.read_text("utf-8")))
    said += [traced, call("replay", "--config", str(config))]
    assert name in traced[1]
    days = ("--from", "2020-01-01", "--to", "2030-01-01")
    said.append(call("settle", *days, "--out", str(tmp_path / "out"), "--config", str(config)))
    assert [code for code, _ in said] == [0] * len(said), said
    assert ONE in (tmp_path / "out" / "uplink.csv").read_text("utf-8")
    assert unknown[0] == 1
    assert f"no such SMS in postgresql://fetion@127.0.0.1:{shared().port}/postgres (" in unknown[1]
    assert PASSWORD not in "".join(text for _, text in (*said, unknown))


@needs_server
def test_check_reports_a_fault_at_its_line(tmp_path: Path) -> None:
    """A server that refuses is a fault of storage.url: file, line, key and reason, without the password."""
    config = configured(tmp_path, shared().url(password="not-the-password"))
    code, said = call("check", "--config", str(config))
    assert code == 1
    [fault] = said.splitlines()
    place = f"postgresql://fetion@127.0.0.1:{shared().port}/postgres"
    line = next(n for n, text in enumerate(config.read_text().splitlines(), 1) if "url:" in text)
    assert fault.startswith(f"{config}:{line}: storage.url: {place} (")
    assert "password authentication failed" in fault
    assert "not-the-password" not in fault
    assert json.loads(call("check", "--json", "--config", str(config))[1])["faults"][0]["line"] == line
    code, said = call("serve", "--config", str(config))
    assert code == 1
    assert said.startswith(f"fetion-gateway: {place} (")
    assert "not-the-password" not in said


@needs_server
async def test_two_gateways_do_not_share_a_store(tmp_path: Path) -> None:
    """The second one ends with the reason; the first one goes on."""
    config = configured(tmp_path, url_of(tmp_path))
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        await accepted(handset, sms(ONE, "161", "KTFX"))
        code, said = call("serve", "--config", str(config))
        assert code == 1
        assert "another gateway has this store open; stop it or set storage.url" in said
        assert schema_of(tmp_path) in said
        await accepted(handset, sms(ONE, "161", "CXFX"))


def test_without_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra every way to open one says how to install it."""
    for name in [name for name in sys.modules if name.startswith("gateway.storage.postgresql")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    remedy = r"pip install 'fetion-gateway\[pg\]'"
    for opened in (engines.open_store, engines.open_reader):
        with pytest.raises(StoreUnusable, match=remedy):
            opened("postgresql://fetion@127.0.0.1/fetion")
    assert "pip install 'fetion-gateway[pg]'" in engines.obstacle("postgresql://fetion@127.0.0.1/fetion")
