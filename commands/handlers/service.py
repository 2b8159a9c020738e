"""Opening, cancelling and looking up the service itself."""

from commands.handlers import questions
from commands.handlers.people import open_customer, refused
from commands.model import (
    Event,
    Given,
    Instruction,
    Outcome,
    Question,
    Reply,
    Result,
    Source,
    State,
    World,
)

CANCEL = "service.cancel"


def open_service(world: World, understood: Instruction, given: Given) -> Outcome:
    """KTFX: open with the first drawn Fetion number that nobody holds. The welcome carries no password."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is not None:
        values = {"fetion_number": customer.fetion_number}
        return Outcome(Result.REFUSED, [Reply(sender, "service.open.already", values, Source.OPENING)])
    number = next((drawn for drawn in given.fetion_numbers if world.holder(drawn) is None), None)
    if number is None:
        return Outcome(Result.REFUSED, [Reply(sender, "service.open.no_number", source=Source.OPENING)])
    customer = world.edit(sender)
    customer.state = State.OPEN
    customer.fetion_number = number
    customer.opened_at = given.now
    world.assign(number, sender)
    return Outcome(
        Result.DONE,
        [Reply(sender, "service.opened", {"fetion_number": number}, Source.OPENING)],
        [Event("service", "opened", sender, {"fetion_number": number})],
    )


def cancel(world: World, understood: Instruction, given: Given) -> Outcome:
    """QXFX: ask first. Asked again it is the same question, with its serial and deadline."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return refused(sender, "service.cancel.not_open")
    question = questions.find(customer, CANCEL, "", given.now)
    if question is None:
        question = questions.ask(world.edit(sender), CANCEL, understood.route.access_code, given)
    return Outcome(Result.ASKED, [questions.sms(sender, "service.cancel.question", question, given.now)])


def cancel_confirmed(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """是 to the question of QXFX: everything that hangs on the service goes with it.

    Rows of buddies stay behind and count no more (people.are_buddies).
    """
    del given, question
    sender = understood.sender
    if open_customer(world, sender) is None:
        return refused(sender, "service.cancel.not_open")
    customer = world.edit(sender)
    number = customer.fetion_number
    world.assign(number, None)
    customer.state = State.NONE
    customer.fetion_number = ""
    customer.opened_at = 0
    customer.hides_mobile = False
    customer.nickname = ""
    customer.password = ""
    customer.buddies = 0
    questions.close_all(customer)
    return Outcome(
        Result.DONE,
        [Reply(sender, "service.cancelled")],
        [Event("service", "cancelled", sender, {"fetion_number": number})],
    )


def cancel_declined(world: World, understood: Instruction, given: Given, question: Question) -> Outcome:
    """否 to the question of QXFX: nothing changes."""
    del world, given, question
    return Outcome(Result.DONE, [Reply(understood.sender, "service.cancel.kept")])


def state(world: World, understood: Instruction, given: Given) -> Outcome:
    """CXFX: one SMS with the state, also for a handset that has not opened."""
    del given
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return Outcome(Result.DONE, [Reply(sender, "service.state.none")])
    values = {"fetion_number": customer.fetion_number, "buddies": str(customer.buddies)}
    return Outcome(Result.DONE, [Reply(sender, "service.state.open", values)])
