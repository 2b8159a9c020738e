"""SMS from handsets that wait for a batch, and whether another one is taken."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import Final

from gateway.channels.contract import Bind, Inbound
from gateway.errors import QUEUE_FULL, STOPPING, STORE_DOWN, Refusal
from gateway.inbound.hashing import Hashing
from gateway.inbound.intake import Intake
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import MessageNumbers
from gateway.observer import Observer

QUEUE: Final = 20_000
"""SMS that wait for a batch, over all binds; beyond it new ones are refused."""


class InboundQueue:
    """Takes SMS until it is full, or told not to.

    no_room: why the way out takes nothing now, None when it does. changed: called when an SMS came. touched:
    called with a bind on which an answer was queued.
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
        self._hashing: Hashing | None = None
        self._paused_by = STORE_DOWN
        self._paused_until = 0.0

    def hash_with(self, hashing: Hashing) -> None:
        """SMS with passwords wait there first."""
        self._hashing = hashing

    def received(self, came: Inbound) -> None:
        """An SMS for us: taken into the queue, or answered negatively at once."""
        closed = self._closed(came.arrived)
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

    def put(self, m: MobileOriginated) -> None:
        """An SMS waits for the next batch."""
        self._waiting.append(m)
        self._changed()

    def _closed(self, now: float) -> Refusal | None:
        """Why nothing is taken now. Not raised: a shared exception would collect a traceback each time."""
        if self.stopping:
            return STOPPING
        if now < self._paused_until:
            return self._paused_by
        if len(self) >= QUEUE:
            return QUEUE_FULL
        if self._numbers.used_up:
            return STORE_DOWN
        return self._no_room()

    def refuse(self, came: Inbound, refusal: Refusal) -> None:
        """Answer an SMS negatively, where anybody is there to read it."""
        bind = came.bind
        if not bind.closed:
            status = bind.reject(came.origin, refusal.verdict)
            self._touched(bind)
            self._observer.rejected(
                bind, came.sequence, came.source, came.destination, refusal.reason, status
            )

    def pause(self, until: float, refusal: Refusal) -> None:
        """Take nothing before that moment (monotonic seconds)."""
        self._paused_until, self._paused_by = until, refusal

    def take(self, most: int, held_back: Collection[str]) -> list[MobileOriginated]:
        """The next batch, without SMS whose bind is gone: nobody was told that they were taken.

        held_back: accounts whose SMS go on waiting.
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

    def give_back(self, m: MobileOriginated) -> None:
        """An SMS is not executed after all, and may come again."""
        if self._hashing is not None:
            self._hashing.give_back(m)

    def clear(self) -> list[MobileOriginated]:
        """Take out all that waits here; what waits for a hash stays."""
        waiting, self._waiting = list(self._waiting), deque()
        return waiting

    def __bool__(self) -> bool:
        """Whether an SMS waits for a batch."""
        return bool(self._waiting)

    def __len__(self) -> int:
        """How many SMS wait here, those that wait for a hash included."""
        return len(self._waiting) + (0 if self._hashing is None else self._hashing.waiting)

    def __iter__(self) -> Iterator[MobileOriginated]:
        """All of them."""
        return chain(self._waiting, () if self._hashing is None else self._hashing)
