"""One connection of an ESME to a simulated SMS centre."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, cast

from gateway.channels.smpp.address_range import AddressRange, claim_of
from gateway.net.connection import Connection
from gateway.simulator.smsc.dice import Dice
from gateway.simulator.smsc.ledger import Delivered, Ledger, Submission, Submitted
from gateway.smpp.codec import encode
from gateway.smpp.pdu import Request, Response
from gateway.smpp.pdus import (
    BindReceiver,
    BindReceiverResp,
    BindRequest,
    BindResponse,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    GenericNack,
    SubmitSm,
)
from gateway.smpp.session import Answered, Event, Session, State, TimedOut
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import NO_TLVS

SERVES: Final = frozenset(
    each.command_id for each in (BindReceiver, BindTransmitter, BindTransceiver, SubmitSm, DataSm)
)
SYSTEM_ID: Final = "smsc"
TLVS_FROM: Final = 0x34
"""interface_version from which on a peer knows TLVs."""

_RECEIVING: Final = (State.BOUND_RX, State.BOUND_TRX)
_SC_INTERFACE_VERSION: Final = 0x0210
_WRONG_BY: Final = 100_000
_GARBAGE: Final = 64
"""Octets at most."""


@dataclass(slots=True)
class Outgoing:
    """A deliver_sm that waits for its final answer, which answered gets: a command_status.

    system_id: only that ESME gets it; "": whoever claims the number.
    """

    entry: Delivered
    answered: asyncio.Future[int]
    system_id: str = ""
    refusals: int = 0


class Switch(Protocol):
    """What a line needs of its centre."""

    dice: Dice
    ledger: Ledger

    def admits(self, bind: BindRequest) -> int:
        """The command_status of a bind."""

    def entered(self, line: "Line", /) -> None:
        """A line is bound: what waits may leave on it."""

    def take(self, line: "Line", request: Submission) -> tuple[str, Callable[[], None]]:
        """Take an SMS: message_id, and what follows the response."""

    def answered(self, item: Outgoing, status: int) -> None:
        """The ESME answered a delivery."""

    def unanswered(self, item: Outgoing) -> None:
        """A delivery was not answered: it comes again."""

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Call something later."""

    def gone(self, line: "Line", items: list[Outgoing]) -> None:
        """The connection is gone."""


class BadSession(Session):
    """A session that can do what no session should."""

    __slots__ = ()

    def write(self, octets: bytes) -> None:
        """Queue octets, whatever they are."""
        self._out += octets

    def swallow(self, request: Request) -> None:
        """Never answer a request."""
        self._check_owed(request)
        self._forget(request)


class Line:
    """A connection (gateway.net.connection.Owner), from its first octet to its last.

    claim: the numbers whose SMS it wants; None: those that nobody else wants.
    """

    def __init__(self, session: BadSession, switch: Switch) -> None:
        self.system_id = ""
        self.claim: AddressRange | None = None
        self.receives = False
        self.connection: Connection | None = None
        self._session = session
        self._switch = switch
        self._tlvs = True
        self._deaf = False  # requests are left alone: the connection is over, or stands for nothing
        self._loop = asyncio.get_running_loop()

    @property
    def room(self) -> int:
        """How many deliveries it takes now."""
        able = self.receives and not self._deaf and self._session.state in _RECEIVING
        return self._session.window_free if able else 0

    def send(self, item: Outgoing) -> None:
        """Deliver, or deliver again."""
        pdu = item.entry.pdu
        if pdu.tlvs and not self._tlvs:
            pdu.tlvs = NO_TLVS
        item.system_id = self.system_id
        item.entry.times += 1
        self._session.send(pdu, item, self._loop.time())

    def flush(self) -> None:
        """Write what is queued."""
        if self.connection is not None:
            self.connection.flush()

    # What the connection tells

    def opened(self, connection: Connection) -> None:
        """The connection stands."""
        self.connection = connection
        if self._switch.dice.happens("accept_then_cut"):
            self._note("accept_then_cut")
            connection.abort("cut on purpose")

    def received(self, connection: Connection, events: list[Event]) -> None:
        """What came."""
        for event in events:
            match event:
                case Answered(Outgoing() as item, response):
                    self._switch.answered(item, response.command_status)
                case TimedOut(Outgoing() as item):
                    self._switch.unanswered(item)
                case _ if self._deaf:
                    pass
                case BindRequest():
                    self._bind(event)
                case SubmitSm() | DataSm():
                    self._submitted(connection, event)
                case _:
                    pass

    def lost(self, _: Connection, contexts: list[object], reason: str) -> None:
        """It is gone."""
        self.receives = False
        self._note(f"lost: {reason}" if self.system_id else "lost before a bind")
        self._switch.gone(self, [each for each in contexts if isinstance(each, Outgoing)])

    # Binds

    def _bind(self, bind: BindRequest) -> None:
        switch = self._switch
        rule = switch.dice.faults.refuse_bind
        refused = rule is not None and switch.dice.happens("refuse_bind")
        status = rule.status if refused and rule is not None else switch.admits(bind)
        if status:
            self._note("refuse_bind" if refused else "binds refused")
            self._session.refuse(bind, status)
            return
        self._tlvs = bind.interface_version >= TLVS_FROM
        tlvs = {_SC_INTERFACE_VERSION: TLVS_FROM} if self._tlvs else NO_TLVS
        response = cast(type[BindResponse], bind.response)
        self._session.answer(bind, response(system_id=SYSTEM_ID, tlvs=tlvs))
        self.system_id = bind.system_id
        self.claim = claim_of(bind.address_range)
        self.receives = not isinstance(bind, BindTransmitter)
        self._note("binds")
        switch.entered(self)

    # SMS of the ESME

    def _submitted(self, connection: Connection, request: Submission) -> None:
        dice = self._switch.dice
        fault = dice.mischief(self._loop.time())
        if dice.faults.slow is not None and dice.happens("slow"):
            self._note("slow")
            connection.pause_writing()  # the way of a Connection to stop reading
            self._switch.later(dice.faults.slow.seconds, partial(self._read_again, connection))
        if fault:
            self._note(fault)
        if fault in _NOT_TAKEN:
            self._switch.ledger.submitted.append(Submitted(self.system_id, request, "", fault))
            _NOT_TAKEN[fault](self, connection, request)
            return
        message_id, then = self._switch.take(self, request)
        self._switch.ledger.submitted.append(Submitted(self.system_id, request, message_id, fault))
        if fault in _TAKEN:
            _TAKEN[fault](self, request, message_id)
            then()
        else:
            self._answer_later(request, message_id, then)
        if fault == "unbind":
            connection.unbind()

    def _read_again(self, connection: Connection) -> None:
        """Behind `slow`. Who has fallen silent meanwhile stays so: else enquire_link would be answered."""
        if not self._deaf:
            connection.resume_writing()

    def _answer_later(self, request: Submission, message_id: str, then: Callable[[], None]) -> None:
        seconds = self._switch.dice.delay()

        def answer() -> None:
            self._session.answer(request, _response(request, message_id))
            then()

        def answer_late() -> None:
            if self.connection is not None and not self.connection.closed and not self._deaf:
                answer()
                self.flush()
            else:  # nobody is there to read the response; the SMS was taken all the same
                then()

        if seconds:
            self._note("delay")
            self._switch.later(seconds, answer_late)
        else:
            answer()

    def _swallow(self, request: Submission, _message_id: str) -> None:
        self._session.swallow(request)

    def _wrong_sequence(self, request: Submission, message_id: str) -> None:
        response = _response(request, message_id)
        response.sequence_number = (request.sequence_number + _WRONG_BY) & 0x7FFFFFFF
        self._write_instead(request, response)

    def _wrong_command(self, request: Submission, _message_id: str) -> None:
        self._write_instead(
            request, BindReceiverResp(system_id=SYSTEM_ID, sequence_number=request.sequence_number)
        )

    def _write_instead(self, request: Submission, response: Response) -> None:
        self._session.swallow(request)
        self._session.write(encode(response))

    def _throttle(self, _: Connection, request: Submission) -> None:
        rule = self._switch.dice.faults.throttle
        self._session.refuse(request, CommandStatus.RTHROTTLED if rule is None else rule.status)

    def _nack(self, _: Connection, request: Submission) -> None:
        rule = self._switch.dice.faults.nack
        status = CommandStatus.RSYSERR if rule is None else rule.status
        self._session.answer(request, GenericNack(command_status=status))

    def _garbage(self, connection: Connection, request: Submission) -> None:
        random = self._switch.dice.random
        self._session.swallow(request)
        self._deaf = True
        # A first octet that is no command_length: it takes the peer no time to see it.
        self._session.write(b"\xff" + random.randbytes(random.randint(4, _GARBAGE)))
        connection.flush()

    def _cut(self, connection: Connection, _: Submission) -> None:
        self._deaf = True
        connection.abort("cut on purpose")

    def _fall_silent(self, connection: Connection, _: Submission) -> None:
        self._deaf = True
        connection.pause_writing()

    def _note(self, what: str) -> None:
        self._switch.ledger.counts[what] += 1


_NOT_TAKEN: Final = {
    "throttle": Line._throttle,
    "nack": Line._nack,
    "garbage": Line._garbage,
    "cut": Line._cut,
    "silence": Line._fall_silent,
}
_TAKEN: Final = {
    "swallow": Line._swallow,
    "wrong_sequence": Line._wrong_sequence,
    "wrong_command": Line._wrong_command,
}


def _response(request: Submission, message_id: str) -> Response:
    return request.response(message_id=message_id)
