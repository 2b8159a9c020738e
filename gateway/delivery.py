"""What becomes of an SMS to a handset: its state, and what receipts say of its parts."""

from enum import IntEnum
from typing import Final, NamedTuple

NONE_CAME: Final = "no final receipt in time"
"""The error of a part of which no final receipt has come in time."""


class Delivery(IntEnum):
    """State of a mobile terminated SMS; the `state` column of the outbox."""

    WAITING = 0
    SENT = 1
    FAILED = 2
    EXPIRED = 3
    PARKED = 4  # unanswered too often; an operator decides
    DELIVERED = 5  # sent, and receipts say that the handset has all parts
    UNDELIVERED = 6  # sent, and a receipt says that the handset will not get a part


class PartReceipt(NamedTuple):
    """A part that left with a receipt asked for, and what its receipts say: a row of the table `receipt`.

    number, part: the SMS, and which of its `parts` parts, from 1. remote_id: what the peer calls the part.
    at: when the peer took it. until: when it is reported that no receipt has come, 0: not (any more). state:
    SENT while nothing final is known, DELIVERED, UNDELIVERED. said, error: as the peer wrote them.
    receipted_at: of the last receipt, 0: none has come.
    """

    number: int
    part: int
    parts: int
    msisdn: str
    account: str
    remote_id: str
    at: int
    until: int = 0
    state: Delivery = Delivery.SENT
    said: str = ""
    error: str = ""
    receipted_at: int = 0


class EarlyReceipt(NamedTuple):
    """A receipt of no part that is known: the response that names the part may come yet.

    key, other: folded (receipt_key), what the part may be called, other "": nothing else. remote_id: as the
    peer wrote it. at: when it came. state: SENT where it says nothing final. reported: nobody claimed it.
    """

    account: str
    key: str
    other: str
    remote_id: str
    at: int
    state: Delivery
    said: str
    error: str
    receipted_at: int
    source: str
    destination: str
    reported: bool = False


def receipt_key(remote_id: str) -> str:
    """Fold the id of a part: peers write it with or without leading zeros, in either case."""
    folded = remote_id.strip().lower()
    return folded.lstrip("0") or folded[:1]
