"""What the store knows of a customer, as an agent's page shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from commands.actions import ACTIONS
from commands.handlers.chat import until_now
from commands.handlers.questions import open_questions
from commands.limits import ServiceLimits
from commands.model import Customer, Given, Order, Result
from gateway.message import DONE, OPERATOR, Delivery
from gateway.storage.reader import ENDLESS, DownlinkRecord, JournalRecord, LookedAt, Reader

STEP: Final = 20_000
FARTHEST: Final = 100_000
"""SMS of everybody that are looked at for those of one customer: at a time, and at most. Neither table has an
index by handset."""
SHOWN: Final = 10
"""Instructions, and failures, that a page shows."""
WANTED: Final = 50
"""Instructions after which the search ends."""
BY_AGENT: Final = "service"
"""The way of what an agent did."""
_LOST: Final = frozenset({Delivery.FAILED, Delivery.EXPIRED, Delivery.UNDELIVERED, Delivery.PARKED})
_PAUSES: Final = frozenset({ACTIONS["suspend"].instruction, ACTIONS["resume"].instruction})

T = TypeVar("T", JournalRecord, DownlinkRecord)


@dataclass(frozen=True, slots=True)
class Seen:
    """A customer.

    opened_by: access code of the SMS that opened Fetion, or BY_AGENT; "": it is older than what was looked
    at. paused: the last suspension or resumption. left_today, left_this_month: chat messages that he may
    send. questions: kinds of those that are open. orders: running, then those that have ended. instructions:
    the latest, newest first; failures: those that failed or were refused. lost: SMS to him that did not
    arrive. back_to: time of the oldest SMS that was looked at, 0: there is none.
    """

    customer: Customer
    opened_by: str
    paused: JournalRecord | None
    left_today: int
    left_this_month: int
    questions: tuple[str, ...]
    orders: tuple[Order, ...]
    instructions: tuple[JournalRecord, ...]
    failures: tuple[JournalRecord, ...]
    lost: tuple[DownlinkRecord, ...]
    back_to: int


def look(reader: Reader, msisdn: str, now: int, zone: ZoneInfo, limits: ServiceLimits) -> Seen:
    """Read everything. now: milliseconds. It takes some tenths of a second: not for the event loop."""
    customer = reader.customer(msisdn) or Customer(msisdn)
    came, back_to = _latest(reader.of_handset, msisdn)
    went, _ = _latest(reader.to_handset, msisdn)
    given = Given(now, "", limits=limits, zone=zone)
    sent = until_now(customer.sent, given)
    month = max(0, limits.sms_per_month - sent.this_month)
    failures = [each for each in came if _failed(each)]
    lost = [each for each in went if each.state in _LOST]
    return Seen(
        customer,
        next((_way(each) for each in came if _opened(each, customer)), ""),
        next((each for each in came if each.instruction in _PAUSES and each.outcome == Result.DONE), None),
        max(0, min(limits.sms_per_day - sent.today, month)),
        month,
        tuple(each.kind for each in open_questions(customer, now)),
        tuple(sorted(customer.orders, key=lambda each: (each.ended > 0, -each.since))),
        tuple(came[:SHOWN]),
        tuple(failures[:SHOWN]),
        tuple(lost[:SHOWN]),
        back_to,
    )


def _latest(look_at: Callable[[str, int, int], LookedAt[T]], msisdn: str) -> tuple[list[T], int]:
    """The latest SMS of a handset, newest first, and how far back was looked (ms)."""
    found: list[T] = []
    before, rows, at = ENDLESS, 0, 0
    while before and rows < FARTHEST and len(found) < WANTED:
        step = look_at(msisdn, before, STEP)
        found += step.found
        before, rows, at = step.before, rows + step.rows, step.at or at
    return found, at


def _failed(sms: JournalRecord) -> bool:
    return sms.outcome in {Result.FAILED, Result.REFUSED} or sms.code != DONE


def _opened(sms: JournalRecord, customer: Customer) -> bool:
    """Whether an SMS opened Fetion as it is open now: the time of the opening is that of the batch."""
    events = (event["event"] for event in sms.detail.get("events", ()))
    return customer.opened_at > 0 and sms.at == customer.opened_at and "service/opened" in events


def _way(sms: JournalRecord) -> str:
    return BY_AGENT if sms.account == OPERATOR else sms.access_code
