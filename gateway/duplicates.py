"""Resends: which SMS may come a second time although it was executed, and what it was answered then.

An SMS is a candidate only while its positive answer is uncertain: it was never answered, its session
was lost or the process died within SETTLE_MS after the answer, or the answer came later than LATE_MS.
One resend uses up one candidate and is answered with the same message id. The same text twice on a
healthy session is two SMS.

Nothing is kept per message on a healthy session: the journal holds the digests, and here are only
ranges of numbers, at most one per second and session, until they settle.

All times are milliseconds since the epoch. `window`: how long, in milliseconds, a resend is looked for.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from gateway.model import Uncertain
from gateway.storage.contract import StorageError

SETTLE_MS = 60_000
LATE_MS = 5_000
GRAIN_MS = 1_000
"""Answers of one session within this time share a range, which settles as its last one does, or later."""
ANY_SESSION = 0
_LAST_NUMBER = (1 << 63) - 1


class Digests(Protocol):
    """The part of a store that this needs."""

    def digests(self, span: Uncertain) -> list[tuple[int, bytes, int]]:
        """(number, digest, time of the last repeat or 0) of the messages in a range."""


@dataclass(slots=True)
class _Span:
    """New messages of one session, numbers first..last, answered within GRAIN_MS from `at` on."""

    first: int
    last: int
    at: int


@dataclass(slots=True)
class _Session:
    """What one live session was answered and has not settled yet, oldest first.

    repeats: (number, at) of messages answered once more, as the journal has it.
    """

    spans: deque[_Span] = field(default_factory=deque)
    repeats: deque[tuple[int, int]] = field(default_factory=deque)


class Duplicates:
    """Candidates for resends of one store."""

    def __init__(self, store: Digests) -> None:
        self._store = store
        self._candidates: dict[bytes, deque[tuple[int, int]]] = {}  # digest -> (number, until)
        self._numbers: set[int] = set()  # of all candidates: none is one twice
        self._sessions: dict[int, _Session] = {}
        self._new: list[Uncertain] = []
        self._unread: list[Uncertain] = []  # the store failed while their digests were read
        self._last = 0
        self._settled = 0
        self._last_repeat = 0  # when the journal last noted one
        self._repeats_to = 0
        self._unwritten = False  # the commit that had the watermark failed

    def recover(self, spans: list[Uncertain], settled: tuple[int, int], now: int, window: int) -> None:
        """At start: everything that had not settled when the last process ended is uncertain."""
        self._settled, self._repeats_to = settled
        self._last = self._settled
        crash = Uncertain(ANY_SESSION, self._settled + 1, _LAST_NUMBER, now, now + window)
        for span in (crash, *spans):
            if now >= span.until:
                continue
            for number, digest, repeated_at in self._store.digests(span):
                if span is crash:
                    self._last = number
                # Its resend came and was answered, and that answer had settled: nobody will ask again.
                if span.at < repeated_at <= self._repeats_to:
                    continue
                if span is not crash and self._repeats_to < repeated_at:
                    # From now on only this says that the answer to its resend is in doubt as well.
                    self._new.append(Uncertain(ANY_SESSION, number, number, now, span.until))
                self._expect(digest, number, span.until)
        if self._last > self._settled:
            self._new.append(Uncertain(ANY_SESSION, self._settled + 1, self._last, now, now + window))

    def find(self, digest: bytes, now: int) -> int | None:
        """The number of the SMS that this one repeats; it is no candidate any more. None: it is new."""
        waiting = self._candidates.get(digest)
        if waiting is None:
            return None
        while waiting:
            number, until = waiting.popleft()
            self._numbers.discard(number)
            if not waiting:
                del self._candidates[digest]
            if now < until:
                return number
        return None

    def give_back(self, digest: bytes, number: int, until: int) -> None:
        """The batch in which it was found failed: a candidate again."""
        self._candidates.setdefault(digest, deque()).appendleft((number, until))
        self._numbers.add(number)

    def answered(self, session: int, first: int, last: int, now: int) -> None:
        """Numbers first..last were answered on a live session just now."""
        spans = self._session(session).spans
        if spans and now - spans[-1].at < GRAIN_MS:
            span = spans[-1]
            # A message whose password was hashed has a lower number than those that overtook it.
            span.first = min(span.first, first)
            span.last = max(span.last, last)
        else:
            spans.append(_Span(first, last, now))
        self._last = max(self._last, last)

    def repeated(self, session: int, number: int, at: int) -> None:
        """A resend was answered, on a live session, with this number. at: as the commit noted it."""
        self._session(session).repeats.append((number, at))
        self._last_repeat = max(self._last_repeat, at)

    def unanswered(self, session: int, first: int, last: int, now: int, window: int) -> None:
        """Committed, but the session was gone before the answer, or the answer came late."""
        self._last = max(self._last, last)
        if window:
            self._add(Uncertain(session, first, last, now, now + window))

    def lost(self, session: int, now: int, window: int) -> None:
        """A session was cut: what it was answered a short while ago may not have arrived."""
        known = self._sessions.pop(session, None)
        if known is None or not window:
            return
        recent = [span for span in known.spans if now - span.at < SETTLE_MS + GRAIN_MS]
        if recent:
            # One range: digests() takes this session's rows only, so gaps do no harm.
            first = min(span.first for span in recent)
            last = max(span.last for span in recent)
            self._add(Uncertain(session, first, last, now, now + window))
        for number, at in known.repeats:
            if now - at < SETTLE_MS:
                self._add(Uncertain(ANY_SESSION, number, number, now, now + window))

    def ended(self, session: int) -> None:
        """A session ended politely: by its unbind, or its answer to ours, the peer had read all answers."""
        self._sessions.pop(session, None)

    def take_new(self) -> list[Uncertain]:
        """Ranges that the next commit has to write."""
        new, self._new = self._new, []
        return new

    def put_back(self, spans: list[Uncertain], settled: tuple[int, int] | None) -> None:
        """That commit failed: they, and the watermark that it had, are still to be written."""
        self._new = spans + self._new
        if settled is not None:
            self._unwritten = True

    def settle(self, now: int, pending: int | None = None) -> tuple[int, int] | None:
        """Forget answers that have settled. The new watermark when it moved, for the commit made at `now`.

        Everything up to its number, and every repeat up to its time, is certain, or stands in a range that
        is written with it or was before. pending: the lowest number that has been drawn and not answered.
        """
        oldest, repeats_to = self._last + 1, now - 1
        if pending is not None:
            oldest = min(oldest, pending)
        for session in self._sessions.values():
            while session.spans and now - session.spans[0].at >= SETTLE_MS + GRAIN_MS:
                session.spans.popleft()
            while session.repeats and now - session.repeats[0][1] >= SETTLE_MS:
                session.repeats.popleft()
            for span in session.spans:
                oldest = min(oldest, span.first)
            if session.repeats:
                repeats_to = min(repeats_to, session.repeats[0][1] - 1)
        moved = oldest - 1 > self._settled or self._repeats_to < self._last_repeat <= repeats_to
        if not moved and not self._unwritten:
            return None
        self._unwritten = False
        self._settled = max(self._settled, oldest - 1)
        self._repeats_to = repeats_to
        return self._settled, repeats_to

    def forget(self, now: int) -> None:
        """Drop candidates whose time is over; O(candidates), for a housekeeping timer."""
        for digest in list(self._candidates):
            waiting = deque(entry for entry in self._candidates[digest] if now < entry[1])
            if waiting:
                self._candidates[digest] = waiting
            else:
                del self._candidates[digest]
        self._numbers = {number for waiting in self._candidates.values() for number, _ in waiting}

    def __len__(self) -> int:
        """How many resends would be recognised now."""
        return sum(map(len, self._candidates.values()))

    def _session(self, session: int) -> _Session:
        known = self._sessions.get(session)
        if known is None:
            known = self._sessions[session] = _Session()
        return known

    def read_again(self) -> None:
        """Try again what a failing store kept from being read. Raises StorageError while it still fails."""
        while self._unread:
            self._read(self._unread[0])
            del self._unread[0]

    def _add(self, span: Uncertain) -> None:
        self._new.append(span)
        try:
            self._read(span)
        except StorageError:
            self._unread.append(span)

    def _read(self, span: Uncertain) -> None:
        for number, digest, _ in self._store.digests(span):
            self._expect(digest, number, span.until)

    def _expect(self, digest: bytes, number: int, until: int) -> None:
        """A resend of it may come, one: the same answer can be in doubt for two reasons."""
        if number not in self._numbers:
            self._numbers.add(number)
            self._candidates.setdefault(digest, deque()).append((number, until))
