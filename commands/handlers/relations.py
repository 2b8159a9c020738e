"""Relations between customers: how they begin and end on both sides.

A row is what one customer stores about another. Two buddies have a row each, with the same `since`. A row
with since 0 belongs to a black list or a match. Customer.buddies counts the rows with `since`.
"""

from collections.abc import Iterable
from dataclasses import replace

from commands.handlers.people import shown
from commands.model import Buddy, Customer, LoadKeys, Missing, World


def require(world: World, customers: Iterable[str], pairs: Iterable[tuple[str, str]] = ()) -> None:
    """Raise Missing for everything of `customers` and `pairs` that is not loaded, so that it is loaded
    together."""
    keys = LoadKeys(
        customers={msisdn for msisdn in customers if msisdn not in world.customers},
        buddies={pair for pair in pairs if pair not in world.buddies},
    )
    if keys.customers or keys.buddies:
        raise Missing(keys)


def both_ways(one: str, others: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of one customer with each of the others, in both directions."""
    return [pair for other in others for pair in ((one, other), (other, one))]


def buddies_of(world: World, owner: str) -> list[Buddy]:
    """The buddies of a customer, oldest first. Raises Missing."""
    buddies = [row for row in world.list_of(owner) if row.since]
    return sorted(buddies, key=lambda row: (row.since, row.other))


def blocks(world: World, owner: str, other: str) -> bool:
    """Whether `other` is on the black list of `owner`. Raises Missing."""
    row = world.buddy(owner, other)
    return row is not None and row.blocked


def become_buddies(world: World, asker: Customer, answerer: Customer, name: str, now: int) -> None:
    """Make two customers buddies, and count it. Raises Missing.

    Args:
        name: what the asker called himself.

    Each is removed from the other's black list: both have just agreed.
    """
    for owner, other, known_as in ((asker, answerer, ""), (answerer, asker, name)):
        row = world.buddy(owner.msisdn, other.msisdn) or Buddy(owner.msisdn, other.msisdn, "", 0)
        if not row.since:
            world.edit(owner.msisdn).buddies += 1
        world.put_buddy(replace(row, name=known_as, since=now, blocked=False))


def part(world: World, one: str, other: str) -> None:
    """End the relation on both sides. Black lists are kept. Raises Missing."""
    for owner, lost in ((one, other), (other, one)):
        row = world.buddy(owner, lost)
        if row is None or not row.since:
            continue
        if row.blocked:
            customer = world.customer(lost)
            number = "" if customer is None else shown(customer)  # shown on the black list
            world.put_buddy(Buddy(owner, lost, number, 0, blocked=True))
        else:
            world.remove_buddy(owner, lost)
        world.edit(owner).buddies -= 1


def leave(world: World, msisdn: str) -> None:
    """Remove a customer who cancels the service from the lists of all buddies, and delete what he stored.
    Raises Missing."""
    rows = world.list_of(msisdn)
    others = [row.other for row in rows]
    require(world, others, both_ways(msisdn, others))
    for other in others:
        part(world, msisdn, other)
        world.remove_buddy(msisdn, other)
