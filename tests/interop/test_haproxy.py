"""HAProxy in front of the gateway, as docs/deploying.md has it: peers are named, and checks are quiet."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.net.certificates import Authority
from tests.net.dialling import believing, dial
from tests.ports import free_port
from tests.proofs.served import PASSWORD, SYSTEM_ID, lines, serving, until, write_config

PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
HAPROXY = shutil.which("haproxy", path=PATH)
PEER = "127.0.0.9"
pytestmark = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed (Debian: haproxy)")

CONFIG = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 2m
    timeout server 2m
frontend smpp
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    balance leastconn
    server one 127.0.0.1:{gateway} check inter 100ms {send}
"""


@contextlib.contextmanager
def haproxy(folder: Path, port: int, gateway: int, send: str) -> Iterator[None]:
    """Run one in front of a gateway."""
    config = folder / "haproxy.cfg"
    config.write_text(CONFIG.format(port=port, gateway=gateway, send=send))
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([HAPROXY or "", "-db", "-f", str(config)], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def reachable(port: int) -> bool:
    """Whether HAProxy listens. Through it this is a connection that says nothing."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1, source_address=(PEER, 0)).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2 check-send-proxy"])
async def test_it_names_the_peer(send: str, tmp_path: Path) -> None:
    """Both versions, TLS behind the header: bind.accepted has the peer, which is in allow_from where the
    balancer is not; no check of HAProxy leaves a line."""
    authority, port = Authority(tmp_path), free_port()
    authority.sign("gateway")
    tls = {"cert": "gateway.cert", "key": "gateway.key"}
    account = {"system_id": SYSTEM_ID, "password": PASSWORD, "default": True, "allow_from": [f"{PEER}/32"]}
    listen = {"port": 0, "tls": tls, "balancers": ["127.0.0.1/32"]}
    config = write_config(tmp_path, smpp={"listen": listen, "accounts": [account]})
    async with serving(config) as gateway:
        with haproxy(tmp_path, port, gateway.port, send):
            await until(lambda: reachable(port), "HAProxy")
            async with dial(port, tls=believing(authority), source=PEER) as wire:
                assert (await wire.bind()).command_status == 0
                mine = wire._writer.get_extra_info("sockname")[1]
        assert await gateway.stop() == 0
    told = lines(gateway.log)
    assert [line["remote"] for line in told if line["event"] == "bind.accepted"] == [f"{PEER}:{mine}"]
    assert [line["reason"] for line in told if line["event"] == "connection.refused"] == []
    assert "DOWN" not in (tmp_path / "haproxy.log").read_text()
