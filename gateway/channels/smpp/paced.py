"""Binds with a pace: those of links, and those of accounts whose peers say how busy they are (SMPP 5.0)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final

from gateway.channels.contract import ChannelOwner
from gateway.channels.smpp.bind import SmppBind
from gateway.channels.smpp.pacing import Pace
from gateway.channels.smpp.resting import OF_ONE_SMS, THROTTLING, Rest
from gateway.channels.smpp.settings import LinkSettings
from gateway.channels.smpp.traffic import Traffic
from gateway.message import MobileTerminated
from gateway.observer import Observer
from gateway.smpp.pdu import Pdu
from gateway.smpp.session import Side, State

HOP: Final = 0.25
"""Seconds that an alarm waits at most without a look at the clock, which a test may move."""


class Alarm:
    """Rings once at a time of a monotonic clock (seconds), in the event loop's thread."""

    def __init__(self, monotonic: Callable[[], float], ring: Callable[[], None]) -> None:
        self._monotonic = monotonic
        self._ring = ring
        self._at = inf
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def set(self, at: float) -> None:
        """Ring then, or earlier where it was to ring earlier."""
        if at < self._at:
            self.cancel()
            self._at = at
            self._wait()

    def cancel(self) -> None:
        """Do not ring."""
        self._at = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        left = self._at - self._monotonic()
        self._timer = self._loop.call_later(min(HOP, max(0.0, left)), self._look)

    def _look(self) -> None:
        if self._monotonic() < self._at:
            self._wait()
            return
        self._at, self._timer = inf, None
        self._ring()


def pace(bind: "PacedBind", owner: ChannelOwner, observer: Observer) -> None:
    """Begin with a bind, before it is told of: its alarm tells the owner when SMS may leave again."""

    def ring() -> None:
        rest, now = bind.rest, bind.monotonic()
        if rest is not None and rest.see(now):
            observer.link_rested(bind.link)
            if bind.receives:
                owner.ready(bind)
        elif rest is not None and rest.rests:
            alarm.set(rest.until)
        owner.settled(bind)
        bind.wake_up(bind.monotonic())  # what came before may have taken the token for which it rang

    alarm = bind.alarm = Alarm(bind.monotonic, ring)
    if bind.rest is not None and bind.rest.rests and bind.carries:  # of a pair the transmitter alone
        alarm.set(bind.rest.until)


def rest_of(link: LinkSettings) -> Rest:
    """The breaker of a link: one for all its binds, one after the other."""
    return Rest(link.breaker.share, link.breaker.least, link.breaker.rest)


@dataclass(slots=True, eq=False)
class PacedBind(SmppBind):
    """A bind on which SMS leave at a pace. monotonic: seconds. rest: of its link, None for none. alarm: told
    by pace() when SMS may leave again; None: nobody is told."""

    pace: Pace = field(default_factory=Pace)
    monotonic: Callable[[], float] = field(default=lambda: 0.0)
    rest: Rest | None = None
    alarm: Alarm | None = None

    @property
    def carries(self) -> bool:
        """Whether its mode takes SMS to handsets, and it is not unbinding."""
        state, one_way = self.session.state, State.BOUND_RX
        if self.session.side is Side.ESME:
            one_way = State.BOUND_TX
        return state is State.BOUND_TRX or state is one_way

    @property
    def receives(self) -> bool:
        """Whether its mode takes SMS, and it neither ends nor rests."""
        return self.carries and not self.ending and not (self.rest is not None and self.rest.rests)

    @property
    def room(self) -> int:
        """Free places of the window, as many as the pace and the breaker let leave now."""
        free = min(self.session.window_free - self.held, self.pace.room(self.monotonic()))
        most = None if self.rest is None else self.rest.most
        return max(0, free if most is None else min(free, most))

    @property
    def _unanswered(self) -> int:
        return self.session.limits.window_out - self.session.window_free

    def send(self, sms: MobileTerminated, now: float) -> None:
        """As the writer does it, counted."""
        SmppBind.send(self, sms, now)
        if self.rest is not None:
            self.rest.left()
        self.pace.left(now, self._unanswered)
        self.wake_up(now)

    def slow_down(self) -> None:
        """As the pace does it."""
        now = self.monotonic()
        self.pace.throttled(now, self._unanswered)
        self.wake_up(now)

    def congested(self, state: int) -> None:
        """As the pace does it."""
        now = self.monotonic()
        self.pace.congested(state, now, self._unanswered)
        self.wake_up(now)

    def stop(self) -> None:
        """End the timer; an SMS that decides about the link has not decided."""
        if self.alarm is not None:
            self.alarm.cancel()
        if self.rest is not None:
            self.rest.passed_over()

    def wake_up(self, now: float) -> None:
        """See that SMS leave when they may again."""
        if self.alarm is not None and self.pace.room(now) <= 0:
            self.alarm.set(self.pace.next(now))

    def describe(self, now: float) -> dict[str, object]:
        """With its pace (SMS a second), and for how long its link rests."""
        said = SmppBind.describe(self, now)
        if self.pace.limit != inf:
            said["pace"] = round(self.pace.limit, 1)
        if self.rest is not None and self.rest.rests:
            said["rests_s"] = round(max(0.0, self.rest.until - now), 1)
        return said


class PacedTraffic(Traffic):
    """Traffic of binds that have a breaker: of links."""

    def answered(self, bind: SmppBind, context: object, response: Pdu) -> None:
        """An SMS to a handset was answered; the breaker counts it before it is told."""
        if isinstance(bind, PacedBind) and isinstance(context, MobileTerminated):
            status = response.command_status
            if bind.rest is None:
                pass
            elif status == 0:
                bind.rest.taken(self._monotonic())
            elif status in OF_ONE_SMS or status in THROTTLING:
                bind.rest.passed_over()
            else:
                self._fail(bind, bind.rest)
        super().answered(bind, context, response)

    def timed_out(self, bind: SmppBind, context: object) -> None:
        """An SMS to a handset was not answered in time."""
        if isinstance(bind, PacedBind) and bind.rest is not None and isinstance(context, MobileTerminated):
            self._fail(bind, bind.rest)
        super().timed_out(bind, context)

    def _fail(self, bind: PacedBind, rest: Rest) -> None:
        seconds = rest.failed(self._monotonic())
        if seconds:
            self._observer.link_resting(bind.link, seconds)
            if bind.alarm is not None:
                bind.alarm.set(rest.until)
