"""Events over MQTT, through a running gateway and a real Mosquitto, to a subscriber of another maker."""

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from gateway.simulator.esme import Esme
from tests.events.mosquitto import Mosquitto, Subscriber, in_order, needs_mosquitto, settled
from tests.proofs.served import accepted, bind, inside, lines, sms, until, write_config
from tests.support import ALICE, BOB

pytestmark = needs_mosquitto
HANDSETS = [str(13800138000 + number) for number in range(10)]


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """One that runs."""
    made = Mosquitto(tmp_path, "max_inflight_messages 0")
    await made.start()
    yield made
    made.kill()


@contextlib.asynccontextmanager
async def subscribed(broker: Mosquitto, *topics: str, user: str | None = None) -> AsyncIterator[Subscriber]:
    """A subscriber to everything, or to these topics."""
    subscriber = Subscriber(broker.port, topics or ("fetion/#",), user)
    try:
        yield await subscriber.ready()
    finally:
        subscriber.close()


def config_for(folder: Path, url: str, **mqtt: object) -> Path:
    """A gateway that publishes there."""
    return write_config(folder, mqtt={"url": url, **mqtt}, node={"name": "bj1"})


async def says(esme: Esme, who: str, *texts: str) -> list[str]:
    """A handset writes to 161; the message ids."""
    return [await accepted(esme, sms(who, "161", text)) for text in texts]


def logged(folder: Path, event: str) -> list[dict[str, object]]:
    """The lines of that event."""
    log = folder / "gateway.log"
    return [line for line in lines(log) if line["event"] == event] if log.exists() else []


async def test_what_happened_is_published(broker: Mosquitto, tmp_path: Path) -> None:
    """On its topic, with all that an item has; the node's state is retained: up, and down after the stop."""
    config = config_for(tmp_path, broker.url)
    async with subscribed(broker) as subscriber:
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            ids = await says(esme, ALICE, "KTFX", "NC#ming") + await says(esme, BOB, "KTFX")
            found = await settled(subscriber, 3)
        await until(lambda: len(subscriber.states) == 2, "the states")
        assert [(each.event, each.msisdn, each.version, each.cause_id) for each in found] == [
            ("service/opened", ALICE, 1, ids[0]),
            ("profile/nickname", ALICE, 2, ids[1]),
            ("service/opened", BOB, 1, ids[2]),
        ]
        assert (found[1].node, found[1].data, found[1].province) == ("bj1", {"text": "ming"}, "100")
        assert found[1].fetion_number == found[0].data["fetion_number"]
        assert [(each.state, each.reason, each.node) for each in subscriber.states] == [
            ("up", "connected", "bj1"),
            ("down", "stopped", "bj1"),
        ]
    later = Subscriber(broker.port, ["fetion/nodes/+/state"])
    await until(lambda: later.states, "the retained state")
    later.close()
    assert ([each.state for each in later.states], later.messages[0][2]) == (["down"], True)
    assert len(logged(tmp_path, "events.connected")) == 1
    assert not logged(tmp_path, "events.disconnected")


def test_without_a_broker_the_library_is_not_imported(tmp_path: Path) -> None:
    """mqtt.url null: neither aiomqtt nor paho, and no events in the store."""
    program = (
        "import asyncio, sys; from pathlib import Path; from gateway.app import Gateway\n"
        "from gateway.operations.logs import open_log; from gateway.settings import load\n"
        "import gateway.cli.serve, gateway.cli.check\n"
        "async def main():\n"
        "    settings = load(Path(sys.argv[1]), {})\n"
        "    async with Gateway(settings, open_log(settings.logging)): pass\n"
        "asyncio.run(main())\n"
        "print(sorted({'aiomqtt', 'paho'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(write_config(tmp_path))], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "[]"


async def test_no_sms_waits_for_a_broker_that_is_away(tmp_path: Path) -> None:
    """SMS are answered, events wait, the log says so; when the broker comes all of them do, in order."""
    broker = Mosquitto(tmp_path)
    config = config_for(tmp_path, broker.url)
    async with inside(config) as gateway, await bind(gateway.port) as esme:
        await says(esme, ALICE, "KTFX", *(f"NC#n{n}" for n in range(120)))
        assert gateway.events.backlog == {"mqtt": 121}
        await until(lambda: logged(tmp_path, "events.disconnected"), "the line of the log")
        await broker.start()
        try:
            async with subscribed(broker) as subscriber:
                found = await settled(subscriber, 121)
                assert in_order(found) == {ALICE: list(range(1, 122))}
                assert max(len(payload) for _, payload, _ in subscriber.messages) < 50 * 300
            await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
        finally:
            broker.kill()
    [line, *_] = logged(tmp_path, "events.disconnected")
    assert line["peer"] == f"127.0.0.1:{broker.port}"
    assert "refused" in str(line["reason"]).lower()
