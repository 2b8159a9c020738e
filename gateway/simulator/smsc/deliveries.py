"""What a simulated SMS centre delivers: each waits for a bind with room, and comes until it is answered."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from gateway.simulator.smsc.ledger import Delivered, Ledger
from gateway.simulator.smsc.line import Line, Outgoing
from gateway.smpp import codec
from gateway.smpp.pdus import DeliverSm
from gateway.smpp.status import CommandStatus, Retry, retry_class

WAITING: Final = 10_000
"""Deliveries that may wait for a bind; further ones are answered ESME_RMSGQFUL by ourselves."""
REFUSALS: Final = 100
"""Temporary refusals of a delivery after which it is given up."""
PAUSE: Final = 0.1
"""Seconds until a delivery that was refused for now comes again."""


class Deliveries:
    """A queue for all ESMEs. lines: the connections there are. later: calls something after some seconds.

    What was sent once goes to that ESME for ever, on any of its binds: it alone knows whether it had it.
    """

    def __init__(
        self, lines: set[Line], ledger: Ledger, later: Callable[[float, Callable[[], None]], None]
    ) -> None:
        self._lines = lines
        self._ledger = ledger
        self._later = later
        self._waiting: deque[Outgoing] = deque()
        self._open = 0

    @property
    def open(self) -> int:
        """Deliveries that have no final answer."""
        return self._open

    def add(self, pdu: DeliverSm, system_id: str = "", *, receipt: bool = False) -> "asyncio.Future[int]":
        """Deliver, to that ESME or to whoever claims the number. The future gets the command_status.

        Raises EncodeError for a value that does not fit.
        """
        codec.encode(pdu)
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._open >= WAITING:
            self._ledger.counts["no room"] += 1
            answered.set_result(CommandStatus.RMSGQFUL)
            return answered
        entry = Delivered(pdu, receipt)
        self._ledger.delivered.append(entry)
        self._open += 1
        self._waiting.append(Outgoing(entry, answered, system_id))
        return answered

    def pump(self) -> None:
        """Send what binds have room for; what finds none waits, in its order."""
        kept: list[Outgoing] = []
        used: set[Line] = set()
        while self._waiting and any(line.room for line in self._lines):
            item = self._waiting.popleft()
            line = self._line_for(item)
            if line is None:
                kept.append(item)
            else:
                line.send(item)
                used.add(line)
        self._waiting.extendleft(reversed(kept))
        for line in used:
            line.flush()

    def answered(self, item: Outgoing, status: int, *, again: bool) -> None:
        """An ESME answered. again: it comes once more although it was taken."""
        item.entry.statuses.append(status)
        if status and retry_class(status) is Retry.TEMPORARY and item.refusals < REFUSALS:
            item.refusals += 1
            self._later(PAUSE, lambda: self.come_again([item]))
            return
        if again and not status:
            self._ledger.counts["again"] += 1
            self.come_again([item])
            return
        self._open -= 1
        if not item.answered.done():
            item.answered.set_result(status)

    def come_again(self, items: list[Outgoing]) -> None:
        """They were not answered, or not for good: they come again, before all others."""
        self._waiting.extendleft(reversed(items))
        self.pump()

    def _line_for(self, item: Outgoing) -> Line | None:
        """The line with most room, of those that claim the number most closely.

        With a system_id any line of it, where none claims the number and each claims another one.
        """
        number = item.entry.pdu.destination_addr
        if item.system_id:
            own = {line for line in self._lines if line.system_id == item.system_id}
            fitting = claiming(own, number) or list(own)
        else:
            fitting = claiming(self._lines, number)
        return max((line for line in fitting if line.room), key=lambda line: line.room, default=None)


def claiming(lines: set[Line], number: str) -> list[Line]:
    """The bound receivers that claim a number most closely; where nobody does, those without a claim."""
    receivers = [line for line in lines if line.receives]
    weights = {line: line.claim.weight(number) if line.claim is not None else 0 for line in receivers}
    most = max(weights.values(), default=0)
    if most:
        return [line for line in receivers if weights[line] == most]
    return [line for line in receivers if line.claim is None]
