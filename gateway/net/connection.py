"""One TCP connection that carries a session.

The session (gateway.smpp.session) decides everything. The connection moves octets between it and an asyncio
transport, wakes it at its deadline, and passes its events to an owner. Both roles (MC and ESME) use it.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final, Protocol, cast

from gateway.net.admission import Address, address_of, peer_of
from gateway.smpp.session import Closing, Event, Session, State

HIGH_WATER = 262_144
"""Unsent octets above which we stop reading from the peer, because it does not read our responses."""


GRACE: Final = 3.0
"""Seconds that a closing connection has to send what is queued."""

TOO_MUCH: Final = "too many octets before a bind"


class Owner(Protocol):
    """The user of a connection: the listener, or a handset of the simulator."""

    def opened(self, connection: "Connection") -> None:
        """Called when the connection is open, before anything is received."""

    def received(self, connection: "Connection", events: list[Event]) -> None:
        """Called with the events that octets or timers led to.

        Answer through connection.session; connection.flush() sends the answers.
        """

    def lost(self, connection: "Connection", contexts: list[object], reason: str) -> None:
        """Called once, when the connection is gone. contexts: unanswered requests (perhaps received)."""


class Tap(Protocol):
    """Sees what passes through a connection. It raises nothing and keeps no octets without a limit."""

    def incoming(self, octets: bytes) -> None:
        """Called with octets of the peer, before the session gets them."""

    def outgoing(self, octets: bytes) -> None:
        """Called with octets that are about to be written: whole PDUs."""

    def closed(self, reason: str) -> None:
        """Called once, when the connection is gone."""


class Connection(asyncio.Protocol):
    """asyncio.Protocol around a Session. clock: returns seconds.

    address, peer_host and peer: where it comes from; an IPv4 address in IPv6 form counts as IPv4. allowance:
    octets that the peer may still send before it is cut off; None: any number. tap: None unless somebody
    watches; it may be set at any time.
    """

    def __init__(self, session: Session, owner: Owner, clock: Callable[[], float]) -> None:
        self.session = session
        self.peer = ""
        self.peer_host = ""
        self.address: Address | None = None
        self.allowance: int | None = None
        self.tap: Tap | None = None
        self._gone = False
        self._owner = owner
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._reason = ""
        self._paused = False
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the transport is ready."""
        self._transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):  # macOS refuses it when the peer has gone already
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = transport.get_extra_info("peername")
        if name:
            self.comes_from(str(name[0]), int(name[1]))
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        if self._reason:  # aborted before the transport was ready
            self._transport.abort()
            return
        self._owner.opened(self)
        self._schedule()

    def comes_from(self, host: str, port: int) -> None:
        """Set the address of the peer, as the socket names it."""
        self.address = address_of(host)
        self.peer_host = str(self.address or host)
        self.peer = peer_of(self.peer_host, port)

    @property
    def local(self) -> str:
        """Our own end, address and port; "" before there is one."""
        name = None if self._transport is None else self._transport.get_extra_info("sockname")
        return peer_of(str(address_of(str(name[0])) or name[0]), int(name[1])) if name else ""

    def data_received(self, data: bytes) -> None:
        """asyncio: octets arrived."""
        if self.tap is not None:
            self.tap.incoming(data)
        events = self.session.receive(data, self._clock())
        self._hand_over(events)
        if self.allowance is not None:
            self.allowance -= len(data)
            if self.allowance < 0:
                self.abort(TOO_MUCH)

    def eof_received(self) -> bool:
        """asyncio: the peer sends no more; half-open sessions are of no use, so the transport closes."""
        self._reason = self._reason or "closed by peer"
        self._limit_closing()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the socket is gone."""
        self._gone = True
        for timer in (self._timer, self._grace):
            if timer is not None:
                timer.cancel()
        self._timer = self._grace = None
        reason = self._reason or (f"connection error: {exc}" if exc else "closed by peer")
        if self.tap is not None:
            self.tap.closed(reason)
        self._owner.lost(self, self.session.lost(), reason)

    def pause_writing(self) -> None:
        """asyncio: the peer does not read our octets; stop reading its requests until it does."""
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """asyncio: the peer reads again."""
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def turn_into(self, session: Session, owner: Owner) -> None:
        """Go on as another session, of another owner, with what is not read yet."""
        self.flush()
        begun = self.session.begun
        self.session, self._owner = session, owner
        owner.opened(self)
        if begun:
            self._hand_over(session.receive(begun, self._clock()))
        self._schedule()

    @property
    def closed(self) -> bool:
        """Whether nothing can be answered any more: the session has ended, or the socket is gone."""
        return self._gone or self.session.state is State.CLOSED

    @property
    def clogged(self) -> bool:
        """Whether more than HIGH_WATER octets to the peer are unsent."""
        return self._paused

    def flush(self) -> None:
        """Write all that the session has queued, in one write, and reset the timer."""
        if self.session.pending_output and self._transport is not None:
            octets = self.session.output()
            if not self._transport.is_closing():
                if self.tap is not None:
                    self.tap.outgoing(octets)
                self._transport.write(octets)
        self._schedule()

    def tick(self) -> None:
        """Let the session check its timers. Called by the own timer, and by whoever moves the clock."""
        if not self._gone:
            self._hand_over(self.session.tick(self._clock()))

    def unbind(self) -> None:
        """End politely: unbind where the state allows it, else close."""
        self.session.unbind(self._clock())
        self.flush()

    def close(self, reason: str) -> None:
        """Close after writing what is queued, at the latest after GRACE seconds."""
        self._reason = self._reason or reason
        self.flush()
        if self._transport is not None:
            self._transport.close()
            self._limit_closing()

    def _limit_closing(self) -> None:
        """Abort after GRACE seconds: a peer that does not read must not keep its connection for ever."""
        if self._grace is None and not self._gone:
            self._grace = self._loop.call_later(GRACE, self.abort, "peer does not read")

    def abort(self, reason: str) -> None:
        """Close at once; what is queued is lost."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def _hand_over(self, events: list[Event]) -> None:
        if events:
            self._owner.received(self, events)
            last = events[-1]
            if type(last) is Closing:
                self.close(last.reason)
                return
        self.flush()

    def _schedule(self) -> None:
        """Set the timer. Deadlines mostly move later, so a timer that fires early just sets itself again."""
        if self._gone:
            return
        deadline = self.session.deadline()
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline != float("inf"):
            self._timer_at = deadline
            self._timer = self._loop.call_at(
                self._loop.time() + max(0.0, deadline - self._clock()), self._wake
            )

    def _wake(self) -> None:
        self._timer = None
        self.tick()
