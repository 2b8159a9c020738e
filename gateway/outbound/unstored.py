"""What of the outbox the next commit writes, operators' decisions among it."""

from collections.abc import Callable
from typing import Final

from gateway.message import Commit, Delivery, MobileTerminated
from gateway.observer import Observer
from gateway.outbound.attempts import Attempts
from gateway.outbound.waiting import RETRIED

AHEAD: Final = 256
"""Closed SMS, beyond as many as are in flight, that may wait to be stored while others leave."""


class Unstored:
    """SMS that have changed or are closed, and wait for a commit: the half of an outbox that the store sees.

    wake: called when there is something to commit. limit: how many SMS may be held. in_flight: how many SMS
    have left and are not answered. may_send: asked before each SMS; None: yes.
    """

    def __init__(self, observer: Observer, wake: Callable[[], None], limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.may_send: Callable[[], bool] | None = None
        self._observer = observer
        self._wake = wake
        self._closed: list[MobileTerminated] = []
        self._changed: list[MobileTerminated] = []
        self._storing = 0  # closed SMS in the commit under way
        self._attempts = Attempts(2 * limit)
        self._deciding: dict[int, MobileTerminated] = {}  # parked SMS that an operator has retried or dropped

    def retry(self, sms: MobileTerminated) -> None:
        """Send a parked SMS, as the store has it, once more as soon as that decision is committed."""
        self._deciding[sms.number] = sms
        sms.state = Delivery.WAITING
        sms.losses = 0
        sms.error = ""
        sms.waited = RETRIED
        self._change(sms)

    def drop(self, sms: MobileTerminated, reason: str, now_ms: int) -> None:
        """Close a parked SMS, as the store has it, as failed."""
        self._deciding[sms.number] = sms
        sms.state = Delivery.FAILED
        sms.error = reason
        sms.closed_at = now_ms
        self._closed.append(sms)
        self._observer.failed(sms)
        self._wake()

    def park_stored(self, sms: MobileTerminated, reason: str) -> None:
        """Park an SMS, as the store has it, with the next commit: it cannot be sent."""
        sms.state = Delivery.PARKED
        sms.error = reason
        self._changed.append(sms)
        self._observer.parked(sms)
        self._wake()

    def is_deciding(self, number: int) -> bool:
        """Return whether an operator has retried or dropped the SMS and that is not stored yet."""
        return number in self._deciding

    @property
    def to_store(self) -> int:
        """How many changed and closed SMS are not stored."""
        return len(self._closed) + len(self._changed)

    def hand_in(self, commit: Commit) -> None:
        """Put changed and closed SMS into a commit."""
        commit.closed, self._closed = self._closed, []
        self._storing = len(commit.closed)
        commit.changed, self._changed = self._changed, []
        self._attempts.hand_in(commit)

    def take_back(self, commit: Commit) -> None:
        """Take back the SMS of a commit that failed; the next one stores them."""
        self._closed = [*commit.closed, *self._closed]
        self._storing = 0
        self._changed = [*commit.changed, *self._changed]
        self._attempts.take_back(commit)

    def _change(self, sms: MobileTerminated) -> None:
        """Let the next commit write the SMS, with the state that it has then."""
        changed = self._changed
        changed.append(sms)
        if len(changed) > 2 * self.limit:  # the store has failed for long: list each SMS once
            changed[:] = dict.fromkeys(changed)
        self._wake()

    def _ahead(self) -> bool:
        """Return whether so many closed SMS are not stored that no others may leave, or none may at all."""
        if self.may_send is not None and not self.may_send():
            return True
        return self._storing + len(self._closed) >= AHEAD + self.in_flight
