"""Which keys to load before a handler runs, as far as the text tells."""

from collections.abc import Iterable

from commands.model import Chat, Instruction, LoadKeys, Understood
from commands.parser import MOBILE_DIGITS


def keys_of(understood: Understood, fetion_numbers: Iterable[str] = ()) -> LoadKeys:
    """The keys that `add_keys` adds, as a new LoadKeys."""
    keys = LoadKeys()
    add_keys(keys, understood, fetion_numbers)
    return keys


def add_keys(keys: LoadKeys, understood: Understood, fetion_numbers: Iterable[str] = ()) -> None:
    """Add the sender, the person whom the text names, and what each of the two stores about the other.

    Args:
        fetion_numbers: drawn numbers; the handler will ask who holds them.

    A handler raises Missing for the rest: the asker of a question, the customer behind a Fetion number.
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
