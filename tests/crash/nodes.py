"""Two nodes on one PostgreSQL, and an SMS centre with a bind to each: what is unanswered at the one when it
is lost is sent again at the other, at once."""

import asyncio
import json
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from gateway.channels.smpp.settings import SHIPPED_ACCOUNT
from gateway.net.connection import Connection
from gateway.simulator.handset import SHIPPED
from gateway.simulator.sms import encode
from gateway.smpp.coding import Alphabet
from gateway.smpp.events import Answered, Event
from gateway.smpp.pdus import BindTransceiver, DeliverSm, SubmitSm
from gateway.smpp.session import Limits, Session, Side, State
from gateway.smpp.status import CommandStatus
from gateway.testing import configuration
from tests.crash.evidence import OnServer, Stored
from tests.crash.ledger import Ledger
from tests.crash.load import Load, Message
from tests.crash.process import GatewayProcess
from tests.ports import free_port

NAMES = ("east", "west")
WITHIN = 30.0
DRAINED_WITHIN = 60.0
AGAIN = 0.05
"""Seconds until a lost bind, or a refused message, is tried again."""
AHEAD = 500
"""Messages that may wait for a bind while others are drawn."""
GRACE = 0.5
"""Seconds that what a node sent in time may need to arrive."""
_BIND = object()


class NodesLedger(Ledger):
    """Of a centre with several binds. late: what a node did after another one had taken over its work."""

    def __init__(self) -> None:
        super().__init__()
        self.faults_so_far = 0
        self.resent: list[Message] = []
        self.late: list[str] = []

    def answered(self, message: Message, status: int, message_id: str) -> None:
        """The response to a submit_sm; a refused one is sent again and is no fault."""
        del self.unanswered[message.order]
        if not status:
            message.message_id = message_id

    def _not_delivered_once(self, stored: Stored) -> Iterator[str]:
        """Each outbox row arrived; again at most once for each fault, where it was in flight."""
        rows = {sms for _, sms, _ in stored.outbox}
        yield from (f"{len(stored.outbox) - len(rows)} rows twice",) if len(rows) < len(stored.outbox) else ()
        for sms in rows:
            if not 1 <= self.received[sms] <= 1 + self.faults_so_far:
                yield f"arrived {self.received[sms]} times: {sms}"
        yield from (f"from nowhere: {sms}" for sms in self.received.keys() - rows)

    def _out_of_order(self) -> Iterator[str]:
        """What leaves from two nodes may overtake one another (docs/nodes.md)."""
        yield from ()

    def verdict(self, stored: Stored) -> list[str]:
        """Everything that is wrong."""
        return [*self.faults(stored), *self.late]


class Node:
    """One node: its configuration, and its process if it runs."""

    def __init__(self, folder: Path, name: str, url: str, lease: int, command: tuple[str, ...]) -> None:
        self.name = name
        self.port = free_port()
        self.folder = folder / name
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.process: GatewayProcess | None = None
        self.key = self.folder / "fetion.key"
        self._read_to = 0
        self._lines: list[dict[str, Any]] = []
        self._command = (
            *command,
            "--config",
            str(
                configuration.write_config(
                    self.folder,
                    {
                        "node": {"name": name, "lease": lease},
                        "smpp": {"listen": {"port": self.port}, "accounts": [SHIPPED_ACCOUNT]},
                        "storage": {"url": url, "key_file": str(self.key)},
                        "logging": {"format": "json"},
                        "limits": {
                            "instructions_per_minute": 10_000,
                            "sms_per_day": 1_000_000,
                            "sms_per_month": 1_000_000,
                        },
                    },
                )
            ),
        )

    async def start(self) -> None:
        """Start it, and wait until it listens; where its dead process still holds its row, again and again,
        as a service manager does."""
        async with asyncio.timeout(WITHIN):
            while True:
                with suppress(RuntimeError):
                    self.process = await GatewayProcess.start(self._command, self.log)
                    return

    async def kill(self) -> None:
        """kill -9."""
        await self.end()

    async def die(self) -> None:
        """Let it die behind its next COMMIT (tests.crash.node_runner)."""
        assert self.process is not None
        process, self.process = self.process, None
        wish = self.folder / "die"
        wish.touch()
        await process.died()
        wish.unlink()

    async def stop(self) -> int:
        """SIGTERM, where it runs; its return code."""
        process, self.process = self.process, None
        return 0 if process is None else await process.stop()

    async def end(self) -> None:
        """See to it that it does not run."""
        process, self.process = self.process, None
        if process is not None:
            await process.end()

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log about an event; of those about SMS there are too many, see `count`."""
        self._read()
        return [line for line in self._lines if line["event"] == event]

    def count(self, event: str) -> int:
        """How many lines its log has about an event."""
        return self.log.read_bytes().count(f'"event":"{event}"'.encode())

    def _read(self) -> None:
        if not self.log.exists():
            return
        with self.log.open("rb") as file:
            file.seek(self._read_to)
            octets = file.read()
        whole = octets[: octets.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.splitlines():
            if line.startswith(b"{") and b'"event":"sms.' not in line:
                with suppress(ValueError):  # kill -9 has cut it in two
                    self._lines.append(json.loads(line))


class Link:
    """The bind to one node, made again whenever it is lost."""

    def __init__(self, centre: "Failover", name: str, port: int, window: int) -> None:
        self.name = name
        self.up = False
        self.unanswered: dict[int, Message] = {}
        self.queue: deque[Message] = deque()
        self.refuses = False
        self.heard: list[tuple[float, str]] = []
        self._centre = centre
        self._port = port
        self._window = window
        self._connection: Connection | None = None
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self.task = asyncio.create_task(self._stay(), name=f"bind to {name}")

    async def _stay(self) -> None:
        while True:
            self._over.clear()
            session = Session(
                Side.ESME,
                now=self._loop.time(),
                serves=frozenset({DeliverSm.command_id}),
                limits=Limits(window_out=self._window),
            )
            with suppress(OSError):
                await self._loop.create_connection(
                    lambda session=session: Connection(session, self, self._loop.time),  # type: ignore[misc]
                    "127.0.0.1",
                    self._port,
                )
                await self._over.wait()
            await asyncio.sleep(0.05)

    def pump(self) -> None:
        """Send what the window takes."""
        connection = self._connection
        if connection is None or not self.up or connection.session.state is not State.BOUND_TRX:
            return
        while connection.session.window_free > 0 and (message := self._centre.next_for(self)) is not None:
            self._centre.ledger.sent(message)
            self.unanswered[message.order] = message
            connection.session.send(self._centre.request(message), message, self._loop.time())
        connection.flush()

    def opened(self, connection: Connection) -> None:
        """The socket stands."""
        self._connection = connection
        bind = BindTransceiver(system_id=SHIPPED.system_id, password=SHIPPED.password)
        connection.session.send(bind, _BIND, self._loop.time())
        connection.flush()

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Write down, answer, go on sending."""
        for event in events:
            if isinstance(event, Answered):
                self._answered(event)
            elif isinstance(event, DeliverSm):
                self.heard.append((time.time(), "sent"))
                if self.refuses:
                    connection.session.refuse(event, CommandStatus.RMSGQFUL)
                    continue
                self._centre.delivered(event)
                connection.session.answer(event, event.response())
        self._centre.pump()

    def lost(self, _: Connection, __: list[object], ___: str) -> None:
        """The bind is gone: what is unanswered goes to the other one."""
        self.up = False
        self._connection = None
        self._over.set()
        again, self.unanswered = [*self.unanswered.values()], {}
        self._centre.fail_over(self, again)

    def _answered(self, event: Answered) -> None:
        message, status = event.context, event.response.command_status
        if not isinstance(message, Message):
            self.up = status == 0
            return
        del self.unanswered[message.order]
        self._centre.ledger.answered(message, status, getattr(event.response, "message_id", ""))
        if status:
            self._centre.refused += 1
            self._loop.call_later(AGAIN, self._centre.once_more, message)
        else:
            self.heard.append((time.time(), "answered"))
            self._centre.acknowledged += 1


class Failover:
    """The centre. A pair of handsets writes through one bind while that is up; not apart: each through its
    own, so that two nodes change the same customers all the time."""

    def __init__(self, nodes: list[Node], ledger: NodesLedger, load: Load, window: int) -> None:
        self.ledger = ledger
        self.acknowledged = 0
        self.refused = 0
        self.apart = True
        self._load = load
        self._changed = asyncio.Event()
        self._alphabet = Alphabet.from_config({}, "gsm")
        self._backlog: deque[Message] = deque()
        self.links = {node.name: Link(self, node.name, node.port, window) for node in nodes}

    async def until(self, condition: Callable[[], bool], within: float = WITHIN) -> None:
        """Send what there is, and wait for a condition."""
        async with asyncio.timeout(within):
            self.pump()
            while not condition():
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN):
                        await self._changed.wait()
                for link in self.links.values():
                    assert not link.task.done(), link.task.exception()
                self.pump()

    async def while_waiting(self, work: Coroutine[Any, Any, None]) -> None:
        """Send what there is until something else is done."""
        task = asyncio.create_task(work)
        await self.until(task.done)
        await task

    async def close(self) -> None:
        """End the binds."""
        for link in self.links.values():
            link.task.cancel()
            if link._connection is not None:
                link._connection.abort("the test is over")

    def pump(self) -> None:
        """All binds send what they can."""
        for link in self.links.values():
            link.pump()
        self._changed.set()

    def next_for(self, link: Link) -> Message | None:
        """What a bind sends next."""
        while not link.queue:
            message = self._backlog.popleft() if self._backlog else self._load.next()
            if message is None:
                return None
            to = self._link_of(message)
            to.queue.append(message)
            if len(to.queue) > AHEAD and to is not link:
                return None
        return link.queue.popleft()

    def _link_of(self, message: Message) -> Link:
        links = [*self.links.values()]
        preferred = links[int(message.source) // (2 if self.apart else 1) % len(links)]
        return preferred if preferred.up else next((link for link in links if link.up), preferred)

    def fail_over(self, lost: Link, again: list[Message]) -> None:
        """What was unanswered on a bind, and what waited for it, goes out on another one."""
        self.ledger.resent += again
        waiting = [*again, *lost.queue]
        lost.queue.clear()
        other = next((link for link in self.links.values() if link.up), None)
        (self._backlog if other is None else other.queue).extendleft(reversed(waiting))
        self._changed.set()

    def once_more(self, message: Message) -> None:
        """A refused message goes out again, at the end, by preference on another bind."""
        self._link_of(message).queue.append(message)
        self.pump()

    def delivered(self, event: DeliverSm) -> None:
        """A deliver_sm, on any bind."""
        text = self._alphabet.decode(event.short_message, event.data_coding)
        self.ledger.delivered(event.destination_addr, event.source_addr, text)
        self._load.delivered(event.destination_addr, event.source_addr)

    def request(self, message: Message) -> SubmitSm:
        """As Centre sends it."""
        (part,) = encode(message.text, self._alphabet, 0)
        return SubmitSm(
            source_addr_npi=1,
            source_addr=message.source,
            dest_addr_npi=1,
            destination_addr=message.destination,
            data_coding=part.data_coding,
            short_message=part.octets,
        )


class Pair:
    """Both nodes and the centre, under load; `drain` ends it. urls: by which each node reaches the store."""

    def __init__(
        self,
        folder: Path,
        urls: tuple[str, str],
        beside: str,
        load: Load,
        lease: int,
        command: tuple[str, ...] = (sys.executable, "-m", "gateway", "serve"),
        window: int = 300,
    ) -> None:
        self.load = load
        self.ledger = NodesLedger()
        self.evidence = OnServer(beside)
        self.nodes = [Node(folder, name, url, lease, command) for name, url in zip(NAMES, urls, strict=True)]
        self.took: list[float] = []
        self._window = window

    async def start(self) -> None:
        """Start, bind, and let everybody open Fetion."""
        first, second = self.nodes
        await first.start()
        shutil.copy(first.key, second.key)
        await second.start()
        self.centre = Failover(self.nodes, self.ledger, self.load, self._window)
        await self.all_up()
        load, received = self.load, self.ledger.received
        load.open_all()
        await self.centre.until(lambda: len(received) >= len(load.handsets))
        load.befriend()
        await self.centre.until(lambda: len(received) >= len(load.handsets) + 4 * len(load.buddies))

    async def end(self) -> None:
        """Whatever happened."""
        if hasattr(self, "centre"):
            await self.centre.close()
        for node in self.nodes:
            await node.end()

    async def all_up(self) -> None:
        """Wait until there is a bind to each node."""
        await self.centre.until(lambda: all(link.up for link in self.centre.links.values()))

    async def go_on(self, messages: int) -> None:
        """Work so many messages."""
        aim = self.centre.acknowledged + messages
        await self.centre.until(lambda: self.centre.acknowledged >= aim)

    def fault(self) -> None:
        """Something happens now, after which an SMS that was in flight may arrive once more."""
        self.ledger.faults_so_far += 1

    async def answered_elsewhere(self, waiting: list[Message], since: float) -> None:
        """Wait until these messages are answered, and note how long it took since a fault (monotonic)."""
        await self.centre.until(lambda: all(message.message_id for message in waiting))
        self.took.append(time.monotonic() - since)

    async def drain(self) -> None:
        """Until all is answered, and nothing waits in the store."""
        load, ledger = self.load, self.ledger
        load.end()
        async with asyncio.timeout(DRAINED_WITHIN):
            waiting = 1
            while waiting or ledger.unanswered:
                await self.centre.until(lambda: not ledger.unanswered and not load.waiting, DRAINED_WITHIN)
                looking = asyncio.create_task(asyncio.to_thread(self._waiting))
                await self.centre.until(looking.done)
                waiting = looking.result()

    def _waiting(self) -> int:
        """How many SMS wait. Without a lock: the nodes go on."""
        with closing(psycopg.connect(self.evidence.url)) as db:
            row = db.execute("SELECT count(*) FROM outbox WHERE state = 0").fetchone()
            return int(row[0]) if row else 0

    def check_late(self, node: Node, other: Node) -> None:
        """Note what a node did after `other` had taken over from it the last time, and before it was fenced
        or, where it was not, until now."""
        over = max(_seconds(line) for line in other.said("node.taken_over") if line["node"] == node.name)
        fenced = [_seconds(line) for line in node.said("node.fenced") if _seconds(line) > over]
        until = min(fenced, default=time.time())
        late = [what for at, what in self.centre.links[node.name].heard if over + GRACE < at < until]
        if late:
            counted = ", ".join(f"{late.count(what)} {what}" for what in sorted(set(late)))
            self.ledger.late.append(f"late: {node.name} after {other.name} had taken over: {counted}")


def _seconds(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()
