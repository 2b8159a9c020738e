"""One SMPP bind as the Channel contract wants it."""

from dataclasses import dataclass, field
from typing import Final

from gateway.channels.contract import CannotSend, Enquiry, ReceiptsAsked, Told
from gateway.channels.smpp.address_range import AddressRange
from gateway.channels.smpp.enquiring import Asked, answer
from gateway.channels.smpp.multi import Destination
from gateway.channels.smpp.overdue import Overdue
from gateway.channels.smpp.permissions import FREE, Permissions
from gateway.channels.smpp.reading import Read, content
from gateway.channels.smpp.receipting import IdForm
from gateway.channels.smpp.verdicts import USUAL, Statuses
from gateway.channels.smpp.writing import Writer
from gateway.errors import Verdict
from gateway.message import MobileTerminated
from gateway.net.connection import Connection
from gateway.smpp.errors import EncodeError
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.session import Session, State
from gateway.smpp.status import name_of
from gateway.smpp.window import not_after

_TRANSCEIVER: Final = State.BOUND_TRX  # named once: a look-up of a member costs every SMS
_RECEIVER: Final = State.BOUND_RX
_ONE_SMS: Final = (SubmitSm, DataSm)


@dataclass(slots=True, eq=False)
class SmppBind:
    """A bound session and its connection.

    link: the name of the one that we dialled, "" where the peer did. reply_on: number of the bind on which
    replies to what came here leave, where SMS cannot leave here: the transmitter of a pair; 0: none.
    read: how its PDUs are read. messages_in, messages_out: SMS taken from it and acknowledged by it.
    throttled: how often it refused an SMS for a while. reply_on, if_unanswered, held: as in the contract.
    ending: we end it, nothing leaves any more. overdue: what it has left unanswered. statuses: for this peer.
    permissions: of the account or link. receipts, receipt_ids: whether receipts are asked for of what leaves
    here, and how the peer's responses write the ids of its receipts. One that has a pace is a PacedBind.
    """

    number: int
    account: str
    peer: str
    mode: str
    address_range: str
    wanted: AddressRange | None
    connection: Connection
    session: Session
    since: float
    response_timeout: float
    writer: Writer
    read: Read = content
    link: str = ""
    reply_on: int = 0
    throttled: int = 0
    messages_in: int = 0
    messages_out: int = 0
    statuses: Statuses = USUAL
    permissions: Permissions = FREE
    if_unanswered: str = "repeat"
    held: int = 0
    ending: bool = False
    overdue: Overdue = field(default_factory=Overdue)
    held_answers: int = 0
    receipts: ReceiptsAsked | None = None
    receipt_ids: IdForm = "text"

    @property
    def closed(self) -> bool:
        """Whether the session or its connection is over."""
        return self.connection.closed

    @property
    def receives(self) -> bool:
        """Whether it is bound as receiver or transceiver, and not unbinding."""
        state = self.session.state
        return state is _TRANSCEIVER or state is _RECEIVER

    @property
    def room(self) -> int:
        """Free places of the window for deliver_sm."""
        return self.session.window_free

    @property
    def mark(self) -> int:
        """The sequence_number of the newest request that we queued."""
        return self.session.sent_sequence

    def has_read(self, mark: int, moment: float) -> bool:
        """Whether a request behind that one had been answered by then."""
        return not not_after(self.session.read_before(moment), mark)

    def asks_for(self, msisdn: str) -> int | None:
        """By its address_range. A receipt, which is for no handset, is for any."""
        return None if self.wanted is None or not msisdn else self.wanted.weight(msisdn)

    def given_id(self, message_id: str, origin: object = None) -> str:
        """As its version reads it; a submit_multi has one id."""
        if isinstance(origin, Destination):
            message_id = origin.name(message_id)
        return self.session.version.id_of(message_id)

    def accept(self, origin: object, message_id: str) -> None:
        """submit_sm_resp or data_sm_resp with ROK; a destination of a submit_multi is decided."""
        if isinstance(origin, _ONE_SMS):
            self.session.acknowledge(origin, message_id)
        elif isinstance(origin, Destination):
            self.held_answers += origin.accept(message_id)
        else:
            assert isinstance(origin, DeliverSm)
            self.session.answer(origin, origin.response())

    def reject(self, origin: object, verdict: Verdict) -> str:
        """The same with an error status; what asks about an SMS may be rejected too."""
        if isinstance(origin, Destination):
            status = self.statuses.submitted(verdict)
            self.held_answers += origin.refuse(status)
        else:
            request = origin.request if isinstance(origin, Asked) else origin
            assert isinstance(request, Request)
            status = self.statuses.of(request, verdict)
            self.session.refuse(request, status)
        return name_of(self.session.version.status(status))

    def tell(self, enquiry: Enquiry, told: Told) -> None:
        """The response to query_sm, cancel_sm or replace_sm."""
        assert isinstance(enquiry.origin, Asked)
        answer(self.session, enquiry.origin, told)

    def send(self, sms: MobileTerminated, now: float) -> None:
        """As the writer does it."""
        try:
            self.writer.write(self.session, sms, now)
        except EncodeError as error:
            raise CannotSend(str(error)) from error

    def flush(self) -> None:
        """One write for all that was queued."""
        self.connection.flush()

    def abort(self, reason: str) -> None:
        """The connection with it."""
        self.connection.abort(reason)

    def slow_down(self) -> None:
        """The peer throttled an SMS. A PacedBind slows down; here the SMS alone waits."""

    def congested(self, state: int) -> None:
        """The peer said how busy it is. A PacedBind heeds it."""

    def stop(self) -> None:
        """It is gone. A PacedBind ends its timer."""

    def describe(self, now: float) -> dict[str, object]:
        """Mode, windows, counters, ages in seconds."""
        session = self.session
        return {
            "system_id": self.account,
            "link": self.link,
            "remote": self.peer,
            "mode": self.mode,
            "address_range": self.address_range,
            "bound_s": round(now - self.since, 1),
            "window_in": session.owed,
            "window_in_limit": session.limits.window_in,
            "window_out": session.limits.window_out - session.window_free,
            "window_out_limit": session.limits.window_out,
            "messages_in": self.messages_in,
            "messages_out": self.messages_out,
            "throttled": self.throttled,
            "last_pdu_s": round(now - session.last_received, 1),
        }
