"""The CHANNEL contract: an SMS comes and goes. What is behind it knows no protocol.

A driver (SMPP is one) has binds: live connections through which SMS come and go. tests/contracts runs one
suite over every driver. A driver must:

1. turn what arrives into an Inbound, without waiting, and hand it over in the order of arrival (`received`);
   what it cannot read it rejects by itself, and tells the observer;
2. keep `origin` as it was until accept() or reject() is called with it, once; or until the bind is gone: then
   nobody answers any more;
3. write what accept(), reject() and send() queue with the next flush(), in that order; they never wait;
4. tell of each SMS that send() took exactly one of: sent(), refused(), unknown(), or its place in lost();
   and settled() behind the last of a run of them;
5. count one part as one send(): the part is sms.parts_done of what compose() gave; sms.parts says how many;
6. report unknown() only for a peer that answers others; a peer that answers nothing is closed, and lost()
   says that it was silent;
7. say whether a bind receives now, and how many SMS it takes now: nobody guesses;
8. tell bound() before anything else of a bind, ready() when SMS may leave on it, and lost() as the last;
9. map every Verdict to a status of its protocol;
10. count on each bind the SMS, or parts, that came (messages_in), and the SMS that its peer has taken whole
   (messages_out);
11. hand over what is no SMS by itself as what it is: a receipt (receipted), a question about an SMS
   (enquired), word that a handset can be reached (available); an `origin` in them is as that of an Inbound;
12. tell late() or late_refused() when a peer answers what unknown() was told of, as long as that part is the
   one that the SMS waits for.

All calls are made in the event loop's thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from gateway.errors import Verdict
from gateway.message import MobileTerminated, PartHeader


class CannotSend(ValueError):
    """An SMS does not fit into what the protocol can carry: it will never leave."""


class Alphabet(Protocol):
    """Which text the octets of an SMS are, for one account."""

    def decode(self, octets: bytes, data_coding: int) -> str:
        """The text of an SMS."""

    def in_doubt(self, octets: bytes, data_coding: int) -> bool:
        """Whether the last character cannot be told from padding."""

    def join(self, parts: Sequence[tuple[bytes, int]]) -> str:
        """The text of a long message: octets and data_coding of its parts, in their order."""


@dataclass(frozen=True, slots=True)
class ReceiptsAsked:
    """Receipts are asked for of SMS that leave on a bind. wait_ms: by when one comes, 0: perhaps never, as
    where only failures are told."""

    wait_ms: int = 0


class Bind(Protocol):
    """One live connection. number: unique in the lifetime of the store. account: whose it is. link: the name
    of the one that we dialled, "" where the peer did. peer: address and port. response_timeout: seconds.
    messages_in, messages_out: see rule 10. reply_on: number of the bind on which answers to what came here
    leave, where that is another one; 0: here. if_unanswered: what becomes of an SMS that is not answered in
    time: repeat, reconnect (it leaves again; the driver ends the bind), wait. held: SMS that wait for a late
    answer and still count as unanswered; the outbox sets it. held_answers: SMS that were accepted, and whose
    answer leaves when others that came with them are decided."""

    number: int
    account: str
    link: str
    reply_on: int
    peer: str
    response_timeout: float
    messages_in: int
    messages_out: int
    if_unanswered: str
    held: int
    held_answers: int

    @property
    def receipts(self) -> ReceiptsAsked | None:
        """Whether receipts are asked for of what leaves here."""

    @property
    def closed(self) -> bool:
        """Whether nothing can be answered here any more."""

    @property
    def receives(self) -> bool:
        """Whether SMS to handsets may leave here now."""

    @property
    def room(self) -> int:
        """How many SMS may leave now before one is answered."""

    @property
    def mark(self) -> int:
        """Stands for what has been queued here so far (see has_read)."""

    def has_read(self, mark: int, moment: float) -> bool:
        """Whether the peer had answered, by that moment (monotonic seconds), something that we queued after
        `mark`: it has then read all that stood before."""

    def asks_for(self, msisdn: str) -> int | None:
        """How closely the bind asks for the SMS of this handset: 0 = not at all, more = more closely; None:
        it asks for nobody in particular."""

    def given_id(self, message_id: str, origin: object = None) -> str:
        """What the peer is told that an SMS is called: our message id, or its end; that of another one where
        it is answered together with others (origin: as in Inbound)."""

    def accept(self, origin: object, message_id: str) -> None:
        """Answer that an SMS is stored and executed."""

    def reject(self, origin: object, verdict: Verdict) -> str:
        """Answer that an SMS is not taken. Gives the name of the status, for the log."""

    def tell(self, enquiry: "Enquiry", told: "Told") -> None:
        """Answer a question about an SMS."""

    def send(self, sms: MobileTerminated, now: float) -> None:
        """Queue the next part of an SMS. Raises CannotSend; then nothing was queued."""

    def flush(self) -> None:
        """Write what was queued."""

    def abort(self, reason: str) -> None:
        """End it at once; what it was not answered stays unanswered. It may be over already."""

    def describe(self, now: float) -> dict[str, object]:
        """What `fetion-gateway binds` shows of it; ages in seconds."""


class Allowed(Protocol):
    """What the peer of an account may use."""

    def check(self, msisdn: str, access_code: str) -> None:
        """Raises Refusal for a sender (11 digits, as understood) or a number of the service that it may not
        use."""


@dataclass(slots=True, eq=False)
class Inbound:
    """What came: one SMS from a handset, as its channel understood it.

    origin: what accept() and reject() are called with. arrived: monotonic seconds. esm_class, data_coding:
    kept for the journal and for telling retransmissions; SMPP's values, or what stands for them. octets: the
    text without headers. part: its place in a long message. reference: the sender's own number for it.
    fault: what a bug of the driver raised while it was read. registered: what the sender wants to be told of
    it (SMPP's registered_delivery). expires_at: when it must not be executed any more (ms since the epoch),
    0: never. tlvs: those of a vendor that a reply takes over, as they stand on the wire. allowed: None where
    the peer may use everything.
    """

    bind: Bind
    origin: object
    sequence: int
    arrived: float
    source: str
    source_ton: int
    source_npi: int
    destination: str
    destination_ton: int
    destination_npi: int
    esm_class: int
    data_coding: int
    octets: bytes
    alphabet: Alphabet
    part: PartHeader | None = None
    reference: int | None = None
    fault: Exception | None = None
    registered: int = 0
    expires_at: int = 0
    tlvs: bytes = b""
    allowed: Allowed | None = None


class Receipted(Enum):
    """What a receipt says of a part."""

    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    UNDER_WAY = "under way"  # nothing final: ENROUTE, ACCEPTED, SCHEDULED


@dataclass(slots=True, eq=False)
class Receipt:
    """A receipt of a part that left. It is answered as an Inbound is.

    ids: what may be the peer's name of the part, the surest first, as its response may have written it.
    said: the state as the peer wrote it (DELIVRD). error: its code, "" for none. at: when that was (ms since
    the epoch), 0: it does not say. source, destination: of the receipt: the handset, and our number.
    """

    bind: Bind
    origin: object
    sequence: int
    arrived: float
    source: str
    destination: str
    ids: tuple[str, ...]
    receipted: Receipted
    said: str
    error: str = ""
    at: int = 0


class Question(Enum):
    """What a peer asks about an SMS that it sent before."""

    STATE = "query_sm"
    CANCEL = "cancel_sm"
    REPLACE = "replace_sm"


@dataclass(slots=True, eq=False)
class Enquiry:
    """A question about an SMS. message_id: of it, "" where a cancel names it by source and destination. It is
    answered with Bind.tell()."""

    bind: Bind
    origin: object
    question: Question
    message_id: str
    source: str
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to an Enquiry. done: what was asked could be done. state: SMPP's message_state. over_at:
    when it became final (ms since the epoch), 0: it is not."""

    done: bool
    state: int = 0
    over_at: int = 0


@dataclass(frozen=True, slots=True)
class Loss:
    """How a bind ended. polite: the peer has read our answers. silent: no SMS is to blame: the peer answered
    nothing any more, or we ended it."""

    reason: str
    polite: bool = False
    silent: bool = False


class ChannelOwner(Protocol):
    """Who hears what channels tell: gateway.processing.exchange."""

    def bound(self, bind: Bind) -> None:
        """A bind stands; nothing leaves on it yet."""

    def ready(self, bind: Bind) -> None:
        """SMS may leave on it."""

    def received(self, inbound: Inbound) -> None:
        """An SMS came."""

    def sent(self, bind: Bind, sms: MobileTerminated, remote_id: str) -> None:
        """The peer took a part. remote_id: what it calls it, if anything."""

    def refused(self, bind: Bind, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """The peer did not take a part. retry: it may take it later."""

    def unknown(self, bind: Bind, sms: MobileTerminated) -> None:
        """The peer did not answer a part in time: it may have it."""

    def late(self, bind: Bind, sms: MobileTerminated, remote_id: str) -> None:
        """The peer has taken a part that it was thought to have left unanswered."""

    def late_refused(self, bind: Bind, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """The peer has refused such a part."""

    def receipted(self, receipt: Receipt) -> None:
        """A receipt came."""

    def enquired(self, enquiry: Enquiry) -> None:
        """A peer asks about an SMS."""

    def available(self, bind: Bind, msisdn: str) -> None:
        """A handset can be reached again."""

    def settled(self, bind: Bind) -> None:
        """The last of a run of sent(), refused() and unknown() was told."""

    def lost(self, bind: Bind, unanswered: Sequence[MobileTerminated], loss: Loss) -> None:
        """A bind is gone. unanswered: what it was sent and did not answer, oldest first."""

    def disconnected(self) -> None:
        """A connection is gone, bound or not."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What a receipt of ours says of an SMS that came. delivered: it was executed. came_at, over_at: ms since
    the epoch. short: the peer was told the end of the id only."""

    message_id: str
    delivered: bool
    came_at: int
    over_at: int
    short: bool = False


Report: TypeAlias = Callable[[Fate], tuple[str, bytes]]
"""Writes a receipt for an account: its text, and its TLVs as they stand on the wire."""


class Composer(Protocol):
    """Cuts texts into what leaves."""

    def compose(self, sms: MobileTerminated) -> Sequence[object]:
        """The parts in which an SMS leaves through its account, opaque. Raises ValueError for a text that
        cannot be sent at all."""


class Channel(Protocol):
    """A driver as the life cycle sees it."""

    async def start(self) -> dict[str, object]:
        """Open it; what gateway.ready says of it. Raises OSError."""

    @property
    def connections(self) -> int:
        """How many connections it has, bound or not."""

    def close(self) -> None:
        """Take no new connection; those that stand go on."""

    def unbind(self) -> None:
        """End all connections politely."""

    def abort(self, reason: str) -> None:
        """End all connections at once."""
