"""A province's system at a real Mosquitto, a gateway, and handsets: what goes out and what comes in."""

from pathlib import Path

from gateway.operations.control import ask
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.events.province import (
    MO,
    MT,
    SENTENCE,
    answer,
    config_for,
    gets,
    open_asks,
    subscribed,
    system,
    ticked,
)
from tests.events.support import Notebook
from tests.proofs.served import (
    accepted,
    bind,
    events,
    inside,
    lines,
    rows,
    sms,
    until,
)
from tests.support import ALICE, BOB, store_of

pytestmark = needs_mosquitto


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
        report = await ask(store_of(tmp_path), "status")
        assert report["provinces"] == {
            "subscribes": True,
            "of": {"200": {"taken": 4, "repeated": 1, "refused": 0, "unanswered": 0}},
        }
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
    """Nothing is sent; headquarters has no numbers of its own. What cannot be answered, as the topic of the
    answer would be too long, holds up nothing."""
    config = config_for(tmp_path, broker)
    names = ("000", "999", "12345678")
    topics = [f"fetion/province/{name}/mt/refused" for name in names]
    async with system(broker, *topics) as province, inside(config) as gateway:
        await subscribed(tmp_path)
        await province.sends(answer("a"), topic=f"fetion/province/{'9' * 65_510}/mt")
        for topic in topics:
            await province.sends(answer("a"), topic=topic.removesuffix("/refused"))
            [item] = await province.gets(topic)
            assert "is no code of a province" in item["reason"]
        assert sum(gateway.provinces.counts.values()) == 4
    assert rows(store_of(tmp_path), "SELECT * FROM outbox") == []
    assert "gateway.fault" not in events(tmp_path / "gateway.log")


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
