"""Reads what a store keeps of one SMS: its cause, its parts and what it led to."""

from gateway.message import PART
from gateway.operations.timeline.steps import Life
from gateway.storage.reader import Reader


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
    attempts = {sms.number: reader.attempts(sms.number) for sms in replies}
    receipts = {sms.number: reader.receipts(sms.number) for sms in replies}
    return Life(message, parts, replies, attempts, receipts=receipts)
