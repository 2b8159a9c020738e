"""Receipts on SMPP: what a PDU that is one says (gateway.channels.contract.Receipt), and ours as PDUs."""

from typing import Final, Literal

from gateway.channels.contract import Bind, Receipt, Receipted
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.receipts import Outcome, read_receipt
from gateway.smpp.tlvs import MESSAGE_PAYLOAD

IdForm = Literal["text", "hex", "decimal"]
"""How the responses of a peer write the number that its receipts write in the other form; text: alike."""

_RECEIPTED: Final = {
    Outcome.DELIVERED: Receipted.DELIVERED,
    Outcome.UNDELIVERED: Receipted.UNDELIVERED,
    Outcome.UNDER_WAY: Receipted.UNDER_WAY,
    None: Receipted.UNDER_WAY,  # nobody knows: noted, and not final
}


def receipt_of(bind: Bind, form: IdForm, pdu: SubmitSm | DataSm | DeliverSm, arrived: float) -> Receipt:
    """The receipt in a request. Nothing raises: what is not there is empty."""
    payload = pdu.tlvs.get(MESSAGE_PAYLOAD, b"")
    octets = b"" if isinstance(pdu, DataSm) else pdu.short_message
    found = read_receipt(octets or (payload if isinstance(payload, bytes) else b""), pdu.data_coding, pdu.tlvs)
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
    try:
        return format(int(written, 10), "x") if form == "hex" else str(int(written, 16))
    except ValueError:
        return written
