"""Buddies: one customer asks, the other answers, then each is a buddy of the other until one ends it."""

from dataclasses import replace

from commands.codes import Code
from commands.handlers import questions
from commands.handlers.people import are_buddies, mobile_of, notice, open_customer, refused, shown
from commands.handlers.relations import become_buddies, blocks, part
from commands.model import (
    Buddy,
    Customer,
    CustomerState,
    Given,
    Instruction,
    Outcome,
    Question,
    Reply,
    Result,
    ServiceEvent,
    World,
)

ADD = "buddy.add"


def add(world: World, understood: Instruction, given: Given) -> Outcome:
    """HY#number: ask the other customer, under the name that the sender gives, else under his number."""
    sender, who = understood.sender, {"who": understood.arguments["number"]}
    other = _whom_to_ask(world, understood)
    if isinstance(other, Outcome):
        return other
    asker = open_customer(world, sender)
    if asker is None:
        return refused(sender, "not_open")
    name = understood.arguments.get("name", "")
    if given.words.found(name) is not None:
        return refused(sender, "profile.sensitive", code=Code.SENSITIVE)
    hindrance = _hindrance(world, asker, other, who, given)
    if hindrance is not None:
        return hindrance
    asked = world.edit(other.msisdn)
    question = questions.ask(asked, ADD, understood.route.access_code, given, about=sender, note=name)
    name = name or shown(asker)
    question_sms = questions.sms(other.msisdn, "buddy.question", question, given.now, who=name)
    return Outcome(
        Result.ASKED,
        [Reply(sender, "buddy.asked", who), question_sms],
        [ServiceEvent("buddy", "asked", sender, {"other": other.msisdn})],
    )


def add_again(world: World, sender: str, given: Given, question: Question) -> Reply | None:
    """The SMS of the question of HY# again; None when the asker has left."""
    asker = open_customer(world, question.about)
    if asker is None:
        return None
    name = question.note or shown(asker)
    return questions.sms(sender, "buddy.question", question, given.now, who=name)


def accepted(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是: both become buddies, and both are told."""
    answerer = open_customer(world, understood.sender)
    asker = open_customer(world, question.about)
    if answerer is None or asker is None:
        return refused(understood.sender, "buddy.gone", code=Code.UNKNOWN_NUMBER)
    who = {"who": question.note or shown(asker)}
    if are_buddies(world, answerer, asker):
        return refused(understood.sender, "buddy.already", who, Code.ALREADY_BUDDY)
    if blocks(world, asker.msisdn, answerer.msisdn):
        return refused(understood.sender, "buddy.not_now", who, Code.NOT_ACCEPTED)
    limit = given.limits.buddies
    if (full := _full(answerer, asker, limit)) is not None:
        outcome = refused(answerer.msisdn, *_about_full(answerer, full, limit))
        outcome.replies.append(notice(asker.msisdn, *_about_full(asker, full, limit)[:2]))
        return outcome
    become_buddies(world, asker, answerer, question.note, given.now)
    theirs = {"who": shown(answerer), "number": shown(answerer)}
    return Outcome(
        Result.DONE,
        [
            Reply(answerer.msisdn, "buddy.added", {**who, "number": shown(asker)}),
            notice(asker.msisdn, "buddy.accepted", theirs),
        ],
        [ServiceEvent("buddy", "added", asker.msisdn, {"other": answerer.msisdn})],
    )


def declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否: the asker is told, and the answerer gets a confirmation."""
    del given
    answerer = world.edit(understood.sender)
    asker = open_customer(world, question.about)
    name = question.note or (shown(asker) if asker is not None else question.about)
    replies = [Reply(answerer.msisdn, "buddy.declined.thanks", {"who": name})]
    if asker is not None:
        replies.append(notice(asker.msisdn, "buddy.declined", {"who": shown(answerer)}))
    event = ServiceEvent("buddy", "declined", question.about, {"other": answerer.msisdn})
    return Outcome(Result.DONE, replies, [event])


def delete(world: World, understood: Instruction, given: Given) -> Outcome:
    """SC#number: end the relation on both sides. The other customer is not told."""
    del given
    sender = understood.sender
    row = _kept_about(world, understood)
    if row is None:
        return _not_buddy(understood)
    part(world, sender, row.other)
    who = {"who": understood.arguments["number"]}
    event = ServiceEvent("buddy", "deleted", sender, {"other": row.other})
    return Outcome(Result.DONE, [Reply(sender, "buddy.deleted", who)], [event])


def rename(world: World, understood: Instruction, given: Given) -> Outcome:
    """MC#number#name: set what the sender calls a buddy. Only the sender sees it."""
    del given
    sender = understood.sender
    row = _kept_about(world, understood)
    if row is None:
        return _not_buddy(understood)
    name = " ".join(understood.arguments["name"].split())
    world.put_buddy(replace(row, name=name))
    values = {"who": understood.arguments["number"], "name": name}
    return Outcome(Result.DONE, [Reply(sender, "buddy.renamed", values)])


def block(world: World, understood: Instruction, given: Given) -> Outcome:
    """HMD#number: put a customer on the black list. Buddies stay buddies, and the other is not told.

    For a customer who is no buddy, HMDLB shows the number that was written here, and no other.
    """
    sender, limit = understood.sender, given.limits.buddies
    who = {"who": understood.arguments["number"]}
    msisdn = mobile_of(world, who["who"])
    if msisdn == sender:
        return refused(sender, "buddy.own", code=Code.ONESELF)
    other = None if msisdn is None else world.customer(msisdn)
    if other is None or not other.fetion_number:
        return refused(sender, "buddy.unknown", who, Code.UNKNOWN_NUMBER)
    row = world.buddy(sender, other.msisdn) or Buddy(sender, other.msisdn, "", 0)
    if not row.since:
        row = replace(row, name=who["who"])
    if row.blocked:
        return refused(sender, "buddy.blocked.already", who)
    if sum(each.blocked for each in world.list_of(sender)) >= limit:
        return refused(sender, "buddy.blocked.full", {"limit": str(limit)}, Code.LIST_FULL)
    world.put_buddy(replace(row, blocked=True))
    event = ServiceEvent("buddy", "blocked", sender, {"other": other.msisdn})
    return Outcome(Result.DONE, [Reply(sender, "buddy.blocked", who)], [event])


def unblock(world: World, understood: Instruction, given: Given) -> Outcome:
    """JC#number: remove a customer from the black list."""
    del given
    sender, number = understood.sender, understood.arguments["number"]
    msisdn = mobile_of(world, number)
    row = None if msisdn is None else world.buddy(sender, msisdn)
    if row is None or not row.blocked:
        return refused(sender, "buddy.unblocked.already", {"who": number}, Code.UNKNOWN_NUMBER)
    if row.since or row.matched_at:
        world.put_buddy(replace(row, blocked=False, name=row.name if row.since else ""))
    else:
        world.remove_buddy(sender, row.other)
    event = ServiceEvent("buddy", "unblocked", sender, {"other": row.other})
    return Outcome(Result.DONE, [Reply(sender, "buddy.unblocked", {"who": number})], [event])


def _whom_to_ask(world: World, understood: Instruction) -> Customer | Outcome:
    """The customer whom the number argument names, or the refusal."""
    sender, who = understood.sender, {"who": understood.arguments["number"]}
    if understood.foreign:
        return refused(sender, "buddy.foreign", who, Code.UNKNOWN_NUMBER)
    msisdn = mobile_of(world, who["who"])
    if msisdn == sender:
        return refused(sender, "buddy.oneself", code=Code.ONESELF)
    other = None if msisdn is None else world.customer(msisdn)
    if other is not None and other.state is CustomerState.SUSPENDED:
        return refused(sender, "buddy.suspended", who, Code.SUSPENDED)
    if other is None or other.state is not CustomerState.OPEN:
        return refused(sender, "buddy.not_open", who, Code.UNKNOWN_NUMBER)
    return other


def _kept_about(world: World, understood: Instruction) -> Buddy | None:
    """What the sender stores about the buddy whom the number argument names; None when that is no buddy."""
    msisdn = mobile_of(world, understood.arguments["number"])
    row = None if msisdn is None else world.buddy(understood.sender, msisdn)
    return row if row is not None and row.since else None


def _not_buddy(understood: Instruction) -> Outcome:
    """The refusal when the number argument names no buddy."""
    who = {"who": understood.arguments["number"]}
    return refused(understood.sender, "buddy.not_buddy", who, Code.UNKNOWN_NUMBER)


def _hindrance(
    world: World, asker: Customer, other: Customer, who: dict[str, str], given: Given
) -> Outcome | None:
    """Why the other customer is not asked, or None. The refusal does not show that the asker is on the
    other's black list."""
    sender, limit = asker.msisdn, given.limits.buddies
    if are_buddies(world, asker, other):
        return refused(sender, "buddy.already", who, Code.ALREADY_BUDDY)
    if blocks(world, sender, other.msisdn):
        return refused(sender, "buddy.blocked.first", who)
    if blocks(world, other.msisdn, sender):
        return refused(sender, "buddy.declined", who, Code.NOT_ACCEPTED)
    if (full := _full(asker, other, limit)) is not None:
        return refused(sender, *_about_full(asker, full, limit))
    if questions.find(other, ADD, sender, given.now) is not None:
        return refused(sender, "buddy.asked.already", who, Code.TRY_LATER)
    if given.now < other.refuse_until:
        return refused(sender, "buddy.not_now", who, Code.NOT_ACCEPTED)
    if not questions.may_ask(other, given):
        return refused(sender, "buddy.other_busy", code=Code.TRY_LATER)
    return None


def _full(one: Customer, two: Customer, limit: int) -> Customer | None:
    """The first of the two who has as many buddies as allowed."""
    return next((customer for customer in (one, two) if customer.buddies >= limit), None)


def _about_full(to: Customer, full: Customer, limit: int) -> tuple[str, dict[str, str] | None, Code]:
    """The sentence that tells `to` whose list is full."""
    if to.msisdn == full.msisdn:
        return "buddy.full", {"limit": str(limit)}, Code.LIST_FULL
    return "buddy.other_full", None, Code.LIST_FULL
