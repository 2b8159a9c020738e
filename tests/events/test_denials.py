"""Mosquitto closes the connection of a client after each publish that it denies; what is allowed goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.events import relay
from gateway.events.payloads import Event
from gateway.storage.contract import Cursor
from gateway.storage.sqlite.store import SqliteStore
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.events.test_mqtt import credentials, subscribed
from tests.events.test_mqtt_faults import Heard, cursor, publishing, put
from tests.proofs.served import until
from tests.support import store_at

pytestmark = needs_mosquitto

NAMES = "abcdefghij"
DENIED = "cfj"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A new one."""
    opened = store_at(tmp_path / "fetion.db")
    yield opened
    opened.release()


def rights(nodes: bool) -> str:
    """All topics but three, and that of the state or not."""
    topics = [f"fetion/events/+/profile/{name}" for name in NAMES if name not in DENIED]
    topics += ["fetion/nodes/#"] if nodes else []
    lines = "".join(f"topic write {topic}\n" for topic in topics)
    return f"user gateway\n{lines}user subscriber\ntopic readwrite fetion/#\n"


@pytest.mark.parametrize("nodes", [True, False])
async def test_denied_topics_stop_no_other(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: bool
) -> None:
    """Three of ten topics are denied, in the midst of many events, or the state of the node too: their events
    are parked, all others arrive, each topic in order."""
    monkeypatch.setattr(relay, "RETRY_MOST", 0.2)
    put(store, 300, NAMES)
    broker = Mosquitto(tmp_path, *credentials(tmp_path, rights(nodes)))
    await broker.start()
    heard = Heard()
    try:
        async with subscribed(broker, user="subscriber") as subscriber:
            async with publishing(store, broker.url.replace("//", "//gateway:gateway@"), heard):
                await until(lambda: cursor(store) == Cursor(300, 90), "the cursor")
            await until(lambda: len(subscriber.once) == 210, "events")
    finally:
        broker.kill()
    assert {each.event.removeprefix("profile/") for each in subscriber.once} == set(NAMES) - set(DENIED)
    for name in set(NAMES) - set(DENIED):
        assert versions(subscriber.once, name) == list(range(1 + NAMES.index(name), 301, 10))
    assert (("denied", "fetion/nodes/bj1/state", "0x87 Not authorized") in heard.lines) is not nodes


def versions(events: list[Event], name: str) -> list[int]:
    """Those of one topic, as they came first."""
    return [each.version for each in events if each.event == f"profile/{name}"]
