"""What an operator may do for a customer: the same handlers that his own SMS lead to, by name.

Pure, like commands.dispatch, beside which it stands: an action has no text, so there is nothing to parse, and
the checks are those of the table below. An action that is refused changes nothing, and the customer gets no
SMS about it: the operator is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from commands.codes import Code
from commands.handlers import Handler, password, profile, service
from commands.model import (
    Customer,
    CustomerState,
    Given,
    Hidden,
    Instruction,
    Outcome,
    Result,
    Understood,
    World,
)
from routing.model import Route

_NONE: Final = frozenset({CustomerState.NONE, CustomerState.CLOSED})
_OPEN: Final = frozenset({CustomerState.OPEN})
_SUSPENDED: Final = frozenset({CustomerState.SUSPENDED})
_KNOWN: Final = _OPEN | _SUSPENDED


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """An action.

    instruction: its id in the journal: that of the instruction with the same handler, or one of its own.
    states: of a customer for whom it makes sense. sentences: what the customer may get. draws: as of a row of
    the instruction table. protected: it makes sense only while the account is protected. elsewhere: also for
    a mobile that belongs to another operator now.
    """

    instruction: str
    handler: Handler
    states: frozenset[CustomerState]
    sentences: frozenset[str]
    draws: frozenset[str] = frozenset()
    hidden: Hidden = Hidden.NONE
    protected: bool = False
    elsewhere: bool = False


ACTIONS: Final[Mapping[str, OperatorAction]] = MappingProxyType(
    {
        "unlock": OperatorAction(
            "account.unlock", profile.unlock, _KNOWN, frozenset({"account.unlocked"}), protected=True
        ),
        "reset_password": OperatorAction(
            "password.random",
            password.random,
            _OPEN,
            frozenset({"password.random"}),
            frozenset({"password"}),
            Hidden.PASSWORD,
        ),
        "resend_notice": OperatorAction(
            "service.notice", service.notice, _OPEN, frozenset({"service.opened"})
        ),
        "open": OperatorAction(
            "service.open",
            service.open_service,
            _NONE,
            frozenset({"service.opened"}),
            frozenset({"fetion_number"}),
        ),
        "cancel": OperatorAction(
            "service.cancel",
            service.cancel_at_once,
            _KNOWN,
            frozenset({"service.cancelled", "service.cancelled.all"}),
            elsewhere=True,
        ),
        "suspend": OperatorAction(
            "service.suspend", service.suspend, _OPEN, frozenset({"service.suspended"}), elsewhere=True
        ),
        "resume": OperatorAction(
            "service.resume", service.resume, _SUSPENDED, frozenset({"service.resumed"}), elsewhere=True
        ),
    }
)
"""By name."""

SENTENCES: Final = frozenset[str]().union(*(action.sentences for action in ACTIONS.values()))
"""Every sentence that an action may lead to."""
_BY_INSTRUCTION: Final = {action.instruction: action for action in ACTIONS.values()}


def instruction_of(action: str, msisdn: str, route: Route) -> Instruction:
    """What an action is to its handler. route: of the address that the customer would have written to.
    Raises KeyError for an unknown action."""
    known = ACTIONS[action]
    return Instruction(known.instruction, msisdn, route, "", {}, hidden=known.hidden)


def draws_of(instruction: str) -> frozenset[str]:
    """What has to be drawn before the handler of an action runs. Raises KeyError."""
    return _BY_INSTRUCTION[instruction].draws


def why_not(action: OperatorAction, customer: Customer | None, *, foreign: bool) -> Code | None:
    """The code of the reason why an action makes no sense for a customer; None: it does.

    foreign: his mobile belongs to another operator.
    """
    if foreign and not action.elsewhere:
        return Code.UNKNOWN_NUMBER
    state = CustomerState.NONE if customer is None else customer.state
    if state not in action.states:
        if state is CustomerState.SUSPENDED:
            return Code.SUSPENDED
        return Code.OK if state is CustomerState.OPEN else Code.NOT_OPENED
    if action.protected and not (customer is not None and customer.protected):
        return Code.OK
    return None


def act(world: World, understood: Understood, given: Given, is_foreign: Callable[[str], bool]) -> Outcome:
    """Execute an action: write changes to the world, return everything else. Raises Missing.

    understood: what instruction_of gave; anything else stands for a password that was asked for too often.
    """
    sender = understood.sender
    if not isinstance(understood, Instruction):
        return Outcome(Result.REFUSED, code=Code.TRY_LATER)
    action = _BY_INSTRUCTION[understood.id]
    code = why_not(action, world.customer(sender), foreign=is_foreign(sender))
    if code is not None:
        return Outcome(Result.REFUSED, code=code)
    outcome = action.handler(world, understood, given)
    if outcome.result is Result.REFUSED:
        outcome.replies.clear()
    return outcome
