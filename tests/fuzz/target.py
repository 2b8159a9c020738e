"""What is fuzzed: the octets of one peer, through connection, session and channel, to an owner that answers.

An input is two octets that say how (role and pace), and the octets that the peer sends. Whatever they are,
nothing may come of it but answers: no exception, no bug that a boundary caught, no forgotten SMS.
"""

import asyncio
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final, cast

from gateway.channels.contract import Bind, Enquiry, Inbound, Loss, Receipt, Told
from gateway.channels.smpp.centre import terms_of
from gateway.channels.smpp.driving import SmppSide
from gateway.channels.smpp.links import Half
from gateway.errors import Verdict
from gateway.message import MobileTerminated
from gateway.net.client import Client
from gateway.net.connection import Connection
from gateway.observer import Observer
from gateway.settings import Settings, load
from gateway.smpp.pdus import BindResponse
from gateway.testing.configuration import write_config

MOBILE: Final = "13800138000"
TEXTS: Final = ("hi", "飞信让沟通更简单，" * 20)
MOST_WAKES: Final = 5
WORST: Final = 1_000_000
"""Octets that one input may have; more is cut."""

_SECTION: Final[dict[str, Any]] = {
    "accounts": [
        {"system_id": "smsc", "password": "fetion16", "window_in": 4, "window_out": 2, "default": True},
        {"system_id": "old", "password": "fetion16", "alphabet": {0: "gsm-packed", 15: "utf-8"}},
    ],
    "links": [
        {
            "name": "north",
            "host": "127.0.0.1",
            "port": 1,
            "system_id": "fetion",
            "password": "pw",
            "window": 2,
            "paused": True,
            "receipts": {"ask": "always", "id": "hex"},
        }
    ],
}


class Handle:
    """A timer that only the clock of the test could fire."""

    def cancel(self) -> None:
        """It never fires anyway: see Driven.run."""


class Loop:
    """As much of an event loop as a connection needs; a case is over before anything could run in it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        """Seconds."""
        return self.now

    def call_at(self, *_: object) -> Handle:
        """Connections are ticked by the test."""
        return Handle()

    call_later = call_soon = call_at

    def get_debug(self) -> bool:
        """Asked when it is made the running one."""
        return False


class Transport:
    """Takes what is written."""

    def __init__(self) -> None:
        self.closing = False
        self.written = 0

    def get_extra_info(self, name: str) -> object:
        """Only an address."""
        return ("127.0.0.1", 40_000) if name == "peername" else None

    def write(self, octets: bytes) -> None:
        """To nobody."""
        assert octets
        self.written += len(octets)

    def close(self) -> None:
        """The connection wants an end."""
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        """Whether it has asked for one."""
        return self.closing

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing is ever unsent here."""

    def pause_reading(self) -> None:
        """Nothing is read here."""

    resume_reading = pause_reading


class Bugs(Observer):
    """Raises what a boundary would only report."""

    def broken(self, where: str, error: Exception) -> None:
        """A bug met an event."""
        raise AssertionError(where) from error

    def pdu_noted(self, _peer: str, _account: str, _command: str, reason: str) -> None:
        """An oddity, or a bug in reading a response."""
        assert "bug of ours" not in reason, reason

    def pdu_refused(self, *told: object) -> None:
        """A PDU that cannot be accepted, or a bug in reading it."""
        assert "bug of ours" not in str(told[-1]), told[-1]


class Owner:
    """Answers SMS at its own pace, and sends some (gateway.channels.contract.ChannelOwner)."""

    def __init__(self) -> None:
        self.pace = Random(0)
        self.segments: dict[str, list[Any]] = {}
        self.bind: Bind | None = None
        self.due: list[Inbound] = []
        self.out: list[MobileTerminated] = []
        self.seen: set[str] = set()
        """What happened in this case, by name of the method; `part`: of a long SMS."""
        self._numbers = count(1)

    def begin(self, pace: int) -> None:
        """Another case."""
        self.pace = Random(pace)
        self.bind = None
        self.due.clear()
        self.out.clear()
        self.seen.clear()

    def work(self) -> None:
        """Answer some of what waits, in any order, and send something."""
        while self.due and self.pace.random() < 0.7:
            inbound = self.due.pop(self.pace.randrange(len(self.due)))
            if not inbound.bind.closed:
                self._answer(inbound)
        if self.bind is not None and not self.bind.closed and self.bind.receives and self.bind.room:
            text = self.pace.choice(TEXTS)
            self._send(self.bind, text)
            self.bind.flush()

    def _answer(self, inbound: Inbound) -> None:
        if self.pace.random() < 0.8:
            inbound.bind.accept(inbound.origin, f"{next(self._numbers):016}")
        else:
            inbound.bind.reject(inbound.origin, self.pace.choice(list(Verdict)))
        inbound.bind.flush()

    def _send(self, bind: Bind, text: str) -> None:
        parts = self.segments[text]
        sms = MobileTerminated(
            *(next(self._numbers), 1, MOBILE, bind.account, 0, "161", MOBILE, 0, 1, text, 0, 0),
            segments=parts,
            parts=len(parts),
        )
        self.out.append(sms)
        bind.send(sms, 0.0)

    # gateway.channels.contract.ChannelOwner

    def bound(self, bind: Bind) -> None:
        """A bind stands."""
        self.seen.add("bound")
        self.bind = bind

    def ready(self, _bind: Bind) -> None:
        """SMS may leave."""
        self.work()

    def received(self, inbound: Inbound) -> None:
        """An SMS: its text is read as the middle would, and it is answered now or later."""
        if inbound.fault is not None:
            raise AssertionError("a bug while an SMS is read") from inbound.fault
        self.seen.add("received" if inbound.part is None else "part")
        if inbound.part is None:
            inbound.alphabet.decode(inbound.octets, inbound.data_coding)
        else:
            inbound.alphabet.join([(inbound.octets, inbound.data_coding)] * 2)
        inbound.alphabet.in_doubt(inbound.octets, inbound.data_coding)
        self.due.append(inbound)

    def _told(self, sms: MobileTerminated) -> None:
        self.out.remove(sms)

    def sent(self, bind: Bind, sms: MobileTerminated, _remote_id: str) -> None:
        """A part was taken: the next one leaves."""
        self.seen.add("sent")
        sms.parts_done += 1
        self._told(sms)
        if sms.parts_done < sms.parts and bind.room and bind.receives:
            self.out.append(sms)
            bind.send(sms, 0.0)

    def refused(self, _bind: Bind, sms: MobileTerminated, _reason: str, **_retry: bool) -> None:
        """A part was not taken."""
        self.seen.add("refused")
        self._told(sms)

    def unknown(self, _bind: Bind, sms: MobileTerminated) -> None:
        """A part was not answered."""
        self._told(sms)

    def late(self, _bind: Bind, _sms: MobileTerminated, _remote_id: str) -> None:
        """It was, later."""

    def late_refused(self, *_: object, **_more: object) -> None:
        """It was refused, later."""

    def receipted(self, receipt: Receipt) -> None:
        """A receipt is answered at once."""
        receipt.bind.accept(receipt.origin, "")

    def enquired(self, enquiry: Enquiry) -> None:
        """A question too."""
        enquiry.bind.tell(enquiry, Told(done=False))

    def available(self, _bind: Bind, _msisdn: str) -> None:
        """A handset can be reached."""

    def settled(self, _bind: Bind) -> None:
        """There is room."""
        self.work()

    def lost(self, _bind: Bind, unanswered: list[MobileTerminated], _loss: Loss) -> None:
        """The bind is gone."""
        self.seen.add("lost")
        for sms in unanswered:
            self._told(sms)
        self.due.clear()
        self.bind = None

    def disconnected(self) -> None:
        """A connection is gone."""


class Target:
    """Runs inputs, one after the other, in this thread. folder: for a configuration."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop()
        self.owner = Owner()
        settings: Settings = load(write_config(folder, {"smpp": _SECTION}), {})
        self._side = SmppSide(
            settings, Random(0), lambda _: False, lambda *_: None, lambda: 1_200_000_000_000
        )
        numbers = count(1)
        for driver in self._side.drivers:
            driver.build(cast(Any, self.owner), Bugs(), self.loop.time, numbers)
        composer = next(iter(self._side.drivers[0].accounts.values())).composer
        for text in TEXTS:
            sms = MobileTerminated(0, 0, MOBILE, "smsc", 0, "161", MOBILE, 0, 1, text, 0, 0)
            self.owner.segments[text] = list(composer.compose(sms))
        links = self._side.links
        assert links is not None
        self._links = links
        self._half = links._links["north"].halves[0]
        timers = links.dialling.timers
        self._terms = terms_of(settings.smpp.links[0], "transceiver", timers, None)

    def run(self, data: bytes) -> None:
        """One case. Raises AssertionError, and whatever a bug raises."""
        how, pace = (*data[:2], 0, 0)[:2]
        stream = data[2:WORST]
        self.owner.begin(pace)
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(cast(Any, self.loop))
        try:
            connection = self._dialled() if how & 1 else self._accepted()
            self._converse(connection, stream)
        finally:
            asyncio._set_running_loop(before)

    def _accepted(self) -> Connection:
        return self._side.channel.listener._connection()

    def _dialled(self) -> Connection:
        client = Client(self._terms, self._links, "north", self.loop.time, _Holder(self._half))
        return client.protocol()

    def _converse(self, connection: Connection, stream: bytes) -> None:
        transport, owner = Transport(), self.owner
        connection.connection_made(cast(Any, transport))
        start = 0
        while start < len(stream) and not transport.closing:
            size = owner.pace.choice((1, 7, 16, 40, 200, 1000, len(stream)))
            connection.data_received(stream[start : start + size])
            start += size
            self._catch_up(connection)
            owner.work()
            if owner.pace.random() < 0.1:
                self.loop.now += owner.pace.choice((0.5, 31.0, 61.0, 200.0))
                self._catch_up(connection)
            assert connection.session.owed <= connection.session.limits.window_in
            assert connection.session.pending_output == 0
        connection.connection_lost(None)
        assert not owner.out, "an SMS to a handset was forgotten"
        assert connection.session.owed == 0
        assert connection not in self._side.channel.listener.connections

    def _catch_up(self, connection: Connection) -> None:
        """Wake the session until nothing is due: whoever sleeps until its deadline does not spin."""
        for _ in range(MOST_WAKES):
            if connection.session.deadline() > self.loop.now:
                return
            connection.tick()
        raise AssertionError("a deadline that never passes")


class _Holder:
    """Makes the bind as a dialer does (gateway.net.client.Holder)."""

    def __init__(self, half: Half) -> None:
        self._half = half

    def opened(self, _client: Client, connection: Connection) -> None:
        """It stands."""
        self._half.opened(connection)

    def bound(self, client: Client, connection: Connection, response: BindResponse) -> Any:
        """The bind was accepted."""
        return self._half.bound(client, connection, response)

    def ended(self, client: Client, contexts: list[object], reason: str) -> None:
        """It is gone."""
        if client.bind is not None:
            self._half.lost(client, contexts, reason, None)
        self._half.gone(client.connection)
