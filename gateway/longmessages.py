"""Long messages on their way in: parts that wait for the others, in memory and (as StoredPart) in the store.

Bounds per handset and over all; a set that is not complete at its deadline is given up.
"""

from copy import deepcopy
from dataclasses import dataclass, field

from gateway.model import MobileOriginated, StoredPart
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Added, PartSet

SETS_PER_HANDSET = 16
OCTETS_PER_HANDSET = 32 * 1024
OCTETS_IN_ALL = 64 * 1024 * 1024
KEPT_MS = 3_600_000
"""How long the other parts are waited for."""

Key = tuple[str, str, str, str, int, int]


class NoRoom(Exception):
    """This handset (or all together) has too many unfinished long messages."""


@dataclass(slots=True)
class _Waiting:
    """One unfinished message. numbers: the SMS its parts came in."""

    parts: PartSet
    deadline: int
    numbers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Joined:
    """What a part led to. text: the whole message when it was the last part, else None.

    gone: numbers of stored parts that are not needed any more. stored: the part itself when it has to wait.
    """

    text: str | None
    gone: list[int]
    stored: StoredPart | None


class LongMessages:
    """All unfinished long messages. Changes since begin() can be taken back with roll_back()."""

    def __init__(self) -> None:
        self._sets: dict[Key, _Waiting] = {}
        self._per_handset: dict[tuple[str, str], set[Key]] = {}
        self._octets = 0
        self._before: dict[Key, _Waiting | None] = {}

    def recover(self, stored: list[StoredPart]) -> None:
        """At start: take up the parts that the store kept."""
        for p in stored:
            key = (p.account, p.source, p.destination, p.part.kind, p.part.reference, p.part.total)
            waiting = self._sets.get(key) or self._open(key, p.deadline)
            if waiting.parts.add(p.part.number, p.octets, p.data_coding) is Added.NEW:
                waiting.numbers.append(p.number)
                self._octets += len(p.octets)

    def begin(self) -> None:
        """A batch begins: roll_back() will come back to here."""
        if self._before:
            self._before = {}

    def roll_back(self) -> None:
        """The batch was not committed."""
        for key, before in self._before.items():
            now = self._sets.pop(key, None)
            self._octets -= now.parts.size if now else 0
            if before is not None:
                self._sets[key] = before
                self._octets += before.parts.size
                self._per_handset.setdefault(key[:2], set()).add(key)
            else:
                self._forget_key(key)
        self._before = {}

    def add(self, m: MobileOriginated, alphabet: Alphabet) -> Joined:
        """Take one part. Raises NoRoom; nothing has changed then."""
        part = m.part
        assert part is not None
        key = (m.account, m.source, m.destination, part.kind, part.reference, part.total)
        waiting = self._sets.get(key)
        if key not in self._before:
            self._before[key] = deepcopy(waiting)
        gone: list[int] = []
        if waiting is None:
            self._check_room(key, len(m.octets))
            waiting = self._open(key, m.at + KEPT_MS)
        else:
            self._check_room(key, len(m.octets), new=False)
        added = waiting.parts.add(part.number, m.octets, m.data_coding)
        if added is Added.CONFLICT:
            gone = self._close(key)
            waiting = self._open(key, m.at + KEPT_MS)
            added = waiting.parts.add(part.number, m.octets, m.data_coding)
        if added is Added.REPEAT:
            return Joined(None, gone, None)
        self._octets += len(m.octets)
        if added is Added.COMPLETE:
            text = waiting.parts.text(alphabet)
            return Joined(text, gone + self._close(key), None)
        waiting.numbers.append(m.number)
        stored = StoredPart(
            m.number, m.account, m.source, m.destination, part, m.data_coding, m.octets, waiting.deadline
        )
        return Joined(None, gone, stored)

    def expire(self, now_ms: int) -> list[tuple[Key, list[int]]]:
        """Give up what is not complete at its deadline: (key, numbers of its parts).

        roll_back() does not bring it back.
        """
        late = [key for key, waiting in self._sets.items() if now_ms >= waiting.deadline]
        for key in late:
            self._before.pop(key, None)
        return [(key, self._close(key)) for key in late]

    def __len__(self) -> int:
        """How many messages are unfinished."""
        return len(self._sets)

    def _check_room(self, key: Key, octets: int, *, new: bool = True) -> None:
        keys = self._per_handset.get(key[:2], set())
        size = sum(self._sets[k].parts.size for k in keys)
        if new and len(keys) >= SETS_PER_HANDSET:
            raise NoRoom(f"{SETS_PER_HANDSET} unfinished long messages of this handset")
        if size + octets > OCTETS_PER_HANDSET:
            raise NoRoom(f"{OCTETS_PER_HANDSET} octets of unfinished long messages of this handset")
        if self._octets + octets > OCTETS_IN_ALL:
            raise NoRoom(f"{OCTETS_IN_ALL} octets of unfinished long messages")

    def _open(self, key: Key, deadline: int) -> _Waiting:
        waiting = self._sets[key] = _Waiting(PartSet(key[5]), deadline)
        self._per_handset.setdefault(key[:2], set()).add(key)
        return waiting

    def _close(self, key: Key) -> list[int]:
        waiting = self._sets.pop(key)
        self._octets -= waiting.parts.size
        self._forget_key(key)
        return waiting.numbers

    def _forget_key(self, key: Key) -> None:
        keys = self._per_handset.get(key[:2])
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._per_handset[key[:2]]
