"""How an SMS to a handset becomes a PDU of a session: deliver_sm to an ESME, submit_sm to an SMS centre."""

from typing import Protocol

from gateway.channels.smpp.composing import Templates
from gateway.message import MobileTerminated
from gateway.smpp.long import Segment
from gateway.smpp.pdus import SubmitSm
from gateway.smpp.session import Session


class Writer(Protocol):
    """Writes the SMS of one account or link."""

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """Queue the next part. Raises EncodeError; then nothing was queued."""


class Delivering:
    """deliver_sm, of which all but the handset and the text is made once."""

    __slots__ = ("_templates",)

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """One deliver_sm."""
        piece = sms.segments[sms.parts_done]
        assert isinstance(piece, Segment)
        session.deliver(
            self._templates.of(sms),
            sms.destination,
            piece.esm_class,
            piece.data_coding,
            piece.octets,
            sms,
            now,
        )


class Submitting:
    """submit_sm."""

    __slots__ = ()

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """One submit_sm."""
        piece = sms.segments[sms.parts_done]
        assert isinstance(piece, Segment)
        request = SubmitSm(
            source_addr_ton=sms.source_ton,
            source_addr_npi=sms.source_npi,
            source_addr=sms.source,
            dest_addr_ton=sms.ton,
            dest_addr_npi=sms.npi,
            destination_addr=sms.destination,
            esm_class=piece.esm_class,
            data_coding=piece.data_coding,
            short_message=piece.octets,
            tlvs=piece.tlvs,
        )
        session.send(request, sms, now)
