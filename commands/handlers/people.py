"""What several families ask about customers."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from commands.codes import Code
from commands.model import Buddy, Customer, CustomerState, Given, Outcome, Reply, Result, Source, World

MOBILE_DIGITS = 11

MATCHED_FOR = 24 * 3_600_000
"""Milliseconds for which two strangers may write to each other after SP brought them together."""


SEXES: Mapping[str, str] = MappingProxyType({"男": "m", "M": "m", "女": "f", "F": "f"})
"""How customers write a sex -> how it is stored."""


class Barrier(Enum):
    """Why one customer cannot write to another."""

    NOT_OPEN = auto()  # the other never opened Fetion
    CLOSED = auto()  # the other has cancelled it
    BLOCKING = auto()  # the other is on the sender's own black list
    BLOCKED = auto()  # the sender is on the other's
    STRANGER = auto()  # neither buddies nor brought together by the service
    SUSPENDED = auto()  # the other's line is cut
    REFUSING = auto()  # the other wants no SMS for some days


def age_in(born: int, given: Given) -> int:
    """The age that somebody born in the year `born` reaches in the year of given.now."""
    return datetime.fromtimestamp(given.now / 1000, given.zone).year - born


def refused(to: str, sentence: str, values: dict[str, str] | None = None, code: int = Code.OK) -> Outcome:
    """An outcome that changes nothing: one sentence to the sender. code: the reason, where the service has
    a code for it."""
    return Outcome(Result.REFUSED, [Reply(to, sentence, values)], code=code)


def open_customer(world: World, msisdn: str) -> Customer | None:
    """The customer with that mobile; None unless Fetion is open there. Raises Missing."""
    customer = world.customer(msisdn)
    return customer if customer is not None and customer.state is CustomerState.OPEN else None


def mobile_of(world: World, number: str) -> str | None:
    """The mobile for a mobile or Fetion number; None when nobody holds it. Raises Missing."""
    return number if len(number) == MOBILE_DIGITS else world.holder(number)


def shown(customer: Customer) -> str:
    """The number that others see: the mobile, or the Fetion number when the mobile is hidden."""
    return customer.fetion_number if customer.hides_mobile else customer.msisdn


def are_buddies(world: World, one: Customer, other: Customer) -> bool:
    """Whether the two are buddies. Raises Missing."""
    row = world.buddy(one.msisdn, other.msisdn)
    return row is not None and row.since > 0


def notice(to: str, sentence: str, values: dict[str, str] | None = None) -> Reply:
    """An SMS to a customer other than the sender."""
    return Reply(to, sentence, values, Source.NOTICE)


def barrier(world: World, one: Customer, other: Customer, now: int) -> Barrier | None:
    """Why `one` cannot write to `other`, or None. Raises Missing.

    For a stranger the state of the other's line and wishes is not disclosed.
    """
    if other.state is CustomerState.NONE or other.state is CustomerState.CLOSED:
        return Barrier.NOT_OPEN if other.state is CustomerState.NONE else Barrier.CLOSED
    mine = world.buddy(one.msisdn, other.msisdn)
    theirs = world.buddy(other.msisdn, one.msisdn)
    if mine is not None and mine.blocked:
        return Barrier.BLOCKING
    if theirs is not None and theirs.blocked:
        return Barrier.BLOCKED
    opened = max(one.opened_at, other.opened_at)
    if not are_buddies(world, one, other) and not (
        _were_matched(mine, opened, now) or _were_matched(theirs, opened, now)
    ):
        return Barrier.STRANGER
    if other.state is CustomerState.SUSPENDED:
        return Barrier.SUSPENDED
    return Barrier.REFUSING if other.refuse_until > now else None


def may_write(world: World, one: Customer, other: Customer, now: int) -> bool:
    """Whether an SMS of `one` may be delivered to `other` now. Raises Missing."""
    return barrier(world, one, other, now) is None


def _were_matched(row: Buddy | None, opened: int, now: int) -> bool:
    """Whether SP brought the two together less than MATCHED_FOR ago, and after both opened Fetion."""
    return row is not None and row.matched_at >= opened and now - row.matched_at < MATCHED_FOR
