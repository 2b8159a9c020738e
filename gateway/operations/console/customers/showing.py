"""A customer as values for a page or as JSON: numbers masked, times in the time zone of the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from commands.actions import ACTIONS, why_not
from commands.handlers.profile import DAY, FOR_GOOD
from gateway.message import BY, OPERATOR, message_id
from gateway.operations.console.customers.acting import Came
from gateway.operations.console.customers.looking import Seen
from gateway.operations.console.customers.numbers import masked
from gateway.operations.console.masks import masking, masking_texts
from gateway.storage.reader import DownlinkRecord, JournalRecord

_NEVER_AGAIN: Final = (FOR_GOOD // 2) * DAY
"""Milliseconds from now: who refuses SMS for longer refuses them until he says otherwise."""


@dataclass(frozen=True, slots=True)
class Showing:
    """How values are written. opened: the number is shown whole. now: milliseconds."""

    zone: ZoneInfo
    now: int
    opened: bool = False

    def at(self, ms: int) -> str:
        """A time of the service; "" for 0."""
        return f"{datetime.fromtimestamp(ms / 1000, self.zone):%Y-%m-%d %H:%M:%S}" if ms else ""

    def number(self, msisdn: str) -> str:
        """A mobile."""
        return msisdn if self.opened else masked(msisdn)

    def customer(self, seen: Seen, province: str, *, foreign: bool) -> dict[str, Any]:
        """Everything of a customer. foreign: his mobile belongs to another operator."""
        customer = seen.customer
        return {
            "msisdn": self.number(customer.msisdn),
            "province": province,
            "foreign": foreign,
            "state": customer.state.value,
            "fetion_number": customer.fetion_number,
            "nickname": customer.nickname,
            "opened_at": self.at(customer.opened_at),
            "opened_by": seen.opened_by,
            "protected": customer.protected,
            "hides_mobile": customer.hides_mobile,
            "refuses_until": self.refuses(customer.refuse_until),
            "buddies": customer.buddies,
            "left_today": seen.left_today,
            "left_this_month": seen.left_this_month,
            "questions": list(seen.questions),
            "orders": [
                {"product": each.product, "since": self.at(each.since), "ended": self.at(each.ended)}
                for each in seen.orders
            ],
            "paused": None if seen.paused is None else self.instruction(seen.paused),
            "instructions": [self.instruction(each) for each in seen.instructions],
            "failures": [self.instruction(each) for each in seen.failures],
            "lost": [self.lost(each) for each in seen.lost],
            "back_to": self.at(seen.back_to),
            "actions": [
                name for name, action in ACTIONS.items() if why_not(action, customer, foreign=foreign) is None
            ],
        }

    def refuses(self, until: int) -> str:
        """Until when a customer refuses SMS of others: "" not at all, "-" until he says otherwise."""
        if until <= self.now:
            return ""
        return "-" if until - self.now > _NEVER_AGAIN else self.at(until)

    def instruction(self, sms: JournalRecord) -> dict[str, Any]:
        """An SMS of the customer, or an action for him, without its text."""
        by: Mapping[str, Any] = sms.detail.get(BY, {})
        own = {sms.msisdn} if self.opened else set[str]()
        return {
            "message_id": message_id(sms.number),
            "at": self.at(sms.at),
            "way": "service" if sms.account == OPERATOR else sms.access_code,
            "instruction": sms.instruction,
            "outcome": sms.outcome,
            "code": sms.code,
            "replies": list(sms.detail.get("replies", ())),
            "action": str(by.get("action", "")),
            "actor": str(by.get("actor", "")),
            "reason": masking_texts(own)(str(by.get("reason", ""))),
        }

    def lost(self, sms: DownlinkRecord) -> dict[str, Any]:
        """An SMS to the customer that did not arrive, without its text."""
        return {
            "message_id": message_id(sms.number),
            "at": self.at(sms.at),
            "state": sms.state.name.lower(),
            "error": masking({sms.msisdn} if self.opened else ())(sms.error),
        }

    def came(self, came: Came) -> dict[str, Any]:
        """What came of an action."""
        row = came.row
        return {
            "action": came.wanted.action,
            "request": came.wanted.request,
            "message_id": came.message_id,
            "again": came.again,
            "outcome": came.outcome,
            "code": 0 if row is None else row.code,
            "replies": [] if row is None else list(row.detail.get("replies", ())),
        }
