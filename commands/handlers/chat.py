"""Chat: a text to a person goes to that person, word for word. The sender hears only of failure."""

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
class Letter:
    """What is to go to whom. answers_from: where a failure is told from."""

    sender: str
    to: str
    text: str
    foreign: bool
    answers_from: Source

    def failed(self, code: Code, sentence: str, values: dict[str, str] | None = None) -> Outcome:
        """The one sentence of a failure."""
        reply = Reply(self.sender, sentence, values, self.answers_from)
        return Outcome(Result.REFUSED, [reply], code=code)


def send(world: World, understood: Chat, given: Given) -> Outcome:
    """The whole text that was sent to a person's number; a failure is told from that number."""
    letter = Letter(understood.sender, understood.to, understood.text, understood.foreign, Source.DIALLED)
    return _deliver(world, letter, given)


def send_to(world: World, understood: Instruction, given: Given) -> Outcome:
    """FS#number#text."""
    number, text = understood.arguments["number"], understood.arguments["text"]
    return _deliver(world, Letter(understood.sender, number, text, understood.foreign, Source.REPLY), given)


def _deliver(world: World, letter: Letter, given: Given) -> Outcome:
    """Hand a text on, from a number that answers come back to; a matched stranger sees no mobile."""
    text, limit = letter.text, given.limits.message_length
    if not text or text.isspace():
        return letter.failed(Code.BAD_PARAMETER, "chat.empty")
    if (length := units(text)) > limit:
        values = {"count": str(length), "limit": str(limit)}
        return letter.failed(Code.BAD_PARAMETER, "chat.too_long", values)
    found = _other(world, letter)
    if isinstance(found, Outcome):
        return found
    sender, other = found
    barred = barrier(world, sender, other, given.now)
    if barred is not None:
        code, sentence = BARRED[barred]
        return letter.failed(code, sentence, {"who": letter.to})
    if given.words.found(text) is not None:
        return letter.failed(Code.SENSITIVE, "chat.sensitive")
    sent = until_now(sender.sent, given)
    limits = given.limits
    if sent.today >= limits.sms_per_day:
        return letter.failed(Code.TRY_LATER, "chat.quota_day", {"limit": str(limits.sms_per_day)})
    if sent.this_month >= limits.sms_per_month:
        return letter.failed(Code.TRY_LATER, "chat.quota_month", {"limit": str(limits.sms_per_month)})
    world.edit(sender.msisdn).sent = replace(sent, today=sent.today + 1, this_month=sent.this_month + 1)
    number = shown(sender) if are_buddies(world, sender, other) else sender.fetion_number
    return Outcome(Result.CHAT, [Reply(other.msisdn, "chat.message", {"text": text}, Source.CHAT, number)])


def until_now(sent: Sent, given: Given) -> Sent:
    """What was sent today and this month, in given.zone: nothing yet on a new day, in a new month.

    A message counts once, however many SMS it takes.
    """
    today = datetime.fromtimestamp(given.now / 1000, given.zone)
    day, month = today.toordinal(), today.year * 12 + today.month - 1
    if sent.day == day:
        return sent
    return Sent(day, 0, month, sent.this_month if sent.month == month else 0)


def _other(world: World, letter: Letter) -> tuple[Customer, Customer] | Outcome:
    """The sender and the customer written to, or why there is none."""
    if letter.foreign:
        return letter.failed(Code.DIRECT_SMS_OFF, "chat.foreign", {"who": letter.to})
    msisdn = mobile_of(world, letter.to)
    if msisdn is None:
        return letter.failed(Code.UNKNOWN_NUMBER, "chat.unknown", {"who": letter.to})
    if msisdn == letter.sender:
        return letter.failed(Code.BAD_PARAMETER, "chat.oneself")
    sender, other = world.customer(letter.sender), world.customer(msisdn)
    if other is None:
        return letter.failed(Code.NOT_OPENED, "chat.not_open", {"who": letter.to})
    if sender is None:
        raise ValueError(f"{letter.sender} writes to {msisdn} and has not opened")
    return sender, other
