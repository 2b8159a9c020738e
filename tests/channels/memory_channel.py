"""A channel in memory: handsets are objects, their text goes in as UTF-16, and SMS come out as text."""

from asyncio import Future, get_running_loop
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway.channels.contract import ChannelOwner, Inbound, Loss
from gateway.errors import Verdict
from gateway.message import MobileTerminated


class Utf16:  # an Alphabet and a Composer
    def decode(self, octets: bytes, _data_coding: int) -> str:
        return octets.decode("utf-16-be")

    in_doubt = property(lambda _: lambda *_: False)

    def join(self, parts: Sequence[tuple[bytes, int]]) -> str:
        return b"".join(octets for octets, _ in parts).decode("utf-16-be")

    def compose(self, sms: MobileTerminated) -> Sequence[object]:
        return [sms.text]


class MemoryBind:  # refuses: why no SMS is taken ("later": not now; "silent": nothing is answered)
    account, peer, link, refuses, response_timeout, mark, held_answers = "memory", "hands", "", "", 60.0, 0, 0
    reply_on, held, if_unanswered, receipts = 0, 0, "repeat", None
    closed = property(lambda self: self not in self.channel.binds)
    messages_out = property(lambda self: len(self.inbox))
    room = property(lambda self: self.window - len(self.unanswered))
    abort = property(lambda self: lambda reason: self.channel.abort(reason, [self]))

    def __init__(self, channel: "MemoryChannel", receives: bool, window: int) -> None:
        self.channel, self.receives, self.window = channel, receives, window
        self.number, self.messages_in, self.queued = next(channel.numbers), 0, list[Any]()
        self.inbox, self.unanswered = list[tuple[str, str, str]](), list[MobileTerminated]()

    asks_for = property(lambda _: lambda _msisdn: None)
    given_id = property(lambda _: lambda message_id, _origin=None: message_id)
    has_read = property(lambda _: lambda *_: True)

    def describe(self, _now: float) -> dict[str, object]:
        return {"system_id": self.account, "remote": self.peer, "window_out": len(self.unanswered)}

    def submit(self, msisdn: str, to: str, text: str) -> "Future[str]":  # message id or name of a Verdict
        self.messages_in += 1
        held, raw, now = get_running_loop().create_future(), text.encode("utf-16-be"), self.channel.now()
        self.channel.owner.received(Inbound(self, held, 0, now, msisdn, 0, 1, to, 0, 1, 0, 8, raw, Utf16()))
        return held

    def accept(self, origin: Any, message_id: str) -> None:
        self.queued.append((origin.set_result, message_id))

    def reject(self, origin: Any, verdict: Verdict) -> str:
        self.accept(origin, verdict.name)
        return verdict.name

    tell = property(lambda self: lambda enquiry, told: self.accept(enquiry.origin, told))

    def send(self, sms: MobileTerminated, _now: float) -> None:
        self.unanswered.append(sms)
        self.queued.append((self.arrive, sms))

    def flush(self) -> None:
        while self.queued:
            get_running_loop().call_soon(*self.queued.pop(0))

    def arrive(self, sms: MobileTerminated) -> None:
        if self.closed or self.refuses == "silent":
            return
        self.unanswered.remove(sms)
        if self.refuses:
            self.channel.owner.refused(self, sms, self.refuses, retry=self.refuses == "later")
        else:
            self.inbox.append((sms.msisdn, sms.source, sms.text))
            self.channel.owner.sent(self, sms, "")
        self.channel.owner.settled(self)


class MemoryChannel:
    def __init__(self, owner: ChannelOwner, _: Any, now: Callable[[], float], numbers: Iterator[int]) -> None:
        self.owner, self.now, self.numbers, self.binds = owner, now, numbers, list[MemoryBind]()

    async def start(self) -> dict[str, object]:
        return {}

    def bind(self, *, receives: bool = True, window: int = 10) -> MemoryBind:
        self.binds.append(bind := MemoryBind(self, receives, window))
        self.owner.bound(bind)
        self.owner.ready(bind)
        return bind

    def close(self) -> None: ...

    def abort(self, reason: str = "unbound", binds: Sequence[MemoryBind] | None = None) -> None:
        for bind in [each for each in binds or self.binds if not each.closed]:
            self.binds.remove(bind)
            self.owner.lost(bind, bind.unanswered, Loss(reason, polite=reason == "unbound"))
        self.owner.disconnected()

    unbind, connections = abort, property(lambda self: len(self.binds))
