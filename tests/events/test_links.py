"""The states of links on fetion/links/{name}/state, at a real broker."""

from pathlib import Path

from gateway.events.payloads import LINK_STATES, LinkState
from tests.channels.small_centre import SmallCentre
from tests.channels.test_links import link
from tests.events.mosquitto import Mosquitto, Subscriber, needs_mosquitto
from tests.proofs.served import inside, lines, until, write_config

pytestmark = needs_mosquitto
TOPIC = "fetion/links/north/state"


def states(subscriber: Subscriber) -> list[LinkState]:
    """What was told of the link."""
    found = [payload for topic, payload, _ in list(subscriber.messages) if topic == TOPIC]
    return [item for payload in found for item in LINK_STATES.validate_json(payload, strict=True)]


def config_for(folder: Path, broker: Mosquitto, centre: SmallCentre) -> Path:
    """A gateway with a link and a broker."""
    return write_config(
        folder, mqtt={"url": broker.url}, node={"name": "bj1"}, smpp={"links": [link(centre, bind="pair")]}
    )


async def test_the_state_of_a_link_is_retained(tmp_path: Path) -> None:
    """Down until all its binds stand, up, down with the reason; who comes later gets the last state."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    subscriber = await Subscriber(broker.port).ready()
    try:
        async with SmallCentre() as centre, inside(config_for(tmp_path, broker, centre)):
            peers = [await centre.bound(), await centre.bound()]
            await until(lambda: [each.state for each in states(subscriber)][-1:] == ["up"], "the state up")
            peers[0].connection.abort("cut")
            await until(lambda: states(subscriber)[-1].reason == "closed by peer", "the state down")
            await until(lambda: states(subscriber)[-1].state == "up", "the state up again")
        told = states(subscriber)
        assert {(each.link, each.node) for each in told} == {("north", "bj1")}
        assert (told[0].state, told[0].reason) in {("down", "not bound yet"), ("up", None)}
        assert all((each.state == "up") is (each.reason is None) for each in told)
        later = await Subscriber(broker.port, [TOPIC]).ready()
        await until(lambda: states(later), "the retained state")
        later.close()
        assert later.messages[0][2]
    finally:
        subscriber.close()
        broker.kill()


async def test_a_broker_that_denies_it_is_used_all_the_same(tmp_path: Path) -> None:
    """The log names the topic once; the gateway does not reconnect for ever."""
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite fetion/nodes/#\ntopic readwrite fetion/events/#\n", "utf-8")
    broker = Mosquitto(tmp_path, f"acl_file {acl}")
    await broker.start()
    subscriber = await Subscriber(broker.port, ["fetion/nodes/#"]).ready()
    log = tmp_path / "gateway.log"

    def denied() -> list[object]:
        return [line["what"] for line in lines(log) if line["event"] == "events.denied"]

    try:
        async with SmallCentre() as centre, inside(config_for(tmp_path, broker, centre)) as gateway:
            await until(lambda: len(gateway.binds.all()) == 2, "the pair")
            await until(lambda: TOPIC in denied(), "the denial")
            await until(lambda: subscriber.states and subscriber.states[-1].state == "up", "the node")
        assert denied().count(TOPIC) == 1
    finally:
        subscriber.close()
        broker.kill()
