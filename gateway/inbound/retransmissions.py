"""Recognises retransmissions: SMS that come again after their execution because their response is in doubt.

A response is in doubt if it was never sent, if its session was lost or the process died within `settle` after
it, or if it was sent later than LATE_MS. It is certain earlier if the peer answered a request of ours
that was sent after it (the peer has read everything before), and the session then lived for CERTAIN_AFTER
seconds. A retransmission uses up one candidate and is answered with the same message id. The same text twice
on a healthy session is two SMS.

A healthy session costs no memory per message: the journal holds the digests, and this module holds ranges of
numbers of the last minute. A range in doubt goes to the store, which makes candidates of it and finds them by
their digests (Store.expect, Store.candidates). Until then the pipeline holds back the SMS of the accounts in
`expecting`.

Moments are monotonic seconds, and all windows run on them: changing the wall clock does not end a window. The
store keeps a moment as milliseconds since the epoch: when this process began, plus the time since then; by
the clock of the server where several nodes keep them in one store.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from gateway.message import Certain, Commit, Doubted, Expected, Uncertain, Watermark
from gateway.storage.contract import Store
from gateway.storage.nodes import SharedStore

SETTLE_MS = 60_000
"""At least; not less than a line that is dead takes to be noticed (enquire_link and response timer)."""
LATE_MS = 5_000
CERTAIN_AFTER = 5.0
GRAIN_MS = 1_000
"""Responses of one session within this time share a range, unless a request of ours was sent between them."""
SPANS = 4096
"""Ranges of one session; beyond that the newest range grows."""
STEP = 2_000
"""SMS of uncertain ranges per step: about 7 ms."""


class Peer(Protocol):
    """The part of a bind that this module uses (gateway.channels.contract.Bind)."""

    @property
    def mark(self) -> int:
        """A mark behind everything that has been queued on the bind so far."""

    def has_read(self, mark: int, moment: float) -> bool:
        """Return whether, by that moment, the peer had answered a request queued after `mark`."""


@dataclass(slots=True)
class _Span:
    """SMS first..last of one session, answered within GRAIN_MS from `at` on, before anything queued after
    `mark`.

    noted: for a retransmission, its time in the journal.
    """

    first: int
    last: int
    at: int
    mark: int
    noted: int = 0


@dataclass(slots=True)
class _Session:
    """Responses of one live session that are not certain yet, oldest first.

    late: SMS answered late. They are candidates until `at` of the span, unless the session ends by unbind
    before. repeats: retransmissions that were answered again, one SMS per span.
    """

    account: str
    peer: Peer
    spans: deque[_Span] = field(default_factory=deque)
    late: deque[_Span] = field(default_factory=deque)
    repeats: deque[_Span] = field(default_factory=deque)


class Retransmissions:
    """Knows which responses of one store are in doubt.

    Args:
        windows: per account, how long a retransmission is recognised (ms); 0: never.
        late_window: the same for late responses on a live session (ms).
        settle: when a response is certain though nothing else was read (ms).
        shared: other gateways make candidates in this store too.
        now: milliseconds since the epoch at `moment`.
    """

    def __init__(
        self,
        store: Store,
        windows: dict[str, int],
        late_window: int,
        now: int,
        moment: float,
        *,
        settle: int = SETTLE_MS,
        shared: bool = False,
    ) -> None:
        self.expecting: set[str] = set()  # accounts with uncertain ranges that are no candidates yet
        self._store = store
        self._windows = windows
        self._late_window = late_window
        self._settle = settle + GRAIN_MS
        self._shared = shared
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
        """Return whether retransmissions of the account are recognised at all."""
        return self._windows[account] > 0

    def __len__(self) -> int:
        """Count the candidates."""
        return self._candidates

    @property
    def possible(self) -> bool:
        """Whether there may be candidates."""
        return self._shared or self._candidates > 0

    def until(self, moment: float) -> int:
        """Return when the store stops looking for SMS whose responses are in doubt from now on (ms)."""
        return self._time(moment) + max(self._windows.values())

    # What the store knows

    async def recover(self, moment: float) -> int:
        """Put in doubt, at the start, all responses that were not certain when the last process ended.

        Returns the number of SMS that will not be recognised. Raises StorageError.
        """
        if self._shared and isinstance(self._store, SharedStore):
            self._epoch = await self._store.now() - moment * 1000
        self._settled, self._repeats_to = await self._store.settled()
        await self._store.recover(self.until(moment))
        dropped = 0
        left = True
        while left:
            found = await self._store.expect(STEP)
            left, self._candidates = bool(found.ranges), found.candidates
            dropped += found.dropped
        self._last = self._settled
        return dropped

    async def expect(self) -> Expected:
        """Make candidates, one step. `expecting` is empty after the last step. Raises StorageError."""
        found = await self._store.expect(STEP)
        self._candidates = found.candidates
        if not found.ranges and not self._uncertain and not self._doubted:
            self.expecting.clear()
        return found

    async def find(self, digests: list[bytes], moment: float) -> "Found":
        """Find the candidates with these digests. Raises StorageError."""
        found: dict[bytes, deque[int]] = {}
        if self.possible:
            for digest, number in await self._store.candidates(digests, self._time(moment)):
                found.setdefault(digest, deque()).append(number)
        return Found(found)

    async def forget(self, moment: float, limit: int) -> None:
        """Drop expired candidates; look at `limit` of them at most. Raises StorageError."""
        if self.possible:
            self._candidates = await self._store.forget_candidates(self._time(moment), limit)

    # What happens on the sessions

    def answered(self, session: int, account: str, peer: Peer, first: int, last: int, moment: float) -> None:
        """Note that SMS first..last were answered just now; nothing was queued on the session since."""
        self._last = max(self._last, last)
        if self._windows[account]:
            known = self._session(session, account, peer)
            _append(known.spans, _Span(first, last, self._time(moment), peer.mark))

    def repeated(
        self, session: int, account: str, peer: Peer, number: int, noted: int, moment: float
    ) -> None:
        """Note that a retransmission was answered with `number`. noted: its time in the commit (ms)."""
        self._last_repeat = max(self._last_repeat, noted)
        span = _Span(number, number, self._time(moment), peer.mark, noted)
        self._session(session, account, peer).repeats.append(span)

    def late(self, session: int, account: str, first: int, last: int, moment: float) -> None:
        """Note, after answered(), that SMS first..last were answered late: the peer may repeat them."""
        window = min(self._windows[account], self._late_window)
        if window:
            until = self._time(moment) + window
            self._sessions[session].late.append(_Span(first, last, until, 0))
            self._add(session, account, first, last, until)

    def unanswered(self, session: int, account: str, first: int, last: int, moment: float) -> None:
        """Note that SMS first..last are committed, but the session was lost before the response."""
        self._last = max(self._last, last)
        if window := self._windows[account]:
            self._add(session, account, first, last, self._time(moment) + window)

    def unanswered_again(self, account: str, number: int, moment: float) -> None:
        """Note that a retransmission could not be answered: it may come once more."""
        self._doubted.append(Doubted(self._time(moment) + self._windows[account], number))
        self.expecting.add(account)

    def late_again(self, account: str, number: int, moment: float) -> None:
        """Note that a retransmission was answered late: it may come once more."""
        window = min(self._windows[account], self._late_window)
        self._doubted.append(Doubted(self._time(moment) + window, number))
        self.expecting.add(account)

    def lost(self, session: int, moment: float) -> None:
        """Put in doubt the latest responses of a session that was cut."""
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
        """Note that a session ended by unbind: the peer has read all responses."""
        known = self._sessions.pop(session, None)
        if known is not None:
            for span in (*known.late, *known.repeats):
                self._certain.append(Certain(session, span.first, span.last))

    # What the next commit has to write

    @property
    def news(self) -> bool:
        """Whether the store must be told about responses in doubt, or no longer in doubt."""
        return bool(self._uncertain or self._doubted or self._certain)

    def hand_in(self, commit: Commit) -> None:
        """Put the news into a commit."""
        commit.uncertain, self._uncertain = self._uncertain, []
        commit.doubted, self._doubted = self._doubted, []
        commit.certain, self._certain = self._certain, []

    def take_back(self, commit: Commit) -> None:
        """Take the news, and the watermark, out of a commit that failed; the next one writes them."""
        self._uncertain = commit.uncertain + self._uncertain
        self._doubted = commit.doubted + self._doubted
        self._certain = commit.certain + self._certain
        if commit.settled is not None:
            self._unwritten = True

    def settle(self, moment: float, now: int, pending: int | None = None) -> Watermark | None:
        """Drop responses that are certain. Returns the new watermark for the commit at `now`, if it moved.

        Each SMS up to the number of the watermark, and each retransmission up to its time, is certain, or in
        a range that is stored or part of the same commit. pending: the lowest number drawn but not answered.
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
        """Take out what is certain now. Returns the retransmissions among it."""
        now = self._time(moment)
        peer, read_by = session.peer, moment - CERTAIN_AFTER
        while session.late and now >= session.late[0].at:
            session.late.popleft()
        while session.spans and _is_certain(session.spans[0], peer, read_by, now, self._settle):
            session.spans.popleft()
        certain = []
        while session.repeats and _is_certain(session.repeats[0], peer, read_by, now, self._settle):
            certain.append(session.repeats.popleft())
        return certain

    def _time(self, moment: float) -> int:
        """Convert a moment to the milliseconds that the store keeps."""
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
    """Candidates for the SMS of one batch. Each serves one SMS."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: dict[bytes, deque[int]]) -> None:
        self._numbers = numbers

    def take(self, digest: bytes) -> int | None:
        """Return the number of the SMS that one with this digest repeats; None: it is new."""
        if not self._numbers:
            return None
        waiting = self._numbers.get(digest)
        return waiting.popleft() if waiting else None

    def has(self, digest: bytes) -> bool:
        """Return whether take() would give a number."""
        return bool(self._numbers.get(digest))


def _append(spans: deque[_Span], span: _Span) -> None:
    """Append a span, or merge it into the last one."""
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


def _is_certain(span: _Span, peer: Peer, read_by: float, now: int, settle: int) -> bool:
    """Return whether the peer answered a request sent after the responses, or `settle` ms have passed."""
    return peer.has_read(span.mark, read_by) or now - span.at >= settle
