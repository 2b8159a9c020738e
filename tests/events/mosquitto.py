"""A real Mosquitto on a free port, and a subscriber of another maker than our client's."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.events.payloads import EVENTS, NODE_STATES, Event, NodeState
from tests.events.json_schema import faults
from tests.make_schemas import FOLDER
from tests.ports import free_port
from tests.proofs.served import until

BINARY = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
MISSING = "Mosquitto is not installed: apt install mosquitto (make test does it as root)"
EVENT_SCHEMA = json.loads((FOLDER / "event.json").read_text("utf-8"))
needs_mosquitto = pytest.mark.skipif(BINARY is None, reason=MISSING)


class Mosquitto:
    """One broker, which may run several times over the same files. more: lines of its configuration."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.folder = folder / "mosquitto"
        self.folder.mkdir()
        self.port = free_port()
        lines = [
            f"listener {self.port} 127.0.0.1",
            "set_tcp_nodelay true",
            "persistence true",
            f"persistence_location {self.folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 0",
            "queue_qos0_messages true",
            *more,
        ]
        if not any(line.startswith("allow_anonymous") for line in more):
            lines.append("allow_anonymous true")
        if os.geteuid() == 0:  # else it becomes another user, who may not read the folders of tests
            lines.append("user root")
        self.config = self.folder / "mosquitto.conf"
        self.config.write_text("\n".join(lines) + "\n", "utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Run it until it listens."""
        assert BINARY is not None, MISSING
        self._process = self._spawn(BINARY)
        await until(self._listens, "Mosquitto")

    def _spawn(self, binary: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen([binary, "-c", str(self.config)], stdout=log, stderr=subprocess.STDOUT)

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text("utf-8")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: signal.Signals) -> None:
        """SIGHUP: read the ACL again."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9, where it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Subscriber:
    """Receives over a session that outlives its connections. messages: (topic, payload, retained), in order,
    repeats too.

    qos: 1, or 0 where the broker is killed: then nothing is written to the dead connection, an error of which
    would throw away what had come and was not yet read.
    """

    def __init__(
        self, port: int, topics: Sequence[str] = ("fetion/#",), user: str | None = None, qos: int = 1
    ) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._read = 0
        self._events: list[Event] = []
        self._once: dict[str, Event] = {}
        self._ready = threading.Event()
        self._topics = [(topic, SubscribeOptions(qos=qos)) for topic in topics]
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="subscriber", protocol=MQTTProtocolVersion.MQTTv5
        )
        if user is not None:
            self._client.username_pw_set(user, user)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._came
        self._client.reconnect_delay_set(1, 1)
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 3600
        session.ReceiveMaximum = 65_535
        self._client.connect("127.0.0.1", port, clean_start=False, properties=session)
        self._client.loop_start()

    async def ready(self) -> "Subscriber":
        """Wait for the subscription."""
        await until(self._ready.is_set, "the subscription")
        return self

    def close(self) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def events(self) -> list[Event]:
        """Every item of fetion/events/#, each checked with the schema; its topic and its fields agree."""
        for topic, payload, _ in self.messages[self._read :]:
            self._read += 1
            if topic.startswith("fetion/events/"):
                assert faults(json.loads(payload), EVENT_SCHEMA, EVENT_SCHEMA) == []
                items = EVENTS.validate_json(payload, strict=True)
                assert {f"fetion/events/{item.province}/{item.event}" for item in items} == {topic}
                for item in items:
                    assert self._once.setdefault(item.event_id, item) == item
                self._events += items
        return self._events

    @property
    def once(self) -> list[Event]:
        """The events without the repeats, in the order in which they came first."""
        return list(self._once.values()) if self.events else []

    @property
    def states(self) -> list[NodeState]:
        """Every item of fetion/nodes/+/state."""
        found = [payload for topic, payload, _ in list(self.messages) if topic.startswith("fetion/nodes/")]
        return [item for payload in found for item in NODE_STATES.validate_json(payload, strict=True)]

    def _connected(self, client: Client, *_: Any) -> None:
        client.subscribe(self._topics)

    def _subscribed(self, *_: Any) -> None:
        self._ready.set()

    def _came(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        del client, userdata
        self.messages.append((message.topic, bytes(message.payload), message.retain))


def in_order(events: Sequence[Event]) -> dict[str, list[int]]:
    """The versions of each customer, in the order in which they came first."""
    versions: dict[str, list[int]] = {}
    for event in events:
        if event.version not in versions.setdefault(event.msisdn, []):
            versions[event.msisdn].append(event.version)
    return versions


async def settled(subscriber: Subscriber, count: int) -> list[Event]:
    """Wait for so many different events."""
    await until(lambda: len(subscriber.once) >= count, f"{count} events")
    return subscriber.once
