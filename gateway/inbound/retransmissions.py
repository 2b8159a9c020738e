"""Retransmissions: which SMS may come a second time although they were executed, because their answers are in
doubt.

An answer is in doubt when it was never given, when its session was lost or the process died within SETTLE_MS
after it, or when it came later than LATE_MS. An answer is certain before that when the peer has answered a
request of ours that was sent after it (it has read all that stood before), and the session then lived for
CERTAIN_AFTER seconds. One retransmission uses up one candidate and is answered with the same message id. The
same text twice on a healthy session is two SMS.

Nothing is kept per message on a healthy session: the journal holds the digests, and here are only ranges of
numbers of the last minute. What is in doubt becomes a range in the store, and then candidates that are found
there by their digests (Store.expect, Store.candidates). Who uses this waits with the SMS of an account in
`expecting`.

Moments are monotonic seconds. Every window here runs on them: a wall clock that is put forward ends none.
What the store keeps of a moment are the milliseconds since the epoch when this process began, plus what has
passed since then.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from gateway.message import Certain, Commit, Doubted, Expected, Uncertain, Watermark
from gateway.storage.contract import Store

SETTLE_MS = 60_000
LATE_MS = 5_000
CERTAIN_AFTER = 5.0
GRAIN_MS = 1_000
"""Answers of one session within this time share a range, as long as no request of ours was sent between
them."""
SPANS = 4096
"""Ranges of one session; beyond it the newest one takes in what comes."""
STEP = 2_000
"""SMS of uncertain ranges that one step looks at: some 7 ms."""


class Peer(Protocol):
    """What is asked of a bind (gateway.channels.contract.Bind)."""

    @property
    def mark(self) -> int:
        """Stands for what has been queued there so far."""

    def has_read(self, mark: int, moment: float) -> bool:
        """Whether the peer had answered, by that moment, something that we queued after `mark`."""


@dataclass(slots=True)
class _Span:
    """SMS of one session, numbers first..last, answered within GRAIN_MS from `at` on, before anything that
    was queued after `mark`.

    noted: of a repeat, when the journal has it.
    """

    first: int
    last: int
    at: int
    mark: int
    noted: int = 0


@dataclass(slots=True)
class _Session:
    """What one live session was answered and is not certain yet, oldest first.

    late: answers that came late, candidates until `at` of the span, unless the session ends politely before.
    repeats: spans of one SMS each, answered once more.
    """

    account: str
    peer: Peer
    spans: deque[_Span] = field(default_factory=deque)
    late: deque[_Span] = field(default_factory=deque)
    repeats: deque[_Span] = field(default_factory=deque)


class Retransmissions:
    """What is in doubt in one store.

    windows: by account, for how many milliseconds a retransmission is looked for, 0 = never. late_window: the
    same for answers that came late on a session that lives. now: milliseconds since the epoch at `moment`.
    """

    def __init__(
        self, store: Store, windows: dict[str, int], late_window: int, now: int, moment: float
    ) -> None:
        self.expecting: set[str] = set()  # accounts with uncertain ranges that are no candidates yet
        self._store = store
        self._windows = windows
        self._late_window = late_window
        self._epoch = now - moment * 1000
        self._candidates = 0
        self._sessions: dict[int, _Session] = {}
        self._uncertain: list[Uncertain] = []
        self._doubted: list[Doubted] = []
        self._certain: list[Certain] = []
        self._last = 0
        self._settled = 0
        self._last_repeat = 0  # when the journal last noted one
        self._repeats_to = 0
        self._unwritten = False  # the commit that had the watermark failed

    def looks_for(self, account: str) -> bool:
        """Whether retransmissions of that account are looked for at all."""
        return self._windows[account] > 0

    def __len__(self) -> int:
        """How many retransmissions would be recognised now, at most."""
        return self._candidates

    # What the store knows

    async def recover(self, moment: float) -> int:
        """At start: everything that was not certain when the last process ended is in doubt. Gives how many
        SMS will not be recognised."""
        self._settled, self._repeats_to = await self._store.settled()
        await self._store.recover(self._time(moment) + max(self._windows.values()))
        dropped = 0
        left = True
        while left:
            found = await self._store.expect(STEP)
            left, self._candidates = bool(found.ranges), found.candidates
            dropped += found.dropped
        self._last = self._settled
        return dropped

    async def expect(self) -> Expected:
        """One step towards candidates; `expecting` is empty when it was the last one. Raises StorageError."""
        found = await self._store.expect(STEP)
        self._candidates = found.candidates
        if not found.ranges and not self._uncertain and not self._doubted:
            self.expecting.clear()
        return found

    async def find(self, digests: list[bytes], moment: float) -> "Found":
        """The SMS that these digests may repeat. Raises StorageError."""
        found: dict[bytes, deque[int]] = {}
        if self._candidates:
            for digest, number in await self._store.candidates(digests, self._time(moment)):
                found.setdefault(digest, deque()).append(number)
        return Found(found)

    async def forget(self, moment: float, limit: int) -> None:
        """Drop candidates whose time is over. Raises StorageError."""
        if self._candidates:
            self._candidates = await self._store.forget_candidates(self._time(moment), limit)

    # What happens on the sessions

    def answered(self, session: int, account: str, peer: Peer, first: int, last: int, moment: float) -> None:
        """Numbers first..last were answered on a live session just now, and nothing was queued there
        since."""
        self._last = max(self._last, last)
        if self._windows[account]:
            known = self._session(session, account, peer)
            _append(known.spans, _Span(first, last, self._time(moment), peer.mark))

    def repeated(
        self, session: int, account: str, peer: Peer, number: int, noted: int, moment: float
    ) -> None:
        """A retransmission was answered, on a live session, with this number. noted: its time in the
        commit."""
        self._last_repeat = max(self._last_repeat, noted)
        span = _Span(number, number, self._time(moment), peer.mark, noted)
        self._session(session, account, peer).repeats.append(span)

    def late(self, session: int, account: str, first: int, last: int, moment: float) -> None:
        """Numbers first..last were answered so late, on a live session (see answered), that the peer may have
        sent them again already."""
        window = min(self._windows[account], self._late_window)
        if window:
            until = self._time(moment) + window
            self._sessions[session].late.append(_Span(first, last, until, 0))
            self._add(session, account, first, last, until)

    def unanswered(self, session: int, account: str, first: int, last: int, moment: float) -> None:
        """Committed, but the session was gone before the answer."""
        self._last = max(self._last, last)
        if window := self._windows[account]:
            self._add(session, account, first, last, self._time(moment) + window)

    def unanswered_again(self, account: str, number: int, moment: float) -> None:
        """The answer to a retransmission could not be given: it may come once more."""
        self._doubted.append(Doubted(self._time(moment) + self._windows[account], number))
        self.expecting.add(account)

    def late_again(self, account: str, number: int, moment: float) -> None:
        """A retransmission was answered so late (see late) that it may come once more."""
        window = min(self._windows[account], self._late_window)
        self._doubted.append(Doubted(self._time(moment) + window, number))
        self.expecting.add(account)

    def lost(self, session: int, moment: float) -> None:
        """A session was cut: what it was answered a short while ago may not have arrived."""
        known = self._sessions.pop(session, None)
        if known is None:
            return
        self._let_settle(known, moment)
        account = known.account
        if known.spans:
            # One range: its candidates are this session's SMS only, so gaps do no harm.
            first = min(span.first for span in known.spans)
            last = max(span.last for span in known.spans)
            self._add(session, account, first, last, self._time(moment) + self._windows[account])
        for span in known.repeats:
            self.unanswered_again(account, span.first, moment)

    def ended(self, session: int) -> None:
        """A session ended politely: by its unbind, or its answer to ours, the peer had read all answers."""
        known = self._sessions.pop(session, None)
        if known is not None:
            for span in (*known.late, *known.repeats):
                self._certain.append(Certain(session, span.first, span.last))

    # What the next commit has to write

    @property
    def news(self) -> bool:
        """Whether there is anything in doubt, or no longer, that the store does not know."""
        return bool(self._uncertain or self._doubted or self._certain)

    def hand_in(self, commit: Commit) -> None:
        """Put it into a commit."""
        commit.uncertain, self._uncertain = self._uncertain, []
        commit.doubted, self._doubted = self._doubted, []
        commit.certain, self._certain = self._certain, []

    def take_back(self, commit: Commit) -> None:
        """That commit failed: all of it, and the watermark that it had, are still to be written."""
        self._uncertain = commit.uncertain + self._uncertain
        self._doubted = commit.doubted + self._doubted
        self._certain = commit.certain + self._certain
        if commit.settled is not None:
            self._unwritten = True

    def settle(self, moment: float, now: int, pending: int | None = None) -> Watermark | None:
        """Forget answers that are certain. The new watermark when it moved, for the commit made at `now`.

        Everything up to its number, and every repeat up to its time, is certain, or stands in a range that
        is written with it or was before. pending: the lowest number that has been drawn and not answered.
        """
        oldest, repeats_to = self._last + 1, now - 1
        if pending is not None:
            oldest = min(oldest, pending)
        for number, session in list(self._sessions.items()):
            for span in self._let_settle(session, moment):
                self._certain.append(Certain(number, span.first, span.last))
            for span in session.spans:
                oldest = min(oldest, span.first)
            if session.repeats:
                repeats_to = min(repeats_to, session.repeats[0].noted - 1)
            if not (session.spans or session.late or session.repeats):
                del self._sessions[number]
        moved = oldest - 1 > self._settled or self._repeats_to < self._last_repeat <= repeats_to
        if not moved and not self._unwritten:
            return None
        self._unwritten = False
        self._settled = max(self._settled, oldest - 1)
        self._repeats_to = max(self._repeats_to, repeats_to)
        return Watermark(self._settled, self._repeats_to)

    def _let_settle(self, session: _Session, moment: float) -> list[_Span]:
        """Take out what is certain now; gives the repeats among it."""
        now = self._time(moment)
        peer, read_by = session.peer, moment - CERTAIN_AFTER
        while session.late and now >= session.late[0].at:
            session.late.popleft()
        while session.spans and _is_certain(session.spans[0], peer, read_by, now):
            session.spans.popleft()
        certain = []
        while session.repeats and _is_certain(session.repeats[0], peer, read_by, now):
            certain.append(session.repeats.popleft())
        return certain

    def _time(self, moment: float) -> int:
        """What the store keeps of a moment."""
        return round(self._epoch + moment * 1000)

    def _session(self, session: int, account: str, peer: Peer) -> _Session:
        known = self._sessions.get(session)
        if known is None:
            known = self._sessions[session] = _Session(account, peer)
        return known

    def _add(self, session: int, account: str, first: int, last: int, until: int) -> None:
        self._uncertain.append(Uncertain(session, first, last, until))
        self.expecting.add(account)


class Found:
    """Candidates for the SMS of one batch: each is used up by one of them."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: dict[bytes, deque[int]]) -> None:
        self._numbers = numbers

    def take(self, digest: bytes) -> int | None:
        """The number of the SMS that one with this digest repeats; None: it is new."""
        if not self._numbers:
            return None
        waiting = self._numbers.get(digest)
        return waiting.popleft() if waiting else None


def _append(spans: deque[_Span], span: _Span) -> None:
    """Behind the others, or into the last one where it may share its fate."""
    if spans:
        last = spans[-1]
        near = last.mark == span.mark and span.at - last.at < GRAIN_MS
        if near or len(spans) >= SPANS:
            # An SMS whose password was hashed has a lower number than those that overtook it.
            last.first = min(last.first, span.first)
            last.last = max(last.last, span.last)
            last.mark = span.mark
            return
    spans.append(span)


def _is_certain(span: _Span, peer: Peer, read_by: float, now: int) -> bool:
    """Whether the peer has read the request behind the answers, or so much time has passed."""
    return peer.has_read(span.mark, read_by) or now - span.at >= SETTLE_MS + GRAIN_MS
