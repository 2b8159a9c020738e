"""The handlers: one module per family of instructions, pure functions `(world, understood, given) ->
Outcome`.

`HANDLERS` maps each row of the table to its function; loading fails for a row without one. commands.dispatch
decides which customers may use a row and does what all rows share.
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
        "province": place.forward,
        "voice": place.say,
        "none": place.say,
    }
)

HANDLED = frozenset(HANDLERS) | {chat.ID}
"""All rows that can be handled. A text to a person is a Chat; chat.send handles it."""
