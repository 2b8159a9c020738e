"""One SMPP session without I/O: octets in, events out; requests in, octets out. Time is handed in.

The same class serves both sides. It answers by itself what needs no knowledge of messages: enquire_link,
unbind, malformed and misplaced requests, a peer that sends more than its window. Everything else
becomes an event. Memory is bounded by ``Limits``; output is bounded by what the owner answers and sends,
which it stops doing while ``pending_output`` grows. Its state, its timers and its end are in ``life``.
"""

from math import inf
from typing import Any, Final

from gateway.smpp.buffers import Held, Limits
from gateway.smpp.codec import DECODERS, unknown_command, unpack_header
from gateway.smpp.errors import FrameError, NotAllowedError, WindowFullError
from gateway.smpp.events import Answered, Closing, Congested, Event, Late, Noted, Refused, TimedOut
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.life import OURS, Life
from gateway.smpp.malformed import answer_to
from gateway.smpp.operations import Side, State, may_receive
from gateway.smpp.pdu import Request, Response
from gateway.smpp.pdus import (
    BindRequest,
    BindResponse,
    DataSm,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    SubmitSm,
    Unbind,
)
from gateway.smpp.plain import DELIVERED, Template
from gateway.smpp.status import CommandStatus
from gateway.smpp.timers import Timers, deadline
from gateway.smpp.tlvs import CONGESTION_STATE, SC_INTERFACE_VERSION
from gateway.smpp.transitions import Happening
from gateway.smpp.versions import V34, Congestion, Version, of_bind, of_octet, of_response, ways_of
from gateway.smpp.wire import HEADER_LENGTH, RESPONSE_BIT

__all__ = [
    "Answered", "Closing", "Congested", "Event", "Late", "Limits", "Noted", "Refused", "Session", "Side",
    "State", "TimedOut", "Timers",
]  # fmt: skip

# A member of an enumeration costs 70 ns by its name (Python 3.11), as much as a call.
_CLOSED: Final = State.CLOSED
_OPEN: Final = State.OPEN
_UNBOUND: Final = State.UNBOUND
_DELIVERED: Final = DeliverSmResp.command_id
_NO_ID: Final = (b"\0", b"")

BEHIND_BIND: Final = "requests behind a bind, before its response"

_TIMERS: Final = Timers()
_LIMITS: Final = Limits()


class Session(Life):
    """A session from the connection to its end. All times are seconds on one clock that never goes back.

    ``serves`` are the command_ids of the requests that the owner handles; another request that the table
    knows is answered with RINVCMDID. ``congestion``: what responses to a peer of 5.0 say; None: nothing.
    """

    __slots__ = (
        "_acknowledgement", "_binding", "_congestion", "_held", "_limits", "_splitter", "_version",
        "last_received",
    )  # fmt: skip

    def __init__(
        self,
        side: Side,
        *,
        now: float,
        serves: frozenset[int],
        timers: Timers = _TIMERS,
        limits: Limits = _LIMITS,
        congestion: Congestion | None = None,
    ) -> None:
        super().__init__(side, now, serves, timers)
        self._congestion = congestion
        self.version = V34
        self.last_received = now
        self._splitter = FrameSplitter()
        self.limits = limits
        self._binding = False  # a bind is with the owner
        self._held = Held()  # what came behind it

    @property
    def limits(self) -> Limits:
        """May be replaced at any time; what is already there stays."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        self._splitter.limit = limits.max_pdu

    @property
    def version(self) -> Version:
        """That of the peer: the one of its bind; of ours, or an older one that the response to it says."""
        return self._version

    @version.setter
    def version(self, version: Version) -> None:
        self._version = version
        self._encode, self._acknowledgement = ways_of(version, self._congestion)

    @property
    def window_free(self) -> int:
        """How many requests send() takes before it raises WindowFullError."""
        return max(0, self._limits.window_out - len(self._window) + self._own)

    @property
    def owed(self) -> int:
        """Requests of the peer that wait for answer() or refuse()."""
        return len(self._owed)

    @property
    def pending_output(self) -> int:
        """Octets that output() would give."""
        return len(self._out)

    @property
    def begun(self) -> bytes:
        """What has come of a PDU that is not whole yet."""
        return self._splitter.begun

    def context_of(self, sequence: int) -> object:
        """The context of the request of ours that waits under this number; None where none does."""
        request = self._window.requests.get(sequence)
        return None if request is None else request.context

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
            self._out += self._encode(GenericNack(command_status=broken.command_status))
            self._close(Happening.STREAM_LOST, str(broken))
        return self._finish(events)

    def _receive_frames(self, frames: list[bytes], events: list[Event]) -> bool:
        """What they mean, in their order; False when that ended the session."""
        owed = len(self._owed)
        for frame in frames:
            if self._binding and self._held.add(frame, self._limits):
                if len(self._held) == 1:
                    events.append(Noted(BEHIND_BIND))
                continue
            length, command_id, status, sequence = unpack_header(frame)
            if command_id == _DELIVERED and not status and self._is_delivered(frame, sequence, events):
                continue
            try:
                pdu: Any = DECODERS.get(command_id, unknown_command)(frame, length, status, sequence)
            except Exception as error:  # a PduError, or the boundary for bugs while a PDU is read
                answer, event = answer_to(error, frame)
                if answer is not None:
                    self._out += self._encode(answer)
                events.append(event)
                continue
            if pdu.notes:
                events.append(Noted("; ".join(pdu.notes), pdu))
            if command_id in self._accepts:
                self._hand_over(pdu, events)
            elif command_id & RESPONSE_BIT:
                self._receive_response(pdu, events)
            else:
                self._receive_other(pdu, events)
            if self._closing is not None:
                return False
        if len(self._owed) > owed and self._marks.inactivity != inf:
            self._marks.inactivity = self._now
        return True

    def _is_delivered(self, frame: bytes, sequence: int, events: list[Event]) -> bool:
        """Take a positive deliver_sm_resp without a message_id as what it says, if it answers a request."""
        request = self._window.requests.get(sequence)
        if request is None or request.response_id != _DELIVERED or frame[HEADER_LENGTH:] not in _NO_ID:
            return False
        del self._window.requests[sequence]
        self._read.note(sequence, self._now)
        events.append(Answered(request.context, DELIVERED))
        return True

    def _hand_over(self, request: Request, events: list[Event]) -> None:
        octets = self._owed_octets + request.command_length
        if len(self._owed) >= self._limits.window_in or octets > self._limits.unanswered_octets:
            self._reject(request, CommandStatus.RTHROTTLED, "window exceeded", events)
            return
        self._owed[id(request)] = request
        self._owed_octets = octets
        events.append(request)

    def _receive_response(self, response: Response, events: list[Event]) -> None:
        request = self._window.requests.get(sequence := response.sequence_number)
        if response.tlvs and isinstance(state := response.tlvs.get(CONGESTION_STATE), int):
            events.append(Congested(state))
        if request is None or response.command_id not in (request.response_id, GenericNack.command_id):
            self._receive_late(response, events)
            return
        if type(response) is GenericNack and not response.command_status:
            response.command_status = CommandStatus.RUNKNOWNERR  # no reason given: still it accepts nothing
            events.append(Noted("generic_nack without an error status", response))
        del self._window.requests[sequence]
        self._read.note(sequence, self._now)
        if request.context is OURS:
            self._own_answered(request.response_id, events)
            return
        events.append(Answered(request.context, response))
        if isinstance(response, BindResponse) and response.command_status == CommandStatus.ROK:
            self.version = of_response(self._version, response.tlvs.get(SC_INTERFACE_VERSION))
            self._bound(response)

    def _receive_late(self, response: Response, events: list[Event]) -> None:
        """A response that no request waits for: to one that has timed out, or to none."""
        request = self._overdue.take(response.sequence_number, response.command_id)
        if request is None:
            events.append(Noted("response to no request", response))
        else:
            events.append(Late(request.context, response))

    def _receive_other(self, request: Request, events: list[Event]) -> None:
        """A request that does not go to the owner as it is."""
        if isinstance(request, EnquireLink):
            self._respond(request, CommandStatus.ROK)
        elif isinstance(request, Unbind) and self.state is not State.OPEN:
            self._unbind_asked(request)
        elif request.response is None:
            events.append(Noted(f"{request.name} received", request))
        elif self._binding:
            self._reject(request, CommandStatus.RTHROTTLED, "window exceeded behind a bind", events)
        elif isinstance(request, BindRequest) and self._is_second_bind():
            self._reject(request, CommandStatus.RALYBND, "second bind", events)
        elif self.side is Side.ESME and self.state is _UNBOUND and isinstance(request, DeliverSm | DataSm):
            # It has crossed our unbind: a centre might take a wrong state as final, and drop the SMS.
            self._reject(request, CommandStatus.RX_T_APPN, "the session is ending", events)
        elif not may_receive(self.side, self.state, request.command_id):
            self._reject(request, CommandStatus.RINVBNDSTS, f"not in state {self.state.value}", events)
        elif request.command_id not in self._serves:
            self._reject(request, CommandStatus.RINVCMDID, "not served", events)
        else:  # a bind, the only one that is not accepted at sight
            self._binding = True
            self._settle_version(request, events)
            self._hand_over(request, events)

    def _settle_version(self, request: Request, events: list[Event]) -> None:
        """By the bind, before it is answered: a peer of 3.3 could not read the refusal either."""
        assert isinstance(request, BindRequest)
        self.version, odd = of_bind(request)
        if odd:
            events.append(Noted(odd, request))

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
        self._check_sending(request)
        if self.state is _OPEN and isinstance(request, BindRequest):
            self.version = of_octet(request.interface_version)
        sequence = self._send(request, context, now)
        if self._marks.inactivity != inf:
            self._marks.inactivity = now
        return sequence

    def deliver(
        self,
        template: Template,
        destination: str,
        esm_class: int,
        data_coding: int,
        short_message: bytes,
        context: object,
        now: float,
    ) -> int:
        """send() for the deliver_sm or submit_sm that a template writes with these values. Raises as that
        does."""
        self._check_sending(template.pdu)
        window = self._window
        sequence = window.next_sequence()
        self._out += template.octets(sequence, destination, esm_class, data_coding, short_message)
        window.add(sequence, now, context, template.response_id)
        self._now = now
        if self._marks.inactivity != inf:
            self._marks.inactivity = now
        return sequence

    def _check_sending(self, request: Request | type[Request]) -> None:
        if request.command_id not in self._sends:
            raise NotAllowedError(f"{request.name} in state {self.state.value} as {self.side.value}")
        self._check_window()

    def _check_window(self) -> None:
        if len(self._window.requests) - self._own >= self._limits.window_out:
            raise WindowFullError(f"{self._limits.window_out} requests without a response")

    def enquire(self, context: object, now: float) -> int:
        """Queue an enquire_link for the owner, besides those of the session itself: its response comes as
        Answered, behind everything that the peer had sent before. Gives the sequence_number.

        Raises NotAllowedError after the end of the session, WindowFullError.
        """
        if self.state is State.CLOSED:
            raise NotAllowedError("enquire_link after the end of the session")
        self._check_window()
        return self._send(EnquireLink(), context, now)

    def answer(self, request: Request, response: Response) -> None:
        """Queue the response to a request that came as an event; it gets the request's sequence_number.

        A positive bind response moves the state. What came behind a bind is looked at from then on, in the
        next receive() or tick(); deadline() is at once. After the end of the session nothing happens: nobody
        is there to read it. Raises NotAllowedError when the request does not wait for an answer or the
        response belongs to another command, EncodeError; then the request still waits.
        """
        if self.state is _CLOSED:
            return
        self._check_owed(request)
        if response.command_id not in (request.command_id | RESPONSE_BIT, GenericNack.command_id):
            raise NotAllowedError(f"{response.name} does not answer {request.name}")
        response.sequence_number = request.sequence_number
        self._out += self._encode(response)
        if isinstance(request, BindRequest):
            self._binding = False
            if response.command_status == CommandStatus.ROK:
                self._bound(response)
        self._forget(request)

    def acknowledge(self, request: SubmitSm | DataSm, message_id: str) -> None:
        """answer() with ESME_ROK and a message_id, and nothing else. Raises as that does."""
        if self.state is _CLOSED:
            return
        self._check_owed(request)
        self._out += self._acknowledgement(request, message_id)
        self._forget(request)

    def _check_owed(self, request: Request) -> None:
        if id(request) not in self._owed:
            raise NotAllowedError(f"{request!r} does not wait for an answer")

    def _forget(self, request: Request) -> None:
        """It has been answered."""
        del self._owed[id(request)]
        self._owed_octets -= request.command_length
        if self.state is _UNBOUND:
            self._end_when_answered()

    def refuse(self, request: Request, command_status: int) -> None:
        """Answer a request with an error status and nothing else. Raises as answer() does."""
        response_class = request.response or GenericNack
        self.answer(request, response_class(command_status=command_status))

    def output(self) -> bytes:
        """Everything that was queued since the last call."""
        octets = bytes(self._out)
        self._out.clear()
        return octets

    # Time and the end

    def deadline(self) -> float:
        """When tick() has something to do next, ``inf`` when never. Any other call may change it."""
        if self.state is State.CLOSED:
            return self._now if self._closing is not None else inf
        if self._held and not self._binding:
            return self._now
        self._marks.response = self._waits_since()
        return deadline(self.timers, self._marks)

    def tick(self, now: float) -> list[Event]:
        """What the time means. May be called at any time, and late."""
        events: list[Event] = []
        if self.state is not State.CLOSED:
            self._now = now
            if self._held and not self._binding and not self._receive_frames(self._held.release(), events):
                return self._finish(events)
            self._see_timers(events)
        return self._finish(events)

    def lost(self) -> list[object]:
        """The connection is gone: the contexts of the requests without a response, oldest first, once.

        Their fate is uncertain: the peer may have acted on them.
        """
        self._held.release()
        return super().lost()
