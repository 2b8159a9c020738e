"""Matching (飞信交友, product MCHAT): ordered and charged by the month, it finds strangers to chat with."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from commands.charging import MATCHING, cancel_fact, cancelled, order_fact, ordered, running
from commands.codes import Code
from commands.handlers import questions
from commands.handlers.people import MATCHED_FOR, are_buddies, open_customer, refused
from commands.handlers.relations import blocks, require
from commands.model import (
    Buddy,
    Customer,
    Event,
    Given,
    Instruction,
    Outcome,
    ProductFact,
    Question,
    Reply,
    Result,
    Source,
    World,
)

OPEN, CANCEL = "matching.open", "matching.cancel"

_SEXES: Mapping[str, str] = MappingProxyType({"男": "m", "M": "m", "女": "f", "F": "f"})


def open_matching(world: World, understood: Instruction, given: Given) -> Outcome:
    """KTFXJY: it costs money, so ask first and name the price. Asked again it is the same question."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return refused(sender, "not_open", code=Code.NOT_OPENED)
    if customer.has(MATCHING):
        return refused(sender, "matching.open.already")
    if any(order.product == MATCHING for order in customer.orders):
        return _asked(world, understood, given, OPEN, "matching.open.question")
    free = {"free_hours": str(given.limits.free_hours)}
    return _asked(world, understood, given, OPEN, "matching.open.question.first", free)


def open_confirmed(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是 to the question of KTFXJY: the order, and its charging record."""
    del question
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return refused(sender, "not_open", code=Code.NOT_OPENED)
    if customer.has(MATCHING):
        return refused(sender, "matching.open.already")
    mine = world.edit(sender)
    mine.orders = ordered(mine.orders, MATCHING, given.now, given.zone)
    return Outcome(
        Result.DONE,
        [Reply(sender, "matching.opened", source=Source.OPENING)],
        [Event("matching", "opened", sender)],
        facts=[order_fact(sender, mine.orders[-1])],
    )


def open_declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否 to the question of KTFXJY: nothing is ordered."""
    del world, given, question
    return Outcome(Result.DONE, [Reply(understood.sender, "matching.open.declined")])


def cancel(world: World, understood: Instruction, given: Given) -> Outcome:
    """QXFXJY: ask first, opening it again is charged at once."""
    customer = world.customer(understood.sender)
    if customer is None or not customer.has(MATCHING):
        return refused(understood.sender, "matching.cancel.not_open")
    return _asked(world, understood, given, CANCEL, "matching.cancel.question")


def cancel_confirmed(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是 to the question of QXFXJY."""
    del question
    return cancel_now(world, understood.sender, given)


def cancel_declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否 to the question of QXFXJY: nothing changes."""
    del world, given, question
    return Outcome(Result.DONE, [Reply(understood.sender, "matching.cancel.kept")])


def cancel_now(world: World, sender: str, given: Given) -> Outcome:
    """End matching without a question."""
    fact = end(world, sender, given)
    if fact is None:
        return refused(sender, "matching.cancel.not_open")
    sentence = "matching.cancelled.free" if fact.trial else "matching.cancelled"
    event = Event("matching", "cancelled", sender)
    return Outcome(Result.DONE, [Reply(sender, sentence)], [event], facts=[fact])


def end(world: World, sender: str, given: Given) -> ProductFact | None:
    """End the running order and what is still asked about it; its charging record, None without an order."""
    customer = world.customer(sender)
    order = None if customer is None else running(customer.orders, MATCHING)
    if order is None:
        return None
    mine = world.edit(sender)
    mine.orders = cancelled(mine.orders, MATCHING, given.now)
    question = questions.find(mine, CANCEL, "", given.now)
    if question is not None:
        questions.close(mine, question.serial, questions.EXPIRED)
    return cancel_fact(sender, order, given.now, given.zone, given.limits.free_hours)


def find(world: World, understood: Instruction, given: Given) -> Outcome:
    """SP: the first of the drawn candidates who fits. The sender learns a Fetion number, never a mobile.

    The partner hears nothing until he is written to; for a while both may write (people.barrier).
    """
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None or not customer.has(MATCHING):
        return refused(sender, "matching.needed", code=Code.NO_PERMISSION)
    partner = next(_partners(world, customer, understood.arguments, given), None)
    if partner is None:
        return refused(sender, "matching.find.none", code=Code.UNKNOWN_NUMBER)
    row = world.buddy(sender, partner.msisdn) or Buddy(sender, partner.msisdn, "", 0)
    world.put_buddy(replace(row, matched_at=given.now))
    values = {"fetion_number": partner.fetion_number, "hours": str(MATCHED_FOR // questions.HOUR)}
    event = Event("matching", "found", sender, {"other": partner.msisdn})
    return Outcome(Result.DONE, [Reply(sender, "matching.found", values)], [event])


def _asked(
    world: World,
    understood: Instruction,
    given: Given,
    kind: str,
    sentence: str,
    values: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """The question of that kind: a new one, or the one that is open already."""
    sender = understood.sender
    question = questions.find(world.edit(sender), kind, "", given.now)
    if question is None:
        question = questions.ask(world.edit(sender), kind, understood.route.access_code, given)
    return Outcome(Result.ASKED, [questions.sms(sender, sentence, question, given.now, **values)])


def _partners(
    world: World, customer: Customer, wanted: Mapping[str, str], given: Given
) -> Iterator[Customer]:
    """The candidates who fit, in the order in which they were drawn. Raises Missing."""
    me = customer.msisdn
    drawn = [candidate for candidate in given.candidates if candidate != me]
    require(world, drawn)
    known = (open_customer(world, candidate) for candidate in drawn)
    fitting = [other for other in known if other is not None and _fits(other, wanted, given)]
    pairs = [(other.msisdn, me) for other in fitting] + [(me, other.msisdn) for other in fitting]
    require(world, (), pairs)
    for other in fitting:
        if blocks(world, me, other.msisdn) or blocks(world, other.msisdn, me):
            continue
        if not are_buddies(world, customer, other):
            yield other


def _fits(other: Customer, wanted: Mapping[str, str], given: Given) -> bool:
    """Whether somebody may be found now, and is what is wanted; what he has not told fits no wish."""
    if not other.has(MATCHING) or other.refuse_until > given.now:
        return False
    if "sex" in wanted and other.sex != _SEXES[wanted["sex"]]:
        return False
    if "province" in wanted and given.home(other.msisdn) != wanted["province"]:
        return False
    if "ages" not in wanted:
        return True
    youngest, oldest = map(int, wanted["ages"].split("-"))
    age = datetime.fromtimestamp(given.now / 1000, given.zone).year - other.born
    return bool(other.born) and youngest <= age <= oldest
