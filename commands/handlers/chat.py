"""Chat: deliver a text to another customer unchanged. The sender is told only when that fails."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from commands.codes import Code
from commands.handlers.people import Barrier, are_buddies, barrier, mobile_of, shown
from commands.model import (
    Chat,
    Customer,
    Given,
    Instruction,
    Outcome,
    Reply,
    Result,
    Sent,
    Source,
    World,
)
from commands.text import units

ID = "chat"

BARRED: Mapping[Barrier, tuple[Code, str]] = MappingProxyType(
    {
        Barrier.NOT_OPEN: (Code.NOT_OPENED, "chat.not_open"),
        Barrier.CLOSED: (Code.NOT_OPENED, "chat.closed"),
        Barrier.BLOCKING: (Code.NO_PERMISSION, "chat.blocking"),
        Barrier.BLOCKED: (Code.NO_PERMISSION, "chat.blocked"),
        Barrier.STRANGER: (Code.NO_PERMISSION, "chat.not_buddy"),
        Barrier.SUSPENDED: (Code.SUSPENDED, "chat.suspended"),
        Barrier.REFUSING: (Code.NOT_ACCEPTED, "chat.refusing"),
    }
)


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A chat message to deliver.

    foreign: `to` is a mobile of another operator. failure_source: where the reply about a failure is sent
    from.
    """

    sender: str
    to: str
    text: str
    foreign: bool
    failure_source: Source

    def failed(self, code: Code, sentence: str, values: dict[str, str] | None = None) -> Outcome:
        """The refusal with its one sentence."""
        reply = Reply(self.sender, sentence, values, self.failure_source)
        return Outcome(Result.REFUSED, [reply], code=code)


def send(world: World, understood: Chat, given: Given) -> Outcome:
    """Deliver the text that was sent to a person's number. A failure is reported from that number."""
    message = ChatMessage(
        understood.sender, understood.to, understood.text, understood.foreign, Source.DIALLED
    )
    return _deliver(world, message, given)


def send_to(world: World, understood: Instruction, given: Given) -> Outcome:
    """FS#number#text."""
    number, text = understood.arguments["number"], understood.arguments["text"]
    return _deliver(
        world, ChatMessage(understood.sender, number, text, understood.foreign, Source.REPLY), given
    )


def _deliver(world: World, message: ChatMessage, given: Given) -> Outcome:
    """Deliver a text from a number that can be answered. A matched stranger gets the Fetion number, never
    the mobile."""
    text, limit = message.text, given.limits.message_length
    if not text or text.isspace():
        return message.failed(Code.BAD_PARAMETER, "chat.empty")
    if (length := units(text)) > limit:
        values = {"count": str(length), "limit": str(limit)}
        return message.failed(Code.BAD_PARAMETER, "chat.too_long", values)
    found = _other(world, message)
    if isinstance(found, Outcome):
        return found
    sender, other = found
    barred = barrier(world, sender, other, given.now)
    if barred is not None:
        code, sentence = BARRED[barred]
        return message.failed(code, sentence, {"who": message.to})
    if given.words.found(text) is not None:
        return message.failed(Code.SENSITIVE, "chat.sensitive")
    sent = until_now(sender.sent, given)
    limits = given.limits
    if sent.today >= limits.sms_per_day:
        return message.failed(Code.TRY_LATER, "chat.quota_day", {"limit": str(limits.sms_per_day)})
    if sent.this_month >= limits.sms_per_month:
        return message.failed(Code.TRY_LATER, "chat.quota_month", {"limit": str(limits.sms_per_month)})
    world.edit(sender.msisdn).sent = replace(sent, today=sent.today + 1, this_month=sent.this_month + 1)
    number = shown(sender) if are_buddies(world, sender, other) else sender.fetion_number
    return Outcome(Result.CHAT, [Reply(other.msisdn, "chat.message", {"text": text}, Source.CHAT, number)])


def until_now(sent: Sent, given: Given) -> Sent:
    """The counters at `given.now`: 0 on a new day and in a new month of given.zone.

    A message counts once, however many SMS it takes.
    """
    today = datetime.fromtimestamp(given.now / 1000, given.zone)
    day, month = today.toordinal(), today.year * 12 + today.month - 1
    if sent.day == day:
        return sent
    return Sent(day, 0, month, sent.this_month if sent.month == month else 0)


def _other(world: World, message: ChatMessage) -> tuple[Customer, Customer] | Outcome:
    """The sender and the other customer, or the refusal."""
    if message.foreign:
        return message.failed(Code.DIRECT_SMS_OFF, "chat.foreign", {"who": message.to})
    msisdn = mobile_of(world, message.to)
    if msisdn is None:
        return message.failed(Code.UNKNOWN_NUMBER, "chat.unknown", {"who": message.to})
    if msisdn == message.sender:
        return message.failed(Code.BAD_PARAMETER, "chat.oneself")
    sender, other = world.customer(message.sender), world.customer(msisdn)
    if other is None:
        return message.failed(Code.NOT_OPENED, "chat.not_open", {"who": message.to})
    if sender is None:
        raise ValueError(f"{message.sender} writes to {msisdn} and has not opened")
    return sender, other
