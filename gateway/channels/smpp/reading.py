"""From a submit_sm, deliver_sm or data_sm to an Inbound: what an SMS is, and where it stands in a long
message."""

from typing import Final

from gateway.channels.contract import Alphabet, Inbound
from gateway.channels.smpp.bind import SmppBind
from gateway.errors import Refusal, Verdict
from gateway.message import PartHeader
from gateway.smpp.long import UDHI, BrokenUdhError, part_of
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.tlvs import USER_MESSAGE_REFERENCE

MESSAGE_TYPE: Final = 0x3C
"""Bits of esm_class that say what an SMS is; only 0, a plain message, is a text (SMPP 3.4 section 5.2.12)."""


def read(bind: SmppBind, alphabet: Alphabet, pdu: SubmitSm | DataSm | DeliverSm, arrived: float) -> Inbound:
    """The SMS in a request; blanks around an address are padding and part of neither.

    Raises Refusal for what is no plain message, or has a user data header that is longer than itself.
    """
    esm_class = pdu.esm_class
    if esm_class & MESSAGE_TYPE:
        raise Refusal(Verdict.NOT_A_MESSAGE, f"esm_class 0x{esm_class:02X} is no plain message")
    inbound = plain(bind, alphabet, pdu, arrived)
    if pdu.tlvs or esm_class & UDHI:
        _read_headers(inbound, pdu)
    return inbound


def plain(bind: SmppBind, alphabet: Alphabet, pdu: SubmitSm | DataSm | DeliverSm, arrived: float) -> Inbound:
    """The SMS in a request as it stands in its mandatory fields."""
    return Inbound(
        bind,
        pdu,
        pdu.sequence_number,
        arrived,
        pdu.source_addr.strip(" "),
        pdu.source_addr_ton,
        pdu.source_addr_npi,
        pdu.destination_addr.strip(" "),
        pdu.dest_addr_ton,
        pdu.dest_addr_npi,
        pdu.esm_class,
        pdu.data_coding,
        pdu.short_message if type(pdu) is SubmitSm or type(pdu) is DeliverSm else b"",
        alphabet,
    )


def _read_headers(inbound: Inbound, pdu: SubmitSm | DataSm | DeliverSm) -> None:
    """What stands in the user data header and in the TLVs."""
    try:
        header, inbound.octets = part_of(inbound.octets, pdu.esm_class, pdu.tlvs)
    except BrokenUdhError as error:
        raise Refusal(Verdict.UNREADABLE, str(error)) from error
    if header is not None:
        inbound.part = PartHeader(header.kind, header.reference, header.total, header.number)
    reference = pdu.tlvs.get(USER_MESSAGE_REFERENCE)
    inbound.reference = reference if isinstance(reference, int) else None
