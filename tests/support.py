"""What the tests of the durable core share: values to store, a clock that a test moves, binds in memory.

The running gateway and its clients come from tests.proofs.served.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

from commands.tables import Tables
from gateway.channels.contract import Bind, ChannelOwner, Loss
from gateway.channels.smpp.address_range import AddressRange
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.channel import SmppChannel, SmppConfiguration
from gateway.channels.smpp.composing import SmppComposer, Templates
from gateway.channels.smpp.writing import Delivering
from gateway.clock import SystemClock
from gateway.message import Answer, Attempt, Commit, JournalEntry, MobileTerminated
from gateway.net.admission import ConnectionLimits
from gateway.net.connection import Connection
from gateway.observer import Observer, Remote
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds
from gateway.smpp.codec import decode, encode
from gateway.smpp.coding import Alphabet
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindResponse,
    BindTransceiver,
    DeliverSm,
    SubmitSm,
)
from gateway.smpp.session import Answered, Closing, Event, Limits, Session, TimedOut, Timers
from gateway.storage.sqlite.store import SqliteStore
from routing import loader
from routing.table import Routing
from tests.proofs.served import PASSWORD, PATIENCE, SYSTEM_ID
from tests.smpp.sessions import bound_pair

ALICE, BOB = "13800138000", "13900139000"
START_MS = 1_200_000_000_000
GSM = Alphabet.from_config({}, "gsm")
NO_ACCOUNTS = SmppConfiguration("127.0.0.1", 0, {}, {}, Timers(), ConnectionLimits())
P = TypeVar("P", bound=Pdu)
T = TypeVar("T")
SESSIONS = 1 << 32
"""Session numbers of the first run begin behind this one."""


@cache
def routing() -> Routing:
    """The shipped tables, read once."""
    return Routing.load()


@cache
def tables() -> Tables:
    """The shipped tables of both kinds, read once."""
    return Tables.load()


SECOND, MAIN, REFUSED_SECOND = "13899951234", "13800001234", "13899900000"
"""Second numbers of the examples in routing/appendix6.yaml, the first with the main number it counts for."""


def operators_tables(folder: Path) -> Routing:
    """The tables of an operator with second numbers: the shipped ones, whose examples act."""
    shipped = Path(loader.__file__).parent
    folder.mkdir()
    for name in loader.FILES:
        text = (shipped / name).read_text("utf-8")
        (folder / name).write_text(text.replace("    example: true\n", ""), "utf-8")
    return Routing.load(folder)


class HandClock:
    """A clock that stands until a test sets it (gateway.clock.Clock).

    gateway.testing.FakeClock only goes forward, in whole milliseconds, and shows one time; here the two
    readings may differ and a step may be a fraction of a millisecond. now: seconds. wall: seconds by which
    somebody has put the time of day forward.
    """

    def __init__(self) -> None:
        self.now = 1.0
        self.wall = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return START_MS + round((self.now + self.wall) * 1000)


class MovedClock(SystemClock):
    """The machine's clocks, put forward by `ahead` seconds: for a gateway whose timers really run.

    wall: seconds by which somebody has put the time of day forward, or back.
    """

    def __init__(self) -> None:
        self.ahead = 0.0
        self.wall = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return super().monotonic() + self.ahead

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return super().now_ms() + round((self.ahead + self.wall) * 1000)


def received(
    number: int,
    *,
    session: int = SESSIONS + 1,
    digest: bytes = b"digest",
    source: str = ALICE,
    at: int = START_MS,
) -> JournalEntry:
    """Make the journal row of an SMS from a handset to 161."""
    return JournalEntry(
        number=number,
        at=at,
        account=SYSTEM_ID,
        session=session,
        sequence=number & 0xFFFF,
        source=source,
        destination="161",
        msisdn=source,
        access_code="161",
        sub_code="",
        province="100",
        esm_class=0,
        data_coding=0,
        parts=1,
        instruction="service.open",
        outcome="done",
        text="KTFX",
        detail=None,
        digest=digest,
        hidden="",
    )


def leaving(
    number: int,
    to: str = ALICE,
    text: str = "text",
    *,
    account: str = SYSTEM_ID,
    bind: int = 0,
    expires_at: int = START_MS + 72 * 3_600_000,
) -> MobileTerminated:
    """Make an SMS to a handset. bind: the session that its cause came in on."""
    return MobileTerminated(
        number,
        number + 1_000_000,
        to,
        account,
        bind,
        "161",
        to,
        0,
        1,
        text,
        START_MS,
        expires_at,
        reference=number & 0xFFFF,
    )


def attempt_of(number: int, ordinal: int, result: Answer = Answer.TIMEOUT) -> Attempt:
    """Make an attempt to send an SMS, by default one that was not answered."""
    at = START_MS + 1000 * ordinal
    return Attempt(number, ordinal, 1, at, at + 500, SESSIONS + 1, "127.0.0.1:5000", result, "", "")


def part_of_many(
    reference: int,
    total: int,
    number: int,
    octets: bytes,
    *,
    to: str = "161",
    sender: str = ALICE,
    data_coding: int = 0,
) -> SubmitSm:
    """Make one part of a long message, numbered in its user data header."""
    return SubmitSm(
        source_addr=sender,
        destination_addr=to,
        esm_class=0x40,
        data_coding=data_coding,
        short_message=bytes((5, 0, 3, reference, total, number)) + octets,
    )


def store_at(path: Path) -> SqliteStore:
    """Open the store of a file; it commits in the caller's thread, however slow the disk is."""
    store = SqliteStore.open(path)
    store.slow = False
    return store


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, as those of the store of store_at."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise AssertionError("it waits")


class Line:
    """What a bind needs of its connection (gateway.net.connection.Connection)."""

    def __init__(self, peer: "Peer") -> None:
        self.closed = False
        self._peer = peer

    def flush(self) -> None:
        """Deliver at once what the gateway has queued."""
        self._peer.flush()


class Peer:
    """One bind, both of its ends in memory; the test plays the far end."""

    def __init__(
        self, number: int, clock: HandClock, request: BindRequest, account: str, window: int
    ) -> None:
        self.mute = False  # the far end does not even answer enquire_link
        self.arrived = 0
        self.unanswered: list[DeliverSm] = []
        self.taken: list[DeliverSm] = []
        self._clock = clock
        timers = Timers(session_init=0, enquire_link=0, response=60)
        mc, self.far = bound_pair(request, clock.now, timers, Limits(window_out=window))
        self.session: Session = mc
        self.line = Line(self)
        try:
            wanted = AddressRange.of(request.address_range)
        except ValueError:
            wanted = None
        self.bind = SmppBind(
            number=number,
            account=account,
            peer=f"peer {number}",
            mode=request.name.removeprefix("bind_"),
            address_range=request.address_range,
            wanted=wanted,
            connection=cast(Connection, self.line),
            session=mc,
            since=clock.now,
            response_timeout=timers.response,
            writer=Delivering(Templates()),
        )

    @property
    def closed(self) -> bool:
        """Whether the connection is cut."""
        return self.line.closed

    def flush(self) -> None:
        """Deliver at once what the gateway has queued."""
        for event in self.far.receive(self.session.output(), self._clock.now):
            if not isinstance(event, Closing):  # the far end has answered our unbind
                assert isinstance(event, DeliverSm)
                self.unanswered.append(event)
                self.arrived += 1

    def heard(self) -> list[Event]:
        """Pass to the gateway what the far end's session sends by itself. Returns the events."""
        octets = self.far.output()
        return [] if self.mute else self.session.receive(octets, self._clock.now)

    def unbind(self) -> None:
        """Let the gateway end the session."""
        self.session.unbind(self._clock.now)

    def answers(self, place: int, status: int) -> list[Event]:
        """Let the far end answer one of its deliveries. Returns the gateway's events."""
        request = self.unanswered.pop(place)
        if status:
            self.far.refuse(request, status)
        else:
            self.taken.append(request)
            self.far.answer(request, request.response(message_id="remote"))
        return self.session.receive(self.far.output(), self._clock.now)

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Return handset and text of all accepted SMS."""
        return [(pdu.destination_addr, GSM.decode(pdu.short_message, 0)) for pdu in self.taken]


class _Told:
    """Passes on the responses that the SMPP driver reports, as gateway.processing.exchange does."""

    def __init__(self, outbox: Outbox, clock: HandClock) -> None:
        self._outbox = outbox
        self._clock = clock

    def sent(self, bind: Bind, sms: MobileTerminated, remote_id: str) -> None:
        """The peer accepted a part."""
        self._outbox.sent(bind, sms, remote_id, self._clock.now, self._clock.now_ms())

    def refused(self, bind: Bind, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """The peer refused a part."""
        self._outbox.refused(bind, sms, reason, self._clock.now, self._clock.now_ms(), retry=retry)


class Sending(Observer):
    """An Outbox with SMPP binds in memory and a clock that a test moves; around it, what a gateway does."""

    def __init__(self, *, limit: int = 100_000) -> None:
        self.clock = HandClock()
        self.binds = Binds()
        self.peers: dict[int, Peer] = {}
        self.said: list[tuple[str, int]] = []
        self.woken = 0
        self._bound = 0
        composer = SmppComposer(dict.fromkeys((SYSTEM_ID, "other"), GSM))
        self.outbox = Outbox(self.binds, composer, self, Random(7), self._wake, limit)
        owner = cast(ChannelOwner, _Told(self.outbox, self.clock))
        self._driver = SmppChannel(NO_ACCOUNTS, owner, self, self.clock.monotonic, count(1))

    def bind(
        self,
        address_range: str = "",
        *,
        request: type[BindRequest] = BindTransceiver,
        account: str = SYSTEM_ID,
        window: int = 10,
    ) -> Peer:
        """Add a bind; SMS that wait for it leave."""
        self._bound += 1
        wish = request(system_id=account, address_range=address_range)
        peer = Peer(self._bound, self.clock, wish, account, window)
        self.peers[self._bound] = peer
        self.binds.add(peer.bind)
        if peer.bind.receives:
            self.outbox.bind_ready(peer.bind, self.clock.now, self.clock.now_ms())
        return peer

    def receiver(self, address_range: str = "") -> Peer:
        """A bind_receiver."""
        return self.bind(address_range, request=BindReceiver)

    def hand_over(self, *messages: MobileTerminated) -> None:
        """Hand over SMS as after their commit."""
        self.outbox.hand_over(messages, self.clock.now, self.clock.now_ms())

    def answer(self, peer: Peer, status: int = 0, place: int = 0) -> None:
        """Let the far end answer a delivery, by default its oldest one."""
        self._pass_on(peer, peer.answers(place, status))

    def advance(self, seconds: float) -> None:
        """Move the clock: due retries leave, late responses time out, sessions end."""
        self.clock.now += seconds
        for bind in self.binds.all():
            peer = self.peers[bind.number]
            self._pass_on(peer, peer.session.tick(self.clock.now))
            if not peer.closed:
                peer.flush()
                self._pass_on(peer, peer.heard())
        self.outbox.tick(self.clock.now, self.clock.now_ms())

    def lose(self, peer: Peer) -> None:
        """Cut the connection."""
        peer.line.closed = True
        peer.unanswered.clear()
        self.binds.remove(peer.bind)
        unanswered = [each for each in peer.session.lost() if isinstance(each, MobileTerminated)]
        loss = Loss("cut", silent=peer.session.silent)
        self.outbox.lost(peer.bind, unanswered, loss, self.clock.now, self.clock.now_ms())

    @property
    def unwritten(self) -> Commit:
        """Return the changed and closed SMS that are not stored yet."""
        commit = self.hand_in()
        self.outbox.take_back(commit)
        return commit

    def hand_in(self) -> Commit:
        """Return a commit of the changed and closed SMS that is under way."""
        commit = Commit()
        self.outbox.hand_in(commit)
        return commit

    def commit(self) -> Commit:
        """Store the changed and closed SMS. Returns the commit."""
        commit = self.hand_in()
        self.outbox.committed(commit, self.clock.now, self.clock.now_ms())
        return commit

    def _pass_on(self, peer: Peer, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Answered):
                assert isinstance(event.context, MobileTerminated)
                self._driver.answered(peer.bind, event.context, event.response)
            elif isinstance(event, TimedOut):
                assert isinstance(event.context, MobileTerminated)
                self.outbox.unknown(peer.bind, event.context, self.clock.now, self.clock.now_ms())
        if events and isinstance(events[-1], Closing):
            self.lose(peer)
        elif events:
            self.outbox.settle(peer.bind, self.clock.now, self.clock.now_ms())

    def _wake(self) -> None:
        self.woken += 1

    def sent(self, sms: MobileTerminated, _remote: Remote, _latency: float, _now_ms: int) -> None:
        """It was delivered."""
        self.said.append(("sent", sms.number))

    def failed(self, sms: MobileTerminated, _error: Exception | None = None) -> None:
        """It never will be."""
        self.said.append((sms.error, sms.number))

    def parked(self, sms: MobileTerminated) -> None:
        """It is parked."""
        self.said.append(("parked", sms.number))

    def deferred(self, sms: MobileTerminated, reason: str) -> None:
        """It waits."""
        self.said.append((reason, sms.number))


def store_of(folder: Path) -> Path:
    """Return the path of the store of write_config."""
    return folder / "var" / "fetion.db"


class Wire:
    """A TCP connection on which a test sends exactly the PDUs that it wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = FrameSplitter()
        self._frames: deque[bytes] = deque()

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, host: str = "127.0.0.1", source: str | None = None) -> AsyncIterator["Wire"]:
        """Connect; close without unbind at the end of the block. source: our own address."""
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection(host, port, local_addr=local)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def close(self) -> None:
        """Without a word."""
        self._writer.close()

    def send(self, *pdus: Pdu | bytes) -> None:
        """Send all PDUs in one write."""
        self._writer.write(b"".join(pdu if isinstance(pdu, bytes) else encode(pdu) for pdu in pdus))

    async def read(self) -> Pdu | None:
        """Read the next PDU. Returns None when the other side has closed."""
        async with asyncio.timeout(PATIENCE):
            while not self._frames:
                try:
                    octets = await self._reader.read(65_536)
                except ConnectionError:
                    return None
                if not octets:
                    return None
                self._frames.extend(self._splitter.feed(octets))
        return decode(self._frames.popleft())

    async def reads(self, kind: type[P]) -> P:
        """Read the next PDU and assert its type."""
        pdu = await self.read()
        assert isinstance(pdu, kind), f"{pdu!r} instead of {kind.__name__}"
        return pdu

    async def bind(self, request: BindRequest | None = None) -> BindResponse:
        """Bind as the shipped account, as a transceiver unless told otherwise."""
        self.send(request or BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1))
        return await self.reads(BindResponse)
