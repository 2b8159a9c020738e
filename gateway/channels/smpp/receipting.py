"""Receipts on SMPP: what a PDU that is one says (gateway.channels.contract.Receipt), and ours as PDUs."""

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final, Literal

from gateway.channels.contract import Bind, Fate, Receipt, Receipted, ReceiptsAsked, Report
from gateway.channels.smpp.settings import ReceiptSettings
from gateway.message import Kind
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.receipts import (
    DELIVERY_ACKNOWLEDGEMENT,
    DELIVERY_RECEIPT,
    Outcome,
    read_receipt,
)
from gateway.smpp.receipts import Report as Written
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, encode_tlvs
from gateway.smpp.versions import V33

IdForm = Literal["text", "hex", "decimal"]
"""How the responses of a peer write the number that its receipts write in the other form; text: alike."""

_DECIMAL: Final = re.compile("[0-9]+")
_HEX: Final = re.compile("(?:0[xX])?[0-9A-Fa-f]+")
_RECEIPTED: Final = {
    Outcome.DELIVERED: Receipted.DELIVERED,
    Outcome.UNDELIVERED: Receipted.UNDELIVERED,
    Outcome.UNDER_WAY: Receipted.UNDER_WAY,
    None: Receipted.UNDER_WAY,  # nobody knows: noted, and not final
}


TYPES: Final[Mapping[Kind, int]] = {
    Kind.RECEIPT: DELIVERY_RECEIPT,
    Kind.ACKNOWLEDGEMENT: DELIVERY_ACKNOWLEDGEMENT,
}
"""What esm_class says of our receipts."""


def asked_by(receipts: ReceiptSettings) -> ReceiptsAsked | None:
    """What the setting asks for. Of failures alone no receipt is missed."""
    if receipts.ask == "never":
        return None
    return ReceiptsAsked(round(receipts.wait * 1000) if receipts.ask == "always" else 0)


def report_in(zone: tzinfo) -> Report:
    """Makes the writer of our receipts: appendix B, with times in `zone`."""

    def digits(ms: int) -> str:
        return f"{datetime.fromtimestamp(ms / 1000, zone):%y%m%d%H%M}"

    def report(fate: Fate) -> tuple[str, bytes]:
        said = "DELIVRD" if fate.delivered else "UNDELIV"
        named = V33.id_of(fate.message_id) if fate.short else fate.message_id
        written = Written(named, said, digits(fate.came_at), digits(fate.over_at))
        return written.octets.decode("ascii"), encode_tlvs(written.tlvs)

    return report


def receipt_of(bind: Bind, form: IdForm, pdu: SubmitSm | DataSm | DeliverSm, arrived: float) -> Receipt:
    """The receipt in a request. Nothing raises: what is not there is empty."""
    payload = pdu.tlvs.get(MESSAGE_PAYLOAD, b"")
    octets = b"" if isinstance(pdu, DataSm) else pdu.short_message
    if not octets and isinstance(payload, bytes):
        octets = payload
    found = read_receipt(octets, pdu.data_coding, pdu.tlvs)
    return Receipt(
        bind,
        pdu,
        pdu.sequence_number,
        arrived,
        pdu.source_addr.strip(" "),
        pdu.destination_addr.strip(" "),
        ids_of(found.tlv_id, found.text_id, form),
        _RECEIPTED[found.outcome],
        found.said,
        found.error,
    )


def ids_of(tlv_id: str, text_id: str, form: IdForm) -> tuple[str, ...]:
    """What the response may have called the part, the surest first.

    Where responses and receipts write numbers in two forms, an id is never taken in the wrong one: it could
    be that of another part. A TLV that differs from the text has the id as the response wrote it.
    """
    if form == "text":
        return tuple(dict.fromkeys(filter(None, (tlv_id, text_id))))
    if tlv_id and text_id and tlv_id != text_id:
        return tuple(dict.fromkeys((tlv_id, _converted(text_id, form))))
    return (_converted(tlv_id or text_id, form),) if tlv_id or text_id else ()


def _converted(written: str, form: IdForm) -> str:
    """The id of a receipt as the response wrote it; what is no number of the form stays as it is."""
    if form == "hex":
        return format(int(written), "x") if _DECIMAL.fullmatch(written) else written
    return str(int(written, 16)) if _HEX.fullmatch(written) else written
