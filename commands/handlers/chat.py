"""Chat: a text to a person's number goes to that person, word for word."""

from commands.handlers.people import are_buddies, mobile_of, open_customer, shown
from commands.model import Chat, Customer, Given, Outcome, Reply, Result, Source, World

ID = "chat"


def send(world: World, understood: Chat, given: Given) -> Outcome:
    """Hand a text to a buddy, from a number that answers come back to. The sender hears only of failure."""
    sender = open_customer(world, understood.sender)
    if sender is None:
        return failed(understood, "not_open")
    text, limit = understood.text, given.limits.message_length
    if not text or text.isspace():
        return failed(understood, "chat.empty")
    if len(text) > limit:
        return failed(understood, "chat.too_long", {"count": str(len(text)), "limit": str(limit)})
    other = _other(world, understood)
    if isinstance(other, Outcome):
        return other
    if not are_buddies(world, sender, other):
        return failed(understood, "chat.not_buddy", {"who": understood.to})
    message = Reply(other.msisdn, "chat.message", {"text": text}, Source.CHAT, shown(sender))
    return Outcome(Result.CHAT, [message])


def failed(understood: Chat, sentence: str, values: dict[str, str] | None = None) -> Outcome:
    """The one sentence of a failure, from the number the customer wrote to."""
    return Outcome(Result.REFUSED, [Reply(understood.sender, sentence, values, Source.DIALLED)])


def _other(world: World, understood: Chat) -> Customer | Outcome:
    """The customer written to, or why there is none."""
    if understood.foreign:
        return failed(understood, "chat.foreign", {"who": understood.to})
    msisdn = mobile_of(world, understood.to)
    if msisdn is None:
        return failed(understood, "chat.unknown", {"who": understood.to})
    if msisdn == understood.sender:
        return failed(understood, "chat.oneself")
    return open_customer(world, msisdn) or failed(understood, "chat.not_open")
