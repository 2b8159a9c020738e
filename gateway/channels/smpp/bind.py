"""One SMPP bind as the Channel contract wants it."""

from dataclasses import dataclass
from typing import Final

from gateway.channels.contract import CannotSend, Enquiry, Told
from gateway.channels.smpp.address_range import AddressRange
from gateway.channels.smpp.verdicts import STATUS
from gateway.channels.smpp.writing import Writer
from gateway.errors import Verdict
from gateway.message import MobileTerminated
from gateway.net.connection import Connection
from gateway.smpp.errors import EncodeError
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.session import Session, State
from gateway.smpp.status import name_of
from gateway.smpp.window import not_after

_TRANSCEIVER: Final = State.BOUND_TRX  # named once: a look-up of a member costs every SMS
_RECEIVER: Final = State.BOUND_RX


@dataclass(slots=True, eq=False)
class SmppBind:
    """A bound session and its connection.

    link: the name of the one that we dialled, "" where the peer did. reply_on: number of the bind on which
    replies to what came here leave, where SMS cannot leave here: the transmitter of a pair; 0: none.
    messages_in, messages_out: SMS taken from it and acknowledged by it. throttled: how often it refused an
    SMS for a while.
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
    link: str = ""
    reply_on: int = 0
    throttled: int = 0
    messages_in: int = 0
    messages_out: int = 0

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
        """By its address_range."""
        return None if self.wanted is None else self.wanted.weight(msisdn)

    def accept(self, origin: object, message_id: str) -> None:
        """submit_sm_resp or data_sm_resp with ROK."""
        assert isinstance(origin, SubmitSm | DataSm)
        self.session.acknowledge(origin, message_id)

    def reject(self, origin: object, verdict: Verdict) -> str:
        """The same with an error status."""
        assert isinstance(origin, SubmitSm | DataSm)
        status = STATUS[verdict]
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
