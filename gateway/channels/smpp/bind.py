"""One SMPP bind as the Channel contract wants it."""

from dataclasses import dataclass
from typing import Final

from gateway.channels.contract import CannotSend, Enquiry, ReceiptsAsked, Told
from gateway.channels.smpp.address_range import AddressRange
from gateway.channels.smpp.reading import Read, read
from gateway.channels.smpp.receipting import IdForm
from gateway.channels.smpp.verdicts import STATUS
from gateway.channels.smpp.writing import Writer
from gateway.errors import Verdict
from gateway.message import MobileTerminated
from gateway.net.connection import Connection
from gateway.smpp.errors import EncodeError
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.session import Session, State
from gateway.smpp.status import CommandStatus, name_of
from gateway.smpp.window import not_after

_TRANSCEIVER: Final = State.BOUND_TRX  # named once: a look-up of a member costs every SMS
_RECEIVER: Final = State.BOUND_RX


@dataclass(slots=True, eq=False)
class SmppBind:
    """A bound session and its connection.

    link: the name of the one that we dialled, "" where the peer did. read: how its PDUs are read.
    messages_in, messages_out: SMS taken from it and acknowledged by it. throttled: how often it refused an
    SMS for a while. receipts, receipt_ids: whether receipts are asked for of what leaves here, and how the
    peer's responses write the ids of its receipts.
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
    read: Read = read
    link: str = ""
    throttled: int = 0
    messages_in: int = 0
    messages_out: int = 0
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

    def given_id(self, message_id: str) -> str:
        """A peer of SMPP 3.3 reads eight characters (SMPP 3.3 section 5.2.13)."""
        return message_id if self.session.tlvs_allowed else message_id[-8:]

    def accept(self, origin: object, message_id: str) -> None:
        """submit_sm_resp or data_sm_resp with ROK; deliver_sm_resp, whose message_id is empty by rule."""
        if isinstance(origin, SubmitSm | DataSm):
            self.session.acknowledge(origin, message_id)
            return
        assert isinstance(origin, DeliverSm)
        self.session.answer(origin, origin.response())

    def reject(self, origin: object, verdict: Verdict) -> str:
        """The same with an error status."""
        assert isinstance(origin, SubmitSm | DataSm | DeliverSm)
        status = STATUS[verdict]
        if isinstance(origin, DeliverSm) and status == CommandStatus.RSYSERR:
            status = CommandStatus.RX_T_APPN
        self.session.refuse(origin, status)
        return name_of(status)

    def tell(self, enquiry: Enquiry, told: Told) -> None:
        """The response to query_sm, cancel_sm or replace_sm."""
        raise NotImplementedError

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

    def describe(self, now: float) -> dict[str, object]:
        """Mode, windows, counters, ages in seconds."""
        session = self.session
        return {
            "system_id": self.account,
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
