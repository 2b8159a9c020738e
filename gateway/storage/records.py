"""How a row of an SQL engine keeps a Customer: columns for what is searched, a JSON document for the rest.

The document has the fields that differ from those of a customer who has done nothing, under their names.
"""

from operator import attrgetter
from typing import Any, Final

import orjson

from commands.model import Customer, CustomerState, Order, Question, Reach, Sent

CustomerRow = tuple[int, int | None, str, str, str, int, int, str | None, int]

MATCHING: Final = "MCHAT"
"""The product whose customers Store.matching searches: the column `matching` is 1 while they have it."""

_PLAIN: Final = (
    *("opened_at", "hides_mobile", "nickname", "password", "buddies", "last_serial", "protected"),
    *("refuse_until", "mood", "sex", "born", "hinted", "listed_until", "version"),
)
"""Fields that JSON takes as they are."""

_plain_of: Final = attrgetter(*_PLAIN)
_USUAL: Final = _plain_of(Customer(""))
"""The values of these fields that the document leaves out."""

_NEVER_SENT: Final = Sent()
_STATES: Final = {state.value: state for state in CustomerState}


def customer_row(customer: Customer) -> CustomerRow:
    """Give (msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching) of a customer."""
    doc: dict[str, object] = {}
    plain = _plain_of(customer)
    if plain != _USUAL:
        fields = zip(_PLAIN, plain, _USUAL, strict=True)
        doc = {name: value for name, value, usual in fields if value != usual}
    if customer.questions:
        doc["questions"] = [
            (q.serial, q.kind, q.base, q.about, q.note, q.asked_at, q.deadline, q.closed)
            for q in customer.questions
        ]
    if customer.orders:
        doc["orders"] = [(o.product, o.since, o.ended, o.first) for o in customer.orders]
    sent = customer.sent
    if sent is not _NEVER_SENT and sent != _NEVER_SENT:
        doc["sent"] = (sent.day, sent.today, sent.month, sent.this_month)
    if customer.invited:
        doc["invited"] = customer.invited
    if customer.helped:
        doc["helped"] = customer.helped
    reach = customer.reach
    return (
        int(customer.msisdn),
        int(customer.fetion_number) if customer.fetion_number else None,
        customer.state._value_,
        reach.account if reach else "",
        reach.spelling if reach else "",
        reach.ton if reach else 0,
        reach.npi if reach else 0,
        orjson.dumps(doc).decode() if doc else None,
        1 if customer.orders and customer.has(MATCHING) else 0,
    )


def customer_of(row: CustomerRow) -> Customer:
    """Give the customer of a row that customer_row made."""
    msisdn, fetion_number, state, account, spelling, ton, npi, text, _ = row
    customer = Customer(
        msisdn=str(msisdn),
        state=_STATES[state],
        fetion_number=str(fetion_number) if fetion_number else "",
        reach=Reach(account, spelling, ton, npi) if spelling else None,
    )
    if text:
        _fill(customer, orjson.loads(text))
    return customer


def _fill(customer: Customer, doc: dict[str, Any]) -> None:
    for name, value in doc.items():
        if name == "questions":
            customer.questions = tuple(Question(*fields) for fields in value)
        elif name == "orders":
            customer.orders = tuple(Order(*fields) for fields in value)
        elif name == "sent":
            customer.sent = Sent(*value)
        elif name in {"invited", "helped"}:
            setattr(customer, name, tuple((what, at) for what, at in value))
        else:
            setattr(customer, name, value)


def without_password(customer: Customer | None) -> Customer | None:
    """A copy of a customer for who only reads."""
    if customer is None:
        return None
    copied = customer.copy()
    copied.password = ""
    return copied
