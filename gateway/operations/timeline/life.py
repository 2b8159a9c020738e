"""Reads what a store keeps of one SMS: its cause, its parts and what it led to."""

from collections.abc import Sequence
from typing import Final

from commands.model import Result
from gateway.message import PART, Delivery
from gateway.operations.timeline.steps import Life
from gateway.storage.reader import DownlinkRecord, JournalRecord, Reader

FORWARDING: Final = "province"
"""The instruction that sends an SMS on to a province's system."""
_OPEN: Final = (Delivery.WAITING, Delivery.PARKED)


def life_of(number: int, reader: Reader) -> Life:
    """Read the whole life of the SMS with that number; a part of a long one is traced as that one."""
    outgoing = reader.downlink(number)
    cause = number if outgoing is None else outgoing.cause
    message = reader.journal_record(cause)
    if message is not None and message.outcome == PART:
        message = reader.joined_with(message) or message
    replies = [outgoing] if outgoing is not None else reader.caused_by(message.number if message else cause)
    joined = message.detail.get("joined", ()) if message else ()
    parts = [part for each in joined if (part := reader.journal_record(each)) is not None]
    if outgoing is None:  # each part may have a receipt of its own
        replies += [sms for each in joined for sms in reader.caused_by(each)]
    return _with_ends(message, parts, replies, reader)


def life_again(life: Life, number: int, reader: Reader) -> Life:
    """Read a life that was read before. What an SMS led to was stored with it, so that is not searched again,
    which costs more than the rest; but where a part may be joined, or a province's system may answer."""
    if not life.outgoing or (life.message is not None and life.message.instruction == FORWARDING):
        return life_of(number, reader)
    message = life.message and reader.journal_record(life.message.number)
    replies = [sms for each in life.outgoing if (sms := reader.downlink(each.number)) is not None]
    return _with_ends(message, life.parts, replies, reader)


def _with_ends(
    message: JournalRecord | None,
    parts: Sequence[JournalRecord],
    replies: Sequence[DownlinkRecord],
    reader: Reader,
) -> Life:
    attempts = {sms.number: reader.attempts(sms.number) for sms in replies}
    receipts = {sms.number: reader.receipts(sms.number) for sms in replies}
    return Life(message, parts, replies, attempts, receipts=receipts)


def record_in(life: Life, number: int) -> JournalRecord | DownlinkRecord | None:
    """Return the SMS with that number, if it is one of a life."""
    records: list[JournalRecord | DownlinkRecord] = [*life.parts, *life.outgoing]
    if life.message is not None:
        records.append(life.message)
    return next((sms for sms in records if sms.number == number), None)


def is_over(life: Life) -> bool:
    """Whether nothing can change any more, but by a retransmission. An SMS that a province's system has to
    answer is not over before its reply, nor is a part before its whole."""
    sms = life.message
    if sms is not None:
        forwarded = sms.instruction == FORWARDING and sms.outcome == Result.DONE
        if sms.outcome == PART or (forwarded and not life.outgoing):
            return False
    awaited = any(part.until for parts in life.receipts.values() for part in parts)
    return not awaited and all(out.state not in _OPEN for out in life.outgoing)
