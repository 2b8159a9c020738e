"""One SMPP session without I/O: octets in, events out; requests in, octets out. Time is handed in.

The same class serves both sides. It answers by itself what needs no knowledge of messages: enquire_link,
unbind, malformed and misplaced requests, a peer that sends more than its window. Everything else
becomes an event. Memory is bounded by ``Limits``; output is bounded by what the owner answers and sends,
which it stops doing while ``pending_output`` grows.

A request without a response in time is reported (TimedOut) only when the peer has answered a later one. Else
an enquire_link asks whether it lives: its response lets those before it time out; without one the session is
over, and ``silent``.
"""

from math import inf
from typing import Final

from gateway.smpp.buffers import Held, Limits, Output
from gateway.smpp.codec import decode
from gateway.smpp.errors import FrameError, NotAllowedError, WindowFullError
from gateway.smpp.events import Answered, Closing, Event, Noted, Refused, TimedOut
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.malformed import answer_to
from gateway.smpp.operations import MAY_SEND, Side, State, may_receive
from gateway.smpp.pdu import Request, Response
from gateway.smpp.pdus import (
    BindRequest,
    BindResponse,
    EnquireLink,
    GenericNack,
    Unbind,
    UnbindResp,
)
from gateway.smpp.status import CommandStatus
from gateway.smpp.timers import Marks, Timers, deadline, due
from gateway.smpp.transitions import BOUND, Happening, next_state
from gateway.smpp.window import ReadMarks, Window, not_after
from gateway.smpp.wire import RESPONSE_BIT

__all__ = [
    "Answered", "Closing", "Event", "Limits", "Noted", "Refused", "Session", "Side", "State", "TimedOut",
    "Timers",
]  # fmt: skip

_BINDS: Final = frozenset(response & ~RESPONSE_BIT for response in BOUND)
_SESSION_OWN: Final = frozenset({EnquireLink.command_id, Unbind.command_id})
_OURS: Final = object()  # the context of the requests that the session sends for itself
_ENDING_TIMERS: Final = {"session_init": Happening.SESSION_INIT, "pdu_read": Happening.PDU_READ}

_TIMERS: Final = Timers()
_LIMITS: Final = Limits()


class Session:
    """A session from the connection to its end. All times are seconds on one clock that never goes back.

    ``serves`` are the command_ids of the requests that the owner handles; another request that the table
    knows is answered with RINVCMDID.
    ``silent``: the session ended because the peer answered nothing any more.
    """

    __slots__ = (
        "_accepts", "_binding", "_closing", "_enquired_at", "_held", "_limits", "_marks", "_now", "_out",
        "_owed", "_owed_octets", "_own", "_read", "_sends", "_serves", "_splitter", "_unbind_at",
        "_unbind_received", "_unbind_wanted", "_was_owing", "_window",
        "last_received", "side", "silent", "state", "timers",
    )  # fmt: skip

    def __init__(
        self,
        side: Side,
        *,
        now: float,
        serves: frozenset[int],
        timers: Timers = _TIMERS,
        limits: Limits = _LIMITS,
    ) -> None:
        self.side = side
        self.timers = timers
        self.last_received = now
        self.silent = False
        self._serves = serves
        self._now = now
        self._marks = Marks(session_init=now if side is Side.MC else inf)
        self._splitter = FrameSplitter()
        self.limits = limits
        self._window = Window()
        self._read = ReadMarks()
        self._own = 0  # requests of the session itself in the window: at most one of each of these
        self._enquired_at = self._unbind_at = inf
        self._owed: dict[int, Request] = {}  # by id(): peers use a sequence_number twice
        self._owed_octets = 0
        self._binding = False  # a bind is with the owner
        self._held = Held()  # what came behind it
        self._unbind_received: Unbind | None = None
        self._was_owing = False  # when it came
        self._unbind_wanted = False
        self._closing: Closing | None = None
        self._out = Output()
        self._enter(State.OPEN)

    @property
    def limits(self) -> Limits:
        """May be replaced at any time; what is already there stays."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        self._splitter.limit = limits.max_pdu

    @property
    def window_free(self) -> int:
        """How many requests send() takes before it raises WindowFullError."""
        return max(0, self._limits.window_out - len(self._window) + self._own)

    @property
    def owed(self) -> int:
        """Requests of the peer that wait for answer() or refuse()."""
        return len(self._owed)

    @property
    def asking(self) -> bool:
        """Whether the session's own enquire_link or unbind waits for its response."""
        return self._own > 0

    @property
    def pending_output(self) -> int:
        """Octets that output() would give."""
        return self._out.octets

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

    # What comes in

    def receive(self, data: bytes, now: float) -> list[Event]:
        """What the peer's octets mean. No octets raise anything."""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return self._finish(events)
        self._now = self.last_received = now
        marks = self._marks
        if marks.enquire_link != inf:
            marks.enquire_link = now
        broken = None
        try:
            frames = self._splitter.feed(data)
        except FrameError as error:
            frames, broken = list(error.frames), error
        if not self._splitter.pending:
            marks.pdu_read = inf
        elif frames or marks.pdu_read == inf:
            marks.pdu_read = now
        if self._held and not self._binding:
            frames = self._held.release() + frames
        if not self._receive_frames(frames, events):
            return self._finish(events)
        if broken is not None:
            self._out.queue(GenericNack(command_status=broken.command_status))
            self._close(Happening.STREAM_LOST, str(broken))
        return self._finish(events)

    def _receive_frames(self, frames: list[bytes], events: list[Event]) -> bool:
        """What they mean, in their order; False when that ended the session."""
        for frame in frames:
            if self._binding and self._held.add(frame, self._limits):
                continue
            self._receive_frame(frame, events)
            if self._closing is not None:
                return False
        return True

    def _receive_frame(self, frame: bytes, events: list[Event]) -> None:
        try:
            pdu = decode(frame)
        except Exception as error:  # a PduError, or the boundary for bugs while a PDU is read
            answer, event = answer_to(error, frame)
            if answer is not None:
                self._out.queue(answer)
            events.append(event)
            return
        if pdu.notes:
            events.append(Noted("; ".join(pdu.notes), pdu))
        if isinstance(pdu, Response):
            self._receive_response(pdu, events)
        elif isinstance(pdu, Request):
            if pdu.command_id in self._accepts:
                self._hand_over(pdu, events)
            else:
                self._receive_other(pdu, events)

    def _hand_over(self, request: Request, events: list[Event]) -> None:
        octets = self._owed_octets + request.command_length
        if len(self._owed) >= self._limits.window_in or octets > self._limits.unanswered_octets:
            self._reject(request, CommandStatus.RTHROTTLED, "window exceeded", events)
            return
        self._owed[id(request)] = request
        self._owed_octets = octets
        if self._marks.inactivity != inf:
            self._marks.inactivity = self._now
        events.append(request)

    def _receive_response(self, response: Response, events: list[Event]) -> None:
        request = self._window.requests.get(sequence := response.sequence_number)
        if request is None or response.command_id not in (request.response_id, GenericNack.command_id):
            events.append(Noted("response to no request", response))
            return
        del self._window.requests[sequence]
        self._read.note(sequence, self._now)
        if request.context is _OURS:
            self._own -= 1
            if request.response_id == UnbindResp.command_id:
                self._close(Happening.UNBIND_ANSWERED, "unbound", polite=True)
            else:
                self._enquired_at, self._marks.enquire_link = inf, self._now
                self._time_out_requests(events)
            return
        events.append(Answered(request.context, response))
        if isinstance(response, BindResponse) and response.command_status == CommandStatus.ROK:
            self._bound(response)

    def _receive_other(self, request: Request, events: list[Event]) -> None:
        """A request that does not go to the owner as it is."""
        if isinstance(request, EnquireLink):
            self._respond(request, CommandStatus.ROK)
        elif isinstance(request, Unbind) and self.state is not State.OPEN:
            self._unbind_received = request
            self._was_owing = bool(self._owed)
            self._step(Happening.UNBIND_RECEIVED)
            self._end_when_answered()
        elif request.response is None:
            events.append(Noted(f"{request.name} received", request))
        elif self._binding:
            self._reject(request, CommandStatus.RTHROTTLED, "window exceeded behind a bind", events)
        elif isinstance(request, BindRequest) and self._is_second_bind():
            self._reject(request, CommandStatus.RALYBND, "second bind", events)
        elif not may_receive(self.side, self.state, request.command_id):
            self._reject(request, CommandStatus.RINVBNDSTS, f"not in state {self.state.value}", events)
        elif request.command_id not in self._serves:
            self._reject(request, CommandStatus.RINVCMDID, "not served", events)
        else:  # a bind, the only one that is not accepted at sight
            self._binding = True
            self._hand_over(request, events)

    def _is_second_bind(self) -> bool:
        return self.side is Side.MC and self.state is not State.OPEN and self.state is not State.UNBOUND

    def _reject(self, request: Request, status: CommandStatus, reason: str, events: list[Event]) -> None:
        self._respond(request, status)
        events.append(Refused(request.name, status, request.sequence_number, reason))

    # What goes out

    def send(self, request: Request, context: object, now: float) -> int:
        """Queue a request; gives the sequence_number that it now has.

        ``context`` comes back once: in Answered, in TimedOut, or from lost().

        Raises NotAllowedError when side and state do not allow it (enquire_link and unbind are the
        session's own), WindowFullError, EncodeError; then nothing was queued.
        """
        if request.command_id not in self._sends:
            raise NotAllowedError(f"{request.name} in state {self.state.value} as {self.side.value}")
        if not self.window_free:
            raise WindowFullError(f"{self._limits.window_out} requests without a response")
        sequence = self._send(request, context, now)
        if self._marks.inactivity != inf:
            self._marks.inactivity = now
        return sequence

    def _send(self, request: Request, context: object, now: float) -> int:
        self._now = now
        sequence = request.sequence_number = self._window.next_sequence()
        self._out.queue(request)
        if request.response is not None:
            self._window.add(sequence, now, context, request.response.command_id)
        return sequence

    def enquire(self, context: object, now: float) -> int:
        """Queue an enquire_link for the owner, besides those of the session itself: its response comes as
        Answered, behind everything that the peer had sent before. Gives the sequence_number.

        Raises NotAllowedError after the end of the session, WindowFullError.
        """
        if self.state is State.CLOSED:
            raise NotAllowedError("enquire_link after the end of the session")
        if not self.window_free:
            raise WindowFullError(f"{self._limits.window_out} requests without a response")
        return self._send(EnquireLink(), context, now)

    def answer(self, request: Request, response: Response) -> None:
        """Queue the response to a request that came as an event; it gets the request's sequence_number.

        A positive bind response moves the state. What came behind a bind is looked at from then on, in the
        next receive() or tick(); deadline() is at once. After the end of the session nothing happens: nobody
        is there to read it. Raises NotAllowedError when the request does not wait for an answer or the
        response belongs to another command, EncodeError; then the request still waits.
        """
        if self.state is State.CLOSED:
            return
        if id(request) not in self._owed:
            raise NotAllowedError(f"{request!r} does not wait for an answer")
        if response.command_id not in (request.command_id | RESPONSE_BIT, GenericNack.command_id):
            raise NotAllowedError(f"{response.name} does not answer {request.name}")
        response.sequence_number = request.sequence_number
        self._out.queue(response)
        del self._owed[id(request)]
        self._owed_octets -= request.command_length
        if isinstance(request, BindRequest):
            self._binding = False
            if response.command_status == CommandStatus.ROK:
                self._bound(response)
        if self.state is State.UNBOUND:
            self._end_when_answered()

    def refuse(self, request: Request, command_status: int) -> None:
        """Answer a request with an error status and nothing else. Raises as answer() does."""
        response_class = request.response or GenericNack
        self.answer(request, response_class(command_status=command_status))

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

    def output(self) -> bytes:
        """Everything that was queued since the last call."""
        return self._out.take()

    def _respond(self, request: Request, status: int) -> None:
        response_class = request.response or GenericNack
        self._out.queue(response_class(command_status=status, sequence_number=request.sequence_number))

    # Time

    def deadline(self) -> float:
        """When tick() has something to do next, ``inf`` when never. Any other call may change it."""
        if self.state is State.CLOSED:
            return self._now if self._closing is not None else inf
        if self._held and not self._binding:
            return self._now
        self._marks.response = self._waits_since()
        return deadline(self.timers, self._marks)

    def _waits_since(self) -> float:
        """From when the response timer runs. While the peer is asked whether it lives, that is what counts:
        requests that are late wait for its answer, and those behind the question end behind it."""
        return min(self._enquired_at, self._unbind_at) if self._own else self._window.oldest()

    def tick(self, now: float) -> list[Event]:
        """What the time means. May be called at any time, and late."""
        events: list[Event] = []
        if self.state is not State.CLOSED:
            self._now = now
            if self._held and not self._binding and not self._receive_frames(self._held.release(), events):
                return self._finish(events)
            self._marks.response = self._waits_since()
            for name in due(self.timers, self._marks, now):
                self._time_out(name, events)
                if self._closing is not None:
                    break
        return self._finish(events)

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
            self._send(EnquireLink(), _OURS, self._now)

    # The life of the session

    def lost(self) -> list[object]:
        """The connection is gone: the contexts of the requests without a response, oldest first, once.

        Their fate is uncertain: the peer may have acted on them.
        """
        self._step(Happening.CONNECTION_LOST)
        self._closing = None
        self._owed.clear()
        self._held.release()
        self._owed_octets = self._own = 0
        return [request.context for request in self._window.clear() if request.context is not _OURS]

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
            self._send(Unbind(), _OURS, self._now)

    def _close(self, happening: Happening, reason: str, *, polite: bool = False) -> None:
        """Nothing is read or sent from now on; the owner hears of it with the next events."""
        self._step(happening)
        self._closing = Closing(reason, polite)

    def _finish(self, events: list[Event]) -> list[Event]:
        if self._closing is not None:
            events.append(self._closing)
            self._closing = None
        return events
