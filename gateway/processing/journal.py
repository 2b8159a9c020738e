"""Makes rows for the journal, the charging records and the events from an outcome."""

from collections.abc import Callable
from typing import Any

from commands.model import Given, Outcome, ProductFact, ServiceEvent, World
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import DONE, PROVINCE, Asked, ProductRecord, StoredEvent


def told(outcome: Outcome) -> dict[str, Any]:
    """Return what a journal row holds of an outcome in addition to its result: sentences, code and events."""
    detail: dict[str, Any] = {}
    if outcome.replies:
        detail["replies"] = [reply.sentence for reply in outcome.replies]
    if outcome.code != DONE:
        detail["code"] = outcome.code
    if outcome.events:
        detail["events"] = [_event(event) for event in outcome.events]
    return detail


def _event(event: ServiceEvent) -> dict[str, Any]:
    held: dict[str, Any] = {"event": f"{event.family}/{event.name}", "msisdn": event.msisdn}
    if event.data:
        held["data"] = dict(event.data)
    return held


def exchange_of(outcome: Outcome) -> str:
    """Return what the guard compares outcomes by: the first sentence of the reply."""
    return outcome.replies[0].sentence if outcome.replies else ""


def detail_of(m: MobileOriginated, outcome: Outcome, given: Given) -> dict[str, Any] | None:
    """Return what a trace and a replay need in addition to the columns."""
    detail = told(outcome)
    if outcome.silent:
        detail["silent"] = outcome.silent
    if m.joined:
        detail["joined"] = m.joined
    if given.fetion_numbers:
        detail["given"] = {"fetion_numbers": given.fetion_numbers}
    if given.candidates:
        detail.setdefault("given", {})["candidates"] = given.candidates
    if outcome.forwarded:
        detail.setdefault("given", {})["provinces"] = True
    return detail or None


def asked_of(m: MobileOriginated, seconds: int) -> Asked:
    """Make the row of an SMS that a province has to answer within so many seconds."""
    route = m.route
    assert route.province is not None  # an address of a province
    return Asked(m.number, m.at, route.province, m.msisdn, route.address, m.at + seconds * 1000)


def mo_event(m: MobileOriginated, text: str, reply_by: int) -> StoredEvent:
    """Make the event by which a province gets its SMS. reply_by: milliseconds."""
    route = m.route
    assert route.province is not None
    data = {
        "destination": route.address, "sub_code": route.prefix, "activity": route.tail, "text": text,
        "reply_by": reply_by,
    }  # fmt: skip
    return StoredEvent(m.at, m.number, m.msisdn, "", route.province, PROVINCE, "mo", 0, data)


def events_of(
    m: MobileOriginated, outcome: Outcome, world: World, home: Callable[[str], str]
) -> list[StoredEvent]:
    """Make the events of an outcome for consumers, and count them in the row of the customer.

    world: before the changes of this SMS are accepted. home: gives the province of a mobile. Raises Missing.
    """
    told = []
    for event in outcome.events:
        customer = world.edit(event.msisdn)
        customer.version += 1
        fetion_number = customer.fetion_number
        if not fetion_number and (before := world.customers.get(event.msisdn)) is not None:
            fetion_number = before.fetion_number  # he has given it back with this very SMS
        told.append(
            StoredEvent(
                m.at, m.number, event.msisdn, fetion_number, home(event.msisdn), event.family, event.name,
                customer.version, event.data or {},
            )
        )  # fmt: skip
    return told


def product_record(m: MobileOriginated, fact: ProductFact, province: str) -> ProductRecord:
    """Make the charging record of a fact."""
    return ProductRecord(m.number, fact.msisdn, fact.product, fact.operation, fact.at, fact.trial, province)
