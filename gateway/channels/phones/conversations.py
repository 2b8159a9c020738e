"""What phones of the page have sent and received. In memory only: the store has every SMS, these are lost at
a restart."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from gateway.errors import Verdict
from routing.ranges import MobileRanges

KEPT: Final = 200
"""SMS that are kept of one phone."""
PHONES: Final = 1_000
"""Phones of which SMS are kept; the one that was used longest ago is forgotten first."""


class State(Enum):
    """How far an SMS is, as its phone knows it."""

    UNDER_WAY = "under way"
    SENT = "sent"  # stored and executed
    FAILED = "failed"  # not taken
    UNKNOWN = "unknown"  # its bind has ended before it was answered
    RECEIVED = "received"


@dataclass(slots=True, eq=False)
class PhoneSms:
    """One SMS as its phone shows it.

    phone: its number. serial: its place among all SMS of the page. at: ms since the epoch. other: the number
    that it was sent to, or came from. message_id: "" while it has none. verdict: why it failed. revision:
    higher with each change, over all phones.
    """

    phone: str
    serial: int
    at: int
    other: str
    text: str = field(repr=False)  # it may be a password
    state: State
    message_id: str = ""
    verdict: Verdict | None = None
    revision: int = 0

    @property
    def received(self) -> bool:
        """Whether it came to the phone."""
        return self.state is State.RECEIVED


class Conversations:
    """The SMS of all phones. numbers: those that there are phones for."""

    def __init__(self, numbers: MobileRanges) -> None:
        self.numbers = numbers
        self.revision = 0
        self._serial = 0
        self._by_phone: dict[str, deque[PhoneSms]] = {}
        self._watchers: set[asyncio.Event] = set()

    def add(self, phone: str, at: int, other: str, text: str, state: State, message_id: str = "") -> PhoneSms:
        """Keep an SMS; the oldest one of the phone may go for it."""
        self._serial += 1
        sms = PhoneSms(phone, self._serial, at, other, text, state, message_id)
        kept = self._by_phone.pop(phone, None)
        if kept is None:
            kept = deque(maxlen=KEPT)
            if len(self._by_phone) >= PHONES:
                del self._by_phone[next(iter(self._by_phone))]
        self._by_phone[phone] = kept
        kept.append(sms)
        self.changed(sms)
        return sms

    def changed(self, sms: PhoneSms) -> None:
        """Tell whoever watches that an SMS is new, or that its state is."""
        self.revision += 1
        sms.revision = self.revision
        for watcher in self._watchers:
            watcher.set()

    def of(self, phone: str, after: int = 0) -> list[PhoneSms]:
        """The SMS of a phone, the oldest first. after: only those with a higher revision."""
        return [sms for sms in self._by_phone.get(phone, ()) if sms.revision > after]

    @property
    def used(self) -> list[str]:
        """The phones that have SMS, the one that was used last first."""
        return list(reversed(self._by_phone))

    @contextlib.contextmanager
    def watched(self) -> Iterator[asyncio.Event]:
        """An event that is set at each change; whoever waits clears it."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            yield event
        finally:
            self._watchers.discard(event)

    async def settled(self, sms: PhoneSms) -> None:
        """Wait until an SMS is under way no longer."""
        with self.watched() as event:
            while sms.state is State.UNDER_WAY:
                event.clear()
                await event.wait()
