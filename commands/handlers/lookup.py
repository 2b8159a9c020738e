"""List buddies, those who can be reached, and the black list; show what a buddy lets others see.

A list is sent in pages of one SMS. An entry has the name that the owner of the list gave, else the nickname,
and the Fetion number in place of the mobile when the buddy hides it.
"""

from collections.abc import Iterable

from commands.codes import Code
from commands.handlers.people import are_buddies, may_write, mobile_of, refused, shown
from commands.handlers.relations import blocks, both_ways, buddies_of, require
from commands.model import Buddy, Customer, Given, Instruction, Outcome, Reply, Result, World
from commands.text import units

PAGE = 44
"""UTF-16 units of the entries of a page. With the text around them (replies/zh.yaml) they fill one SMS."""

BETWEEN = "\n"


def list_all(world: World, understood: Instruction, given: Given) -> Outcome:
    """HYLB [page]: all buddies."""
    del given
    sender = understood.sender
    rows = buddies_of(world, sender)
    require(world, [row.other for row in rows])
    return _page(understood, [_entry(world, row) for row in rows], "buddy.list")


def list_online(world: World, understood: Instruction, given: Given) -> Outcome:
    """ZXHY [page]: the buddies who would receive an SMS now."""
    sender = understood.sender
    rows = buddies_of(world, sender)
    others = [row.other for row in rows]
    require(world, others, both_ways(sender, others))
    online = [_entry(world, row) for row in rows if _is_online(world, row, given.now)]
    return _page(understood, online, "buddy.online" if rows else "buddy.list")


def list_blocked(world: World, understood: Instruction, given: Given) -> Outcome:
    """HMDLB [page]: the black list."""
    del given
    rows = [row for row in world.list_of(understood.sender) if row.blocked]
    require(world, [row.other for row in rows])
    return _page(understood, [_entry(world, row) for row in rows], "buddy.black_list")


def profile(world: World, understood: Instruction, given: Given) -> Outcome:
    """CX#number: what a buddy lets others see. For the sender's own number: what buddies see."""
    del given
    sender, number = understood.sender, understood.arguments["number"]
    msisdn = mobile_of(world, number)
    other = None if msisdn is None else world.customer(msisdn)
    if other is None or not other.fetion_number:
        return refused(sender, "buddy.unknown", {"who": number}, Code.UNKNOWN_NUMBER)
    if not _may_see(world, sender, other):
        return refused(sender, "buddy.profile.private", {"who": number}, Code.NO_PERMISSION)
    values = {"name": other.nickname or shown(other), "fetion_number": other.fetion_number}
    sentence = "buddy.profile"
    if other.hides_mobile:
        sentence += ".hidden"
    else:
        values["number"] = other.msisdn
    if other.mood:
        sentence += ".mood"
        values["mood"] = other.mood
    return Outcome(Result.DONE, [Reply(sender, sentence, values)])


def pages(entries: Iterable[str], size: int) -> list[str]:
    """Join entries into pages of at most `size` UTF-16 units. A longer entry has a page of its own."""
    filled: list[str] = []
    for entry in entries:
        if filled and units(longer := filled[-1] + BETWEEN + entry) <= size:
            filled[-1] = longer
        else:
            filled.append(entry)
    return filled


def _page(understood: Instruction, entries: list[str], sentence: str) -> Outcome:
    """The page that was asked for. All but the last say how to get the next."""
    sender = understood.sender
    if not entries:
        return Outcome(Result.DONE, [Reply(sender, f"{sentence}.none")])
    filled = pages(entries, PAGE)
    page = int(understood.arguments.get("page", "1"))
    if page > len(filled):
        return refused(sender, "buddy.no_page", {"pages": str(len(filled))}, Code.BAD_PARAMETER)
    values = {"count": str(len(entries)), "entries": filled[page - 1]}
    if page == len(filled):
        return Outcome(Result.DONE, [Reply(sender, f"{sentence}.last", values)])
    return Outcome(Result.DONE, [Reply(sender, f"{sentence}.page", {**values, "page": str(page + 1)})])


def _entry(world: World, row: Buddy) -> str:
    buddy = world.customer(row.other)
    if buddy is None:
        raise ValueError("a buddy who is no customer")
    if not row.since:  # not a buddy: show the mobile only if it was used to block him
        by_mobile = row.name == buddy.msisdn and not buddy.hides_mobile
        return buddy.msisdn if by_mobile else buddy.fetion_number or row.name or buddy.msisdn
    name = row.name or buddy.nickname
    return f"{name} {shown(buddy)}" if name else shown(buddy)


def _is_online(world: World, row: Buddy, now: int) -> bool:
    """Whether a message of the owner would be delivered to this buddy now."""
    owner, buddy = world.customer(row.owner), world.customer(row.other)
    return owner is not None and buddy is not None and may_write(world, owner, buddy, now)


def _may_see(world: World, viewer: str, other: Customer) -> bool:
    """Whether the viewer is the customer himself, or a buddy who is not on his black list."""
    if viewer == other.msisdn:
        return True
    customer = world.customer(viewer)
    return (
        customer is not None
        and are_buddies(world, customer, other)
        and not blocks(world, other.msisdn, viewer)
    )
