"""query_sm, cancel_sm and replace_sm: from the request to an Enquiry, from what is told to the response."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final

from gateway.channels.contract import Bind, Enquiry, Question, Told
from gateway.smpp.pdus import CancelSm, CancelSmResp, QuerySm, QuerySmResp, ReplaceSm, ReplaceSmResp
from gateway.smpp.session import Session
from gateway.smpp.status import CommandStatus

Asking = QuerySm | CancelSm | ReplaceSm
_ID: Final = re.compile("[0-9A-Fa-f]{8}|[0-7][0-9A-Fa-f]{15}")
"""The message ids that we give: to peers of 3.3, and to others."""
_QUARTER: Final = timedelta(minutes=15)
_QUESTIONS: Final = MappingProxyType(
    {QuerySm: Question.STATE, CancelSm: Question.CANCEL, ReplaceSm: Question.REPLACE}
)
_FAILED: Final = MappingProxyType(
    {
        QuerySm: CommandStatus.RQUERYFAIL,
        CancelSm: CommandStatus.RCANCELFAIL,
        ReplaceSm: CommandStatus.RREPLACEFAIL,
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The origin of an Enquiry. zone: of final_date."""

    request: Asking
    zone: tzinfo


def is_id(request: Asking) -> bool:
    """Whether the request names an SMS: by an id of ours, or a cancel_sm by its two addresses."""
    by_addresses = isinstance(request, CancelSm) and bool(request.destination_addr)
    return (by_addresses and not request.message_id) or _ID.fullmatch(request.message_id) is not None


def enquiry_of(bind: Bind, request: Asking, zone: tzinfo) -> Enquiry:
    """What the request asks. The text of a replace_sm is not read: nothing is ever replaced."""
    destination = request.destination_addr.strip(" ") if isinstance(request, CancelSm) else ""
    return Enquiry(
        bind,
        Asked(request, zone),
        _QUESTIONS[type(request)],
        request.message_id,
        request.source_addr.strip(" "),
        destination,
    )


def answer(session: Session, asked: Asked, told: Told) -> None:
    """Queue the response."""
    request = asked.request
    if not told.done:
        session.refuse(request, _FAILED[type(request)])
    elif isinstance(request, QuerySm):
        date = final_date(told.over_at, asked.zone) if told.over_at else ""
        response = QuerySmResp(message_id=request.message_id, final_date=date, message_state=told.state)
        session.answer(request, response)
    else:
        session.answer(request, CancelSmResp() if isinstance(request, CancelSm) else ReplaceSmResp())


def final_date(at: int, zone: tzinfo) -> str:
    """A time (ms since the epoch) in the absolute form of SMPP: YYMMDDhhmmss, tenths, quarters of an hour
    from UTC with their sign (SMPP 3.4 section 7.1.1)."""
    when = datetime.fromtimestamp(at / 1000, zone)
    quarters = round((when.utcoffset() or timedelta()) / _QUARTER)
    sign = "-" if quarters < 0 else "+"
    return f"{when:%y%m%d%H%M%S}{when.microsecond // 100_000}{abs(quarters):02d}{sign}"
