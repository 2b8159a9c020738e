"""A province's system at a real Mosquitto, a gateway, and handsets: what goes out and what comes in."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import pytest_asyncio

from gateway.app import Gateway
from gateway.events.payloads import PROVINCE_MO, PROVINCE_REFUSED
from gateway.message import Commit
from gateway.simulator.esme import Esme
from gateway.storage.sqlite.store import SqliteStore
from tests.events.json_schema import faults
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.events.support import Notebook
from tests.make_schemas import FOLDER
from tests.postgresql import missing, url_of
from tests.proofs.served import (
    accepted,
    bind,
    delivered,
    inside,
    lines,
    rows,
    serving,
    sms,
    text_of,
    until,
    write_config,
)
from tests.support import ALICE, BOB, store_of

pytestmark = needs_mosquitto
SENTENCE = "这个号码现在没有活动，感谢您的参与。"
MO = "fetion/province/200/mo"
MT = "fetion/province/200/mt"
WITHIN = 10.0


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """One that runs."""
    made = Mosquitto(tmp_path)
    await made.start()
    yield made
    made.kill()


class System:
    """The system of a province. It acknowledges at once what it reads."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._messages = aiter(client.messages)

    async def gets(self, topic: str) -> list[dict[str, Any]]:
        """The items of the next message, which must be on that topic."""
        async with asyncio.timeout(WITHIN):
            message = await anext(self._messages)
        assert str(message.topic) == topic
        assert isinstance(message.payload, bytes)
        schema = json.loads((FOLDER / f"{NAMES[topic.rsplit('/', 1)[1]]}.json").read_text("utf-8"))
        items: list[dict[str, Any]] = json.loads(message.payload)
        assert faults(items, schema, schema) == []
        (PROVINCE_MO if topic == MO else PROVINCE_REFUSED).validate_json(message.payload, strict=True)
        return items

    async def sends(self, *items: object, topic: str = MT) -> None:
        """Publish items as one array."""
        await self._client.publish(topic, json.dumps(items), 1)

    async def keeps(self, topic: str) -> None:
        """Publish a retained message."""
        await self._client.publish(topic, b"[]", 1, retain=True)

    async def sends_raw(self, payload: bytes, topic: str = MT, qos: int = 1) -> None:
        """Publish octets."""
        await self._client.publish(topic, payload, qos)


NAMES = {"mo": "province_mo", "refused": "province_refused"}


@contextlib.asynccontextmanager
async def system(broker: Mosquitto, *topics: str) -> AsyncIterator[System]:
    """One that has subscribed (default: to the topics of 200)."""
    async with aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        identifier="province-200",
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        for topic in topics or (MO, f"{MT}/refused"):
            await client.subscribe(topic, 1)
        yield System(client)


def config_for(folder: Path, broker: Mosquitto | None, **sections: Any) -> Path:
    """A gateway at that broker."""
    mqtt = {} if broker is None else {"mqtt": {"url": broker.url}}
    return write_config(folder, node={"name": "bj1"}, **mqtt, **sections)


def answer(number: str, cause: str = "", to: str = ALICE, **more: object) -> dict[str, object]:
    """An SMS of a province."""
    cause_id = {"cause_id": cause} if cause else {}
    return {"id": number, "to": to, "text": f"text of {number}", **cause_id, **more}


async def gets(esme: Esme, count: int = 1) -> list[tuple[str, str, str]]:
    """The next SMS to handsets: from, to, text."""
    found = [await delivered(esme) for _ in range(count)]
    return [(pdu.source_addr, pdu.destination_addr, text_of(pdu)) for pdu in found]


async def ticked(gateway: Gateway, condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, while the housekeeping runs more often than it does by itself."""
    for _ in range(1000):
        if condition():
            return
        await gateway.tick(housekeeping=True)
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


async def subscribed(folder: Path) -> None:
    """Wait for the session at the broker: from then on it keeps what comes."""
    await until(lambda: '"consumer":"provinces"' in (folder / "gateway.log").read_text("utf-8"), "it")


def open_asks(folder: Path) -> int:
    """SMS to provinces that are not over."""
    return len(rows(store_of(folder), "SELECT * FROM province_asked WHERE over_at = 0"))


async def test_there_and_back(broker: Mosquitto, tmp_path: Path) -> None:
    """The SMS reaches the system of its province only; the answer leaves from the address that was written
    to, also after the deadline; one without a cause from the province's number, or the one that it names."""
    config = config_for(tmp_path, broker)
    async with (
        system(broker) as province,
        inside(config) as gateway,
        await bind(gateway.port) as esme,
    ):
        number = await accepted(esme, sms(ALICE, "1612008", "1"))
        [item] = await province.gets(MO)
        del item["event_id"]
        at, reply_by = item.pop("at"), item.pop("reply_by")
        assert reply_by > at
        assert item == {
            "schema": "fetion.province_mo/1",
            "node": "bj1",
            "message_id": number,
            "msisdn": ALICE,
            "destination": "1612008",
            "sub_code": "200",
            "activity": "8",
            "text": "1",
        }
        assert open_asks(tmp_path) == 1
        await province.sends(answer("a", number), answer("b", to=BOB), answer("c", source="12520200123"))
        assert await gets(esme, 3) == [
            ("1612008", ALICE, "text of a"),
            ("12520200", BOB, "text of b"),
            ("12520200123", ALICE, "text of c"),
        ]
        assert open_asks(tmp_path) == 0
        await province.sends(answer("d", number), answer("a", number))
        assert await gets(esme) == [("1612008", ALICE, "text of d")]
        await until(lambda: gateway.provinces.counts["200", "repeated"] == 1, "the repeat")
        assert gateway.provinces.counts["200", "taken"] == 4
    assert "as fetion-gateway-provinces (p5, c0," in (broker.folder / "log").read_text("utf-8")
    assert [
        each["outcome"] for each in lines(tmp_path / "gateway.log") if each["event"] == "sms.handled"
    ] == ["done"]
    assert "text of" not in (tmp_path / "gateway.log").read_text("utf-8")


async def test_what_is_refused_is_told(broker: Mosquitto, tmp_path: Path) -> None:
    """With id, position and reason; what is right beside it is sent; the log has it too."""
    config = config_for(tmp_path, broker, provinces={"parts": 2})
    async with (
        system(broker) as province,
        inside(config) as gateway,
        await bind(gateway.port) as esme,
    ):
        mine = await accepted(esme, sms(ALICE, "161200", "1"))
        await province.gets(MO)
        theirs = await accepted(esme, sms(ALICE, "161100", "1"))
        assert (await gets(esme))[0][2] == SENTENCE
        await province.sends(
            answer("foreign", source="161100"),
            answer("base", source="12520"),
            answer("spelled", source="86161200"),
            answer("theirs", theirs),
            answer("unknown", "00000001000000ff"),
            answer("bob", mine, to=BOB),
            answer("landline", to="01012345678"),
            {**answer("long"), "text": "长" * 200},
            {"id": "empty", "to": ALICE, "text": ""},
            answer("good", mine),
        )
        assert await gets(esme) == [("161200", ALICE, "text of good")]
        told = {each["id"]: each["reason"] for each in await province.gets(f"{MT}/refused")}
        starts = {
            "foreign": "source: is none of your numbers: 12520200",
            "base": "source: is none of your numbers",
            "spelled": "source: is none of your numbers",
            "theirs": "cause_id: no SMS to your numbers",
            "unknown": "cause_id: no SMS to your numbers",
            "bob": "cause_id: this SMS came from another handset",
            "landline": "to: is no mobile",
            "long": "text: takes 3 SMS, not 1 to 2",
            "empty": "text: must be a text that is not empty",
        }
        assert set(told) == set(starts)
        assert all(told[name].startswith(start) for name, start in starts.items()), told
        await province.sends_raw(b"no JSON")
        [whole] = await province.gets(f"{MT}/refused")
        assert (whole["id"], whole["position"]) == (None, None)
        await province.sends(answer("long"))
        assert await gets(esme) == [("12520200", ALICE, "text of long")]
        assert gateway.provinces.counts["200", "refused"] == len(starts) + 1
    refused = [each for each in lines(tmp_path / "gateway.log") if each["event"] == "province.refused"]
    assert {each["province"] for each in refused} == {"200"}
    assert len(refused) == len(starts) + 1


async def test_a_topic_of_no_province(broker: Mosquitto, tmp_path: Path) -> None:
    """Nothing is sent; headquarters has no numbers of its own."""
    config = config_for(tmp_path, broker)
    names = ("000", "999", "12345678")
    topics = [f"fetion/province/{name}/mt/refused" for name in names]
    async with system(broker, *topics) as province, inside(config) as gateway:
        await subscribed(tmp_path)
        for topic in topics:
            await province.sends(answer("a"), topic=topic.removesuffix("/refused"))
            [item] = await province.gets(topic)
            assert "is no code of a province" in item["reason"]
        assert sum(gateway.provinces.counts.values()) == 3
    assert rows(store_of(tmp_path), "SELECT * FROM outbox") == []


async def test_nobody_is_there(broker: Mosquitto, tmp_path: Path) -> None:
    """The customer hears it at once, once, whatever comes later; the answer that comes after all is sent."""
    config = config_for(tmp_path, broker)
    async with inside(config) as gateway, await bind(gateway.port) as esme:
        number = await accepted(esme, sms(ALICE, "1612008", "1"))
        assert await gets(esme) == [("161", ALICE, SENTENCE)]
        async with system(broker) as province:
            await province.sends(answer("a", number))
            assert await gets(esme) == [("1612008", ALICE, "text of a")]
        await ticked(gateway, lambda: open_asks(tmp_path) == 0, "the end")
        assert gateway.provinces.counts["200", "unanswered"] == 1
    assert [each["event"] for each in lines(tmp_path / "gateway.log")].count("province.unanswered") == 1


async def test_without_a_broker(tmp_path: Path) -> None:
    """The sentence at once, as the answer to the SMS; nothing is kept for later."""
    async with inside(config_for(tmp_path, None)) as gateway, await bind(gateway.port) as esme:
        await accepted(esme, sms(ALICE, "1612008", "1"))
        assert await gets(esme) == [("161", ALICE, SENTENCE)]
    assert rows(store_of(tmp_path), "SELECT * FROM province_asked") == []
    assert rows(store_of(tmp_path), "SELECT * FROM event") == []


async def test_silence_over_a_restart(broker: Mosquitto, tmp_path: Path) -> None:
    """A system that does not answer: the deadline runs while the gateway is down, also where it starts
    without a broker; the customer hears it once."""
    config = config_for(tmp_path, broker, limits={"province_reply": 1})
    async with system(broker) as province, inside(config) as gateway, await bind(gateway.port) as esme:
        await accepted(esme, sms(ALICE, "1612008", "1"))
        await province.gets(MO)
    assert open_asks(tmp_path) == 1
    broker.kill()
    for config in (config_for(tmp_path, broker), config_for(tmp_path, None)):
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            await ticked(gateway, lambda: open_asks(tmp_path) == 0, "the sentence")
            await gateway.drained()
    sent = rows(store_of(tmp_path), "SELECT text, source FROM outbox")
    assert [(each["text"], each["source"]) for each in sent] == [(SENTENCE, "161")]


async def test_only_whom_it_concerns_gets_the_text(broker: Mosquitto, tmp_path: Path) -> None:
    """Consumers in the process are not told; versions have no gap; the text is nowhere in the log, and out of
    the events once it is told. A text with a password goes nowhere."""
    notebook = Notebook()
    config = config_for(tmp_path, broker)
    async with (
        system(broker) as province,
        inside(config, consumers=[notebook]) as gateway,
        await bind(gateway.port) as esme,
    ):
        await accepted(esme, sms(ALICE, "161", "KTFX"))
        await accepted(esme, sms(ALICE, "161200", "vote xyzzy"))
        await accepted(esme, sms(ALICE, "161200", "我的密码是abc12345", 8))
        await accepted(esme, sms(ALICE, "161", "NC#ming"))
        assert [each["text"] for each in await province.gets(MO)] == ["vote xyzzy"]
        await until(lambda: len(notebook.taken) == 2, "the events")
        assert [(each.family, each.version) for each in notebook.taken] == [("service", 1), ("profile", 2)]
        await until(lambda: rows(store_of(tmp_path), "SELECT * FROM event") == [], "the end of the events")
    assert "xyzzy" not in (tmp_path / "gateway.log").read_text("utf-8")
    found = rows(store_of(tmp_path), "SELECT text, hidden FROM journal ORDER BY number")
    assert [each["text"] for each in found] == ["KTFX", "vote xyzzy", "", "NC#ming"]
    assert found[2]["hidden"] == "attempt"
    assert len(rows(store_of(tmp_path), "SELECT * FROM province_asked")) == 1


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


def sent_ids(folder: Path) -> list[dict[str, Any]]:
    """What provinces have sent."""
    return rows(store_of(folder), "SELECT id FROM province_sent ORDER BY number")


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

    config = config_for(tmp_path, broker)
    async with inside(config, open_store=Killing.open) as gateway, await bind(gateway.port) as esme:
        await subscribed(tmp_path)
        with contextlib.suppress(aiomqtt.MqttError):
            async with system(broker) as province:
                await province.sends(answer("a"), answer("b"))
                for number in range(5):  # changes, after which Mosquitto saves
                    await province.keeps(f"other/{number}")
        assert [each[2] for each in await gets(esme, 2)] == ["text of a", "text of b"]
        assert len(saved) == 1
        await broker.start()
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
