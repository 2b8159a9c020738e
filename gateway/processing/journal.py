"""What the journal and the charging records keep of what an SMS led to."""

from collections.abc import Callable
from typing import Any

from commands.model import Given, Outcome, ProductFact, ServiceEvent, World
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import DONE, ProductRecord, StoredEvent


def told(outcome: Outcome) -> dict[str, Any]:
    """What a journal row tells of an outcome besides its result: sentences, code and events."""
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
    """What the guard knows an outcome by: the first sentence that is said."""
    return outcome.replies[0].sentence if outcome.replies else ""


def detail_of(m: MobileOriginated, outcome: Outcome, given: Given) -> dict[str, Any] | None:
    """What a trace and a replay need beyond the columns."""
    detail = told(outcome)
    if m.joined:
        detail["joined"] = m.joined
    if given.fetion_numbers:
        detail["given"] = {"fetion_numbers": given.fetion_numbers}
    if given.candidates:
        detail.setdefault("given", {})["candidates"] = given.candidates
    return detail or None


def events_of(
    m: MobileOriginated, outcome: Outcome, world: World, home: Callable[[str], str]
) -> list[StoredEvent]:
    """The events of an outcome as consumers are told them; each counts in its customer's row.

    world: before the changes of this SMS are accepted. home: the province of a mobile. Raises Missing.
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
    """The charging record of one fact that an SMS led to."""
    return ProductRecord(m.number, fact.msisdn, fact.product, fact.operation, fact.at, fact.trial, province)
