"""The SMS centre of a soak: several binds over bad lines, one ledger.

It does what an SMS centre does: what is not answered in time, or not before the loss of a bind, is sent
again with the same octets, on any bind; a temporary refusal is taken as one.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from random import Random

from gateway.net.connection import Connection
from gateway.simulator.handset import SHIPPED
from gateway.smpp.events import Answered, Event, TimedOut
from gateway.smpp.pdus import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.session import Limits, Session, Side, Timers
from gateway.smpp.status import Retry, name_of, retry_class
from gateway.testing import BadLink
from tests.soak.ledger import Key, Ledger
from tests.soak.load import Load, Piece

RESPONSE = 8.0
"""Seconds that the centre waits for an answer: more than the 5 s after which an answer counts as late."""

WINDOW = 50
PAUSE = 0.3
"""Seconds after a temporary refusal."""

TEMPORARY = (0x08, 0x14, 0x45, 0x58, 0x64, 0x04)
PERMANENT = (0x0B, 0x65, 0x66, 0xFE, 0x401)
MOST_REFUSALS = 2
"""Temporary refusals of one SMS."""

QUESTIONS = "12520033"

_BIND = object()


class Moods:
    """How the centre treats what is delivered to it; `share` says of how much of it. 0: it answers
    everything."""

    def __init__(self, random: Random) -> None:
        self.share = 0.0
        self._random = random
        self._temporary: dict[Key, int] = {}
        self._deaf: set[Key] = set()

    def answer(self, key: Key, ledger: Ledger) -> int | None:
        """The command_status; None: it is never answered."""
        if not self.share:
            return 0
        place = self._random.random() / self.share
        if place < 0.02:
            self._deaf.add(key)
        if key in self._deaf or place < 0.4:
            ledger.unanswered[key] += 1
            ledger.counts["answers: none"] += 1
            return None
        if place < 0.8 and self._temporary.get(key, 0) < MOST_REFUSALS:
            self._temporary[key] = self._temporary.get(key, 0) + 1
            ledger.counts["answers: temporary"] += 1
            return self._random.choice(TEMPORARY)
        if 0.8 <= place < 1:
            ledger.counts["answers: permanent"] += 1
            ledger.refused_for_good.add(key)
            return self._random.choice(PERMANENT)
        return 0


class Line:
    """One bind, made again whenever it is lost."""

    def __init__(self, centre: "Centre", bind: type[BindRequest]) -> None:
        self.link: BadLink | None = None
        self.connection: Connection | None = None
        self.bound = False
        self._centre = centre
        self._bind = bind
        self._loop = asyncio.get_running_loop()
        self._lost: asyncio.Future[str] = self._loop.create_future()

    @property
    def submits(self) -> bool:
        """Whether SMS may be sent on it."""
        return self.bound and self._bind is not BindReceiver

    async def run(self) -> None:
        """Bind, again and again."""
        while not self._centre.ended:
            if self._centre.port == 0:
                await asyncio.sleep(0.02)
                continue
            delay = self._centre.random.uniform(0, self._centre.latency)
            with contextlib.suppress(OSError):
                async with BadLink("127.0.0.1", self._centre.port, delay=delay) as link:
                    await self._once(link)
            await asyncio.sleep(0.02)

    async def _once(self, link: BadLink) -> None:
        self._lost = self._loop.create_future()
        session = Session(
            Side.ESME,
            now=self._loop.time(),
            serves=frozenset({DeliverSm.command_id}),
            timers=Timers(response=RESPONSE, enquire_link=2),
            limits=Limits(window_out=WINDOW),
        )
        await self._loop.create_connection(
            lambda: Connection(session, self, self._loop.time), "127.0.0.1", link.port
        )
        self.link = link
        try:
            await self._lost
        finally:
            self.link = self.connection = None
            link.resume()

    def send(self, piece: Piece) -> None:
        """Submit it, or submit it again."""
        assert self.connection is not None
        message = piece.message
        segment = piece.segment
        self._centre.ledger.sent(piece)
        pdu = SubmitSm(
            source_addr_npi=1,
            source_addr=message.source,
            dest_addr_npi=1,
            destination_addr=message.destination,
            esm_class=segment.esm_class,
            data_coding=segment.data_coding,
            short_message=segment.octets,
        )
        self.connection.session.send(pdu, piece, self._loop.time())

    def read_no_more(self) -> Callable[[], None]:
        """Leave everything unread that comes from now on, and go on sending. Gives what ends the
        connection."""
        connection, link = self.connection, self.link
        assert connection is not None
        assert link is not None
        connection.pause_writing()  # the way of a Connection to stop reading

        def hang_up() -> None:
            link.cut()
            connection.abort("nothing was read")

        return hang_up

    @property
    def window_free(self) -> int:
        """How many may be sent now."""
        return self.connection.session.window_free if self.connection is not None and self.submits else 0

    # What the connection tells (gateway.net.connection.Owner)

    def opened(self, connection: Connection) -> None:
        """The socket stands."""
        self.connection = connection
        request = self._bind(system_id=SHIPPED.system_id, password=SHIPPED.password)
        connection.session.send(request, _BIND, self._loop.time())
        connection.flush()

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Write down, answer."""
        for event in events:
            if isinstance(event, Answered) and isinstance(event.context, Piece):
                self._centre.answered(event.context, event.response)
            elif isinstance(event, Answered):
                self.bound = event.response.command_status == 0
            elif isinstance(event, TimedOut) and isinstance(event.context, Piece):
                self._centre.ledger.counts["timed out at the centre"] += 1
                self._centre.again.append(event.context)
            elif isinstance(event, DeliverSm):
                self._deliver(connection, event)

    def _deliver(self, connection: Connection, event: DeliverSm) -> None:
        status = self._centre.delivered(event)
        if status is None:
            return
        if status and self._centre.random.random() < 0.2:
            connection.session.answer(event, GenericNack(command_status=status))
        elif status:
            connection.session.refuse(event, status)
        else:
            connection.session.answer(event, event.response())

    def lost(self, _: Connection, contexts: list[object], reason: str) -> None:
        """The connection is gone: what was not answered goes out again."""
        self._centre.ledger.counts["binds lost"] += self.bound
        self.bound = False
        self._centre.again.extend(each for each in contexts if isinstance(each, Piece))
        if not self._lost.done():
            self._lost.set_result(reason)


class Centre:
    """All binds. port: of the gateway, 0 while there is none. rate: SMS a second, at most. latency: seconds
    that octets take over a line, at most; so something is always on the way when it is cut."""

    def __init__(self, ledger: Ledger, load: Load, random: Random, rate: int, latency: float) -> None:
        self.ledger = ledger
        self.load = load
        self.random = random
        self.rate = rate
        self.latency = latency
        self.port = 0
        self.ended = False
        self.moods = Moods(random)
        self.again: deque[Piece] = deque()
        self.submitted: Callable[[], None] = lambda: None  # called behind each SMS
        self._later: deque[tuple[float, Piece]] = deque()
        self._open = 0  # sent or to be sent again, and not acknowledged
        self._budget = 0.0
        self._loop = asyncio.get_running_loop()
        self._pumped_at = self._loop.time()
        binds = (BindTransceiver, BindTransceiver, BindTransmitter, BindReceiver)
        self.lines = [Line(self, bind) for bind in binds]

    @property
    def quiet(self) -> bool:
        """Whether everything is sent and acknowledged."""
        return not (self._open or self.load.waiting)

    def pump(self) -> None:
        """Send what rate and windows let go, spread over the binds."""
        now = self._loop.time()
        self._budget = min(self._budget + self.rate * (now - self._pumped_at), self.rate / 4)
        self._pumped_at = now
        while self._later and self._later[0][0] <= now:
            self.again.append(self._later.popleft()[1])
        free = [line for line in self.lines if line.window_free]
        used = set()
        while free and self._budget >= 1:
            line = self.random.choice(free)
            if self.again:
                piece: Piece | None = self.again.popleft()
            else:
                piece = self.load.next()
                self._open += piece is not None
            if piece is None:
                break
            line.send(piece)
            used.add(line)
            self._budget -= 1
            self.submitted()
            free = [line for line in free if line.window_free]
        for line in used:
            if line.connection is not None:
                line.connection.flush()

    def answered(self, piece: Piece, response: object) -> None:
        """The response to a submit_sm."""
        status = getattr(response, "command_status", 0)
        if status == 0:
            assert isinstance(response, SubmitSmResp)
            self._open -= 1
            self.ledger.acknowledged(piece, response.message_id)
        elif retry_class(status) is Retry.TEMPORARY:
            self.ledger.counts[f"refused: {name_of(status)}"] += 1
            self._later.append((self._loop.time() + PAUSE, piece))
        else:
            self._open -= 1
            self.ledger.refused(piece, status)

    def delivered(self, pdu: DeliverSm) -> int | None:
        """A deliver_sm: with which status it is answered; None: not at all."""
        key = self.ledger.delivered(pdu)
        status = self.moods.answer(key, self.ledger)
        if status == 0:
            self.ledger.answered_well[key] += 1
            if pdu.source_addr.startswith(QUESTIONS):
                self.load.agree(pdu.destination_addr, pdu.source_addr)
        return status
