"""How an SMS to a handset becomes a PDU of a session: deliver_sm to an ESME, submit_sm to an SMS centre, or
data_sm to either.

What an account or link wants in every SMS is its Manner. Nearly all SMS are written by `Plain`, from
templates; what needs more goes through `Checked`, which can write any.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gateway.channels.smpp.composing import WITHOUT_TLVS, Composition, compose
from gateway.channels.smpp.settings import Conventions
from gateway.message import Kind, MobileTerminated
from gateway.smpp.long import Segment, needs_tlvs
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.plain import Always, DeliverSmTemplate, SubmitSmTemplate, Template
from gateway.smpp.session import Session
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, NO_TLVS, TAGS, TlvValue, decode_tlvs

TEMPLATES: Final = 10_000
"""Templates that are kept: numbers that SMS leave from, some of which name a person."""
QOS_TIME_TO_LIVE: Final = TAGS["qos_time_to_live"]
ASKS: Final[Mapping[str, int]] = {"never": 0, "always": 1, "failure": 2}
"""registered_delivery by the setting receipts.ask (SMPP 3.4 section 5.2.17)."""
_MAKES: Final[Mapping[type[DeliverSm | SubmitSm], type[Template]]] = {
    each.pdu: each for each in (DeliverSmTemplate, SubmitSmTemplate)
}


class Writer(Protocol):
    """Writes the SMS of one account or link."""

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """Queue the next part. Raises EncodeError or CannotSend; then nothing was queued."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What the SMS to handsets of one account or link have (gateway.channels.smpp.settings.Conventions).

    validity: seconds, 0: no end. registered: registered_delivery. prefix, ton, npi: of numbers of the
    service. added: TLVs that all have. passes: tags of those that a reply takes over from its cause.
    """

    data_sm: bool = False
    service_type: str = ""
    priority: int = 0
    validity: float = 0
    registered: int = 0
    prefix: str = ""
    ton: int | None = None
    npi: int | None = None
    added: Mapping[int, TlvValue] = field(default_factory=lambda: NO_TLVS)
    passes: frozenset[int] = frozenset()

    @classmethod
    def of(cls, conventions: Conventions) -> "Manner":
        """Taken from an account or link."""
        source = conventions.source
        return cls(
            conventions.message == "data_sm",
            conventions.service_type,
            conventions.priority,
            conventions.validity,
            ASKS[conventions.receipts.ask],
            source.prefix,
            source.ton,
            source.npi,
            {tag: bytes.fromhex(digits) for tag, digits in conventions.tlvs.items()},
            conventions.pass_tlvs,
        )

    @property
    def plain(self) -> bool:
        """Whether a template can write it."""
        return not (self.data_sm or self.added or self.passes)

    def source_of(self, sms: MobileTerminated) -> tuple[int, int, str]:
        """TON, NPI and number that an SMS leaves from."""
        ton = sms.source_ton if self.ton is None else self.ton
        npi = sms.source_npi if self.npi is None else self.npi
        return ton, npi, self.prefix + sms.source


def writer_of(
    pdu: type[DeliverSm] | type[SubmitSm],
    manner: Manner,
    composition: Composition,
    now_ms: Callable[[], int],
) -> Writer:
    """The writer of an account or link. pdu: what its SMS usually are. now_ms: milliseconds since the
    epoch."""
    checked = Checked(pdu, manner, composition, now_ms)
    if not manner.plain:
        return checked
    plain = Plain(Templates(pdu, manner), checked)
    return Lasting(plain, checked, manner.validity, now_ms) if manner.validity else plain


class Templates:
    """The PDU of each number that SMS leave from, up to the handset: made once, forgotten when there are too
    many."""

    def __init__(self, pdu: type[DeliverSm | SubmitSm], manner: Manner) -> None:
        self._make = _MAKES[pdu]
        self._manner = manner
        self._validity = relative(whole(manner.validity)) if manner.validity else ""
        self._known: dict[tuple[int, int, str, int, int], Template] = {}

    def of(self, sms: MobileTerminated) -> Template:
        """The template for an SMS. Raises EncodeError for a number that does not fit."""
        key = (sms.source_ton, sms.source_npi, sms.source, sms.ton, sms.npi)
        template = self._known.get(key)
        if template is None:
            if len(self._known) >= TEMPLATES:
                self._known.clear()
            template = self._known[key] = self._template(sms)
        return template

    def _template(self, sms: MobileTerminated) -> Template:
        manner = self._manner
        return self._make(
            *manner.source_of(sms),
            sms.ton,
            sms.npi,
            Always(manner.service_type, manner.priority, self._validity, manner.registered),
        )


class Plain:
    """Writes what has no TLVs from templates, and leaves the rest to `checked`."""

    __slots__ = ("_checked", "_templates")

    def __init__(self, templates: Templates, checked: "Checked") -> None:
        self._templates = templates
        self._checked = checked

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """One deliver_sm or submit_sm."""
        piece: Any = sms.segments[sms.parts_done]  # a Segment
        if piece.tlvs:
            self._checked.write(session, sms, now)
            return
        session.deliver(
            self._templates.of(sms),
            sms.destination,
            piece.esm_class,
            piece.data_coding,
            piece.octets,
            sms,
            now,
        )


class Lasting:
    """Writes SMS that the peer may try to deliver for `validity` seconds: from templates, as long as the
    gateway would keep the SMS for longer."""

    __slots__ = ("_checked", "_now_ms", "_plain", "_validity_ms")

    def __init__(self, plain: Plain, checked: "Checked", validity: float, now_ms: Callable[[], int]) -> None:
        self._plain = plain
        self._checked = checked
        self._validity_ms = 1000 * whole(validity)
        self._now_ms = now_ms

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """One deliver_sm or submit_sm."""
        lasts = sms.expires_at - self._now_ms() >= self._validity_ms
        (self._plain if lasts else self._checked).write(session, sms, now)


class Checked:
    """Writes any SMS: with TLVs, with an end of its validity, as data_sm.

    To a peer that knows no TLVs none leaves, and no data_sm, which would need one. A text that was composed
    for TLVs is composed anew for it, with user data headers; if parts of it have left already, all leave
    again.
    """

    __slots__ = ("_composition", "_manner", "_now_ms", "_pdu")

    def __init__(
        self,
        pdu: type[DeliverSm] | type[SubmitSm],
        manner: Manner,
        composition: Composition,
        now_ms: Callable[[], int],
    ) -> None:
        self._pdu = pdu
        self._manner = manner
        self._composition = composition
        self._now_ms = now_ms

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """One PDU."""
        if not session.tlvs_allowed:
            self._without_tlvs(sms)
        piece: Any = sms.segments[sms.parts_done]
        request: DeliverSm | SubmitSm | DataSm
        if not session.tlvs_allowed:
            request = self._short(sms, piece, NO_TLVS)
        elif self._manner.data_sm:
            request = self._data(sms, piece, self._tlvs(sms, piece))
        else:
            request = self._short(sms, piece, self._tlvs(sms, piece))
        session.send(request, sms, now)

    def _without_tlvs(self, sms: MobileTerminated) -> None:
        first: Any = sms.segments[0]
        if not needs_tlvs(first):
            return
        pieces = compose(sms, self._composition.alphabet, WITHOUT_TLVS, self._composition.parts)
        sms.repeat = sms.repeat or sms.parts_done > 0
        sms.segments, sms.parts, sms.parts_done = pieces, len(pieces), 0

    def _tlvs(self, sms: MobileTerminated, piece: Segment) -> Mapping[int, TlvValue]:
        """All that it has. What it takes over from its cause counts more than what all SMS have."""
        manner = self._manner
        if sms.kind is not Kind.SMS:
            return piece.tlvs
        passed: Mapping[int, TlvValue] = NO_TLVS
        if manner.passes and sms.tlvs:
            came = decode_tlvs(sms.tlvs, 0)[0]
            passed = {tag: value for tag, value in came.items() if tag in manner.passes}
        return {**piece.tlvs, **manner.added, **passed}

    def _short(
        self, sms: MobileTerminated, piece: Segment, tlvs: Mapping[int, TlvValue]
    ) -> DeliverSm | SubmitSm:
        manner = self._manner
        left = self._seconds(sms)
        return self._pdu(
            **self._common(sms, piece),
            priority_flag=manner.priority,
            validity_period=relative(left) if left else "",
            short_message=piece.octets,
            tlvs=tlvs,
        )

    def _data(self, sms: MobileTerminated, piece: Segment, tlvs: Mapping[int, TlvValue]) -> DataSm:
        """The text stands in message_payload, with its user data header if it has one."""
        left = self._seconds(sms)
        lives: Mapping[int, TlvValue] = {QOS_TIME_TO_LIVE: left} if left else NO_TLVS
        return DataSm(**self._common(sms, piece), tlvs={MESSAGE_PAYLOAD: piece.octets, **tlvs, **lives})

    def _common(self, sms: MobileTerminated, piece: Segment) -> dict[str, Any]:
        """The fields that all of these PDUs have."""
        ton, npi, source = self._manner.source_of(sms)
        return {
            "service_type": self._manner.service_type,
            "source_addr_ton": ton,
            "source_addr_npi": npi,
            "source_addr": source,
            "dest_addr_ton": sms.ton,
            "dest_addr_npi": sms.npi,
            "destination_addr": sms.destination,
            "esm_class": piece.esm_class,
            "registered_delivery": self._manner.registered if sms.kind is Kind.SMS else 0,
            "data_coding": piece.data_coding,
        }

    def _seconds(self, sms: MobileTerminated) -> int:
        """For how long the peer may try to deliver it, at least a second; 0: as long as it likes."""
        if not self._manner.validity:
            return 0
        return whole(min(self._manner.validity, (sms.expires_at - self._now_ms()) / 1000))


def whole(seconds: float) -> int:
    """Whole seconds, at least one and at most 30 days."""
    return max(1, min(int(seconds), 30 * 86_400))


def relative(seconds: int) -> str:
    """A time from now on, up to 30 days (SMPP 3.4 section 7.1.1)."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"
