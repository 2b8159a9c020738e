"""TLS to a real Mosquitto: what fits, and what does not."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.cli.check import find_faults
from tests.events.certificates import Authority
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.proofs.served import accepted, bind, inside, lines, sms, until, write_config
from tests.support import ALICE

pytestmark = needs_mosquitto


@contextlib.asynccontextmanager
async def guarded(
    folder: Path, authority: Authority, *more: str, address: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """A broker with a certificate; its URL."""
    certificate, key = authority.sign("broker", address)
    broker = Mosquitto(folder, f"certfile {certificate}", f"keyfile {key}", *more)
    await broker.start()
    try:
        yield broker.url.replace("mqtt:", "mqtts:")
    finally:
        broker.kill()


async def tried(folder: Path, url: str, event: str, **mqtt: object) -> str:
    """Run a gateway until the log has that event; SMS are answered meanwhile. Gives the reason in it."""
    config = write_config(folder, mqtt={"url": url, **{name: str(each) for name, each in mqtt.items()}})
    assert find_faults(config) == []
    log = folder / "gateway.log"
    found: list[str] = []

    def there() -> bool:
        found[:] = [str(line.get("reason")) for line in lines(log) if line["event"] == event]
        return bool(found)

    async with inside(config) as gateway, await bind(gateway.port) as esme:
        await accepted(esme, sms(ALICE, "161", "KTFX"))
        await until(there, event)
        if event == "events.connected":
            await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
    return found[0]


async def test_a_certificate_that_fits(tmp_path: Path) -> None:
    """Events go over TLS, and with our own certificate where the broker wants one."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign("gateway")
    wanted = (f"cafile {authority.ca}", "require_certificate true")
    async with guarded(tmp_path, authority, *wanted) as url:
        await tried(
            tmp_path,
            url,
            "events.connected",
            ca_file=authority.ca,
            cert_file=certificate,
            key_file=key,
        )


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
async def test_a_certificate_that_does_not_fit(tmp_path: Path, address: str) -> None:
    """One of another authority, or of another host: the log says so."""
    authority = Authority(tmp_path)
    trusted = authority if address == "127.0.0.2" else Authority(tmp_path, "other")
    async with guarded(tmp_path, authority, address=address) as url:
        reason = await tried(tmp_path, url, "events.disconnected", ca_file=trusted.ca)
    assert "certificate verify failed" in reason
    assert ("IP address mismatch" in reason) is (address == "127.0.0.2")


async def test_no_certificate_of_ours(tmp_path: Path) -> None:
    """The broker wants one, and we have none: the log says so."""
    authority = Authority(tmp_path)
    wanted = (f"cafile {authority.ca}", "require_certificate true")
    async with guarded(tmp_path, authority, *wanted) as url:
        reason = await tried(tmp_path, url, "events.disconnected", ca_file=authority.ca)
    assert "certificate required" in reason


async def test_no_tls_there(tmp_path: Path) -> None:
    """mqtts to a broker without TLS: the log says so."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    try:
        reason = await tried(tmp_path, broker.url.replace("mqtt:", "mqtts:"), "events.disconnected")
    finally:
        broker.kill()
    assert "reset" in reason or "EOF" in reason
