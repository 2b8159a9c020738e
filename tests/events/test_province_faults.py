"""Provinces that flood, brokers and gateways that are killed, denied topics, nodes that take turns."""

import asyncio
import contextlib
import json
from pathlib import Path

import aiomqtt
import pytest

from gateway.message import Commit
from gateway.storage.contract import StoreFault
from gateway.storage.sqlite.store import SqliteStore
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.events.province import (
    MT,
    SENTENCE,
    WITHIN,
    answer,
    config_for,
    gets,
    sent_ids,
    subscribed,
    system,
)
from tests.postgresql import missing, url_of
from tests.proofs.served import (
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


async def test_floods_and_the_day(broker: Mosquitto, tmp_path: Path) -> None:
    """Beyond burst and day items are refused, and counted over a restart; under the same id they may come
    again later; another province and handsets do not notice."""
    limits = {"rate": 0.001, "burst": 30, "of": {"100": {"per_day": 3}}}
    config = config_for(tmp_path, broker, provinces=limits)
    hundred = "fetion/province/100/mt"
    async with system(broker, f"{MT}/refused", f"{hundred}/refused") as province:
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            await subscribed(tmp_path)
            await province.sends(*(answer(f"a{n}") for n in range(50)))
            refused = await province.gets(f"{MT}/refused")
            assert [each["position"] for each in refused] == list(range(30, 50))
            assert refused[0]["reason"].startswith("too fast: 0.001 SMS a second, 30 at once")
            await province.sends(*(answer(f"b{n}") for n in range(2)), topic=hundred)
            await gets(esme, 32)
            await accepted(esme, sms(BOB, "161", "BZ"))
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            await province.sends(*(answer(f"b{n}") for n in range(5)), topic=hundred)
            refused = await province.gets(f"{hundred}/refused")
            assert [each["id"] for each in refused] == ["b3", "b4"]
            assert refused[0]["reason"].startswith("the 3 SMS of this day are used up")
            assert gateway.provinces.counts["100", "repeated"] == 2
    assert len(rows(store_of(tmp_path), "SELECT * FROM province_sent")) == 33


@pytest.mark.long
async def test_monsters(broker: Mosquitto, tmp_path: Path) -> None:
    """What is longer than we take never comes here; what follows it does. Messages with QoS 0, of any number,
    and retained ones do no harm."""
    config = config_for(tmp_path, broker)
    async with (
        system(broker) as province,
        inside(config) as gateway,
        await bind(gateway.port) as esme,
    ):
        await subscribed(tmp_path)
        await province.sends_raw(b"[" + b" " * 100_000_000 + b"]")
        await province.sends(answer("a"))
        assert await gets(esme) == [("12520200", ALICE, "text of a")]
        for number in range(300):
            await province.sends_raw(json.dumps([answer(f"q{number}")]).encode(), qos=0)
        await province.sends(answer("b"))
        await until(lambda: gateway.provinces.counts["200", "taken"] >= 2, "the rest")
        await until(lambda: "b" in {each["id"] for each in sent_ids(tmp_path)}, "b")
    found = [each["id"] for each in sent_ids(tmp_path)]
    assert len(found) == len(set(found)) <= 302


async def test_a_broker_killed_before_our_answer(broker: Mosquitto, tmp_path: Path) -> None:
    """Between the commit and the acknowledgement: the broker, started again, sends the message once more, so
    nothing was acknowledged before; it is known, and the SMS leaves once."""
    log = broker.folder / "log"
    saved: list[int] = []

    class Killing(SqliteStore):
        async def commit(self, commit: Commit) -> None:
            first = bool(commit.posted) and not saved
            if first:  # once the broker has the message on its disk
                saved.append(log.read_text("utf-8").count("Saving"))
                await until(lambda: log.read_text("utf-8").count("Saving") > saved[0], "the disk")
            await super().commit(commit)
            if first:
                broker.kill()
                await broker.start()

    config = config_for(tmp_path, broker)
    async with inside(config, open_store=Killing.open) as gateway, await bind(gateway.port) as esme:
        await subscribed(tmp_path)
        with contextlib.suppress(aiomqtt.MqttError):
            async with system(broker, patience=2) as province:
                await province.sends(answer("a"), answer("b"))
                for number in range(10_000):  # changes, after which Mosquitto saves, to its end
                    await province.keeps(f"other/{number}")
        assert [each[2] for each in await gets(esme, 2)] == ["text of a", "text of b"]
        assert len(saved) == 1
        await until(lambda: gateway.provinces.counts["200", "repeated"] == 2, "the repeat")
        async with system(broker) as province:
            await province.sends(answer("c"))
            assert await gets(esme) == [("12520200", ALICE, "text of c")]
    assert [each["id"] for each in sent_ids(tmp_path)] == ["a", "b", "c"]


async def test_the_window_alone_bounds_what_waits(broker: Mosquitto, tmp_path: Path) -> None:
    """Many messages while nothing is committed: the broker keeps what is beyond the receive maximum, and none
    is lost."""
    held = asyncio.Event()
    waiting = []

    class Held(SqliteStore):
        async def commit(self, commit: Commit) -> None:
            if commit.posted:
                await held.wait()
            await super().commit(commit)

    config = config_for(tmp_path, broker)
    async with inside(config, open_store=Held.open) as gateway, await bind(gateway.port) as esme:
        del esme
        async with system(broker) as province:
            await subscribed(tmp_path)
            [subscription] = gateway._lifecycle._parts.subscriptions._subscriptions  # type: ignore[union-attr]
            for number in range(200):
                await province.sends(answer(f"{number}"))
                waiting.append(len(subscription._waiting))
            held.set()
            await until(lambda: len(sent_ids(tmp_path)) == 200, "all of them")
    assert max(waiting) <= 20
    assert {each["id"] for each in sent_ids(tmp_path)} == {str(number) for number in range(200)}


async def test_what_comes_while_the_gateway_is_down(broker: Mosquitto, tmp_path: Path) -> None:
    """Killed with -9 in the midst of it, and away for a while: the session of the broker keeps what comes,
    what was not acknowledged comes again, and each SMS is in the store once."""
    config = config_for(tmp_path, broker, provinces={"rate": 1e5, "burst": 100_000})
    async with system(broker) as province:
        async with serving(config) as served:
            await subscribed(tmp_path)
            for number in range(40):
                await province.sends(*(answer(f"{number}-{n}") for n in range(10)))
            await until(lambda: len(sent_ids(tmp_path)) > 50, "some of them")
            await served.kill()
        for number in range(40, 60):
            await province.sends(answer(f"{number}"))
        async with inside(config) as gateway:
            await until(lambda: len(sent_ids(tmp_path)) == 420, "the rest")
            assert gateway.port
    assert len(rows(store_of(tmp_path), "SELECT * FROM outbox")) == 420


async def test_a_denied_topic(tmp_path: Path) -> None:
    """mo of one province denied: its customer hears at once that nothing runs, others go on; a denied
    mt/refused does not hold up what follows, of others or of the same province."""
    acl = tmp_path / "acl"
    acl.write_text(
        "topic readwrite #\ntopic deny fetion/province/200/mo\ntopic deny fetion/province/200/mt/refused\n"
    )
    broker = Mosquitto(tmp_path, f"acl_file {acl}")
    await broker.start()
    config = config_for(tmp_path, broker)
    try:
        async with (
            system(broker, "fetion/province/100/mo") as province,
            inside(config) as gateway,
            await bind(gateway.port) as esme,
        ):
            await accepted(esme, sms(ALICE, "161200", "1"))
            assert await gets(esme) == [("161", ALICE, SENTENCE)]
            await accepted(esme, sms(ALICE, "161100", "1"))
            async with asyncio.timeout(WITHIN):
                message = await anext(province._messages)
            assert str(message.topic) == "fetion/province/100/mo"
            await province.sends(answer("bad", source="161100"), answer("good"))
            assert await gets(esme) == [("12520200", ALICE, "text of good")]
            await province.sends(answer("bad", source="161100"), answer("next"))
            assert await gets(esme) == [("12520200", ALICE, "text of next")]
            await province.sends(answer("last"), topic="fetion/province/100/mt")
            assert await gets(esme) == [("12520100", ALICE, "text of last")]
    finally:
        broker.kill()
    denied = [each for each in lines(tmp_path / "gateway.log") if each["event"] == "events.denied"]
    assert [each["what"] for each in denied] == [f"{MT}/refused"]


@pytest.mark.long
@pytest.mark.skipif(bool(missing()), reason=missing())
async def test_two_nodes_take_turns(broker: Mosquitto, tmp_path: Path) -> None:
    """One of them subscribes; when it stops, the other one goes on in its session with what came meanwhile,
    and knows what was sent."""
    url, folders = url_of(tmp_path), [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    configs = [
        write_config(
            folder,
            mqtt={"url": broker.url},
            node={"name": folder.name},
            storage={"url": url, "key_file": str(tmp_path / "key")},
        )
        for folder in folders
    ]

    def subscribes(folder: Path) -> bool:
        return '"consumer":"provinces"' in (folder / "gateway.log").read_text("utf-8")

    async with system(broker) as province, inside(configs[1]) as second:
        await until(lambda: subscribes(folders[1]), "the first of them")
        async with inside(configs[0]) as first:
            await province.sends(answer("a"), answer("b"))
            await until(lambda: second.provinces.counts["200", "taken"] == 2, "two SMS")
            assert (first.provinces.watches, second.provinces.watches) == (False, True)
            assert not subscribes(folders[0])
    async with system(broker) as province:
        await province.sends(answer("b"), answer("c"))
        async with inside(configs[0]) as first:
            await until(lambda: first.provinces.counts["200", "taken"] == 1, "what came meanwhile")
            assert first.provinces.counts["200", "repeated"] == 1
            assert first.provinces.watches


async def test_a_store_that_fails_and_a_bug(broker: Mosquitto, tmp_path: Path) -> None:
    """While SMS of provinces cannot be stored, those of handsets are answered; nothing is acknowledged, and
    all is sent when it can. What a bug meets is refused, and what follows is sent."""
    raised: list[Exception] = [ZeroDivisionError("a bug"), StoreFault("the disk")]
    failures: list[Exception] = []

    class Failing(SqliteStore):
        async def commit(self, commit: Commit) -> None:
            if commit.posted and raised:
                failures.append(raised[-1])
                raise failures[-1]
            await super().commit(commit)

    config = config_for(tmp_path, broker)
    async with (
        system(broker, f"{MT}/refused") as province,
        inside(config, open_store=Failing.open) as gateway,
        await bind(gateway.port) as esme,
    ):
        await subscribed(tmp_path)
        await province.sends(answer("a"))
        await until(lambda: len(failures) == 2, "two tries")
        await accepted(esme, sms(BOB, "125862", "hello"))
        assert (await gets(esme))[0][1] == BOB
        raised.pop()
        [item] = await province.gets(f"{MT}/refused")
        assert (item["id"], item["reason"]) == ("a", "the gateway has failed on it: its log says why")
        raised.pop()
        await province.sends(answer("a"))
        assert await gets(esme) == [("12520200", ALICE, "text of a")]
    assert [str(each) for each in failures[:2]] == ["the disk"] * 2
    [bug] = [each for each in lines(tmp_path / "gateway.log") if each["event"] == "gateway.fault"]
    assert (bug["where"], bug["reason"]) == ("provinces", "ZeroDivisionError")
