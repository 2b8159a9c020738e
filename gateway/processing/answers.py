"""Answers a batch after its commit, in one write per bind, and tells the observer.

A fault here does not repeat anything: the batch is stored.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain

from gateway.channels.contract import Bind
from gateway.clock import Clock
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.queue import InboundQueue
from gateway.inbound.retransmissions import LATE_MS, Retransmissions
from gateway.message import message_id
from gateway.observer import Observer
from gateway.outbound.outbox import Outbox
from gateway.processing.handled import Handled
from gateway.processing.prepared import Prepared


@dataclass(slots=True)
class _Span:
    """SMS first..last of one bind, answered together."""

    bind: Bind
    first: int
    last: int


class Answers:
    """Sends the responses of one gateway, and notes which of them are not certain yet.

    waited: seconds from the coming of the oldest SMS of the last batch to its answer.
    """

    def __init__(
        self,
        queue: InboundQueue,
        outbox: Outbox,
        retransmissions: Retransmissions,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._queue = queue
        self._outbox = outbox
        self._retransmissions = retransmissions
        self._clock = clock
        self._observer = observer
        self.waited = 0.0

    def give(self, prepared: Prepared) -> None:
        """Answer a batch, hand over its replies, write, then log."""
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        self.waited = now - prepared.done[0].m.came.arrived if prepared.done else 0.0
        try:
            self._answer(prepared, now)
        except Exception as error:  # the boundary for bugs behind the commit: nothing is done again
            self._observer.broken("answer", error)
        self._outbox.committed(prepared.commit, now, now_ms)
        self._tell(prepared, now, now_ms)

    def _answer(self, prepared: Prepared, now: float) -> None:
        """Answer every SMS of a batch, new or retransmitted."""
        sure = self._answer_new(prepared.done, now) if prepared.done else ()
        touch, retransmissions = self._outbox.touch, self._retransmissions
        for m, number in prepared.repeats:
            bind = m.came.bind
            if bind.closed:
                retransmissions.unanswered_again(bind.account, number, now)
                continue
            self._accept(m, message_id(number))
            touch(bind)
            retransmissions.repeated(bind.number, bind.account, bind, number, m.at, now)
            if (now - m.came.arrived) * 1000 > LATE_MS:
                retransmissions.late_again(bind.account, number, now)
        for m, number in prepared.late_repeats:
            if not m.came.bind.closed:
                self._accept(m, message_id(number))
                touch(m.came.bind)
        for m, refusal in prepared.refused:
            self._queue.refuse(m.came, refusal)
        # Answers that a bind holds behind this batch are not written: like late ones they may come again.
        for span in sure:
            if span.bind.held_answers:
                retransmissions.late(span.bind.number, span.bind.account, span.first, span.last, now)
        for m, number in prepared.repeats:
            if m.came.bind.held_answers:
                retransmissions.late_again(m.came.bind.account, number, now)

    def _answer_new(self, done: list[Handled], now: float) -> Collection[_Span]:
        """Answer the executed SMS, and note which responses are not certain yet. Returns those in time."""
        sure: dict[int, _Span] = {}
        late: dict[int, _Span] = {}
        gone: dict[int, _Span] = {}
        late_before = now - LATE_MS / 1000
        for handled in done:
            m = handled.m
            bind, number = m.came.bind, m.number
            if bind.closed:
                answers = gone
            else:
                answers = late if m.came.arrived < late_before else sure
                self._accept(m, m.message_id)
            those = answers.get(bind.number)
            if those is None:
                answers[bind.number] = _Span(bind, number, number)
                self._outbox.touch(bind)
            elif number > those.last:
                those.last = number
            elif number < those.first:  # it was overtaken while its password was hashed
                those.first = number
        retransmissions = self._retransmissions
        for session, those in chain(sure.items(), late.items()):
            bind = those.bind
            retransmissions.answered(session, bind.account, bind, those.first, those.last, now)
        for session, those in late.items():
            retransmissions.late(session, those.bind.account, those.first, those.last, now)
        for session, those in gone.items():
            retransmissions.unanswered(session, those.bind.account, those.first, those.last, now)
        return sure.values()

    def _accept(self, m: MobileOriginated, text: str) -> None:
        """Answer positively, with the message id."""
        try:
            m.came.bind.accept(m.came.origin, text)
        except Exception as error:  # the boundary for bugs while an answer is written: it counts as not given
            self._observer.faulted(m.number, m.msisdn, "", error)

    def _tell(self, prepared: Prepared, now: float, now_ms: int) -> None:
        """Tell the observer the results of a batch."""
        observer = self._observer
        purposes: list[str] = []
        waits: list[float] = []
        try:
            for handled, entry in zip(prepared.done, prepared.commit.messages, strict=True):
                came = handled.m.came
                purpose, wait = handled.m.route.accepts._value_, now - came.arrived
                purposes.append(purpose)
                waits.append(wait)
                observer.handled(entry, came.bind, purpose, len(handled.replies), wait, now_ms)
            if prepared.handed_in is not None:
                observer.committed(prepared.commit, purposes, waits, now - prepared.handed_in)
            if prepared.commit.acted:
                outcomes = {handled.m.number: handled.result for handled in prepared.done}
                for acted in prepared.commit.acted:
                    observer.acted(acted, outcomes[acted.number])
            for m, number in chain(prepared.repeats, prepared.late_repeats):
                observer.repeated(m.came.bind, m.came.sequence, m.msisdn, number)
            for handled, error in prepared.faults:
                observer.faulted(handled.m.number, handled.m.msisdn, handled.instruction, error)
            for number, msisdn, error in prepared.lost_notices:
                observer.faulted(number, msisdn, "", error)
            for each in prepared.given_up:
                observer.incomplete(each.first.source, each.first.destination, len(each.numbers))
        except Exception as error:  # the boundary for bugs of observers: the SMS are stored and answered
            observer.broken("log", error)
