"""Credentials that stop fitting while the gateway runs: it says why, in log and status, and goes on when they
fit again, without a restart of its own."""

import asyncio
import shutil
import subprocess
from pathlib import Path

from gateway.operations.control import ask
from gateway.simulator.esme import Esme
from tests.events.certificates import Authority
from tests.events.mosquitto import Mosquitto, Subscriber, in_order, needs_mosquitto, settled
from tests.events.test_mqtt import ALL, config_for, credentials, logged, says
from tests.proofs.served import PATIENCE, bind, inside, until
from tests.support import ALICE, store_of

pytestmark = needs_mosquitto


def change_password(known: Path) -> None:
    """That of the gateway, in the broker's file."""
    command = ["/usr/bin/env", "mosquitto_passwd", "-b", str(known), "gateway", "canary"]
    subprocess.run(command, check=True, capture_output=True)


async def fault(folder: Path) -> str | None:
    """What `status` says of the connection."""
    found = (await ask(store_of(folder), "status"))["brokers"]["mqtt"]
    return None if found["connected"] else str(found["reason"])


async def lost(folder: Path, esme: Esme) -> str:
    """SMS are answered without the broker; the reason, the same in log and status."""
    await says(esme, ALICE, *(f"NC#n{n}" for n in range(20)))
    reasons: list[str | None] = [None]

    def refused() -> bool:
        lines = [line for line in logged(folder, "events.disconnected") if line["consumer"] == "mqtt"]
        found = [str(line["reason"]) for line in lines]
        reasons[:] = [each for each in found if "closed" not in each and "Connection" not in each][-1:]
        return bool(reasons)

    await until(refused, "the reason in the log")
    async with asyncio.timeout(PATIENCE):  # the log has the line a moment earlier or later
        while await fault(folder) != reasons[0]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return str(reasons[0])


async def test_a_password_that_changes(tmp_path: Path) -> None:
    """At the broker, which is restarted with it: "not authorized" until it is as before."""
    broker = Mosquitto(tmp_path, *credentials(tmp_path, ALL))
    await broker.start()
    known = tmp_path / "passwords"
    shutil.copy(known, tmp_path / "right")
    config = config_for(tmp_path, broker.url.replace("//", "//gateway:gateway@"))
    subscriber = Subscriber(broker.port, user="subscriber")
    try:
        await subscriber.ready()
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            await says(esme, ALICE, "KTFX")
            await settled(subscriber, 1)
            assert await fault(tmp_path) is None
            broker.kill()
            change_password(known)
            await broker.start()
            assert "not authori" in (await lost(tmp_path, esme)).lower()
            broker.kill()
            shutil.copy(tmp_path / "right", known)
            await broker.start()
            found = await settled(subscriber, 21)
            await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
            assert await fault(tmp_path) is None
    finally:
        subscriber.close()
        broker.kill()
    assert in_order(found) == {ALICE: list(range(1, 22))}
    assert "canary" not in (tmp_path / "gateway.log").read_text("utf-8")


async def test_a_certificate_that_changes(tmp_path: Path) -> None:
    """The broker's, for one of another authority, and back."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    right, wrong = authority.sign("broker"), other.sign("stranger")
    served = tmp_path / "served.pem", tmp_path / "served.key"

    def serve(pair: tuple[Path, Path]) -> None:
        for source, target in zip(pair, served, strict=True):
            shutil.copy(source, target)

    serve(right)
    broker = Mosquitto(tmp_path, f"certfile {served[0]}", f"keyfile {served[1]}")
    await broker.start()
    config = config_for(tmp_path, broker.url.replace("mqtt:", "mqtts:"), ca_file=str(authority.ca))
    try:
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            await says(esme, ALICE, "KTFX")
            await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
            broker.kill()
            serve(wrong)
            await broker.start()
            assert "certificate verify failed" in await lost(tmp_path, esme)
            assert gateway.events.backlog == {"mqtt": 20}
            broker.kill()
            serve(right)
            await broker.start()
            await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
            assert await fault(tmp_path) is None
    finally:
        broker.kill()
