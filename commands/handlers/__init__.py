"""What instructions do: one module per family, pure functions `(world, understood, given) -> Outcome`.

`HANDLERS` says which function handles which row of the table. A row that is not in it fails at load.
Which customers may use a row, and the reminder of an open question, is the caller's: commands.service.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from commands.handlers import answer, buddy, chat, guide, password, place, service
from commands.model import Given, Instruction, Outcome, World

Handler: TypeAlias = Callable[[World, Instruction, Given], Outcome]

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "service.open": service.open_service,
        "service.cancel": service.cancel,
        "service.state": service.state,
        "password.random": password.random,
        "password.set": password.set_password,
        "answer.yes": answer.yes,
        "answer.no": answer.no,
        "buddy.add": buddy.add,
        "help": guide.explain,
        "province": place.say,
        "voice": place.say,
        "none": place.say,
    }
)

HANDLED = frozenset(HANDLERS) | {chat.ID}
"""Every row that can be handled; a text to a person is a Chat, which chat.send handles."""
