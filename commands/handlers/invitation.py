"""Invitations to open Fetion: a mobile without it gets a fixed phrase, and only a limited number of them."""

from datetime import datetime
from typing import Final
from zlib import crc32

from commands.codes import Code
from commands.handlers.people import notice, open_customer, refused, shown
from commands.model import (
    Customer,
    CustomerState,
    Given,
    Instruction,
    Outcome,
    Reply,
    Result,
    ServiceEvent,
    World,
)

PHRASES: Final = (
    "invitation.using",
    "invitation.closer",
    "invitation.good",
    "invitation.hope",
    "invitation.free",
)
"""Fixed phrases: an inviter cannot send a text of his own (fetion.md 2, attested: five, by id 0-4)."""


def invite(world: World, understood: Instruction, given: Given) -> Outcome:
    """YQ#mobile: send one of the phrases, under the name that the sender gives, else under his number."""
    sender, mobile = understood.sender, understood.arguments["number"]
    inviter = open_customer(world, sender)
    if inviter is None:
        return refused(sender, "not_open")
    invitee = world.customer(mobile)
    hindrance = _hindrance(understood, invitee)
    if hindrance is not None:
        return hindrance
    name = understood.arguments.get("name", "")
    if given.words.found(name) is not None:
        return refused(sender, "profile.sensitive", code=Code.SENSITIVE)
    invitations = _of_this_month(invitee, given)
    if sum(who == sender for who, _ in invitations) >= given.limits.invitations_per_month:
        return refused(sender, "buddy.invited.already", {"who": mobile}, Code.TRY_LATER)
    if len(invitations) >= given.limits.open_questions:
        return refused(sender, "buddy.invited.often", {"who": mobile}, Code.TRY_LATER)
    world.edit(mobile).invited = (*invitations, (sender, given.now))
    phrase = PHRASES[crc32(given.message_id.encode()) % len(PHRASES)]
    return Outcome(
        Result.DONE,
        [
            Reply(sender, "buddy.invited", {"who": mobile}),
            notice(mobile, phrase, {"who": name or shown(inviter)}),
        ],
        [ServiceEvent("buddy", "invited", sender, {"other": mobile})],
    )


def _hindrance(understood: Instruction, invitee: Customer | None) -> Outcome | None:
    """Why that mobile is not invited, or None."""
    sender, who = understood.sender, {"who": understood.arguments["number"]}
    if understood.foreign:
        return refused(sender, "buddy.invited.foreign", who, Code.UNKNOWN_NUMBER)
    if who["who"] == sender:
        return refused(sender, "buddy.own", code=Code.ONESELF)
    if invitee is not None and invitee.state is CustomerState.SUSPENDED:
        return refused(sender, "buddy.suspended", who, Code.SUSPENDED)
    if invitee is not None and invitee.state is CustomerState.OPEN:
        return refused(sender, "buddy.invited.open", who)
    return None


def _of_this_month(invitee: Customer | None, given: Given) -> list[tuple[str, int]]:
    """The invitations in this calendar month (given.zone). Older ones are dropped."""
    month = _month(given.now, given)
    invited = () if invitee is None else invitee.invited
    return [(who, at) for who, at in invited if _month(at, given) == month]


def _month(at: int, given: Given) -> tuple[int, int]:
    local = datetime.fromtimestamp(at // 1000, given.zone)
    return local.year, local.month
