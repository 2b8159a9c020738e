"""A message centre for tests: takes binds and SMS on a real socket, and delivers what a test tells it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import cast

from gateway.net.connection import Connection
from gateway.simulator.handset import Account
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Method, segments
from gateway.smpp.pdus import BindTransceiver, BindTransceiverResp, DeliverSm, SubmitSm, SubmitSmResp
from gateway.smpp.session import Answered, Event, Limits, Session, Side
from gateway.smpp.status import CommandStatus

ALPHABET = Alphabet.from_config({}, "gsm")
SERVES = frozenset({BindTransceiver.command_id, SubmitSm.command_id})


def deliveries(source: str, to: str, text: str, method: Method = "udh8") -> list[DeliverSm]:
    """One SMS to a handset, in as many PDUs as its text needs."""
    return [
        DeliverSm(
            source_addr=source,
            destination_addr=to,
            esm_class=part.esm_class,
            data_coding=part.data_coding,
            short_message=part.octets,
            tlvs=part.tlvs,
        )
        for part in segments(text, ALPHABET, 7, method)
    ]


class FakeSmsc:
    """Use it in `async with`. One connection at a time is what tests need: `connection` is the last.

    reacts: gives the deliveries that a submit_sm leads to. holds: submit_sm are not answered before
    `release`. answer: the command_status of submit_sm_resp.
    """

    def __init__(self, reacts: Callable[[SubmitSm], Iterable[DeliverSm]] = lambda _: ()) -> None:
        self.reacts = reacts
        self.answer = CommandStatus.ROK
        self.message_id = "1"
        self.binds_unanswered = False
        self.holds = False
        self.held: list[SubmitSm] = []
        self.submitted: list[SubmitSm] = []
        self.arrived: asyncio.Queue[SubmitSm] = asyncio.Queue()
        self.binds: list[BindTransceiver] = []
        self.statuses: Counter[int] = Counter()
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.connection: Connection | None = None

    async def __aenter__(self) -> "FakeSmsc":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        self.account = Account("127.0.0.1", self._server.sockets[0].getsockname()[1], "smsc", "right")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        if self.connection is not None and not self.connection.closed:
            self.connection.abort("test over")
        await self._server.wait_closed()

    @property
    def texts(self) -> list[str]:
        """What was submitted, as texts."""
        return [ALPHABET.decode(submit.short_message, submit.data_coding) for submit in self.submitted]

    def deliver(self, pdus: Iterable[DeliverSm]) -> None:
        """Send deliveries to whoever is bound."""
        connection = self._bound()
        for pdu in pdus:
            connection.session.send(pdu, pdu, asyncio.get_running_loop().time())
        connection.flush()

    def cut(self) -> None:
        """Drop the connection as a broken line would."""
        self._bound().abort("cut")

    def release(self, count: int) -> None:
        """Answer so many of the submit_sm that are held."""
        connection = self._bound()
        for submit in self.held[:count]:
            connection.session.answer(submit, SubmitSmResp(message_id=self.message_id))
        del self.held[:count]
        connection.flush()

    def opened(self, connection: Connection) -> None:
        """Connection: it stands."""
        self.connection = connection

    def received(self, connection: Connection, events: list[Event]) -> None:
        """Connection: what came."""
        for event in events:
            match event:
                case BindTransceiver():
                    self._bind(connection, event)
                case SubmitSm():
                    self._submit(connection, event)
                case Answered(_, response):
                    self.statuses[response.command_status] += 1
                case _:
                    pass

    def lost(self, _: Connection, contexts: list[object], reason: str) -> None:
        """Connection: it is gone."""
        self.ended.put_nowait(f"{reason}, {len(contexts)} unanswered")

    def _accept(self) -> Connection:
        loop = asyncio.get_running_loop()
        session = Session(
            Side.MC, now=loop.time(), serves=SERVES, limits=Limits(window_out=5000, unanswered_octets=10**6)
        )
        return Connection(session, self, loop.time)

    def _bound(self) -> Connection:
        return cast(Connection, self.connection)

    def _bind(self, connection: Connection, bind: BindTransceiver) -> None:
        self.binds.append(bind)
        if self.binds_unanswered:
            return
        if bind.password == self.account.password:
            connection.session.answer(bind, BindTransceiverResp(system_id="fake"))
        else:
            connection.session.refuse(bind, CommandStatus.RINVPASWD)

    def _submit(self, connection: Connection, submit: SubmitSm) -> None:
        self.submitted.append(submit)
        self.arrived.put_nowait(submit)
        if self.holds:
            self.held.append(submit)
        elif self.answer != CommandStatus.ROK:
            connection.session.refuse(submit, self.answer)
        else:
            connection.session.answer(submit, SubmitSmResp(message_id=self.message_id))
            self.deliver(self.reacts(submit))
