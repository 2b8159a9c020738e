"""What the proof of the broker's faults needs: a load, a subscriber that leaves, measurements, a ledger."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from time import monotonic
from typing import Any

from paho.mqtt.client import Client

from gateway.events.payloads import EVENTS, PROVINCE_MO, Event, ProvinceMo
from gateway.operations.control import ask
from gateway.simulator.esme import Delivery, Esme
from tests.events.mosquitto import Mosquitto, Subscriber
from tests.proofs.served import accepted, sms
from tests.support import store_of

CALM = "calm"
"""The name of the phases in which nothing is wrong."""
PROVINCE_NUMBER = "1612008"


async def eventually(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Wait for a condition. Raises AssertionError, which names `what`, if it does not come true."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, f"waited {seconds:g} s in vain for {what}"
        await asyncio.sleep(0.01)


class Load:
    """A closed loop of handsets: each writes, waits for its answer (an SMS to a province: for the response),
    and writes again. answered: when each was; worst: seconds of the longest round trip.

    Of ten SMS of a handset eight change its nickname, one its privacy, and one goes to a province: mo has
    the message ids of those.
    """

    def __init__(self, handsets: int) -> None:
        self.handsets = [str(13_800_138_000 + number) for number in range(handsets)]
        self.answered: list[float] = []
        self.mo: set[str] = set()
        self.worst = 0.0
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._stop = False
        self._tasks: list[asyncio.Task[None]] = []

    def take(self, delivery: Delivery) -> int:
        """What gateway.simulator.esme.Esme calls with each SMS to a handset."""
        waiting = self._waiting.pop(delivery.destination_addr, None)
        if waiting is not None:
            waiting.set_result(None)
        return 0

    async def start(self, esme: Esme) -> None:
        """Open all of them, then write on and on."""
        await asyncio.gather(*(self._write(esme, each, "KTFX") for each in self.handsets))
        self._tasks = [asyncio.create_task(self._write_on(esme, each)) for each in self.handsets]

    async def stop(self) -> None:
        """Let each handset finish its SMS."""
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        """End it at once."""
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def more(self, count: int) -> None:
        """Wait until so many more are answered."""
        goal = len(self.answered) + count
        await eventually(lambda: len(self.answered) >= goal or self._failed(), "answers")

    def _failed(self) -> bool:
        """Raise what ended a handset."""
        return any(each.result() for each in self._tasks if each.done())

    async def _write_on(self, esme: Esme, handset: str) -> None:
        number = 0
        while not self._stop:
            number += 1
            began = monotonic()
            if number % 10 == 5:
                request = sms(handset, PROVINCE_NUMBER, f"vote {number}")
                self.mo.add(await accepted(esme, request))
            else:
                text = f"YS#{number // 10 % 2}" if number % 10 == 0 else f"NC#n{number}"
                await self._write(esme, handset, text)
            self.answered.append(monotonic())
            self.worst = max(self.worst, self.answered[-1] - began)

    async def _write(self, esme: Esme, handset: str, text: str) -> None:
        answer = self._waiting[handset] = asyncio.get_running_loop().create_future()
        await accepted(esme, sms(handset, "161", text))
        await answer


class Listener(Subscriber):
    """A subscriber of QoS 1 that can leave and come back.

    Where the broker is killed it must not write: an acknowledgement that meets the dead connection throws
    away what had come and was not yet read. So `hold` it before.
    """

    def __init__(self, port: int, user: str) -> None:
        self._holds = threading.Event()
        self._gone = threading.Event()
        super().__init__(port, user=user)
        self._client.manual_ack_set(on=True)
        self._client.on_disconnect = self._lost

    async def hold(self) -> None:
        """Acknowledge nothing more."""
        self._holds.set()
        before = len(self.messages)
        await eventually(lambda: len(self.messages) > before + 2, "messages")

    async def release(self) -> None:
        """The broker is dead: all that it had sent is read. Acknowledge again, over the next connection."""
        await eventually(self._gone.is_set, "the end of the connection")
        self._gone.clear()
        self._holds.clear()
        self._ready.clear()

    def leave(self) -> None:
        """Go; the session stays."""
        self.close()

    def come_back(self) -> None:
        """Take up the session."""
        self._ready.clear()
        self._client.reconnect()
        old = (self._client._sockpairR, self._client._sockpairW)
        self._client.loop_start()
        for each in old:  # paho makes new ones, and forgets these
            if each is not None:
                each.close()

    def _lost(self, *_: Any) -> None:
        self._gone.set()

    def _came(self, client: Client, userdata: Any, message: Any) -> None:
        super()._came(client, userdata, message)
        if message.qos and not self._holds.is_set():
            client.ack(message.mid, message.qos)


class FullMosquitto(Mosquitto):
    """A broker whose disk can be full: its files may not grow beyond a limit. As with a full disk a write
    fails then (SIGXFSZ, which would end the process, is ignored: no disk sends it)."""

    def _spawn(self, binary: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [binary, "-c", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                restore_signals=False,  # Python ignores SIGXFSZ; so does what it starts
            )

    @property
    def saved(self) -> int:
        """When it has saved last, in nanoseconds; 0: never."""
        file = self.folder / "mosquitto.db"
        return file.stat().st_mtime_ns if file.exists() else 0

    async def save(self) -> None:
        """Let it save now."""
        before = self.saved
        self.send(signal.SIGUSR1)
        await eventually(lambda: self.saved > before, "the broker's file")

    def limit(self, octets: int) -> None:
        """Of each file; resource.RLIM_INFINITY: none."""
        assert self._process is not None
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (octets, hard))

    async def stop(self) -> None:
        """SIGTERM: it saves, and ends."""
        process = self._process
        assert process is not None
        process.terminate()
        await eventually(lambda: process.poll() is not None, "the end of the broker")
        self._process = None


@dataclass(slots=True)
class Phase:
    """What was measured.

    rate: round trips a second. share, cheap: round trips, and SMS for each second of processor time, to each
    of the gateway beside it. waited: events that another consumer had not yet, at most. rss: MiB at its end.
    cpu: microseconds of the gateway for each SMS.
    """

    name: str
    rate: float
    share: float
    cheap: float
    worst: float
    waited: int
    rss: int
    cpu: float


@dataclass(slots=True)
class Measure:
    """Measures the phases of one run. phases: those that are over.

    beside: the load of a gateway without a broker, at the same time: others use this machine too, and take as
    much from both; None: there is none, and shares say nothing. other: the process of that gateway.
    """

    load: Load
    beside: Load | None
    other: int
    folder: Path
    pid: int
    phases: list[Phase] = field(default_factory=list)
    _waited: int = 0

    async def phase(self, name: str, during: Awaitable[None]) -> None:
        """One that lasts as long as `during`."""
        since, other = len(self.load.answered), self._beside
        used, others = busy(self.pid), busy(self.other)
        self.load.worst, began = 0.0, monotonic()
        watching = asyncio.ensure_future(self._watch())
        try:
            await during
        finally:
            watching.cancel()
        done, beside = len(self.load.answered) - since, max(1, self._beside - other)
        cpu, cost = (busy(self.pid) - used) / done, (busy(self.other) - others) / beside
        self.phases.append(
            Phase(
                name,
                done / (monotonic() - began),
                done / beside,
                cost / cpu,
                self.load.worst,
                self._waited,
                resident(self.pid),
                cpu * 1e6,
            )
        )

    @property
    def _beside(self) -> int:
        return len(self.beside.answered) if self.beside else 0

    def shares(self) -> dict[str, tuple[float, float]]:
        """Share and cheap of each phase, in parts of the mean of the calm phases before and after it."""
        found = {}
        for place, each in enumerate(self.phases):
            if each.name != CALM:
                before = [calm for calm in self.phases[:place] if calm.name == CALM][-1]
                after = next(calm for calm in self.phases[place:] if calm.name == CALM)
                share = each.share / mean([before.share, after.share])
                found[each.name] = share, each.cheap / mean([before.cheap, after.cheap])
        return found

    async def events(self, consumer: str) -> dict[str, Any]:
        """What `status` says of a consumer."""
        found: dict[str, Any] = (await ask(store_of(self.folder), "status"))["events"][consumer]
        return found

    async def drained(self, waiting: int = 100) -> None:
        """Wait until no more than so many events wait for the broker."""
        async with asyncio.timeout(90):
            while (await self.events("mqtt"))["waiting"] > waiting:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def _watch(self) -> None:
        self._waited = 0
        while True:
            self._waited = max(self._waited, (await self.events("ledger"))["waiting"])
            for _ in range(10):  # to ask costs the gateway milliseconds
                await asyncio.sleep(0.05)


def resident(pid: int) -> int:
    """MiB of memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) >> 10


def busy(pid: int) -> float:
    """Seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Heard:
    """What a subscriber got: by event_id in the order in which each came first, and how many came again."""

    events: dict[str, Event] = field(default_factory=dict)
    mo: dict[str, ProvinceMo] = field(default_factory=dict)
    repeats: int = 0

    @classmethod
    def of(cls, subscriber: Subscriber) -> "Heard":
        """Read all messages. A repeat must be what came before."""
        heard = cls()
        for topic, payload, _ in list(subscriber.messages):
            known: dict[str, Any]
            items: list[Any]
            if topic.startswith("fetion/events/"):
                known, items = heard.events, list(EVENTS.validate_json(payload, strict=True))
                assert {f"fetion/events/{item.province}/{item.event}" for item in items} == {topic}
            elif topic.endswith("/mo"):
                known, items = heard.mo, list(PROVINCE_MO.validate_json(payload, strict=True))
                assert {f"fetion/province/{item.sub_code}/mo" for item in items} == {topic}
            else:
                continue
            for item in items:
                heard.repeats += item.event_id in known
                assert known.setdefault(item.event_id, item) == item
        return heard

    @property
    def sequences(self) -> set[int]:
        """The place of each among all events of the store."""
        return {int(each.rsplit("-", 1)[1]) for each in (*self.events, *self.mo)}


def told(ledger: Path) -> dict[str, dict[str, Any]]:
    """What the consumer in the process has written down, by event_id."""
    found = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
    return {each["event_id"]: each for each in found}
