"""Buddies: one asks, the other answers, then each has the other."""

from commands.handlers import questions
from commands.handlers.people import (
    are_buddies,
    become_buddies,
    mobile_of,
    notice,
    open_customer,
    refused,
    shown,
)
from commands.model import (
    Customer,
    Event,
    Given,
    Instruction,
    Outcome,
    Question,
    Reply,
    Result,
    World,
)

ADD = "buddy.add"


def add(world: World, understood: Instruction, given: Given) -> Outcome:
    """HY#number: ask the other, under the sender's own name when he gives one, else under his number."""
    sender, number = understood.sender, understood.arguments["number"]
    who = {"who": number}
    if understood.foreign:
        return refused(sender, "buddy.foreign", who)
    msisdn = mobile_of(world, number)
    if msisdn == sender:
        return refused(sender, "buddy.oneself")
    other = None if msisdn is None else open_customer(world, msisdn)
    if other is None:
        return refused(sender, "buddy.not_open", who)
    asker = open_customer(world, sender)
    if asker is None:
        return refused(sender, "not_open")
    if are_buddies(world, asker, other):
        return refused(sender, "buddy.already", who)
    limit = given.limits.buddies
    if (full := _full(asker, other, limit)) is not None:
        return refused(sender, *_about_full(asker, full, limit))
    if questions.find(other, ADD, sender, given.now) is not None:
        return refused(sender, "buddy.asked.already", who)
    if not questions.may_ask(other, given):
        return refused(sender, "buddy.other_busy")
    name = understood.arguments.get("name", "")
    asked = world.edit(other.msisdn)
    question = questions.ask(asked, ADD, understood.route.access_code, given, about=sender, note=name)
    name = name or shown(asker)
    question_sms = questions.sms(other.msisdn, "buddy.question", question, given.now, who=name)
    return Outcome(
        Result.ASKED,
        [Reply(sender, "buddy.asked", who), question_sms],
        [Event("buddy", "asked", sender, {"other": other.msisdn})],
    )


def accepted(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是: both have each other from now on, and both are told."""
    answerer = open_customer(world, understood.sender)
    asker = open_customer(world, question.about)
    if answerer is None or asker is None:
        return refused(understood.sender, "buddy.gone")
    who = question.note or shown(asker)
    if are_buddies(world, answerer, asker):
        return refused(understood.sender, "buddy.already", {"who": who})
    limit = given.limits.buddies
    if (full := _full(answerer, asker, limit)) is not None:
        outcome = refused(answerer.msisdn, *_about_full(answerer, full, limit))
        outcome.replies.append(notice(asker.msisdn, *_about_full(asker, full, limit)))
        return outcome
    become_buddies(world, asker, answerer, question.note, given.now)
    theirs = {"who": shown(answerer), "number": shown(answerer)}
    return Outcome(
        Result.DONE,
        [
            Reply(answerer.msisdn, "buddy.added", {"who": who, "number": shown(asker)}),
            notice(asker.msisdn, "buddy.accepted", theirs),
        ],
        [Event("buddy", "added", asker.msisdn, {"other": answerer.msisdn})],
    )


def declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否: the asker is told, the answerer thanked."""
    del given
    answerer = world.edit(understood.sender)
    asker = open_customer(world, question.about)
    name = question.note or (shown(asker) if asker is not None else question.about)
    replies = [Reply(answerer.msisdn, "buddy.declined.thanks", {"who": name})]
    if asker is not None:
        replies.append(notice(asker.msisdn, "buddy.declined", {"who": shown(answerer)}))
    event = Event("buddy", "declined", question.about, {"other": answerer.msisdn})
    return Outcome(Result.DONE, replies, [event])


def _full(one: Customer, two: Customer, limit: int) -> Customer | None:
    """The first of the two who has as many buddies as allowed."""
    return next((customer for customer in (one, two) if customer.buddies >= limit), None)


def _about_full(to: Customer, full: Customer, limit: int) -> tuple[str, dict[str, str] | None]:
    """The sentence that tells `to` who of the two is full."""
    if to.msisdn == full.msisdn:
        return "buddy.full", {"limit": str(limit)}
    return "buddy.other_full", None
