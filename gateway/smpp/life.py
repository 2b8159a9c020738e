"""How one session lives and ends: its state, its timers, its unbind, the requests that it sends for itself.

The half of a session that needs no message; ``session`` is the other one. A request without a response in
time is reported (TimedOut) only when the peer has answered a later one. Else an enquire_link asks whether it
lives: its response lets those before it time out; without one the session is over, and ``silent``. What has
timed out is remembered (Overdue): its response, if one comes, is told as Late.
"""

from math import inf
from typing import Final

from gateway.smpp.events import Closing, Event, Noted, TimedOut
from gateway.smpp.operations import MAY_SEND, Side, State
from gateway.smpp.pdu import Request, Response
from gateway.smpp.pdus import EnquireLink, GenericNack, Unbind, UnbindResp
from gateway.smpp.status import CommandStatus
from gateway.smpp.timers import Marks, Timers, due
from gateway.smpp.transitions import BOUND, Happening, next_state
from gateway.smpp.versions import V34, ways_of
from gateway.smpp.window import Overdue, ReadMarks, Window, not_after
from gateway.smpp.wire import RESPONSE_BIT

OURS: Final = object()
"""The context of the requests that a session sends for itself."""

_BINDS: Final = frozenset(response & ~RESPONSE_BIT for response in BOUND)
_SESSION_OWN: Final = frozenset({EnquireLink.command_id, Unbind.command_id})
_ENDING_TIMERS: Final = {"session_init": Happening.SESSION_INIT, "pdu_read": Happening.PDU_READ}


class Life:
    """State, time and end of a session. ``silent``: it ended because the peer answered nothing any more."""

    __slots__ = (
        "_accepts", "_closing", "_encode", "_enquired_at", "_marks", "_now", "_out", "_overdue",
        "_owed", "_owed_octets", "_own", "_read", "_sends", "_serves", "_unbind_at",
        "_unbind_received", "_unbind_wanted", "_was_owing", "_window", "side", "silent", "state",
        "timers",
    )  # fmt: skip

    def __init__(self, side: Side, now: float, serves: frozenset[int], timers: Timers) -> None:
        self.side = side
        self.timers = timers
        self.silent = False
        self._serves = serves
        self._now = now
        self._marks = Marks(session_init=now if side is Side.MC else inf)
        self._window = Window()
        self._overdue = Overdue()
        self._read = ReadMarks()
        self._own = 0  # requests of the session itself in the window: at most one of each of these
        self._enquired_at = self._unbind_at = inf
        self._owed: dict[int, Request] = {}  # by id(): peers use a sequence_number twice
        self._owed_octets = 0
        self._unbind_received: Unbind | None = None
        self._was_owing = False  # when it came
        self._unbind_wanted = False
        self._closing: Closing | None = None
        self._out = bytearray()
        self._encode = ways_of(V34, None)[0]
        self._enter(State.OPEN)

    @property
    def asking(self) -> bool:
        """Whether the session's own enquire_link or unbind waits for its response."""
        return self._own > 0

    @property
    def sent_sequence(self) -> int:
        """The sequence_number of the newest request that we queued, the session's own included; 0 at first.

        What is queued now stands behind that request in our octet stream, and before the next one.
        """
        return self._window.sequence

    def read_before(self, moment: float) -> int:
        """The sequence_number of the newest request of ours, the session's own included, whose response had
        come at or before that moment; 0 for none. The peer has read all that we queued before that request.

        Newest is by the order of sending; compare with window.not_after, the numbers begin again. For a
        moment more than 10 s ago it may tell an older one, never a newer one. Known after the end as well.
        """
        return self._read.before(moment)

    def unbind(self, now: float) -> None:
        """End the session politely: no more requests either way; unbind leaves once nothing is owed.

        Before a bind there is nothing to take back: the session is over, and tick() says so.
        """
        self._now = now
        if self.state is State.OPEN:
            self._close(Happening.END_WANTED, "ended before a bind")
        elif self.state not in (State.UNBOUND, State.CLOSED):
            self._unbind_wanted = True
            self._step(Happening.END_WANTED)
            self._end_when_answered()

    def lost(self) -> list[object]:
        """The connection is gone: the contexts of the requests without a response, oldest first, once."""
        self._step(Happening.CONNECTION_LOST)
        self._closing = None
        self._owed.clear()
        self._owed_octets = self._own = 0
        return [request.context for request in self._window.clear() if request.context is not OURS]

    # State

    def _bound(self, response: Response) -> None:
        """A bind was answered with ROK, by us or by the peer."""
        if self.state is not State.OPEN:
            return
        self._marks.session_init = inf
        self._marks.enquire_link = self._marks.inactivity = self._now
        self._step(BOUND[response.command_id])

    def _step(self, happening: Happening) -> None:
        """Raises NotAllowedError when that cannot happen in this state; then nothing has changed."""
        self._enter(next_state(self.state, happening))

    def _enter(self, state: State) -> None:
        self.state = state
        self._sends = MAY_SEND[self.side][state] - _SESSION_OWN
        self._accepts = self._serves & MAY_SEND[self.side.peer][state] - _SESSION_OWN - _BINDS

    def _end_when_answered(self) -> None:
        """In state UNBOUND: what is owed is answered first, then unbind goes its way."""
        if self._owed:
            return
        if self._unbind_received is not None:
            self._respond(self._unbind_received, CommandStatus.ROK)
            self._close(Happening.UNBIND_SERVED, "unbound by peer", polite=not self._was_owing)
        elif self._unbind_wanted:
            self._unbind_wanted = False
            self._unbind_at = self._now
            self._own += 1
            self._send(Unbind(), OURS, self._now)

    def _close(self, happening: Happening, reason: str, *, polite: bool = False) -> None:
        """Nothing is read or sent from now on; the owner hears of it with the next events."""
        self._step(happening)
        self._closing = Closing(reason, polite)

    def _finish(self, events: list[Event]) -> list[Event]:
        if self._closing is not None:
            events.append(self._closing)
            self._closing = None
        return events

    def _unbind_asked(self, request: Unbind) -> None:
        """The peer ends the session."""
        self._unbind_received = request
        self._was_owing = bool(self._owed)
        self._step(Happening.UNBIND_RECEIVED)
        self._end_when_answered()

    # Requests and responses of its own

    def _send(self, request: Request, context: object, now: float) -> int:
        self._now = now
        sequence = request.sequence_number = self._window.next_sequence()
        self._out += self._encode(request)
        if request.response is not None:
            self._window.add(sequence, now, context, request.response.command_id)
        return sequence

    def _respond(self, request: Request, status: int) -> None:
        response_class = request.response or GenericNack
        self._out += self._encode(
            response_class(command_status=status, sequence_number=request.sequence_number)
        )

    def _own_answered(self, response_id: int, events: list[Event]) -> None:
        """The response to a request of the session itself has come."""
        self._own -= 1
        if response_id == UnbindResp.command_id:
            self._close(Happening.UNBIND_ANSWERED, "unbound", polite=True)
        else:
            self._enquired_at, self._marks.enquire_link = inf, self._now
            self._time_out_requests(events)

    # Time

    def _waits_since(self) -> float:
        """From when the response timer runs. While the peer is asked whether it lives, that is what counts:
        requests that are late wait for its answer, and those behind the question end behind it."""
        return min(self._enquired_at, self._unbind_at) if self._own else self._window.oldest()

    def _see_timers(self, events: list[Event]) -> None:
        """What has become due, to the end of the session."""
        self._marks.response = self._waits_since()
        for name in due(self.timers, self._marks, self._now):
            self._time_out(name, events)
            if self._closing is not None:
                break

    def _time_out(self, timer: str, events: list[Event]) -> None:
        match timer:
            case "response" if self._own:
                self.silent = True
                what = "enquire_link" if self._enquired_at <= self._unbind_at else "unbind"
                self._close(Happening.SILENCE, f"{what} not answered")
            case "response":
                self._time_out_requests(events)
            case "enquire_link":
                self._enquire()
            case "inactivity":
                self._marks.inactivity = inf
                events.append(Noted("inactivity"))
                self.unbind(self._now)
            case _:
                self._close(_ENDING_TIMERS[timer], f"{timer} timer")

    def _time_out_requests(self, events: list[Event]) -> None:
        """Report the late requests that the peer has passed over; for others ask whether it lives."""
        late = self._window.expired(self.timers.response, self._now)
        newest = self._read.newest
        for sequence, request in late:
            # Before a bind nobody asks: the only request there is the bind.
            if not_after(sequence, newest) or self.state is State.OPEN:
                self._window.remove(sequence)
                self._overdue.add(sequence, request)
                events.append(TimedOut(request.context))
            else:  # nor has it passed over those behind
                self._enquire()
                return

    def _enquire(self) -> None:
        """Ask whether the peer lives, unless it is being asked."""
        if self._enquired_at == inf:
            self._marks.enquire_link = inf  # until it is answered
            self._enquired_at = self._now
            self._own += 1
            self._send(EnquireLink(), OURS, self._now)
