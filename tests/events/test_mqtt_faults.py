"""The MQTT consumer and brokers that misbehave: silent, full, slow, gone, with small limits."""

import contextlib
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import SystemClock
from gateway.events import mqtt, parking, relay
from gateway.events.arrays import publishes, topic_of
from gateway.events.broker import MqttSettings
from gateway.events.mqtt import MqttEvents
from gateway.events.payloads import ITEMS_MOST
from gateway.events.relay import Relays
from gateway.message import Commit, StoredEvent
from gateway.observer import Observer
from gateway.storage.contract import Cursor
from gateway.storage.sqlite.store import SqliteStore
from tests.events.fake_broker import FakeBroker
from tests.events.support import Told, happened
from tests.proofs.served import until
from tests.support import ALICE, BOB, at_once, store_at

YEAR_MS = 365 * 86_400_000 * 100


class Heard(Told):
    """And what is said of connections."""

    def consumer_connected(self, consumer: str, peer: str, failures: int) -> None:
        """Noted."""
        del peer
        self.lines.append(("connected", consumer, failures))

    def consumer_disconnected(self, consumer: str, peer: str, reason: str, failures: int) -> None:
        """Noted."""
        del consumer, peer
        self.lines.append(("disconnected", reason, failures))

    def consumer_denied(self, consumer: str, what: str, reason: str) -> None:
        """Noted."""
        del consumer
        self.lines.append(("denied", what, reason))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


@contextlib.asynccontextmanager
async def publishing(store: SqliteStore, url: str, observer: Observer | None = None) -> AsyncIterator[Relays]:
    """The consumer and its relay over a store."""
    clock, heard = SystemClock(), observer or Heard()
    consumer = MqttEvents(MqttSettings(url=url), "bj1", clock, Random(7), heard)
    relays = Relays([consumer], store, clock, Random(7), heard, YEAR_MS)
    relays.start()
    try:
        yield relays
    finally:
        await relays.close(1)


def put(store: SqliteStore, count: int, names: str = "m") -> None:
    """Commit so many events about Alice, of these names in turn."""
    first = store.last_event + 1
    told = [replace(happened(first + n), name=names[n % len(names)]) for n in range(count)]
    at_once(store.commit(Commit(events=told)))


def cursor(store: SqliteStore) -> Cursor:
    """Where the consumer stands."""
    return at_once(store.cursor("mqtt"))


async def test_no_more_in_flight_than_the_broker_takes(store: SqliteStore) -> None:
    """Its receive maximum, less one for the state; the cursor moves behind the answers only."""
    put(store, 9, "abcdefghi")  # topics that it has taken once
    async with FakeBroker() as broker:
        broker.receive_maximum = 7
        async with publishing(store, broker.url) as relays:
            await until(lambda: cursor(store).sequence == 9, "the cursor")
            broker.held = True
            put(store, 900, "abcdefghi")
            relays.wake()
            await until(lambda: broker.waiting == 6, "publishes")
            assert cursor(store).sequence == 9
            broker.release()
            await until(lambda: cursor(store).sequence == 909, "the cursor")
        assert broker.most == 6
        # A slow machine may tell some again: at least once is the promise.
        assert sorted({int(str(item["version"])) for item in broker.events}) == list(range(1, 910))


async def test_a_new_topic_goes_alone(store: SqliteStore) -> None:
    """Over each connection the first publish of a topic waits for its answer: a broker that denies it may
    close the connection, and lose what is in flight behind it."""
    put(store, 30, "abc")
    async with FakeBroker() as broker:
        broker.held = True
        async with publishing(store, broker.url):
            await until(lambda: broker.waiting, "a publish")
            assert broker.waiting == 1
            broker.release()
            await until(lambda: cursor(store).sequence == 30, "the cursor")
        assert broker.most == 1


async def test_the_cursor_waits_for_the_broker(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishes that are not answered move nothing; when the broker stays silent the connection is given up
    and they come again over another one."""
    monkeypatch.setattr(mqtt, "ANSWER", 0.3)
    monkeypatch.setattr(relay, "RETRY_MOST", 0.1)
    put(store, 120)
    heard = Heard()
    passed: list[int] = []

    def answer(topic: str, payload: bytes) -> int | None:
        del payload
        passed.append(cursor(store).sequence)
        return None if broker.connections < 3 and topic.startswith("fetion/events/") else 0

    async with FakeBroker(answer) as broker, publishing(store, broker.url, heard):
        await until(lambda: cursor(store).sequence == 120, "the cursor")
        assert [item["version"] for item in broker.events] == list(range(1, 121))
    assert set(passed[:4]) == {0}
    assert ("disconnected", "no answer to a publish within 0.3 s", 1) in heard.lines


async def test_a_publish_does_not_outlive_its_connection(store: SqliteStore) -> None:
    """A reset with publishes in flight ends them at once, not after their time: they come again soon."""
    async with FakeBroker() as broker, publishing(store, broker.url) as relays:
        for cuts in range(1, 4):
            broker.held = True
            put(store, 10)
            relays.wake()
            await until(lambda: broker.waiting, "a publish")
            broker.held, began = False, monotonic()
            broker.cut()
            await until(partial(went_on, store, cuts * 10), "the cursor")
            assert monotonic() - began < mqtt.ANSWER
        assert [item["version"] for item in broker.events] == list(range(1, 31))


def went_on(store: SqliteStore, sequence: int) -> bool:
    """Whether the cursor is there."""
    return cursor(store).sequence == sequence


@pytest.mark.parametrize("code", [0x80, 0x83, 0x87, 0x90, 0x97, 0x99])
async def test_every_refusal_is_one(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A PUBACK with a reason of 0x80 or above, a full broker's too, parks the topic; it is offered again."""
    monkeypatch.setattr(parking, "AGAIN_MOST", 0.1)
    put(store, 20, "ab")
    denied = {"fetion/events/100/profile/a"}
    heard = Heard()

    async with FakeBroker(lambda topic, _: code if topic in denied else 0x10) as broker:
        broker.answer = lambda topic, _: code if topic in denied else 0
        async with publishing(store, broker.url, heard) as relays:
            await until(lambda: cursor(store) == Cursor(20, 10), "the cursor")
            assert [item["version"] for item in broker.events] == list(range(2, 21, 2))
            assert relays.counts == {"mqtt": (10, 0)}
            denied.clear()
            await until(lambda: len(broker.events) == 20, "what was parked")
        assert [item["version"] for item in broker.events[10:]] == list(range(1, 20, 2))
    [parked, *_] = [str(line[3]) for line in heard.lines if line[0] == "parked"]
    assert parked.startswith(f"fetion/events/100/profile/a: the broker answers 0x{code:02X} ")


async def test_no_subscriber_is_no_refusal(store: SqliteStore) -> None:
    """0x10: nobody has subscribed. The broker has it."""
    put(store, 3)
    async with FakeBroker(lambda *_: 0x10) as broker, publishing(store, broker.url):
        await until(lambda: cursor(store) == Cursor(3), "the cursor")


async def test_a_broker_with_small_packets(store: SqliteStore) -> None:
    """An array is cut to the broker's longest packet; an event that is longer is parked for good."""
    put(store, 60)
    long = StoredEvent(1, 7, BOB, "400000002", "100", "profile", "m", 1, {"text": "x" * 2000})
    at_once(store.commit(Commit(events=[long])))
    put(store, 3)
    async with FakeBroker() as broker:
        broker.packet_most = 1024
        async with publishing(store, broker.url):
            await until(lambda: cursor(store) == Cursor(64, 1), "the cursor")
        assert broker.longest <= 1024
        assert [item["version"] for item in broker.events] == [*range(1, 61), *range(62, 65)]
    [(event, reason)] = at_once(store.parked_events("mqtt", 9))
    assert (event.sequence, reason) == (61, mqtt.TOO_LONG)


async def test_a_broker_that_says_nothing(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No CONNACK: given up after a while, tried again; the stop does not wait for it."""
    monkeypatch.setattr(mqtt, "ANSWER", 0.2)
    put(store, 3)
    heard = Heard()
    async with FakeBroker() as broker:
        broker.accepts = False
        async with publishing(store, broker.url, heard):
            await until(lambda: len(heard.lines) >= 2, "two failures")
            assert heard.lines[0] == ("disconnected", "Operation timed out", 1)
            broker.accepts = True
            await until(lambda: cursor(store).sequence == 3, "the cursor")


async def test_the_stop_while_connecting(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address from which nothing comes back, not even a refusal: the stop waits for one attempt."""
    monkeypatch.setattr(mqtt, "ANSWER", 0.5)
    put(store, 3)
    heard = Heard()
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # more than its queue holds: from now on it drops what comes
            other = waiting.enter_context(socket.socket())
            other.settimeout(0)
            other.connect_ex(full.getsockname())
        async with publishing(store, f"mqtt://127.0.0.1:{full.getsockname()[1]}", heard):
            await until(lambda: heard.lines, "a failure")
            began = monotonic()
        assert monotonic() - began < 3
    assert heard.lines[0] == ("disconnected", "timed out", 1)


async def test_the_broker_says_why_it_goes(store: SqliteStore) -> None:
    """The reason of a DISCONNECT is in the log."""
    heard = Heard()
    async with FakeBroker() as broker, publishing(store, broker.url, heard):
        await until(lambda: ("connected", "mqtt", 0) in heard.lines, "the connection")
        broker.disconnect(0x8E)
        await until(lambda: ("connected", "mqtt", 1) in heard.lines, "the next one")
    assert ("disconnected", f"{mqtt.CLOSED}: Session taken over", 1) in heard.lines


async def test_a_state_that_is_denied(store: SqliteStore) -> None:
    """Events are published all the same, and it is said."""
    put(store, 3)
    heard = Heard()
    broker = FakeBroker(lambda topic, _: 0x87 if topic.startswith("fetion/nodes/") else 0)
    async with broker, publishing(store, broker.url, heard):
        await until(lambda: cursor(store).sequence == 3, "the cursor")
    assert ("denied", "fetion/nodes/bj1/state", "0x87 Not authorized") in heard.lines


CUSTOMERS = [ALICE, BOB, "13700137000"]


@given(
    st.lists(st.tuples(st.sampled_from(CUSTOMERS), st.sampled_from("ab"), st.sampled_from(["100", "200"])))
)
def test_arrays_keep_the_order_of_each_customer(drawn: list[tuple[str, str, str]]) -> None:
    """Every event once, 1 to 50 of one topic in an array; a customer's events in order over all arrays."""
    told = [
        replace(happened(number, who), name=name, province=province, sequence=number)
        for number, (who, name, province) in enumerate(drawn, 1)
    ]
    made = publishes(told)
    came = [event for each in made for event in each.events]
    assert sorted(event.sequence for event in came) == list(range(1, len(told) + 1))
    assert all(1 <= len(each.events) <= ITEMS_MOST for each in made)
    assert all(topic_of(event) == each.topic for each in made for event in each.events)
    order = defaultdict(list)
    for event in came:
        order[event.msisdn].append(event.sequence)
    assert all(each == sorted(each) for each in order.values())


def test_arrays_are_as_full_as_they_can_be() -> None:
    """Events of many customers on two topics: two topics' worth of arrays, not one for each change."""
    told = [
        replace(happened(1, str(13_800_000_000 + n)), name="ab"[n % 2], sequence=n + 1) for n in range(200)
    ]
    assert [len(each.events) for each in publishes(told)] == [50, 50, 50, 50]
