"""An operator's action on its way through the queue and the batch: what it asks for, and who is answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.channels.contract import CannotSend
from gateway.channels.local import LocalBind
from gateway.errors import Refusal, Verdict
from gateway.message import OPERATOR, MobileTerminated, number_of

PATIENCE: Final = 20.0
"""Seconds for which who asked waits for the answer."""
NOT_KNOWN: Final = (
    "nobody knows yet whether it was executed: send the same request again, which executes nothing twice"
)


@dataclass(frozen=True, slots=True)
class Action:
    """What an operator asks for.

    request: drawn by the page; a second one with the same is the same action. actor: the account. action: of
    commands.actions.ACTIONS. msisdn: the customer's. remote: address of the browser.
    """

    request: str
    actor: str
    action: str
    msisdn: str
    reason: str
    remote: str = ""


class NotKnown(Exception):
    """An action may be executed, or not. Its text says what to do."""


@dataclass(frozen=True, slots=True)
class Executed:
    """An action is in the journal. number: of its row. again: it was executed by an earlier request."""

    number: int
    again: bool


Answer = Executed | Refusal | NotKnown


class OperatorBind(LocalBind):
    """Stands where an SMS has its bind, for one action. Nothing leaves here.

    over: called when nothing more will be done with the action.
    """

    __slots__ = ("action", "answer", "over")

    def __init__(self, action: Action, number: int, over: Callable[["OperatorBind"], None]) -> None:
        super().__init__(number, OPERATOR, action.remote, response_timeout=PATIENCE, if_unanswered="wait")
        self.action = action
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.over = over

    @property
    def closed(self) -> bool:
        """Never: an action is executed also when who asked for it has gone."""
        return False

    @property
    def receives(self) -> bool:
        """Never."""
        return False

    @property
    def room(self) -> int:
        """None."""
        return 0

    def accept(self, origin: object, message_id: str) -> None:
        """The action is executed and stored."""
        del origin
        self._settle(Executed(number_of(message_id), again=False))

    def known(self, number: int) -> None:
        """An earlier request of this name was executed and stored."""
        self._settle(Executed(number, again=True))

    def reject(self, origin: object, verdict: Verdict) -> str:
        """The action is not executed."""
        del origin
        self._settle(Refusal(verdict))
        return verdict.name

    def abort(self, reason: str) -> None:
        """Nobody knows. What is still in hand may be answered later, to nobody."""
        del reason
        if not self.answer.done():
            self.answer.set_result(NotKnown(NOT_KNOWN))

    def send(self, sms: MobileTerminated, now: float) -> None:
        """Nothing leaves here. Raises CannotSend."""
        del sms, now
        raise CannotSend("nothing leaves through an operator's action")

    def flush(self) -> None:
        """Nothing waits."""

    def describe(self, now: float) -> dict[str, object]:
        """Nobody sees it."""
        del now
        return {}

    def _settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)
        self.over(self)
