"""An agent asks for an action: what came is checked, written down, and executed; its row is read."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from commands.actions import ACTIONS
from gateway.errors import Refusal, Verdict
from gateway.message import BY, message_id
from gateway.operations.console.audited import Did
from gateway.operations.console.page import Visit
from gateway.operations.console.reasons import LONGEST_REASON, is_reason
from gateway.operations.console.refused import Refused, Said
from gateway.processing.operator_bind import Action, Executed, NotKnown
from gateway.storage.contract import StorageError
from gateway.storage.reader import JournalRecord

_TOLD: Final = frozenset(
    {
        *(Verdict.QUEUE_FULL, Verdict.OUTBOX_FULL, Verdict.STOPPING),
        *(Verdict.STORE_FULL, Verdict.STORE_FAULT),
    }
)
"""Verdicts that texts/customers.yaml has words for."""


def _reason(text: str) -> str:
    if not is_reason(text):
        raise ValueError(f"is no reason: write one line of 1 to {LONGEST_REASON} characters that can be seen")
    return text


def _known(name: str) -> str:
    if name not in ACTIONS:
        raise ValueError(f"no action has this name; there are {', '.join(ACTIONS)}")
    return name


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_REASON),
    AfterValidator(_reason),
]


class Wanted(BaseModel):
    """What is asked for. request: drawn by who asks, 16 to 64 letters, digits, - or _."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    action: Annotated[str, AfterValidator(_known)]
    reason: Reason
    request: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{16,64}$")]


class Opening(BaseModel):
    """Why a number is opened."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reason: Reason


@dataclass(frozen=True, slots=True)
class Came:
    """What came of an action. row: None where the journal has forgotten it. again: it was executed before."""

    wanted: Wanted
    message_id: str
    row: JournalRecord | None
    again: bool

    @property
    def outcome(self) -> str:
        """commands.model.Result; "" where the row is gone."""
        return "" if self.row is None else self.row.outcome


async def note(visit: Visit, action: Did, msisdn: str, reason: str) -> None:
    """Write into the audit what is about to be done. Raises Refused 503: without it nothing is done."""
    try:
        await visit.note(action, msisdn, reason)
    except StorageError as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "customers.no_audit") from error


async def act(visit: Visit, wanted: Wanted, msisdn: str) -> Came:
    """Execute an action. Raises Refused where it was not executed, or nobody knows."""
    await note(visit, Did(wanted.action), msisdn, wanted.reason)
    action = Action(wanted.request, visit.viewer.name, wanted.action, msisdn, wanted.reason, visit.remote)
    try:
        executed = await visit.services.agents.actions.act(action)
    except Refusal as refusal:
        raise _not_executed(visit, wanted, refusal.verdict) from refusal
    except NotKnown as unknown:
        raise Refused(HTTPStatus.GATEWAY_TIMEOUT, "customers.not_known") from unknown
    return await _came(visit, wanted, msisdn, executed)


def _not_executed(visit: Visit, wanted: Wanted, verdict: Verdict) -> Refused:
    if verdict is Verdict.OPERATION_NOT_ALLOWED:
        lacking = visit.services.in_force.tables.commands.lacks(wanted.action)
        return Refused(HTTPStatus.CONFLICT, "customers.lacking", lacking=", ".join(lacking))
    word = verdict.name.lower() if verdict in _TOLD else "other"
    reason = Said(f"customers.verdict_{word}")
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "customers.not_executed", reason=reason)


async def _came(visit: Visit, wanted: Wanted, msisdn: str, executed: Executed) -> Came:
    row = await visit.services.read(lambda reader: reader.journal_record(executed.number))
    asked_for = "" if row is None else row.detail.get(BY, {}).get("action")
    if row is not None and (row.msisdn != msisdn or asked_for != wanted.action):
        raise Refused(HTTPStatus.CONFLICT, "customers.request_used")
    return Came(wanted, message_id(executed.number), row, executed.again)
