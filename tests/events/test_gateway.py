"""Events from an SMS to a consumer, through a running gateway."""

import asyncio
import contextlib
import itertools
from collections import defaultdict
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.events.contract import StoredEvent, TemporaryFault
from gateway.events.inprocess import EventRefused, InProcess
from gateway.message import message_id
from gateway.simulator.esme import Esme
from tests.events.support import Notebook, away, broken
from tests.proofs.served import (
    accepted,
    bind,
    delivered,
    inside,
    lines,
    rows,
    sms,
    text_of,
    until,
    write_config,
)
from tests.support import ALICE, BOB, Wire, store_of


async def says(esme: Esme, *said: tuple[str, str]) -> list[str]:
    """Handsets write to 161; the message ids."""
    return [await accepted(esme, sms(who, "161", text)) for who, text in said]


def told(events: list[StoredEvent]) -> list[tuple[str, str, int]]:
    """(mobile, event, version) of each."""
    return [(event.msisdn, f"{event.family}/{event.name}", event.version) for event in events]


async def test_what_happened_is_told(tmp_path: Path) -> None:
    """In order, with cause, Fetion number (also of who gives it back), province and data, and versions
    without gaps for each customer."""
    consumer = Notebook()
    config = write_config(tmp_path)
    async with inside(config, consumers=[consumer]) as gateway, await bind(gateway.port) as esme:
        ids = await says(esme, (ALICE, "KTFX"), (BOB, "KTFX"), (ALICE, "NC#ming"), (ALICE, "YS#0"))
        await until(lambda: len(consumer.taken) == 4, "four events")
        await says(esme, (BOB, "QXFX"))
        question = next(each for each in [await delivered(esme) for _ in range(5)] if "取消" in text_of(each))
        await accepted(esme, sms(BOB, question.source_addr, "是", 8))
    cancelled = consumer.taken.pop()
    assert told([cancelled]) == [(BOB, "service/cancelled", 2)]
    assert cancelled.fetion_number == consumer.taken[1].fetion_number != ""
    assert told(consumer.taken) == [
        (ALICE, "service/opened", 1),
        (BOB, "service/opened", 1),
        (ALICE, "profile/nickname", 2),
        (ALICE, "privacy/mobile", 3),
    ]
    assert [message_id(event.cause) for event in consumer.taken] == ids
    first, third = consumer.taken[0], consumer.taken[2]
    assert first.data["fetion_number"] == first.fetion_number == third.fetion_number
    assert (first.province, third.data) == ("100", {"text": "ming"})


async def test_no_consumer_no_events(tmp_path: Path) -> None:
    """Without one nothing is stored, and nothing is counted; versions begin when there is one."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port) as esme:
        await says(esme, (ALICE, "KTFX"), (ALICE, "NC#ming"))
        assert gateway.events.backlog == {}
    assert rows(store_of(tmp_path), "SELECT * FROM event") == []
    [row] = rows(store_of(tmp_path), "SELECT doc FROM customer")
    assert "version" not in row["doc"]
    consumer = Notebook()
    async with inside(config, consumers=[consumer]) as gateway, await bind(gateway.port) as esme:
        await says(esme, (ALICE, "NC#hong"))
    assert told(consumer.taken) == [(ALICE, "profile/nickname", 1)]


async def test_the_last_events_are_told_at_the_stop(tmp_path: Path) -> None:
    """A consumer that takes what it gets has all of it when the gateway has stopped, and nothing twice."""
    config, taken = write_config(tmp_path), []
    for _ in range(3):
        consumer = Notebook(most=7)
        async with inside(config, consumers=[consumer]) as gateway, await bind(gateway.port) as esme:
            await asyncio.gather(*(says(esme, (str(13800138000 + n), "KTFX")) for n in range(40)))
            await asyncio.gather(*(says(esme, (str(13800138000 + n), "NC#a")) for n in range(40)))
        taken += consumer.taken
    assert [event.sequence for event in taken] == list(range(1, len(taken) + 1))
    versions = defaultdict(list)
    for event in taken:
        versions[event.msisdn].append(event.version)
    assert len(versions) == 40
    assert all(each == list(range(1, len(each) + 1)) for each in versions.values())


async def test_a_slow_consumer_is_waited_for_a_moment(tmp_path: Path) -> None:
    """At the stop it takes what is left, as far as a second reaches."""
    taken = []

    async def take(event: StoredEvent) -> None:
        await asyncio.sleep(0.01)
        taken.append(event.sequence)

    consumers = [InProcess("slow", take)]
    async with (
        inside(write_config(tmp_path), consumers=consumers) as gateway,
        await bind(gateway.port) as esme,
    ):
        await asyncio.gather(*(says(esme, (str(13800138000 + n), "KTFX")) for n in range(30)))
        assert len(taken) < 30
    assert taken == list(range(1, 31))


async def test_a_stop_that_takes_too_long(tmp_path: Path) -> None:
    """Where a peer does not answer its unbind, the relays end with the gateway all the same."""
    consumer = Notebook()
    config = write_config(tmp_path, shutdown={"deadline": 1})
    async with contextlib.AsyncExitStack() as peers, inside(config, consumers=[consumer]) as gateway:
        wire = await peers.enter_async_context(Wire.to(gateway.port))
        await wire.bind()
    assert not [task for task in asyncio.all_tasks() if "events" in task.get_name()]
    assert "gateway.stop_deadline" in (tmp_path / "gateway.log").read_text("utf-8")


async def test_functions_as_consumers(tmp_path: Path) -> None:
    """A plain and an asynchronous function are called in order; what one refuses is parked; what it cannot
    take comes again, as it does after a bug; the log says so without the event's text."""
    plain: list[StoredEvent] = []
    later: list[StoredEvent] = []
    faults = iter([TemporaryFault("not yet"), KeyError("bug")])

    def take(event: StoredEvent) -> None:
        if event.name == "mood":
            raise EventRefused("no moods")
        plain.append(event)

    async def take_later(event: StoredEvent) -> None:
        await asyncio.sleep(0)
        for fault in faults:
            raise fault
        later.append(event)

    consumers = [InProcess("plain", take), InProcess("later", take_later)]
    async with inside(write_config(tmp_path), consumers=consumers) as gateway:
        async with await bind(gateway.port) as esme:
            await says(esme, (ALICE, "KTFX"), (ALICE, "QM#climbing"), (ALICE, "NC#ming"))
            await until(lambda: len(later) == 3 and len(plain) == 2, "all events")
        await until(lambda: gateway.events.counts["plain"] == (1, 0), "the parked one")
    assert [event.sequence for event in later] == [1, 2, 3]
    assert [event.sequence for event in plain] == [1, 3]
    [parked] = rows(store_of(tmp_path), "SELECT consumer, sequence, reason FROM parked_event")
    assert parked == {"consumer": "plain", "sequence": 2, "reason": "no moods"}
    log = lines(tmp_path / "gateway.log")
    of = {line["event"]: line for line in log if line["event"].startswith("events.")}
    assert set(of) == {"events.parked", "events.deferred", "events.broken", "events.resumed"}
    assert (of["events.parked"]["reason"], of["events.broken"]["error"]) == ("no moods", "KeyError")
    assert "climbing" not in (tmp_path / "gateway.log").read_text("utf-8")


@pytest.mark.parametrize("answers", [itertools.repeat(away, 1000), itertools.repeat(broken, 1000)])
async def test_no_sms_waits_for_a_consumer(tmp_path: Path, answers: list[object]) -> None:
    """One that is away, or broken, delays no answer, no other consumer, no stop; it gets all later."""
    config = write_config(tmp_path)
    bad, good = Notebook("bad"), Notebook("good")
    bad.answers = list(answers)  # type: ignore[arg-type]
    async with asyncio.timeout(8):
        async with inside(config, consumers=[bad, good]) as gateway, await bind(gateway.port) as esme:
            await says(esme, *((str(13800138000 + n), "KTFX") for n in range(20)))
            await until(lambda: len(good.taken) == 20, "the other consumer")
            assert gateway.events.backlog["bad"] == 20
    assert bad.taken == []
    again = Notebook("bad")
    async with inside(config, consumers=[again]):
        await until(lambda: len(again.taken) == 20, "all events")
    assert [event.event_id for event in again.taken] == [event.event_id for event in good.taken]


async def test_a_consumer_that_hangs_at_the_stop(tmp_path: Path) -> None:
    """It is cancelled: the gateway stops within its deadline, and tells it again."""
    config, consumer = write_config(tmp_path), Notebook()
    hung = asyncio.Event()

    async def take(event: StoredEvent) -> None:
        del event
        hung.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        consumers = [InProcess("notebook", take)]
        async with inside(config, consumers=consumers) as gateway, await bind(gateway.port) as esme:
            await says(esme, (ALICE, "KTFX"))
            await hung.wait()
    async with inside(config, consumers=[consumer]):
        await until(lambda: consumer.taken, "the event")


async def test_two_of_one_name_do_not_start(tmp_path: Path) -> None:
    """The gateway refuses them before it listens."""
    with pytest.raises(ValueError, match="one name"):
        async with inside(write_config(tmp_path), consumers=[Notebook(), Notebook()]):
            raise AssertionError(Gateway)
