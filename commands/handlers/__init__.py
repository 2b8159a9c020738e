"""What instructions do: one module per family, pure functions `(world, understood, given) -> Outcome`.

`HANDLERS` says which function handles which row of the table. A row that is not in it fails at load.
Which customers may use a row, and all that rows have in common, is the caller's: commands.dispatch.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from commands.handlers import (
    answer,
    buddy,
    chat,
    guide,
    invitation,
    lookup,
    matching,
    password,
    place,
    products,
    profile,
    service,
    voice,
)
from commands.model import Given, Instruction, Outcome, World

Handler: TypeAlias = Callable[[World, Instruction, Given], Outcome]

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "service.open": service.open_service,
        "service.cancel": service.cancel,
        "service.list": products.show,
        "service.list.answer": products.choose,
        "service.cancel_all": products.cancel_all,
        "service.state": service.state,
        "matching.open": matching.open_matching,
        "matching.cancel": matching.cancel,
        "matching.find": matching.find,
        "password.random": password.random,
        "password.set": password.set_password,
        "answer.yes": answer.yes,
        "answer.no": answer.no,
        "buddy.add": buddy.add,
        "buddy.delete": buddy.delete,
        "buddy.list": lookup.list_all,
        "buddy.online": lookup.list_online,
        "buddy.profile": lookup.profile,
        "buddy.rename": buddy.rename,
        "buddy.block": buddy.block,
        "buddy.unblock": buddy.unblock,
        "buddy.blocked": lookup.list_blocked,
        "buddy.invite": invitation.invite,
        "profile.nickname": profile.nickname,
        "profile.mood": profile.mood,
        "profile.about": profile.about,
        "privacy.mobile": profile.privacy,
        "presence.refuse": profile.refuse,
        "presence.accept": profile.accept,
        "account.unlock": profile.unlock,
        "chat.send": chat.send_to,
        "voice.invite": voice.invite,
        "help": guide.explain,
        "province": place.say,
        "voice": place.say,
        "none": place.say,
    }
)

HANDLED = frozenset(HANDLERS) | {chat.ID}
"""Every row that can be handled; a text to a person is a Chat, which chat.send handles."""
