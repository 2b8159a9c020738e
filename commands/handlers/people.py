"""Who is who: what several families ask about customers."""

from commands.model import Buddy, Customer, Outcome, Reply, Result, Source, State, World

MOBILE_DIGITS = 11


def refused(to: str, sentence: str, values: dict[str, str] | None = None) -> Outcome:
    """An outcome that changes nothing: one sentence to the sender."""
    return Outcome(Result.REFUSED, [Reply(to, sentence, values)])


def open_customer(world: World, msisdn: str) -> Customer | None:
    """The customer with that mobile, None unless Fetion is open there. Raises Missing."""
    customer = world.customer(msisdn)
    return customer if customer is not None and customer.state is State.OPEN else None


def mobile_of(world: World, number: str) -> str | None:
    """The mobile behind a mobile or Fetion number, None when nobody holds it. Raises Missing."""
    return number if len(number) == MOBILE_DIGITS else world.holder(number)


def shown(customer: Customer) -> str:
    """The number by which others know a customer."""
    return customer.fetion_number if customer.hides_mobile else customer.msisdn


def are_buddies(world: World, one: Customer, other: Customer) -> bool:
    """Whether `one` has `other` as a buddy. Raises Missing.

    What was agreed before either of them last opened Fetion went with the cancelling: its row may still
    be there, because nobody looks for the buddies of a customer who leaves.
    """
    row = world.buddy(one.msisdn, other.msisdn)
    return row is not None and row.since >= max(one.opened_at, other.opened_at)


def become_buddies(world: World, asker: Customer, answerer: Customer, name: str, now: int) -> None:
    """Store both directions and count them; `name` is what the asker called himself. Raises Missing."""
    for owner, other, known_as in ((asker, answerer, ""), (answerer, asker, name)):
        row = world.buddy(owner.msisdn, other.msisdn)
        counted = row is not None and row.since >= owner.opened_at
        world.put_buddy(Buddy(owner.msisdn, other.msisdn, known_as, now))
        if not counted:
            world.edit(owner.msisdn).buddies += 1


def notice(to: str, sentence: str, values: dict[str, str] | None = None) -> Reply:
    """An SMS to somebody other than the sender."""
    return Reply(to, sentence, values, Source.NOTICE)
