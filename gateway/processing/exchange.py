"""What channels tell, passed on to those whom it concerns (gateway.channels.contract.ChannelOwner)."""

from collections.abc import Callable, Sequence

from gateway.channels.contract import Bind, Inbound, Loss
from gateway.clock import Clock
from gateway.inbound.queue import InboundQueue
from gateway.inbound.retransmissions import Retransmissions
from gateway.message import MobileTerminated
from gateway.outbound.outbox import Outbox
from gateway.outbound.selection import Binds


class Exchange:
    """Stands between channels and the rest. work: there is something to work. changed: something has changed
    that somebody may wait for."""

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
        self._work = work
        self._changed = changed
        self.received: Callable[[Inbound], None] = queue.received  # as it is: a call more costs every SMS

    def bound(self, bind: Bind) -> None:
        """A bind stands."""
        self._binds.add(bind)

    def ready(self, bind: Bind) -> None:
        """SMS that wait for its account may leave."""
        if bind.receives:
            self._outbox.bind_ready(bind, self._clock.monotonic(), self._clock.now_ms())

    def sent(self, bind: Bind, sms: MobileTerminated, remote_id: str) -> None:
        """The peer took a part."""
        self._outbox.sent(bind, sms, remote_id, self._clock.monotonic(), self._clock.now_ms())

    def refused(self, _bind: Bind, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """The peer did not take a part."""
        self._outbox.refused(sms, reason, self._clock.monotonic(), self._clock.now_ms(), retry=retry)

    def unknown(self, bind: Bind, sms: MobileTerminated) -> None:
        """The peer did not answer a part in time."""
        self._outbox.unknown(bind, sms, self._clock.monotonic(), self._clock.now_ms())

    def settled(self, bind: Bind) -> None:
        """The window has room."""
        self._outbox.settle(bind, self._clock.monotonic(), self._clock.now_ms())
        self._changed()

    def lost(self, bind: Bind, unanswered: Sequence[MobileTerminated], loss: Loss) -> None:
        """A bind is gone: what waits of it is dropped (nobody was told it was taken), what was answered a
        short while ago may come again, what it did not answer leaves again."""
        self._binds.remove(bind)
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        if loss.polite:
            self._retransmissions.ended(bind.number)
        else:
            self._retransmissions.lost(bind.number, now)
        self._work()
        self._outbox.lost(bind, unanswered, loss, now, now_ms)

    def disconnected(self) -> None:
        """A connection is gone."""
        self._changed()
