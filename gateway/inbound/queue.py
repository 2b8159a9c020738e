"""Queues mobile originated SMS for the next batch, or refuses them."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from operator import attrgetter
from typing import Final

from gateway.channels.contract import Bind, Inbound
from gateway.errors import QUEUE_FULL, STOPPING, STORE_DOWN, Refusal
from gateway.inbound.hashing import Hashing
from gateway.inbound.intake import Intake
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message_numbers import MessageNumbers
from gateway.observer import Observer

_NUMBER: Final = attrgetter("number")
QUEUE: Final = 20_000
"""SMS that may wait for a batch, over all binds; the gateway refuses further ones."""


class InboundQueue:
    """Takes SMS until it is full, paused or stopping.

    held_handsets: whose SMS are held (`hold`), with all that they send meanwhile.

    Args:
        no_room: returns why the outbox takes nothing now, or None.
        changed: called when an SMS was queued.
        touched: called with a bind on which a response was queued.
    """

    def __init__(
        self,
        intake: Intake,
        numbers: MessageNumbers,
        observer: Observer,
        *,
        no_room: Callable[[], Refusal | None],
        changed: Callable[[], None],
        touched: Callable[[Bind], None],
    ) -> None:
        self.stopping = False
        self._intake = intake
        self._numbers = numbers
        self._observer = observer
        self._no_room = no_room
        self._changed = changed
        self._touched = touched
        self._waiting: deque[MobileOriginated] = deque()
        self._held: list[MobileOriginated] = []
        self.held_handsets: set[str] = set()
        self._hashing: Hashing | None = None
        self._paused_by = STORE_DOWN
        self._paused_until = 0.0

    def hash_with(self, hashing: Hashing) -> None:
        """Send SMS with passwords through `hashing` first."""
        self._hashing = hashing

    def received(self, came: Inbound) -> None:
        """Queue an SMS, or refuse it at once."""
        closed = self.closed(came.arrived)
        if closed is not None:
            self.refuse(came, closed)
            return
        try:
            m = self._intake.read(came)
        except Refusal as refusal:
            self.refuse(came, refusal)
            return
        except Exception as error:  # the boundary for bugs while an SMS is read and understood
            m = self._intake.faulted(came, error)
        hashing, understood = self._hashing, m.understood
        if (
            hashing is not None
            and (hashing.waiting or (understood is not None and understood.hidden))
            and hashing.takes(m)
        ):
            return
        self.put(m)

    def enter(self, m: MobileOriginated) -> None:
        """Queue what is understood already (an operator's action): `closed` must have said None."""
        hashing = self._hashing
        hidden = m.understood is not None and m.understood.hidden
        if hashing is None or not (hashing.waiting or hidden) or not hashing.takes(m):
            self.put(m)

    def put(self, m: MobileOriginated) -> None:
        """Queue an SMS for the next batch."""
        self._waiting.append(m)
        self._changed()

    def closed(self, now: float) -> Refusal | None:
        """Return why the queue takes nothing now, or None.

        The refusal is returned, not raised: a shared exception would collect a traceback each time.
        """
        if self.stopping:
            return STOPPING
        if now < self._paused_until:
            return self._paused_by
        if len(self) >= QUEUE:
            return QUEUE_FULL
        if self._numbers.used_up:
            return STORE_DOWN
        return self._no_room()

    def halted(self, now: float) -> Refusal | None:
        """Return why nothing at all is stored now (monotonic seconds), or None: however full it is."""
        if self.stopping:
            return STOPPING
        return self._paused_by if now < self._paused_until else None

    def refuse(self, came: Inbound, refusal: Refusal) -> None:
        """Refuse an SMS, if its bind still exists."""
        bind = came.bind
        if not bind.closed:
            status = bind.reject(came.origin, refusal.verdict)
            self._touched(bind)
            self._observer.rejected(
                bind, came.sequence, came.source, came.destination, refusal.reason, status
            )

    def pause(self, until: float, refusal: Refusal) -> None:
        """Refuse every SMS until `until` (monotonic seconds)."""
        self._paused_until, self._paused_by = until, refusal

    def take(self, most: int, held_back: Collection[str]) -> list[MobileOriginated]:
        """Take out the next batch. SMS whose bind is gone are dropped: they were never answered.

        Args:
            most: the size of the batch.
            held_back: accounts whose SMS stay in the queue.
        """
        waiting = self._waiting
        batch: list[MobileOriginated] = []
        held: list[MobileOriginated] = []
        while waiting and len(batch) < most:
            m = waiting.popleft()
            bind = m.came.bind
            if bind.closed:
                self.give_back(m)
            elif held_back and bind.account in held_back:
                held.append(m)
            else:
                batch.append(m)
        waiting.extendleft(reversed(held))
        return batch

    def hold(self, held: Iterable[MobileOriginated]) -> None:
        """Hold SMS of a batch until release(); for the watermark, the limit and a fault they still wait."""
        for m in held:
            self._held.append(m)
            self.held_handsets.add(m.handset)

    def release(self) -> bool:
        """Let the next batch begin with what is held, in the order of its arrival. Returns whether there was
        any."""
        held, self._held = self._held, []
        self.held_handsets.clear()
        # One that came later may have been held first: the batch that has it ended behind the last release.
        self._waiting.extendleft(sorted(held, key=_NUMBER, reverse=True))
        return bool(held)

    def give_back(self, m: MobileOriginated) -> None:
        """Note that an SMS is not executed and may come again."""
        if self._hashing is not None:
            self._hashing.give_back(m)

    def clear(self) -> list[MobileOriginated]:
        """Take out all SMS except those that wait for a hash."""
        self.release()
        waiting, self._waiting = list(self._waiting), deque()
        return waiting

    def __bool__(self) -> bool:
        """Whether an SMS waits for a batch."""
        return bool(self._waiting)

    def __len__(self) -> int:
        """Count the waiting SMS, including those that are held or wait for a hash."""
        return len(self._waiting) + len(self._held) + (0 if self._hashing is None else self._hashing.waiting)

    def __iter__(self) -> Iterator[MobileOriginated]:
        """Iterate over the waiting SMS, including those that are held or wait for a hash."""
        return chain(self._waiting, self._held, () if self._hashing is None else self._hashing)
