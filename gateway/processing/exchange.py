"""Passes reports of channels to queue, outbox and others (gateway.channels.contract.ChannelOwner)."""

from collections.abc import Callable, Sequence

from gateway.channels.contract import Bind, Enquiry, Inbound, Loss, Receipt
from gateway.clock import Clock
from gateway.errors import Verdict
from gateway.inbound.queue import InboundQueue
from gateway.inbound.retransmissions import Retransmissions
from gateway.message import MobileTerminated
from gateway.outbound.outbox import Outbox
from gateway.outbound.receipts import Receipts
from gateway.outbound.selection import Binds


class Exchange:
    """The owner of all channels.

    work: called when there is something to process. changed: called when something has changed that another
    task may wait for. enquired: takes questions about SMS; until it is set, they are refused.
    """

    def __init__(
        self,
        binds: Binds,
        queue: InboundQueue,
        outbox: Outbox,
        retransmissions: Retransmissions,
        clock: Clock,
        *,
        work: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._binds = binds
        self._outbox = outbox
        self._retransmissions = retransmissions
        self._clock = clock
        self._receipts: Receipts | None = None
        self._work = work
        self._changed = changed
        self.received: Callable[[Inbound], None] = queue.received  # as it is: a call more costs every SMS
        self.enquired: Callable[[Enquiry], None] = _refuse

    def receipts_with(self, receipts: Receipts) -> None:
        """Pass what concerns receipts to `receipts`."""
        self._receipts = receipts

    def bound(self, bind: Bind) -> None:
        """Register a new bind."""
        self._binds.add(bind)

    def ready(self, bind: Bind) -> None:
        """Send the SMS that wait for the account of a receiver."""
        if bind.receives:
            self._outbox.bind_ready(bind, self._clock.monotonic(), self._clock.now_ms())

    def sent(self, bind: Bind, sms: MobileTerminated, remote_id: str) -> None:
        """Note that the peer accepted a part."""
        if bind.receipts is not None and self._receipts is not None:
            self._receipts.taken(bind, sms, remote_id, self._clock.now_ms())
        self._outbox.sent(bind, sms, remote_id, self._clock.monotonic(), self._clock.now_ms())

    def refused(self, bind: Bind, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """Note that the peer refused a part. retry: it may accept the part later."""
        self._outbox.refused(bind, sms, reason, self._clock.monotonic(), self._clock.now_ms(), retry=retry)

    def unknown(self, bind: Bind, sms: MobileTerminated) -> None:
        """Note that the peer did not answer a part in time."""
        self._outbox.unknown(bind, sms, self._clock.monotonic(), self._clock.now_ms())

    def late(self, bind: Bind, sms: MobileTerminated, remote_id: str) -> None:
        """Note that the peer accepted a part that it was thought to have left unanswered."""
        if bind.receipts is not None and self._receipts is not None:
            self._receipts.taken(bind, sms, remote_id, self._clock.now_ms())
        self._outbox.late(bind, sms, remote_id, self._clock.monotonic(), self._clock.now_ms())

    def late_refused(self, bind: Bind, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """Note that the peer refused such a part."""
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        self._outbox.late_refused(bind, sms, reason, now, now_ms, retry=retry)

    def receipted(self, receipt: Receipt) -> None:
        """Queue a receipt."""
        if self._receipts is not None:
            self._receipts.received(receipt)

    def available(self, bind: Bind, msisdn: str) -> None:
        """Send what pauses for a handset."""
        self._outbox.available(bind.account, msisdn, self._clock.monotonic(), self._clock.now_ms())

    def settled(self, bind: Bind) -> None:
        """Send SMS that wait for the window of the bind."""
        self._outbox.settle(bind, self._clock.monotonic(), self._clock.now_ms())
        self._changed()

    def lost(self, bind: Bind, unanswered: Sequence[MobileTerminated], loss: Loss) -> None:
        """Remove a bind that is gone.

        Its queued SMS are dropped (they were not answered), those answered shortly before may come again, and
        what it left unanswered is sent again.
        """
        self._binds.remove(bind)
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        if loss.polite:
            self._retransmissions.ended(bind.number)
        else:
            self._retransmissions.lost(bind.number, now)
        self._work()
        self._outbox.lost(bind, unanswered, loss, now, now_ms)

    def disconnected(self) -> None:
        """Note that a connection is gone."""
        self._changed()


def _refuse(enquiry: Enquiry) -> None:
    enquiry.bind.reject(enquiry.origin, Verdict.STOPPING)
