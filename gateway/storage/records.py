"""How a Customer stands in a row: the columns that are searched, and the rest as a JSON document."""

import orjson

from commands.model import Customer, Question, Reach, State

CustomerRow = tuple[int, int | None, str, str, str, int, int, str | None]


def customer_row(customer: Customer) -> CustomerRow:
    """(msisdn, fetion_number, state, account, spelling, ton, npi, doc) of a customer."""
    doc: dict[str, object] = {}
    if customer.opened_at:
        doc["opened_at"] = customer.opened_at
    if customer.password:
        doc["password"] = customer.password
    if customer.hides_mobile:
        doc["hides_mobile"] = True
    if customer.nickname:
        doc["nickname"] = customer.nickname
    if customer.buddies:
        doc["buddies"] = customer.buddies
    if customer.last_serial:
        doc["last_serial"] = customer.last_serial
    if customer.questions:
        doc["questions"] = [
            (q.serial, q.kind, q.base, q.about, q.note, q.asked_at, q.deadline, q.closed)
            for q in customer.questions
        ]
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
    )


_STATES = {state.value: state for state in State}


def customer_of(row: CustomerRow) -> Customer:
    """The customer in a row, as customer_row wrote it."""
    msisdn, fetion_number, state, account, spelling, ton, npi, text = row
    customer = Customer(
        msisdn=str(msisdn),
        state=_STATES[state],
        fetion_number=str(fetion_number) if fetion_number else "",
        reach=Reach(account, spelling, ton, npi) if spelling else None,
    )
    if text:
        doc = orjson.loads(text)
        customer.opened_at = doc.get("opened_at", 0)
        customer.password = doc.get("password", "")
        customer.hides_mobile = doc.get("hides_mobile", False)
        customer.nickname = doc.get("nickname", "")
        customer.buddies = doc.get("buddies", 0)
        customer.last_serial = doc.get("last_serial", 0)
        customer.questions = tuple(Question(*fields) for fields in doc.get("questions", ()))
    return customer
