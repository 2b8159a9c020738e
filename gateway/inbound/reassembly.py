"""Joins long messages. Their parts wait for each other in memory and (as StoredPart) in the store.

Account, sender, destination, kind of reference, reference and total identify a message. Handsets reuse the
small references, so three rules separate the messages:

- A part that equals a waiting one is a repeat. So is a part that equals one of a message that was complete
  at most REPEATABLE_MS ago; such a message counts as a new SMS only when all its parts have come again.
- A part that differs from the one in its place begins another message; the older message is given up.
- A first part that comes OLD_MS after the last part of its set begins another message.

The number of octets is limited per handset and in all. A set that is incomplete at its deadline, or when the
validity of one of its parts ends, is given up.
"""

import heapq
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gateway.channels.contract import Alphabet
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import AskedFor, CompletePart, StoredPart, message_id

SETS_PER_HANDSET = 16
OCTETS_PER_HANDSET = 40 * 1024
"""A message of 255 parts has up to 39,015 octets."""
OCTETS_IN_ALL = 64 * 1024 * 1024
COMPLETE_IN_ALL = 50_000
"""Complete messages that are remembered, about 30 MB; beyond that the oldest are dropped."""
KEPT_MS = 3_600_000
"""How long a part waits for the others."""
REPEATABLE_MS = 600_000
"""How long parts of a complete message are recognised as repeats: several response timers of an SMSC."""
OLD_MS = 300_000
ALIKE_MS = 10_000
"""Within this time after the part before it, a part may belong to a message that begins like the last one."""
SLACK = 1_000
"""Outdated entries that the heap of deadlines may hold in addition to one per message."""

TO_ALL, TO_RECEIVER = 0xFF, 0x0C
"""Bits of Inbound.registered that count: a centre that we dialled can ask us as a receiver only."""
SHORT: Final = 0x100
"""Bit of StoredPart.registered: the sender was told the end of the id only."""

Key: TypeAlias = tuple[str, str, str, str, int, int]
"""Account, msisdn, destination, kind of reference, reference, total."""


class NoRoom(Exception):
    """This handset (or all together) has too many unfinished long messages."""


@dataclass(slots=True)
class _Waiting:
    """An incomplete message.

    total: the number of its parts. first: the part that came first. touched: when the last one came (ms).
    numbers: the SMS whose parts are stored. digests, texts (octets and data_coding): by place of the part.
    octets: the sum over its parts. asked: those whose sender wants to be told of them.
    """

    total: int
    first: StoredPart
    deadline: int
    touched: int
    numbers: list[int] = field(default_factory=list)
    digests: dict[int, bytes] = field(default_factory=dict)
    texts: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    octets: int = 0
    asked: list[AskedFor] = field(default_factory=list)

    def add(self, part: StoredPart) -> bool:
        """Put a part in its place. Returns False, and changes nothing, when the place is taken."""
        place = part.part.number
        if place in self.digests:
            return False
        self.digests[place] = part.digest
        self.texts[place] = (part.octets, part.data_coding)
        self.octets += len(part.octets)
        if part.registered:
            self.asked.append(AskedFor(part.number, part.registered, part.at))
        return True

    @property
    def complete(self) -> bool:
        """Whether no part is missing."""
        return len(self.texts) == self.total

    def text(self, alphabet: Alphabet) -> str:
        """Return the text of the whole message."""
        return alphabet.join([self.texts[place] for place in range(1, self.total + 1)])


@dataclass(slots=True)
class _Complete:
    """A complete message. digests: by place of the part."""

    digests: dict[int, bytes]
    deadline: int
    numbers: list[int]


@dataclass(slots=True)
class Joined:
    """The result of adding a part.

    text: the whole message if this was the last part, else None. joined: numbers of the SMS that carried the
    other parts; asked: those of them whose sender wants to be told. stored: the part, if the store must keep
    it. gone: numbers of stored parts to delete. complete: stored parts that lose their octets. given_up: the
    message that this part ended.
    """

    text: str | None = None
    joined: tuple[int, ...] = ()
    asked: tuple[AskedFor, ...] = ()
    stored: StoredPart | None = None
    gone: list[int] = field(default_factory=list)
    complete: list[CompletePart] = field(default_factory=list)
    given_up: "GivenUp | None" = None


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A message that will not be complete. first: the part that came first. numbers: the SMS of its parts."""

    first: StoredPart
    numbers: tuple[int, ...]
    asked: tuple[AskedFor, ...] = ()


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
        """Load stored parts, at the start or when they were taken over."""
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
            if p.deadline < waiting.deadline:
                waiting.deadline = p.deadline
                heapq.heappush(self._deadlines, (p.deadline, key))
            waiting.touched = p.at
            waiting.numbers.append(p.number)
            if waiting.add(p):
                self._octets += len(p.octets)

    def numbers(self) -> set[int]:
        """Return the numbers of all parts that it knows."""
        known = {number for waiting in self._sets.values() for number in waiting.numbers}
        return known.union(*(complete.numbers for complete in self._complete.values()))

    def begin(self) -> None:
        """Begin a batch; roll_back() returns to this state."""
        if self._before:
            self._before = {}

    def roll_back(self) -> None:
        """Undo the changes since begin(): the batch was not committed."""
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
        """Add a part. digest: of its octets and data_coding. Raises NoRoom and then changes nothing."""
        came = m.came
        part, account = came.part, came.bind.account
        assert part is not None
        deadline = m.at + KEPT_MS
        if came.expires_at:
            deadline = min(deadline, came.expires_at)
        destination = m.route.address
        key = (account, m.msisdn, destination, part.kind, part.reference, part.total)
        waiting = self._sets.get(key)
        self._check_room(key, len(came.octets), new=waiting is None)
        if key not in self._before:
            self._before[key] = deepcopy((waiting, self._complete.get(key)))
        joined = Joined()
        stored = StoredPart(
            m.number, account, came.source, destination, part, came.data_coding, came.octets, deadline,
            m.msisdn, came.source_ton, came.source_npi, m.at, digest,
            registered=_wanted(m),
        )  # fmt: skip
        self._end_others(key, stored, joined)
        waiting = self._sets.get(key) or self._open(key, stored)
        if stored.deadline < waiting.deadline:  # its validity ends first
            waiting.deadline = stored.deadline
            heapq.heappush(self._deadlines, (stored.deadline, key))
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
        """Give up incomplete messages at their deadline, and drop old complete ones. Only between batches.

        Returns:
            The messages whose senders are to be told, and the numbers of all parts to delete.
        """
        given_up: list[GivenUp] = []
        gone: list[int] = []
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            _, key = heapq.heappop(self._deadlines)
            complete, waiting = self._complete.get(key), self._sets.get(key)
            if complete is not None and complete.deadline <= now_ms:
                del self._complete[key]
                gone += complete.numbers
                if waiting is not None:  # its parts are repeats of the complete one
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
        """Count the incomplete messages."""
        return len(self._sets)

    def _end_others(self, key: Key, part: StoredPart, joined: Joined) -> None:
        """Close the messages with the same reference to which this part does not belong."""
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
        """Join a complete message; its digests replace its octets."""
        joined.text = waiting.text(alphabet)
        joined.joined = tuple(waiting.numbers)
        joined.asked = tuple(each for each in waiting.asked if each.number != last.number)
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
        return GivenUp(waiting.first, tuple(waiting.numbers), tuple(waiting.asked))

    def _forget_key(self, key: Key) -> None:
        keys = self._per_handset.get(key[:2])
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._per_handset[key[:2]]


def _wanted(m: MobileOriginated) -> int:
    """What the sender of a part wants to be told of it, and under which id."""
    bind = m.came.bind
    registered = m.came.registered & (TO_RECEIVER if bind.link else TO_ALL)
    if not registered:
        return 0
    whole = message_id(m.number)
    return registered | (SHORT if bind.given_id(whole) != whole else 0)


def _begins_alike(waiting: _Waiting, part: StoredPart) -> bool:
    """Return whether the parts before this one came just now and equal those of the complete message.

    Then a handset that always uses one reference has written a text that differs only at its end. Otherwise
    the parts were repeats.
    """
    return sorted(waiting.digests) == [*range(1, part.part.number)] and part.at - waiting.touched <= ALIKE_MS
