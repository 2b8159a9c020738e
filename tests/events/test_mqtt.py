"""Events over MQTT, through a running gateway and a real Mosquitto, to a subscriber of another maker."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from gateway.events import mqtt, parking
from gateway.message import message_id
from gateway.simulator.esme import Esme
from tests.conftest import Report
from tests.events.mosquitto import Mosquitto, Subscriber, in_order, needs_mosquitto, settled
from tests.proofs.served import (
    PATIENCE,
    accepted,
    bind,
    inside,
    lines,
    rows,
    serving,
    sms,
    until,
    write_config,
)
from tests.support import ALICE, BOB, store_of

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
async def subscribed(broker: Mosquitto, user: str | None = None, qos: int = 1) -> AsyncIterator[Subscriber]:
    """A subscriber to everything."""
    subscriber = Subscriber(broker.port, user=user, qos=qos)
    try:
        yield await subscriber.ready()
    finally:
        subscriber.close()


@contextlib.asynccontextmanager
async def starting(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Subscriber]:
    """Start a broker to which the gateway tries to connect: it succeeds when a subscriber is there. What the
    broker gets before goes to nobody."""
    tries, there = asyncio.Event(), asyncio.Event()
    connect = mqtt.MqttClient.connect

    async def late(client: mqtt.MqttClient) -> None:
        tries.set()
        await there.wait()
        await connect(client)

    monkeypatch.setattr(mqtt.MqttClient, "connect", late)
    await asyncio.wait_for(tries.wait(), PATIENCE)
    await broker.start()
    try:
        async with subscribed(broker) as subscriber:
            there.set()
            yield subscriber
    finally:
        broker.kill()


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
    connected = [line["consumer"] for line in logged(tmp_path, "events.connected")]
    assert sorted(map(str, connected)) == ["mqtt", "provinces"]
    assert not logged(tmp_path, "events.disconnected")


async def test_no_sms_waits_for_a_broker_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SMS are answered, events wait, the log says so; when the broker comes all of them do, in order."""
    broker = Mosquitto(tmp_path)
    config = config_for(tmp_path, broker.url)
    async with inside(config) as gateway, await bind(gateway.port) as esme:
        await says(esme, ALICE, "KTFX", *(f"NC#n{n}" for n in range(120)))
        assert gateway.events.backlog == {"mqtt": 121}
        await until(lambda: logged(tmp_path, "events.disconnected"), "the line of the log")
        async with starting(broker, monkeypatch) as subscriber:
            found = await settled(subscriber, 121)
            assert in_order(found) == {ALICE: list(range(1, 122))}
            assert max(len(payload) for _, payload, _ in subscriber.messages) < 50 * 300
            await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
    [line, *_] = logged(tmp_path, "events.disconnected")
    assert line["peer"] == f"127.0.0.1:{broker.port}"
    assert "refused" in str(line["reason"]).lower()


class Load:
    """Handsets that write on and on. answered: SMS that were; each opens, then changes its nickname."""

    def __init__(self, esme: Esme) -> None:
        self.answered = 0
        self._stop = False
        self._tasks = [asyncio.create_task(self._write(esme, handset)) for handset in HANDSETS]

    async def _write(self, esme: Esme, handset: str) -> None:
        await says(esme, handset, "KTFX")
        number = 0
        while not self._stop:
            number += 1
            await says(esme, handset, f"NC#n{number}")
            self.answered += 1

    async def stop(self) -> None:
        """Let each finish its SMS."""
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def more(self, count: int) -> None:
        """Wait until so many more are answered."""
        goal = self.answered + count
        await until(lambda: self.answered >= goal, "answers")


async def more_events(subscriber: Subscriber, count: int) -> None:
    """Wait until so many more have come."""
    goal = len(subscriber.events) + count
    await until(lambda: len(subscriber.events) >= goal, "events")


async def test_the_broker_is_killed_under_load(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 and another start, four times: SMS are answered meanwhile; every event arrives, those of each
    customer in order."""
    monkeypatch.setattr(mqtt, "STABLE", 0.0)  # each kill is a first failure
    config = config_for(tmp_path, broker.url)
    async with (
        subscribed(broker, qos=0) as subscriber,
        inside(config) as gateway,
        await bind(gateway.port) as esme,
    ):
        load = Load(esme)
        for _ in range(4):
            await more_events(subscriber, 20)
            broker.kill()
            await load.more(30)
            await broker.start()
        await load.more(30)
        await load.stop()
        await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
        found = await settled(subscriber, load.answered + len(HANDSETS))
    assert {who: sorted(versions) for who, versions in in_order(found).items()} == in_order(found)
    assert len(found) == load.answered + len(HANDSETS)
    assert gateway.events.counts == {"mqtt": (0, 0)}
    assert len(subscriber.states) >= 9  # down by the stop only: a killed broker tells nobody


async def test_the_gateway_is_killed_under_load(broker: Mosquitto, tmp_path: Path) -> None:
    """kill -9 three times: the broker tells that the node is down; at the end every event of the journal has
    come, and no other."""
    config = config_for(tmp_path, broker.url)
    async with subscribed(broker) as subscriber:
        for _ in range(3):
            async with serving(config) as served:
                esme = await bind(served.port)
                writers = [asyncio.create_task(write_on(esme, handset)) for handset in HANDSETS]
                await more_events(subscriber, 60)
                await served.kill()
                for task in writers:
                    task.cancel()
                await asyncio.gather(*writers, return_exceptions=True)
                await esme.abort()
        async with serving(config) as served:
            expected = journaled(tmp_path)
            found = await settled(subscriber, len(expected))
            assert await served.stop() == 0
        await until(lambda: len(subscriber.states) >= 8, "the states")
    assert {(each.cause_id, each.event, each.msisdn) for each in found} == expected
    assert len(found) == len(expected)
    assert {who: list(range(1, len(each) + 1)) for who, each in in_order(found).items()} == in_order(found)
    assert [each.reason for each in subscriber.states] == ["connected", "lost"] * 3 + ["connected", "stopped"]


async def write_on(esme: Esme, handset: str) -> None:
    """A handset that writes until the gateway is gone."""
    await says(esme, handset, "KTFX", *(f"NC#n{n}" for n in range(10_000)))


def journaled(folder: Path) -> set[tuple[str, str, str]]:
    """(cause, event, mobile) of every event of the journal."""
    found = rows(
        store_of(folder),
        """SELECT number, each.value ->> '$.event' AS event, each.value ->> '$.msisdn' AS msisdn
        FROM journal, json_each(journal.detail, '$.events') AS each""",
    )
    return {(message_id(row["number"]), row["event"], row["msisdn"]) for row in found}


ALL = "user gateway\ntopic readwrite fetion/#\nuser subscriber\ntopic readwrite fetion/#\n"
NO_NICKNAMES = (
    "user gateway\ntopic write fetion/nodes/#\ntopic write fetion/events/+/service/#\n"
    "topic write fetion/events/+/privacy/#\nuser subscriber\ntopic readwrite fetion/#\n"
)


async def test_a_topic_is_denied_and_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker's ACL takes one topic: its events are parked, told in the log, and offered again, others
    arrive; given back, they come in order, before what is new on that topic."""
    monkeypatch.setattr(parking, "AGAIN_MOST", 0.2)
    broker = guarded(tmp_path, ALL)
    await broker.start()
    config = config_for(tmp_path, broker.url.replace("//", "//gateway:gateway@"))
    try:
        async with (
            subscribed(broker, user="subscriber") as subscriber,
            inside(config) as gateway,
            await bind(gateway.port) as esme,
        ):
            await says(esme, ALICE, "KTFX", "NC#canary")
            await settled(subscriber, 2)
            await acl(broker, NO_NICKNAMES)
            await says(esme, ALICE, *(f"NC#canary{n}" for n in range(5)), "YS#0", "NC#last")
            await says(esme, BOB, "KTFX")
            found = await settled(subscriber, 4)
            assert [each.event for each in found[2:]] == ["privacy/mobile", "service/opened"]
            await until(lambda: gateway.events.counts == {"mqtt": (6, 0)}, "the parked ones")
            await acl(broker, ALL)
            await until(lambda: logged(tmp_path, "events.unparked"), "the end of the denial")
            await says(esme, ALICE, "NC#new")
            found = await settled(subscriber, 11)
            await until(lambda: gateway.events.backlog == {"mqtt": 0}, "the cursor")
    finally:
        broker.kill()
    nicknames = [each for each in found if each.event == "profile/nickname"]
    assert [each.version for each in nicknames] == [2, 3, 4, 5, 6, 7, 9, 10]
    assert len(subscriber.events) == 11
    reason = str(logged(tmp_path, "events.parked")[0]["reason"])
    assert reason == "fetion/events/100/profile/nickname: the broker answers 0x87 Not authorized"
    assert "canary" not in (tmp_path / "gateway.log").read_text("utf-8")


def guarded(folder: Path, rights: str) -> Mosquitto:
    """A broker with two users, whose passwords are their names, and an ACL."""
    return Mosquitto(folder, *credentials(folder, rights))


def credentials(folder: Path, rights: str) -> list[str]:
    """The files for that; the lines of the configuration."""
    passwords, rule = folder / "passwords", folder / "acl"
    passwords.write_text("gateway:gateway\nsubscriber:subscriber\n", "utf-8")
    rule.write_text(rights, "utf-8")
    subprocess.run(
        ["/usr/bin/env", "mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True
    )
    for path in (passwords, rule):
        path.chmod(0o600)
    return ["allow_anonymous false", f"password_file {passwords}", f"acl_file {rule}"]


async def acl(broker: Mosquitto, rights: str) -> None:
    """Change the ACL of a running broker."""
    log = broker.folder / "log"
    before = log.stat().st_size
    (broker.folder.parent / "acl").write_text(rights, "utf-8")
    broker.send(signal.SIGHUP)
    await until(lambda: b"Reloading" in log.read_bytes()[before:], "Mosquitto reading its ACL")


async def test_a_wrong_password(tmp_path: Path) -> None:
    """The log says that the broker refuses it, without the password; SMS are answered."""
    broker = guarded(tmp_path, ALL)
    await broker.start()
    config = config_for(tmp_path, broker.url.replace("//", "//gateway:canary@"))
    try:
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            await says(esme, ALICE, "KTFX")
            await until(lambda: logged(tmp_path, "events.disconnected"), "the line of the log")
            assert gateway.events.backlog == {"mqtt": 1}
    finally:
        broker.kill()
    reason = str(logged(tmp_path, "events.disconnected")[0]["reason"])
    assert "not authorized" in reason.lower() or "user name or password" in reason.lower()
    assert "canary" not in (tmp_path / "gateway.log").read_text("utf-8")


async def test_too_many_events_for_the_backlog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond mqtt.backlog the oldest go while the broker is away: counted, told; the others arrive."""
    broker = Mosquitto(tmp_path)
    config = config_for(tmp_path, broker.url, backlog=20)
    async with inside(config) as gateway, await bind(gateway.port) as esme:
        await says(esme, ALICE, "KTFX", *(f"NC#n{n}" for n in range(49)))
        await until(lambda: gateway.events.counts == {"mqtt": (0, 30)}, "the dropped ones")
        async with starting(broker, monkeypatch) as subscriber:
            found = await settled(subscriber, 20)
            assert in_order(found) == {ALICE: list(range(31, 51))}
    assert logged(tmp_path, "events.dropped")[0]["consumer"] == "mqtt"


@pytest.mark.long
async def test_sms_are_as_fast_without_the_broker(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    """With a dead broker SMS are answered at 0.9 of the rate before at least, in turns, in one run."""
    monkeypatch.setattr(mqtt, "STABLE", 0.0)
    rates: dict[str, list[float]] = {"there": [], "dead": []}
    config = config_for(tmp_path, broker.url)
    async with (
        subscribed(broker, qos=0) as subscriber,
        inside(config) as gateway,
        await bind(gateway.port) as esme,
    ):
        load = Load(esme)
        for _ in range(7):
            await more_events(subscriber, 100)
            rates["there"].append(await rate(load))
            broker.kill()
            rates["dead"].append(await rate(load))
            await broker.start()
        await load.stop()
    best = {
        name: max(found) for name, found in rates.items()
    }  # others use this machine too: the least disturbed
    report(f"SMS per second with a broker {best['there']:.0f}, without it {best['dead']:.0f}")
    assert best["dead"] >= 0.9 * best["there"]


async def rate(load: Load) -> float:
    """SMS that are answered per second."""
    began, answered = monotonic(), load.answered
    await load.more(500)
    return (load.answered - answered) / (monotonic() - began)
