"""Long messages on their way in: parts that wait for the others, in memory and (as StoredPart) in the store.

A message is known by its account, sender, destination, kind of reference, reference and total. References are
small and come again, so what belongs together is told apart by three rules:

- A part that equals one that is there is a repeat. So is one that equals a part of a message that was
complete
  REPEATABLE_MS ago or less; only when all of its parts have come again is it an SMS of its own.
- A part that differs from the one in its place begins another message; the older one is given up.
- A first part that comes OLD_MS after the last one of its set begins another message.

Bounds per handset and over all; a set that is not complete at its deadline is given up.
"""

import heapq
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.channels.contract import Alphabet
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import CompletePart, StoredPart

SETS_PER_HANDSET = 16
OCTETS_PER_HANDSET = 32 * 1024
OCTETS_IN_ALL = 64 * 1024 * 1024
COMPLETE_IN_ALL = 50_000
"""Complete messages that are remembered: some 30 MB. Beyond it the oldest are forgotten."""
KEPT_MS = 3_600_000
"""How long the other parts are waited for."""
REPEATABLE_MS = 600_000
"""How long a part of a complete message may come again: several response timers of a centre."""
OLD_MS = 300_000
ALIKE_MS = 10_000
"""How soon behind the part before it a part comes of a message that begins like the last one."""
SLACK = 1_000
"""Entries of deadlines that are out of date, beside as many as there are messages."""

Key: TypeAlias = tuple[str, str, str, str, int, int]
"""Account, msisdn, destination, kind of reference, reference, total."""


class NoRoom(Exception):
    """This handset (or all together) has too many unfinished long messages."""


@dataclass(slots=True)
class _Waiting:
    """One message. total: how many parts it has. first: the part that came first. touched: when the last one
    came. numbers: the SMS whose parts the store has. digests, texts (octets and data_coding): of the parts by
    their place. octets: how many there are."""

    total: int
    first: StoredPart
    deadline: int
    touched: int
    numbers: list[int] = field(default_factory=list)
    digests: dict[int, bytes] = field(default_factory=dict)
    texts: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    octets: int = 0

    def add(self, part: StoredPart) -> bool:
        """Put a part in its place. False when one is there; nothing has changed then."""
        place = part.part.number
        if place in self.digests:
            return False
        self.digests[place] = part.digest
        self.texts[place] = (part.octets, part.data_coding)
        self.octets += len(part.octets)
        return True

    @property
    def complete(self) -> bool:
        """Whether no part is missing."""
        return len(self.texts) == self.total

    def text(self, alphabet: Alphabet) -> str:
        """The whole message."""
        return alphabet.join([self.texts[place] for place in range(1, self.total + 1)])


@dataclass(slots=True)
class _Complete:
    """One message that was complete. digests: of its parts by their place."""

    digests: dict[int, bytes]
    deadline: int
    numbers: list[int]


@dataclass(slots=True)
class Joined:
    """What a part led to.

    text: the whole message when it was the last part, else None; joined: the SMS that its other parts came
    in. stored: the part itself where the store has to keep it. gone: numbers of stored parts that are not
    needed any more. complete: those whose octets are not. given_up: the message that it
    ended.
    """

    text: str | None = None
    joined: tuple[int, ...] = ()
    stored: StoredPart | None = None
    gone: list[int] = field(default_factory=list)
    complete: list[CompletePart] = field(default_factory=list)
    given_up: "GivenUp | None" = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A message that will not be complete. first: the part that came first. numbers: the SMS of all that
    came."""

    first: StoredPart
    numbers: tuple[int, ...]


class Reassembly:
    """All unfinished long messages. Changes since begin() can be taken back with roll_back()."""

    def __init__(self) -> None:
        self._sets: dict[Key, _Waiting] = {}
        self._complete: dict[Key, _Complete] = {}
        self._per_handset: dict[tuple[str, str], set[Key]] = {}
        self._deadlines: list[tuple[int, Key]] = []  # a heap; an entry may be out of date
        self._octets = 0
        self._before: dict[Key, tuple[_Waiting | None, _Complete | None]] = {}

    def recover(self, stored: list[StoredPart]) -> None:
        """At start: take up the parts that the store kept."""
        for p in stored:
            key = (p.account, p.msisdn, p.destination, p.part.kind, p.part.reference, p.part.total)
            if p.complete:
                known = self._complete.get(key)
                if known is None:
                    known = self._complete[key] = _Complete({}, p.deadline, [])
                    heapq.heappush(self._deadlines, (p.deadline, key))
                known.digests[p.part.number] = p.digest
                known.numbers.append(p.number)
                continue
            waiting = self._sets.get(key) or self._open(key, p)
            waiting.touched = p.at
            waiting.numbers.append(p.number)
            if waiting.add(p):
                self._octets += len(p.octets)

    def begin(self) -> None:
        """A batch begins: roll_back() will come back to here."""
        if self._before:
            self._before = {}

    def roll_back(self) -> None:
        """The batch was not committed."""
        for key, (waiting, complete) in self._before.items():
            now = self._sets.pop(key, None)
            self._octets -= now.octets if now else 0
            self._complete.pop(key, None)
            if complete is not None:
                self._complete[key] = complete
                heapq.heappush(self._deadlines, (complete.deadline, key))
            if waiting is not None:
                self._sets[key] = waiting
                self._octets += waiting.octets
                self._per_handset.setdefault(key[:2], set()).add(key)
                heapq.heappush(self._deadlines, (waiting.deadline, key))
            else:
                self._forget_key(key)
        self._before = {}

    def add(self, m: MobileOriginated, digest: bytes) -> Joined:
        """Take one part. digest: of its octets and data_coding. Raises NoRoom; nothing has changed then."""
        came = m.came
        part, account = came.part, came.bind.account
        assert part is not None
        destination = m.route.address
        key = (account, m.msisdn, destination, part.kind, part.reference, part.total)
        waiting = self._sets.get(key)
        self._check_room(key, len(came.octets), new=waiting is None)
        if key not in self._before:
            self._before[key] = deepcopy((waiting, self._complete.get(key)))
        joined = Joined()
        stored = StoredPart(
            m.number, account, came.source, destination, part, came.data_coding, came.octets, m.at + KEPT_MS,
            m.msisdn, came.source_ton, came.source_npi, m.at, digest,
        )  # fmt: skip
        self._end_others(key, stored, joined)
        waiting = self._sets.get(key) or self._open(key, stored)
        stored.deadline = waiting.deadline
        waiting.touched = m.at
        if not waiting.add(stored):
            return joined
        self._octets += len(came.octets)
        joined.stored = stored
        if waiting.complete:
            self._finish(key, waiting, stored, joined, came.alphabet)
        else:
            waiting.numbers.append(m.number)
        return joined

    def expire(self, now_ms: int) -> tuple[list[GivenUp], list[int]]:
        """Give up what is not complete at its deadline, and forget what was complete long ago.

        Gives what to tell the senders, and the numbers of all parts that are not needed any more. Between two
        batches only.
        """
        given_up: list[GivenUp] = []
        gone: list[int] = []
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            _, key = heapq.heappop(self._deadlines)
            complete, waiting = self._complete.get(key), self._sets.get(key)
            if complete is not None and complete.deadline <= now_ms:
                del self._complete[key]
                gone += complete.numbers
                if waiting is not None:  # repeats of that one, and nobody misses the others
                    gone += self._close(key).numbers
            elif complete is None and waiting is not None and waiting.deadline <= now_ms:
                given_up.append(self._close(key))
                gone += given_up[-1].numbers
        if len(self._deadlines) > 2 * (len(self._sets) + len(self._complete)) + SLACK:
            self._deadlines = [(each.deadline, key) for key, each in self._sets.items()]
            self._deadlines += [(each.deadline, key) for key, each in self._complete.items()]
            heapq.heapify(self._deadlines)
        return given_up, gone

    def __len__(self) -> int:
        """How many messages are unfinished."""
        return len(self._sets)

    def _end_others(self, key: Key, part: StoredPart, joined: Joined) -> None:
        """End the messages with the same reference that this part does not belong to."""
        complete, waiting = self._complete.get(key), self._sets.get(key)
        number = part.part.number
        if complete is not None:
            if complete.digests.get(number) == part.digest and part.at < complete.deadline:
                return
            del self._complete[key]
            joined.gone += complete.numbers
            if waiting is not None and not _begins_alike(waiting, part):
                joined.gone += self._close(key).numbers
            return
        if waiting is None:
            return
        known = waiting.digests.get(number)
        late = known is None and number == 1 and part.at - waiting.touched >= OLD_MS
        if late or known not in (None, part.digest) or part.at >= waiting.deadline:
            joined.given_up = self._close(key)
            joined.gone += joined.given_up.numbers

    def _finish(
        self, key: Key, waiting: _Waiting, last: StoredPart, joined: Joined, alphabet: Alphabet
    ) -> None:
        """All parts are there: the text, and digests instead of octets."""
        joined.text = waiting.text(alphabet)
        joined.joined = tuple(waiting.numbers)
        before = self._complete.pop(key, None)
        if before is not None:  # the same message once more
            joined.gone += before.numbers
        deadline = last.at + REPEATABLE_MS
        last.complete, last.octets, last.deadline = True, b"", deadline
        joined.complete = [CompletePart(deadline, number) for number in waiting.numbers]
        self._complete[key] = _Complete(waiting.digests, deadline, [*waiting.numbers, last.number])
        heapq.heappush(self._deadlines, (deadline, key))
        self._close(key)
        if len(self._complete) > COMPLETE_IN_ALL:
            oldest = next(iter(self._complete))
            self._before.setdefault(oldest, (deepcopy(self._sets.get(oldest)), self._complete[oldest]))
            joined.gone += self._complete.pop(oldest).numbers

    def _check_room(self, key: Key, octets: int, *, new: bool) -> None:
        held = self._per_handset.get(key[:2], ())
        keys = [each for each in held if each not in self._complete]  # the others are repeats only
        size = sum(self._sets[k].octets for k in keys)
        if new and len(keys) >= SETS_PER_HANDSET:
            raise NoRoom(f"{SETS_PER_HANDSET} unfinished long messages of this handset")
        if size + octets > OCTETS_PER_HANDSET:
            raise NoRoom(f"{OCTETS_PER_HANDSET} octets of unfinished long messages of this handset")
        if self._octets + octets > OCTETS_IN_ALL:
            raise NoRoom(f"{OCTETS_IN_ALL} octets of unfinished long messages")

    def _open(self, key: Key, first: StoredPart) -> _Waiting:
        waiting = self._sets[key] = _Waiting(key[5], first, first.deadline, first.at)
        self._per_handset.setdefault(key[:2], set()).add(key)
        heapq.heappush(self._deadlines, (first.deadline, key))
        return waiting

    def _close(self, key: Key) -> GivenUp:
        waiting = self._sets.pop(key)
        self._octets -= waiting.octets
        self._forget_key(key)
        return GivenUp(waiting.first, tuple(waiting.numbers))

    def _forget_key(self, key: Key) -> None:
        keys = self._per_handset.get(key[:2])
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._per_handset[key[:2]]


def _begins_alike(waiting: _Waiting, part: StoredPart) -> bool:
    """Whether the parts before this one have just come as they stood in the message before: a handset that
    always uses one reference writes the same with another end. Else they were repeats."""
    return sorted(waiting.digests) == [*range(1, part.part.number)] and part.at - waiting.touched <= ALIKE_MS
