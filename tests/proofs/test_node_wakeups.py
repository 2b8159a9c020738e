"""A node hears over MQTT that SMS were moved to it; without a broker it sees them at its next look."""

from contextlib import AsyncExitStack
from pathlib import Path
from shutil import copy

import aiomqtt
import pytest

from gateway.app import Gateway
from gateway.processing.nodes import LOOK_EVERY
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.postgresql import missing
from tests.proofs.served import accepted, bind, delivered, inside, lines, sms, until
from tests.proofs.test_nodes import node
from tests.support import ALICE, HandClock

pytestmark = [needs_mosquitto, pytest.mark.skipif(bool(missing()), reason=missing())]

THERE = ("13900139001", "13900139002")
"""Handsets that the receiver at west asks for."""


def hears(folder: Path) -> bool:
    """Whether a node has subscribed."""
    return any(
        each["event"] == "events.connected" and each["consumer"] == "node"
        for each in lines(folder / "gateway.log")
    )


def knows(east: Gateway) -> bool:
    """Whether east knows the receiver at west."""
    return east._nodes is not None and east._nodes.placement.elsewhere("smsc", THERE[0]) > 0


async def test_a_moved_sms_leaves_before_the_next_look(tmp_path: Path) -> None:
    """The clock of west stands, so it never looks by itself: the hint brings the SMS, also behind nonsense.
    Where the broker is gone the SMS waits for the look, once a second."""
    broker, clock = Mosquitto(tmp_path), HandClock()
    await broker.start()
    mqtt = {"url": broker.url}
    async with AsyncExitStack() as stack:
        stack.callback(broker.kill)
        east_node, west_node = ({"name": name, "lease": 60} for name in ("east", "west"))
        east = await stack.enter_async_context(inside(node(tmp_path, "east", node=east_node, mqtt=mqtt)))
        (tmp_path / "key").mkdir()
        copy(tmp_path / "east" / "fetion.key", tmp_path / "key")
        west_config = node(tmp_path, "west", node=west_node, mqtt=mqtt)
        west = await stack.enter_async_context(inside(west_config, clock=clock))
        here, there = await bind(east.port), await bind(west.port, "receiver", "13900139*")
        await until(lambda: hears(tmp_path / "west") and hears(tmp_path / "east"), "the subscriptions")
        clock.now += LOOK_EVERY
        await until(lambda: knows(east), "the receiver at west")
        for each in (ALICE, *THERE):
            await accepted(here, sms(each, "161", "KTFX"))
            await delivered(here)
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish("fetion/nodes/west/mt", b"\xff[", 1, retain=True)
        await accepted(here, sms(ALICE, "12520", f"HY#{THERE[0]}"))
        assert (await delivered(there)).destination_addr == THERE[0]

        broker.kill()
        await accepted(here, sms(ALICE, "12520", f"HY#{THERE[1]}"))
        assert there.inbox.empty()
        clock.now += LOOK_EVERY
        assert (await delivered(there)).destination_addr == THERE[1]
        await here.close()
        await there.close()
