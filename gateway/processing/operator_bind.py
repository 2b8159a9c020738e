"""An operator's action on its way through the queue and the batch: what it asks for, and who is answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.channels.contract import CannotSend, Enquiry, Told
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


class OperatorBind:
    """Stands where an SMS has its bind (gateway.channels.contract.Bind), for one action. Nothing leaves here.

    over: called when nothing more will be done with the action.
    """

    __slots__ = (
        "account",
        "action",
        "answer",
        "held",
        "held_answers",
        "if_unanswered",
        "link",
        "messages_in",
        "messages_out",
        "number",
        "over",
        "peer",
        "reply_on",
        "response_timeout",
    )

    def __init__(self, action: Action, number: int, over: Callable[["OperatorBind"], None]) -> None:
        self.action = action
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.over = over
        self.number = number
        self.account = OPERATOR
        self.link = ""
        self.reply_on = 0
        self.peer = action.remote
        self.response_timeout = PATIENCE
        self.messages_in = self.messages_out = 0
        self.if_unanswered = "wait"
        self.held = self.held_answers = 0

    @property
    def receipts(self) -> None:
        """None are asked for."""
        return

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

    @property
    def mark(self) -> int:
        """Every answer is read at once."""
        return 0

    def has_read(self, mark: int, moment: float) -> bool:
        """It has."""
        del mark, moment
        return True

    def asks_for(self, msisdn: str) -> int | None:
        """For nobody."""
        del msisdn
        return None

    def given_id(self, message_id: str, origin: object = None) -> str:
        """The same."""
        del origin
        return message_id

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

    def tell(self, enquiry: Enquiry, told: Told) -> None:
        """Nobody asks."""

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
