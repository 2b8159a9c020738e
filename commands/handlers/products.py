"""The products of a customer: list them, cancel one of the list or all.

The list is open for limits.list_hours. One place can be chosen, at the number that the list was sent from.
"""

from commands.charging import FETION, MATCHING, PRODUCTS
from commands.codes import Code
from commands.handlers import matching, questions, service
from commands.handlers.people import open_customer, refused
from commands.model import Customer, Given, Instruction, Outcome, Question, Reply, Result, World

CANCEL_ALL = "service.cancel_all"


def show(world: World, understood: Instruction, given: Given) -> Outcome:
    """0000: list the products. Without Fetion there is nothing to choose."""
    sender = understood.sender
    if open_customer(world, sender) is None:
        return Outcome(Result.DONE, [Reply(sender, "service.list.none")])
    customer = world.edit(sender)
    customer.listed_until = given.now + given.limits.list_hours * questions.HOUR
    sentence = "service.list.matching" if customer.has(MATCHING) else "service.list.fetion"
    return Outcome(Result.DONE, [Reply(sender, sentence, {"hours": str(given.limits.list_hours)})])


def choose(world: World, understood: Instruction, given: Given) -> Outcome:
    """A place of the list: cancel that product and close the list."""
    sender, serial = understood.sender, understood.arguments["serial"]
    customer = world.customer(sender)
    if customer is None or given.now >= customer.listed_until:
        return refused(sender, "service.list.closed", {"hours": str(given.limits.list_hours)})
    product = _at(serial, customer)
    if product is None:
        return refused(sender, "service.list.unknown", {"serial": serial}, Code.BAD_PARAMETER)
    world.edit(sender).listed_until = 0
    if product == FETION:
        return service.cancel_now(world, sender, given)
    return matching.cancel_now(world, sender, given)


def cancel_all(world: World, understood: Instruction, given: Given) -> Outcome:
    """00000: ask first. While that question is open, it is sent again."""
    sender = understood.sender
    customer = open_customer(world, sender)
    if customer is None:
        return refused(sender, "service.cancel.not_open")
    question = questions.find(customer, CANCEL_ALL, "", given.now)
    if question is None:
        question = questions.ask(world.edit(sender), CANCEL_ALL, understood.route.access_code, given)
    return Outcome(Result.ASKED, [cancel_all_again(world, sender, given, question)])


def cancel_all_again(world: World, sender: str, given: Given, question: Question) -> Reply:
    """The question of 00000."""
    del world
    return questions.sms(sender, "service.cancel_all.question", question, given.now)


def _at(serial: str, customer: Customer) -> str | None:
    """The product at a place of the customer's list; None when there is none."""
    for place, product in enumerate(PRODUCTS, 1):
        if serial == str(place) and (product == FETION or customer.has(product)):
            return product
    return None
