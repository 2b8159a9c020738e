"""Matching (飞信交友, product MCHAT): a product with a monthly fee that finds strangers to chat with."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from commands.charging import MATCHING, cancel_fact, cancelled, order_fact, ordered, running
from commands.codes import Code
from commands.handlers import questions
from commands.handlers.people import MATCHED_FOR, SEXES, age_in, are_buddies, open_customer, refused
from commands.handlers.relations import blocks, require
from commands.model import (
    Buddy,
    Customer,
    Given,
    Instruction,
    Outcome,
    ProductFact,
    Question,
    Reply,
    Result,
    ServiceEvent,
    Source,
    World,
)

OPEN, CANCEL = "matching.open", "matching.cancel"


def open_matching(world: World, understood: Instruction, given: Given) -> Outcome:
    """KTFXJY: ask first and name the price. While that question is open, it is sent again."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return refused(sender, "not_open", code=Code.NOT_OPENED)
    if customer.has(MATCHING):
        return refused(sender, "matching.open.already")
    question = _question(world, understood, given, OPEN)
    return Outcome(Result.ASKED, [open_again(world, sender, given, question)])


def open_again(world: World, sender: str, given: Given, question: Question) -> Reply:
    """The question of KTFXJY. For a first order it names the free hours."""
    customer = world.customer(sender)
    if customer is not None and any(order.product == MATCHING for order in customer.orders):
        return questions.sms(sender, "matching.open.question", question, given.now)
    free = str(given.limits.free_hours)
    return questions.sms(sender, "matching.open.question.first", question, given.now, free_hours=free)


def open_confirmed(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是 to the question of KTFXJY: order, with a charging record."""
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
        [ServiceEvent("matching", "opened", sender)],
        facts=[order_fact(sender, mine.orders[-1])],
    )


def open_declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否 to the question of KTFXJY: nothing is ordered."""
    del world, given, question
    return Outcome(Result.DONE, [Reply(understood.sender, "matching.open.declined")])


def cancel(world: World, understood: Instruction, given: Given) -> Outcome:
    """QXFXJY: ask first, because opening it again is charged at once."""
    customer = world.customer(understood.sender)
    if customer is None or not customer.has(MATCHING):
        return refused(understood.sender, "matching.cancel.not_open")
    question = _question(world, understood, given, CANCEL)
    return Outcome(Result.ASKED, [cancel_again(world, understood.sender, given, question)])


def cancel_again(world: World, sender: str, given: Given, question: Question) -> Reply:
    """The question of QXFXJY."""
    del world
    return questions.sms(sender, "matching.cancel.question", question, given.now)


def cancel_confirmed(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是 to the question of QXFXJY."""
    del question
    return cancel_now(world, understood.sender, given)


def cancel_declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否 to the question of QXFXJY: nothing changes."""
    del world, given, question
    return Outcome(Result.DONE, [Reply(understood.sender, "matching.cancel.kept")])


def cancel_now(world: World, sender: str, given: Given) -> Outcome:
    """Cancel matching without a question."""
    fact = end(world, sender, given)
    if fact is None:
        return refused(sender, "matching.cancel.not_open")
    sentence = "matching.cancelled.free" if fact.trial else "matching.cancelled"
    event = ServiceEvent("matching", "cancelled", sender)
    return Outcome(Result.DONE, [Reply(sender, sentence)], [event], facts=[fact])


def end(world: World, sender: str, given: Given) -> ProductFact | None:
    """End the running order and close the question of QXFXJY.

    Returns:
        The charging record; None when no order runs.
    """
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
    """SP: find the first drawn candidate who fits. The sender gets a Fetion number, never a mobile.

    The candidate is not told. For people.MATCHED_FOR both may write to each other (people.barrier).
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
    event = ServiceEvent("matching", "found", sender, {"other": partner.msisdn})
    return Outcome(Result.DONE, [Reply(sender, "matching.found", values)], [event])


def _question(world: World, understood: Instruction, given: Given, kind: str) -> Question:
    """The question of that kind: the open one, else a new one."""
    customer = world.edit(understood.sender)
    question = questions.find(customer, kind, "", given.now)
    return question or questions.ask(customer, kind, understood.route.access_code, given)


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
    """Whether a candidate can be found now and matches the conditions. Unknown sex or age matches no
    condition on it."""
    if not other.has(MATCHING) or other.refuse_until > given.now:
        return False
    if "sex" in wanted and other.sex != SEXES[wanted["sex"]]:
        return False
    if "province" in wanted and given.home(other.msisdn) != wanted["province"]:
        return False
    if "ages" not in wanted:
        return True
    youngest, oldest = map(int, wanted["ages"].split("-"))
    return bool(other.born) and youngest <= age_in(other.born, given) <= oldest
