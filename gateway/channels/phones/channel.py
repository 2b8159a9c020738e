"""The driver: one bind for all phones of the page.

An SMS of a phone is one Inbound in UCS-2, however long. Only SMS to phones leave through its account
(gateway.processing.addressing); one for a number that there is no phone for is refused for good.
"""

import asyncio
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Final

from gateway.channels.contract import ChannelOwner, Inbound, Loss
from gateway.channels.local import LocalBind
from gateway.channels.phones.conversations import Conversations, PhoneSms, State
from gateway.errors import Verdict
from gateway.message import MobileTerminated, message_id
from gateway.observer import Observer
from gateway.settings import PHONES_ACCOUNT

LONGEST: Final = 670
"""UTF-16 units of a text: ten SMS of a handset."""
UNDER_WAY: Final = 10
"""SMS of one phone that may wait for their answer."""
WINDOW: Final = 100
"""SMS that may be unanswered on the bind."""
RESPONSE_TIMEOUT: Final = 60.0
"""Seconds after which an SMS to a phone counts as unanswered."""
_UCS2: Final = 8
_DIALLED: Final = frozenset("0123456789+*#")
_LONGEST_NUMBER: Final = 21
NO_PHONE: Final = "there is no phone with this number"


class Fault(Enum):
    """Why a phone cannot send an SMS."""

    NO_PHONE = "there is no phone with this number"
    NO_NUMBER = "the number has something else than digits, or more than 21 of them"
    EMPTY = "there is no text"
    TOO_LONG = "the text is too long"
    UNREADABLE = "the text has half a character"
    BUSY = "too many SMS of this phone wait for their answer"
    STOPPING = "the gateway stops"


class NotSubmitted(Exception):
    """An SMS did not leave its phone."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Text:
    """Alphabet and composer of phones: UTF-16, and an SMS in one part, however long."""

    def decode(self, octets: bytes, data_coding: int) -> str:
        """The text."""
        del data_coding
        return octets.decode("utf-16-be")

    def in_doubt(self, octets: bytes, data_coding: int) -> bool:
        """Never: there is no padding."""
        del octets, data_coding
        return False

    def join(self, parts: Sequence[tuple[bytes, int]]) -> str:
        """The text of all."""
        return "".join(self.decode(*part) for part in parts)

    def compose(self, sms: MobileTerminated) -> Sequence[object]:
        """One part."""
        return [sms.text]


TEXT: Final = Text()


class PhonesBind(LocalBind):
    """The phones of a page, as one bind."""

    def __init__(self, channel: "PhonesChannel", number: int, window: int, *, receives: bool) -> None:
        super().__init__(
            number, PHONES_ACCOUNT, "console", response_timeout=RESPONSE_TIMEOUT, if_unanswered="repeat"
        )
        self.receives = receives
        self.closed = False
        self.waiting: dict[int, PhoneSms] = {}  # came from phones and are not answered, by serial
        self.unanswered: dict[int, MobileTerminated] = {}  # by number, oldest first
        self._channel = channel
        self._window = window
        self._queued: list[tuple[Callable[..., None], tuple[object, ...]]] = []
        self._since = self._last = channel.monotonic()

    @property
    def room(self) -> int:
        """Free places of the window."""
        return self._window - len(self.unanswered)

    def accept(self, origin: object, message_id: str) -> None:
        """Sent."""
        self._queued.append((self._answer, (origin, State.SENT, message_id, None)))

    def reject(self, origin: object, verdict: Verdict) -> str:
        """Failed."""
        self._queued.append((self._answer, (origin, State.FAILED, "", verdict)))
        return verdict.name

    def send(self, sms: MobileTerminated, now: float) -> None:
        """To its phone."""
        self._last = now
        self.unanswered[sms.number] = sms
        self._queued.append((self._channel.arrived, (self, sms)))

    def flush(self) -> None:
        """What was queued is done with the next turn of the loop: nobody is called back from a call."""
        if self._queued:
            queued, self._queued = self._queued, []
            asyncio.get_running_loop().call_soon(self._write, queued)

    def abort(self, reason: str) -> None:
        """End it."""
        self._channel.lose(self, Loss(reason, silent=True))

    def taken(self, sms: MobileTerminated) -> None:
        """A phone has taken an SMS."""
        if self.unanswered.pop(sms.number, None) is not None:
            self.messages_out += sms.parts_done + 1 == sms.parts
            self._channel.owner.sent(self, sms, "")
            self._channel.owner.settled(self)

    def refused(self, sms: MobileTerminated, reason: str, *, retry: bool) -> None:
        """No phone has taken it."""
        if self.unanswered.pop(sms.number, None) is not None:
            self._channel.owner.refused(self, sms, reason, retry=retry)
            self._channel.owner.settled(self)

    def describe(self, now: float) -> dict[str, object]:
        """As those of SMPP binds."""
        return {
            "system_id": self.account,
            "link": self.link,
            "remote": self.peer,
            "mode": "phones",
            "address_range": "",
            "bound_s": round(now - self._since, 1),
            "window_in": len(self.waiting),
            "window_in_limit": UNDER_WAY * len(self._channel.conversations.numbers),
            "window_out": len(self.unanswered),
            "window_out_limit": self._window,
            "messages_in": self.messages_in,
            "messages_out": self.messages_out,
            "throttled": 0,
            "last_pdu_s": round(now - self._last, 1),
        }

    def submit(self, sms: PhoneSms) -> None:
        """Hand over what a phone sends."""
        now = self._last = self._channel.monotonic()
        self.messages_in += 1
        self.waiting[sms.serial] = sms
        octets = sms.text.encode("utf-16-be")
        sequence = sms.serial & 0x7FFFFFFF
        self._channel.owner.received(
            Inbound(self, sms, sequence, now, sms.phone, 0, 1, sms.other, 0, 1, 0, _UCS2, octets, TEXT)
        )
        self.flush()  # it may have been refused at once

    def _write(self, queued: Sequence[tuple[Callable[..., None], tuple[object, ...]]]) -> None:
        for call, what in queued:
            if not self.closed:
                call(*what)

    def _answer(self, sms: PhoneSms, state: State, number: str, verdict: Verdict | None) -> None:
        self.waiting.pop(sms.serial, None)
        sms.state, sms.message_id, sms.verdict = state, number, verdict
        self._channel.conversations.changed(sms)


class PhonesChannel:
    """A Channel (gateway.channels.contract). now_ms: the time of day."""

    def __init__(
        self,
        conversations: Conversations,
        now_ms: Callable[[], int],
        owner: ChannelOwner,
        observer: Observer,
        monotonic: Callable[[], float],
        numbers: Iterator[int],
    ) -> None:
        self.conversations = conversations
        self.owner = owner
        self.monotonic = monotonic
        self.binds: list[PhonesBind] = []
        self._now_ms = now_ms
        self._observer = observer
        self._numbers = numbers
        self._open = False

    async def start(self) -> dict[str, object]:
        """One bind for all phones."""
        self._open = True
        self.bind()
        return {"phones": len(self.conversations.numbers)}

    def bind(self, window: int = WINDOW, *, receives: bool = True) -> PhonesBind:
        """One more bind."""
        bind = PhonesBind(self, next(self._numbers), window, receives=receives)
        self.binds.append(bind)
        self._observer.bind_accepted(bind, "phones", "")
        self.owner.bound(bind)
        self.owner.ready(bind)
        return bind

    @property
    def connections(self) -> int:
        """Its binds."""
        return len(self.binds)

    def close(self) -> None:
        """Phones send nothing any more; what is under way goes on."""
        self._open = False

    def unbind(self) -> None:
        """Phones have read all that we wrote."""
        for bind in list(self.binds):
            self.lose(bind, Loss("unbound", polite=True))

    def abort(self, reason: str) -> None:
        """End all binds."""
        self._open = False
        for bind in list(self.binds):
            bind.abort(reason)

    def lose(self, bind: PhonesBind, loss: Loss) -> None:
        """A bind is gone; while the gateway runs there is another one at once. May be called twice."""
        if bind.closed:
            return
        bind.closed = True
        self.binds.remove(bind)
        for sms in bind.waiting.values():
            sms.state = State.UNKNOWN
            self.conversations.changed(sms)
        unanswered = list(bind.unanswered.values())
        self._observer.bind_closed(bind, loss.reason, len(unanswered))
        self.owner.lost(bind, unanswered, loss)
        self.owner.disconnected()
        if self._open:  # with the next turn: whoever ended the bind is not ready for another one
            asyncio.get_running_loop().call_soon(self._again)

    def submit(self, phone: str, to: str, text: str) -> PhoneSms:
        """A phone sends an SMS; what becomes of it is seen in its state. Raises NotSubmitted."""
        to, text = to.strip(), _typed(text)
        if phone not in self.conversations.numbers:
            raise NotSubmitted(Fault.NO_PHONE)
        if not (0 < len(to) <= _LONGEST_NUMBER and _DIALLED.issuperset(to)):
            raise NotSubmitted(Fault.NO_NUMBER)
        if not text.strip():
            raise NotSubmitted(Fault.EMPTY)
        if not self._open:
            raise NotSubmitted(Fault.STOPPING)
        self._again()
        bind = self.binds[-1]
        if sum(each.phone == phone for each in bind.waiting.values()) >= UNDER_WAY:
            raise NotSubmitted(Fault.BUSY)
        sms = self.conversations.add(phone, self._now_ms(), to, text, State.UNDER_WAY)
        bind.submit(sms)
        return sms

    def arrived(self, bind: PhonesBind, sms: MobileTerminated) -> None:
        """An SMS has come to its phone."""
        if sms.msisdn not in self.conversations.numbers:
            bind.refused(sms, NO_PHONE, retry=False)
            return
        number = message_id(sms.number)
        self.conversations.add(sms.msisdn, self._now_ms(), sms.source, sms.text, State.RECEIVED, number)
        bind.taken(sms)

    def _again(self) -> None:
        if self._open and not self.binds:
            self.bind()


def _typed(text: str) -> str:
    """What a keypad can write of a text: no control characters but the end of a line.

    Raises NotSubmitted where half of a character is missing, or it is too long.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(each for each in text if each == "\n" or unicodedata.category(each) != "Cc")
    try:
        units = len(text.encode("utf-16-be")) // 2
    except UnicodeEncodeError:
        raise NotSubmitted(Fault.UNREADABLE) from None
    if units > LONGEST:
        raise NotSubmitted(Fault.TOO_LONG)
    return text
