"""What operators do for customers (commands.actions): through the queue and the batch, as an SMS does.

An action skips the reading of an SMS, for it has no text, and the guard, for the customer did not send it. It
is executed in the order of its coming with the SMS of the batch, committed with them, and answered after the
commit. Its request makes it happen once: the store keeps it (Commit.acted), and each batch asks for the
requests that it holds before it executes them.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from commands.actions import instruction_of
from commands.tables import InForce, Tables
from gateway.channels.contract import Inbound
from gateway.errors import Refusal, Verdict
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.queue import InboundQueue
from gateway.message import BY, Acted, message_id
from gateway.message_numbers import MessageNumbers
from gateway.processing.handled import Handled
from gateway.processing.operator_bind import (
    NOT_KNOWN,
    PATIENCE,
    Action,
    Executed,
    NotKnown,
    OperatorBind,
)
from gateway.processing.prepared import Prepared
from gateway.storage.contract import Store

MOST: Final = 64
"""Actions that may wait for their commit at one time; further ones are refused."""
FULL: Final = Refusal(Verdict.QUEUE_FULL, f"{MOST} actions wait already: try again in a moment")


class Actions:
    """Takes actions, and knows them again in a batch.

    Args:
        session: number of the bind that all actions have in the journal.
        monotonic: gives the time of the gateway's clock (seconds).
    """

    def __init__(
        self,
        queue: InboundQueue,
        in_force: InForce,
        numbers: MessageNumbers,
        store: Store,
        session: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._in_force = in_force
        self._numbers = numbers
        self._store = store
        self._session = session
        self._monotonic = monotonic
        # By request: in the queue, in a batch, or in one of which nobody knows whether it is stored.
        self._open: dict[str, OperatorBind] = {}

    async def act(self, action: Action) -> Executed:
        """Execute an action, unless its request was executed before.

        Raises Refusal with the reason why it was not executed, NotKnown where nobody knows, and KeyError for
        an unknown action.
        """
        bind = self._open.get(action.request)
        first = bind is None
        if bind is None:
            bind = self._enqueue(action)
        elif bind.answer.done():
            bind = self._ask_again(action)
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await asyncio.shield(bind.answer)
        except TimeoutError:
            raise NotKnown(NOT_KNOWN) from None
        if isinstance(answer, Executed):
            return answer if first else Executed(answer.number, again=True)
        raise answer

    def _ask_again(self, action: Action) -> OperatorBind:
        """Enqueue an action of which nobody knew whether it is stored: its batch will find out. A batch that
        still has it is committed before that one. Raises NotKnown."""
        try:
            return self._enqueue(action)
        except Refusal:
            raise NotKnown(NOT_KNOWN) from None

    def _enqueue(self, action: Action) -> OperatorBind:
        tables, now = self._in_force.tables, self._monotonic()
        if lacking := tables.commands.lacks(action.action):
            raise Refusal(
                Verdict.OPERATION_NOT_ALLOWED,
                f"replies/zh.yaml in force lacks {', '.join(lacking)}: add what the shipped one has",
            )
        waiting = sum(not each.answer.done() for each in self._open.values())
        closed = FULL if waiting >= MOST else self._queue.closed(now)
        if closed is not None:
            raise Refusal(closed.verdict, closed.reason)
        bind = OperatorBind(action, self._session, self._over)
        self._open[action.request] = bind
        self._queue.enter(self._message(bind, tables, now))
        return bind

    def _message(self, bind: OperatorBind, tables: Tables, now: float) -> MobileOriginated:
        """What an SMS of the customer to the service's own number would be, without a text."""
        action, address = bind.action, tables.routing.notice_from()
        route = tables.resolve(address)
        octets = action.request.encode()
        came = Inbound(bind, None, 0, now, action.msisdn, 0, 1, address, 0, 1, 0, 0, octets, _NO_TEXT)
        number = self._numbers.draw()
        understood = instruction_of(action.action, action.msisdn, route)
        return MobileOriginated(number, message_id(number), came, action.msisdn, route, tables, understood)

    def _over(self, bind: OperatorBind) -> None:
        if self._open.get(bind.action.request) is bind:
            del self._open[bind.action.request]

    # In a batch

    async def sort(self, batch: list[MobileOriginated], prepared: Prepared) -> list[MobileOriginated]:
        """Answer the actions of a batch that were executed before, and note the others in `prepared`.

        Returns the batch without those that are answered. Raises StorageError.
        """
        mine = dict(self._of(batch)) if self._open else None
        if not mine:
            return batch
        known = await self._store.actions([bind.action.request for bind in mine.values()])
        for number, bind in mine.items():
            earlier = known.get(bind.action.request)
            if earlier is None:
                prepared.acting[number] = bind.action
            else:
                bind.known(earlier)
        return [m for m in batch if m.number not in mine or m.number in prepared.acting]

    @staticmethod
    def _of(batch: list[MobileOriginated]) -> Iterator[tuple[int, OperatorBind]]:
        for m in batch:
            if isinstance(m.came.bind, OperatorBind):
                yield m.number, m.came.bind

    def close(self) -> None:
        """Answer who still waits: the gateway has stopped."""
        for bind in list(self._open.values()):
            bind.reject(None, Verdict.STOPPING)


class _NoText:
    """The alphabet of what has no text."""

    def decode(self, octets: bytes, data_coding: int) -> str:
        del octets, data_coding
        return ""

    def in_doubt(self, octets: bytes, data_coding: int) -> bool:
        del octets, data_coding
        return False

    def join(self, parts: object) -> str:
        del parts
        return ""


_NO_TEXT: Final = _NoText()


def note_actions(prepared: Prepared) -> None:
    """Put into the journal rows of actions who asked for them and why, and them into the commit."""
    for handled in prepared.done:
        action = prepared.acting.get(handled.m.number)
        if action is not None:
            _sign(handled, action)
            prepared.commit.acted.append(
                Acted(
                    action.request,
                    handled.m.number,
                    handled.m.at,
                    action.actor,
                    action.action,
                    action.msisdn,
                    action.reason,
                )
            )


def _sign(handled: Handled, action: Action) -> None:
    by = {
        "actor": action.actor,
        "action": action.action,
        "reason": action.reason,
        "request": action.request,
    }
    handled.detail = {**(handled.detail or {}), BY: by}
