"""SMS and phones as pages, streams and the API show them."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from gateway.channels.phones.channel import LONGEST, Fault, NotSubmitted, PhonesChannel
from gateway.channels.phones.conversations import PhoneSms
from gateway.operations.console.audited import Did
from gateway.operations.console.page import Refused, Visit
from routing.ranges import MobileRanges

STATUS: Final = {
    Fault.NO_PHONE: HTTPStatus.NOT_FOUND,
    Fault.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Fault.STOPPING: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Status of an answer, by what keeps an SMS from its phone; of all others 400."""
LISTED: Final = 100
"""Phones that a list names. One that is not listed is typed."""
LOOKED_AT: Final = 5_000
"""Numbers of the ranges that are looked at for it: those of other provinces are left out."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone in a list. province: code of its home. kept: SMS that are kept of it."""

    number: str
    province: str
    name: str
    kept: int


def channel_of(visit: Visit) -> PhonesChannel:
    """The channel. Raises Refused where the configuration has no phones."""
    channel = visit.services.phones
    if channel is None:
        raise Refused(HTTPStatus.NOT_FOUND, "phones.none")
    return channel


def numbers_of(visit: Visit) -> MobileRanges:
    """Every number that there is a phone for."""
    return channel_of(visit).conversations.numbers


def playable(visit: Visit, number: str) -> str:
    """The number, if this viewer may be its phone. Raises Refused."""
    tables = visit.services.in_force.tables
    if number not in numbers_of(visit):
        raise Refused(HTTPStatus.NOT_FOUND, "phones.fault_no_phone")
    if not visit.viewer.sees(visit.services.in_force.home(number)):
        raise Refused(HTTPStatus.FORBIDDEN, "phones.foreign", number=number)
    if tables.msisdn(number) != number or (tables.main_number and tables.main_number(number) != number):
        # It would write in the name of another number, which may be a customer's.
        raise Refused(HTTPStatus.FORBIDDEN, "phones.second", number=number)
    return number


def listed(visit: Visit) -> list[Phone]:
    """Phones that this viewer may be: those used last first, then in ascending order; LISTED at most."""
    conversations = channel_of(visit).conversations
    found: dict[str, Phone] = {}
    for looked, number in enumerate((*conversations.used, *_first(conversations.numbers))):
        home = visit.services.in_force.home(number)
        if visit.viewer.sees(home) and number not in found:
            found[number] = Phone(number, home, province(visit, home), len(conversations.of(number)))
        if len(found) >= LISTED or looked > LOOKED_AT:
            break
    return list(found.values())


def _first(numbers: MobileRanges) -> list[str]:
    return [number for number, _ in zip(numbers, range(LOOKED_AT), strict=False)]


def province(visit: Visit, code: str) -> str:
    """Its name in the visitor's language, or its code."""
    known = visit.services.in_force.tables.routing.provinces.get(code)
    return code if known is None else known.zh if visit.language == "zh" else known.en


async def submit(visit: Visit, number: str, to: str, text: str) -> PhoneSms:
    """Let a phone send an SMS; the audit has who did, and not the text. Raises Refused."""
    playable(visit, number)
    await visit.note(Did.PHONE, number)
    try:
        return channel_of(visit).submit(number, to, text)
    except NotSubmitted as why:
        status = STATUS.get(why.fault, HTTPStatus.BAD_REQUEST)
        raise Refused(status, f"phones.fault_{why.fault.name.lower()}", most=LONGEST) from why


def shown(visit: Visit, sms: PhoneSms) -> dict[str, Any]:
    """One SMS for a program. The state and the reason are told in words too, in the visitor's language."""
    moment = datetime.fromtimestamp(sms.at / 1000, visit.services.zone)
    return {
        "number": sms.serial,
        "phone": sms.phone,
        "received": sms.received,
        "other": sms.other,
        "text": sms.text,
        "at": moment.isoformat(timespec="milliseconds"),
        "time": moment.strftime("%H:%M:%S"),
        "message_id": sms.message_id,
        "state": sms.state.name.lower(),
        "reason": "" if sms.verdict is None else sms.verdict.name.lower(),
        "said": said(visit, sms),
    }


def said(visit: Visit, sms: PhoneSms) -> str:
    """The state in words, and why it failed."""
    words = visit.text(f"phones.state_{sms.state.name.lower()}")
    if sms.verdict is None:
        return words
    return f"{words}: {visit.text(f'phones.verdict_{sms.verdict.name.lower()}')}"
