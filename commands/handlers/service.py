"""Open, cancel, pause and show the service itself."""

from commands.charging import CANCELLED, FETION, MATCHING, ORDERED
from commands.handlers import matching, questions
from commands.handlers.chat import until_now
from commands.handlers.people import open_customer, refused
from commands.handlers.relations import leave
from commands.model import (
    CustomerState,
    Given,
    Instruction,
    Outcome,
    ProductFact,
    Question,
    Reply,
    Result,
    Sent,
    ServiceEvent,
    Source,
    World,
)

CANCEL = "service.cancel"


def open_service(world: World, understood: Instruction, given: Given) -> Outcome:
    """KTFX: open Fetion with the first drawn Fetion number that nobody holds. The welcome carries no
    password."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is not None:
        values = {"fetion_number": customer.fetion_number}
        return Outcome(Result.REFUSED, [Reply(sender, "service.open.already", values, Source.OPENING)])
    for number in given.fetion_numbers:
        if world.holder(number) is None:
            break
    else:
        return Outcome(Result.REFUSED, [Reply(sender, "service.open.no_number", source=Source.OPENING)])
    customer = world.edit(sender)
    customer.state = CustomerState.OPEN
    customer.fetion_number = number
    customer.opened_at = given.now
    world.assign(number, sender)
    return Outcome(
        Result.DONE,
        [Reply(sender, "service.opened", {"fetion_number": number}, Source.OPENING)],
        [ServiceEvent("service", "opened", sender, {"fetion_number": number})],
        facts=[ProductFact(sender, FETION, ORDERED, given.now)],
    )


def cancel(world: World, understood: Instruction, given: Given) -> Outcome:
    """QXFX: ask first. While that question is open, it is sent again with its serial and deadline."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return refused(sender, "service.cancel.not_open")
    question = questions.find(customer, CANCEL, "", given.now)
    if question is None:
        question = questions.ask(world.edit(sender), CANCEL, understood.route.access_code, given)
    return Outcome(Result.ASKED, [cancel_again(world, sender, given, question)])


def cancel_again(world: World, sender: str, given: Given, question: Question) -> Reply:
    """The question of QXFX."""
    del world
    return questions.sms(sender, "service.cancel.question", question, given.now)


def cancel_confirmed(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是 to the question of QXFX."""
    del question
    return cancel_now(world, understood.sender, given)


def cancel_now(world: World, sender: str, given: Given) -> Outcome:
    """Cancel Fetion without a question, and with it buddies, products, profile and open questions."""
    if open_customer(world, sender) is None:
        return refused(sender, "service.cancel.not_open")
    customer = world.edit(sender)
    matching_fact = matching.end(world, sender, given)
    leave(world, sender)
    number = customer.fetion_number
    world.assign(number, None)
    customer.state = CustomerState.CLOSED
    customer.fetion_number = ""
    customer.opened_at = 0
    customer.hides_mobile = False
    customer.nickname = ""
    customer.password = ""
    customer.mood = ""
    customer.sex = ""
    customer.born = 0
    customer.refuse_until = 0
    customer.listed_until = 0
    questions.close_all(customer)
    outcome = Outcome(
        Result.DONE,
        [Reply(sender, "service.cancelled")],
        [ServiceEvent("service", "cancelled", sender, {"fetion_number": number})],
        facts=[ProductFact(sender, FETION, CANCELLED, given.now)],
    )
    if matching_fact is not None:
        outcome.replies[0].sentence = "service.cancelled.all"
        outcome.events.append(ServiceEvent("matching", "cancelled", sender))
        outcome.facts.append(matching_fact)
    return outcome


def cancel_at_once(world: World, understood: Instruction, given: Given) -> Outcome:
    """Cancel Fetion without a question, also while the line is cut."""
    customer = world.customer(understood.sender)
    if customer is not None and customer.state is CustomerState.SUSPENDED:
        world.edit(understood.sender).state = CustomerState.OPEN
    return cancel_now(world, understood.sender, given)


def suspend(world: World, understood: Instruction, given: Given) -> Outcome:
    """The line is cut (停机): the account is kept, and does nothing until it is resumed."""
    del given
    sender = understood.sender
    if open_customer(world, sender) is None:
        raise ValueError(f"{sender} has not opened: nothing can be suspended")
    world.edit(sender).state = CustomerState.SUSPENDED
    return Outcome(
        Result.DONE, [Reply(sender, "service.suspended")], [ServiceEvent("service", "suspended", sender)]
    )


def resume(world: World, understood: Instruction, given: Given) -> Outcome:
    """The line works again (复机): everything is as it was before."""
    del given
    sender = understood.sender
    customer = world.customer(sender)
    if customer is None or customer.state is not CustomerState.SUSPENDED:
        raise ValueError(f"{sender} is not suspended: nothing can be resumed")
    world.edit(sender).state = CustomerState.OPEN
    return Outcome(
        Result.DONE, [Reply(sender, "service.resumed")], [ServiceEvent("service", "resumed", sender)]
    )


def notice(world: World, understood: Instruction, given: Given) -> Outcome:
    """The notice of the opening once more."""
    del given
    customer = open_customer(world, understood.sender)
    if customer is None:
        raise ValueError(f"{understood.sender} has not opened: there is no notice")
    values = {"fetion_number": customer.fetion_number}
    return Outcome(Result.DONE, [Reply(understood.sender, "service.opened", values, Source.OPENING)])


def cancel_declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否 to the question of QXFX: nothing changes."""
    del world, given, question
    return Outcome(Result.DONE, [Reply(understood.sender, "service.cancel.kept")])


def state(world: World, understood: Instruction, given: Given) -> Outcome:
    """CXFX: state, number, products and the messages left today. It also works without Fetion."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return Outcome(Result.DONE, [Reply(sender, "service.state.none")])
    values = {
        "fetion_number": customer.fetion_number,
        "buddies": str(customer.buddies),
        "count": str(_messages_left(customer.sent, given)),
    }
    matching_too = customer.orders and customer.has(MATCHING)
    sentence = "service.state.matching" if matching_too else "service.state.open"
    return Outcome(Result.DONE, [Reply(sender, sentence, values)])


def _messages_left(sent: Sent, given: Given) -> int:
    """How many chat messages the customer may still send today."""
    limits = given.limits
    if not sent.day:
        return min(limits.sms_per_day, limits.sms_per_month)
    sent = until_now(sent, given)
    return max(0, min(limits.sms_per_day - sent.today, limits.sms_per_month - sent.this_month))
