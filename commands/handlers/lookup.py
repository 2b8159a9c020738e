"""Looking up buddies: the list, who can be reached, and what one of them lets others see.

A list goes out in pages of one SMS. A buddy stands there under the name that his owner gave him, else his
nickname, and by Fetion number when he hides his mobile.
"""

from collections.abc import Iterable

from commands.codes import Code
from commands.handlers.people import are_buddies, may_write, mobile_of, refused, shown
from commands.handlers.relations import blocks, both_ways, buddies_of, require
from commands.model import Buddy, Customer, Given, Instruction, Outcome, Reply, Result, World
from commands.text import units

PAGE = 44
"""UTF-16 units of the entries of a page; with the words around them they fill an SMS (replies/zh.yaml)."""

BETWEEN = "\n"


def list_all(world: World, understood: Instruction, given: Given) -> Outcome:
    """HYLB [page]: all buddies."""
    del given
    sender = understood.sender
    rows = buddies_of(world, sender)
    require(world, [row.other for row in rows])
    return _page(understood, [_entry(world, row) for row in rows], "buddy.list")


def list_online(world: World, understood: Instruction, given: Given) -> Outcome:
    """ZXHY [page]: the buddies whom an SMS reaches now."""
    sender = understood.sender
    rows = buddies_of(world, sender)
    others = [row.other for row in rows]
    require(world, others, both_ways(sender, others))
    online = [_entry(world, row) for row in rows if _is_online(world, row, given.now)]
    return _page(understood, online, "buddy.online" if rows else "buddy.list")


def list_blocked(world: World, understood: Instruction, given: Given) -> Outcome:
    """HMDLB [page]: everybody on the black list."""
    del given
    rows = [row for row in world.list_of(understood.sender) if row.blocked]
    require(world, [row.other for row in rows])
    return _page(understood, [_entry(world, row) for row in rows], "buddy.black_list")


def profile(world: World, understood: Instruction, given: Given) -> Outcome:
    """CX#number: what a buddy lets others see; of oneself, what buddies see."""
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
    """Entries one behind the other, cut between them into pages of at most `size` UTF-16 units.

    An entry longer than that has a page to itself.
    """
    filled: list[str] = []
    for entry in entries:
        if filled and units(longer := filled[-1] + BETWEEN + entry) <= size:
            filled[-1] = longer
        else:
            filled.append(entry)
    return filled


def _page(understood: Instruction, entries: list[str], sentence: str) -> Outcome:
    """The page asked for: the last one, or one that says how to get the next."""
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
    if not row.since:  # a stranger on the black list: by his mobile only where that was how he was known
        by_mobile = row.name == buddy.msisdn and not buddy.hides_mobile
        return buddy.msisdn if by_mobile else buddy.fetion_number or row.name or buddy.msisdn
    name = row.name or buddy.nickname
    return f"{name} {shown(buddy)}" if name else shown(buddy)


def _is_online(world: World, row: Buddy, now: int) -> bool:
    """Whether what the owner of the list writes would reach this buddy now."""
    owner, buddy = world.customer(row.owner), world.customer(row.other)
    return owner is not None and buddy is not None and may_write(world, owner, buddy, now)


def _may_see(world: World, viewer: str, other: Customer) -> bool:
    """Oneself and buddies, but for those on the other's black list."""
    if viewer == other.msisdn:
        return True
    customer = world.customer(viewer)
    return (
        customer is not None
        and are_buddies(world, customer, other)
        and not blocks(world, other.msisdn, viewer)
    )
