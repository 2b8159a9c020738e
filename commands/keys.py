"""What to load before a message is handled, as far as its text tells."""

from collections.abc import Iterable

from commands.model import Chat, Instruction, LoadKeys, Understood
from commands.parser import MOBILE_DIGITS


def keys_of(understood: Understood, fetion_numbers: Iterable[str] = ()) -> LoadKeys:
    """What add_keys adds, by itself."""
    keys = LoadKeys()
    add_keys(keys, understood, fetion_numbers)
    return keys


def add_keys(keys: LoadKeys, understood: Understood, fetion_numbers: Iterable[str] = ()) -> None:
    """The sender, and the person whom the text names, with what each keeps about the other.

    fetion_numbers: numbers drawn for it, whose holders it will ask for. What else a handler needs (the
    other side of a question, the customer behind a Fetion number) it asks for with Missing.
    """
    sender = understood.sender
    keys.customers.add(sender)
    keys.holders.update(fetion_numbers)
    if isinstance(understood, Chat):
        _add(keys, sender, understood.to)
    elif isinstance(understood, Instruction):
        number = understood.arguments.get("number")
        if number:
            _add(keys, sender, number)


def _add(keys: LoadKeys, sender: str, number: str) -> None:
    if len(number) == MOBILE_DIGITS:
        keys.customers.add(number)
        keys.buddies.update(((sender, number), (number, sender)))
    else:
        keys.holders.add(number)
