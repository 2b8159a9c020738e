"""The console by TLS, its port, and what `check` says of its section."""

import asyncio
import contextlib
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.requests import Request

from gateway.cli.main import main
from gateway.clock import SystemClock
from gateway.operations.console.hosts import remote_of
from gateway.operations.console.server import ConsoleUnusable
from gateway.testing import running_gateway
from tests.net.certificates import Authority


def config(folder: Path, **console: Any) -> dict[str, Any]:
    """A console that listens with a certificate."""
    tls = {"cert": str(folder / "one.cert"), "key": str(folder / "one.key")}
    return {"console": {"listen": {"port": 0, "tls": tls}, **console}}


async def head_of(port: int, trusted: ssl.SSLContext) -> str:
    """The head of the login page."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted)
    writer.write(b"GET /login HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.close()
    return head


async def test_tls(tmp_path: Path) -> None:
    """Browsers are told to come by TLS from now on; who speaks no TLS disturbs nobody; new files count."""
    authority = Authority(tmp_path)
    authority.sign("one")
    trusted = ssl.create_default_context(cafile=tmp_path / "authority.pem")
    trusted.check_hostname = False
    async with running_gateway(tmp_path, config(tmp_path)) as gateway:
        console = gateway.app.console
        assert console is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        assert "strict-transport-security: max-age=31536000" in await head_of(console.port, trusted)
        sessions = console.application.services.sessions
        assert (sessions.cookie, sessions.secure) == ("__Host-fetion_session", True)
        authority.sign("one")
        gateway.clock.move_to(SystemClock().now_ms())  # else it is not valid yet
        gateway.app.reload_certificates()
        assert "200" in await head_of(console.port, trusted)
        written = gateway.log_file().read_text("utf-8")
    loaded = [line for line in map(json.loads, written.splitlines()) if line["event"] == "tls.loaded"]
    assert [line["name"] for line in loaded] == ["console", "console"]


async def test_a_port_in_use(tmp_path: Path) -> None:
    """The reason names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConsoleUnusable, match=r"console\.listen\.port"):
            async with running_gateway(tmp_path, {"console": {"listen": {"port": port}}}):
                pass


def faults_of(folder: Path, capsys: pytest.CaptureFixture[str], console: dict[str, Any]) -> dict[str, str]:
    """What check says of a section."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"console": console}))
    main(["check", "--config", str(path), "--json"])
    return {each["key"]: each["reason"] for each in json.loads(capsys.readouterr().out)["faults"]}


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords do not pass in the clear, unless a proxy is there; files that cannot be used are named."""
    monkeypatch.delenv("FETION__CONSOLE__LISTEN", raising=False)
    open_to_all = {"listen": {"host": "0.0.0.0"}}  # noqa: S104 - what is refused
    assert (
        "set tls, or console.behind_proxy" in faults_of(tmp_path, capsys, open_to_all)["console.listen.host"]
    )
    assert faults_of(tmp_path, capsys, open_to_all | {"behind_proxy": True}) == {}
    assert faults_of(tmp_path, capsys, {"listen": {"host": "::1"}}) == {}
    missing = {"listen": {"tls": {"cert": "no.pem", "key": "no.key"}}}
    assert "cannot be read" in faults_of(tmp_path, capsys, missing)["console.listen.tls.cert"]


def test_an_address_behind_a_proxy() -> None:
    """What the proxy has added last counts; without one a browser cannot choose its address."""
    headers = [(b"x-forwarded-for", b"203.0.113.9, 198.51.100.7")]
    request = Request({"type": "http", "headers": headers, "client": ("127.0.0.1", 5)})
    assert remote_of(request, behind_proxy=True) == "198.51.100.7"
    assert remote_of(request, behind_proxy=False) == "127.0.0.1"
