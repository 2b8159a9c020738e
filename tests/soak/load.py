"""What the handsets text. Each text stands for one SMS only, so that its executions can be counted."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Segment, segments

BASE = "12520"

RENAMES = 0.1
LONG = 0.06
PASSWORDS = 0.01
"""Shares of what is sent; the rest are chats of one SMS. A password is asked for once by each handset."""


class Kind(StrEnum):
    """What an SMS asks for: the id of its instruction."""

    OPEN = "service.open"
    ADD = "buddy.add"
    YES = "answer.yes"
    CHAT = "chat"
    RENAME = "buddy.rename"
    RANDOM = "password.random"
    STATE = "service.state"


@dataclass(slots=True, eq=False)
class Message:
    """One SMS from a handset, whole. ids: message ids of its parts, "" before they are acknowledged.

    began, ended: how often the wall clock had been put forward when its first part was sent, and when its
    last one was acknowledged.
    """

    order: int
    kind: Kind
    source: str
    destination: str
    text: str
    ids: list[str] = field(default_factory=list)
    began: int = -1
    ended: int = -1

    @property
    def done(self) -> bool:
        """Whether all of it is acknowledged."""
        return all(self.ids)


@dataclass(slots=True, eq=False)
class Piece:
    """One submit_sm: an SMS, or one part of a long one. sent: how often it was."""

    message: Message
    place: int
    segment: Segment
    sent: int = 0


class Load:
    """The people of a soak, and what they send next. Every choice comes from the seed."""

    def __init__(self, seed: int, pairs: int) -> None:
        self._random = Random(f"load {seed}")
        self._alphabet = Alphabet.from_config({}, "gsm")
        self._count = 0
        self._queue: deque[Piece] = deque()
        self._references: dict[str, int] = {}
        self._asked: set[str] = set()
        self.pairs = [(f"138{n:08d}", f"139{n:08d}") for n in range(pairs)]
        self.handsets = [msisdn for pair in self.pairs for msisdn in pair]
        self._forgetful = [*self.handsets]
        self._random.shuffle(self._forgetful)
        self.going = False

    def open_all(self) -> None:
        """KTFX from everybody."""
        for msisdn in self.handsets:
            self._put(Kind.OPEN, msisdn, BASE, "KTFX")

    def befriend(self) -> None:
        """HY# within the pairs."""
        for one, other in self.pairs:
            self._put(Kind.ADD, one, BASE, f"HY#{other}")

    def agree(self, to: str, question: str) -> None:
        """Who is asked says yes, once."""
        if to not in self._asked:
            self._asked.add(to)
            self._put(Kind.YES, to, question, "是")

    def ask_all(self) -> None:
        """CXFX from everybody."""
        for msisdn in self.handsets:
            self._put(Kind.STATE, msisdn, BASE, "CXFX")

    def next(self) -> Piece | None:
        """What is sent now; None for nothing."""
        if not self._queue and self.going:
            self._more()
        return self._queue.popleft() if self._queue else None

    @property
    def waiting(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._queue) or self.going

    def _more(self) -> None:
        random = self._random
        pair = random.choice(self.pairs)
        source, to = pair if random.random() < 0.5 else pair[::-1]
        kind = random.random()
        if kind < PASSWORDS and self._forgetful:
            self._put(Kind.RANDOM, self._forgetful.pop(), BASE, "P")
        elif kind < PASSWORDS + RENAMES:
            self._put(Kind.RENAME, source, BASE, f"MC#{to}#n{self._count}")
        elif kind < PASSWORDS + RENAMES + LONG:
            self._put(Kind.CHAT, source, BASE + to, self._long())
        else:
            text = f"message {self._count}." if self._count % 2 else f"第{self._count}条"
            self._put(Kind.CHAT, source, BASE + to, text)

    def _long(self) -> str:
        """A chat of two or three parts. No two parts of two messages are equal."""
        word = f"message {self._count}. " if self._count % 2 else f"第{self._count}条。"
        length = 170 if self._count % 2 else self._random.randint(80, 170)
        return (word * 40)[:length].rstrip() + "."

    def _put(self, kind: Kind, source: str, destination: str, text: str) -> None:
        message = Message(self._count, kind, source, destination, text)
        self._count += 1
        reference = self._references.get(source, -1) + 1 & 0xFF
        cut = segments(text, self._alphabet, reference, "udh8")
        if len(cut) > 1:
            self._references[source] = reference
        message.ids = [""] * len(cut)
        pieces = [Piece(message, place, segment) for place, segment in enumerate(cut)]
        if self._random.random() < 0.3:
            self._random.shuffle(pieces)
        self._queue.extend(pieces)
