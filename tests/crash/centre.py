"""The SMS centre's side: keeps a window full, answers every delivery, writes everything into the ledger."""

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.net.connection import Connection
from gateway.simulator.handset import SHIPPED
from gateway.simulator.sms import encode
from gateway.smpp.coding import Alphabet
from gateway.smpp.events import Answered, Event
from gateway.smpp.pdus import BindTransceiver, DeliverSm, SubmitSm
from gateway.smpp.session import Limits, Session, Side
from tests.crash.ledger import Ledger
from tests.crash.load import Load, Message

WINDOW = 400
"""Requests without an answer. More than a batch (256), so that the gateway never waits for us."""

WITHIN = 30.0
"""Seconds after which a condition that does not come true has failed."""

_BIND = object()


class Centre:
    """One bind as transceiver: made by `connect`; it ends when the gateway ends it, or dies."""

    def __init__(self, ledger: Ledger, load: Load) -> None:
        self.acknowledged = 0
        self.kill_at = 0
        self.kill: Callable[[], None] = lambda: None
        self._ledger = ledger
        self._load = load
        self._bound = False
        self._again = deque(ledger.unanswered.values())
        self._alphabet = Alphabet.from_config({}, "gsm")
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        self._connection: Connection | None = None

    @classmethod
    async def connect(cls, port: int, ledger: Ledger, load: Load, window: int = WINDOW) -> "Centre":
        """Bind; what is unanswered from before goes out again at once, in the order of old, under new
        sequence numbers."""
        centre = cls(ledger, load)
        session = Session(
            Side.ESME,
            now=centre._loop.time(),
            serves=frozenset({DeliverSm.command_id}),
            limits=Limits(window_out=window),
        )
        await centre._loop.create_connection(
            lambda: Connection(session, centre, centre._loop.time), "127.0.0.1", port
        )
        await centre.until(lambda: centre._bound)
        return centre

    async def until(self, condition: Callable[[], bool]) -> None:
        """Send what there is, and wait for a condition on ledger or load.

        Raises AssertionError when the connection ends before, TimeoutError.
        """
        if self._bound:
            self.pump()
        async with asyncio.timeout(WITHIN):
            while not condition():
                assert not self._lost.done(), f"connection lost: {self._lost.result()}"
                self._changed.clear()
                await self._changed.wait()

    async def lost_connection(self) -> None:
        """Wait for the end of the connection."""
        async with asyncio.timeout(WITHIN):
            await asyncio.shield(self._lost)

    def pump(self) -> None:
        """Send what the window takes."""
        connection = self._connection
        assert connection is not None
        while connection.session.window_free > 0 and (message := self._next()) is not None:
            self._ledger.sent(message)
            connection.session.send(self._request(message), message, self._loop.time())
        connection.flush()

    # What the connection tells (gateway.net.connection.Owner)

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
                text = self._alphabet.decode(event.short_message, event.data_coding)
                self._ledger.delivered(event.destination_addr, event.source_addr, text)
                self._load.delivered(event.destination_addr, event.source_addr)
                connection.session.answer(event, event.response())
        if connection.session.window_free:
            self.pump()
        self._changed.set()

    def lost(self, _: Connection, __: list[object], reason: str) -> None:
        """The connection is gone."""
        self._lost.set_result(reason)
        self._changed.set()

    def _answered(self, event: Answered) -> None:
        response = event.response
        if isinstance(event.context, Message):
            self._ledger.answered(event.context, response.command_status, getattr(response, "message_id", ""))
            self.acknowledged += 1
            if self.acknowledged == self.kill_at:
                self.kill()
        else:
            assert response.command_status == 0, "the bind was refused"
            self._bound = True

    def _next(self) -> Message | None:
        return self._again.popleft() if self._again else self._load.next()

    def _request(self, message: Message) -> SubmitSm:
        (part,) = encode(message.text, self._alphabet, 0)
        return SubmitSm(
            source_addr_npi=1,
            source_addr=message.source,
            dest_addr_npi=1,
            destination_addr=message.destination,
            data_coding=part.data_coding,
            short_message=part.octets,
        )
