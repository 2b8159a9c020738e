"""What a simulated SMS centre did and got, for whoever checks it afterwards."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm

KEPT: Final = 100_000
"""Entries of each kind that are kept; older ones are forgotten."""

Submission = SubmitSm | DataSm


@dataclass(slots=True)
class Submitted:
    """A submit_sm or data_sm of an ESME.

    message_id: what it was given; "" when it was not taken. fault: what happened to it; "" for nothing.
    """

    system_id: str
    pdu: Submission
    message_id: str
    fault: str


@dataclass(slots=True)
class Delivered:
    """A deliver_sm to an ESME. times: how often it was sent. statuses: of the answers, in their order.
    receipt: whether it is one."""

    pdu: DeliverSm
    receipt: bool
    times: int = 0
    statuses: list[int] = field(default_factory=list)


def _kept() -> deque[Submitted]:
    return deque(maxlen=KEPT)


def _kept_too() -> deque[Delivered]:
    return deque(maxlen=KEPT)


@dataclass(slots=True)
class Ledger:
    """Everything, in its order. counts: how often what happened: faults by name, binds, connections lost."""

    submitted: deque[Submitted] = field(default_factory=_kept)
    delivered: deque[Delivered] = field(default_factory=_kept_too)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def taken(self) -> list[Submitted]:
        """The SMS that reached their handsets."""
        return [each for each in self.submitted if each.message_id]

    @property
    def unanswered(self) -> list[Delivered]:
        """The deliveries that were sent and never answered."""
        return [each for each in self.delivered if not each.statuses]
