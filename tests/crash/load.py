"""What the handsets text: nothing that may be done twice. Every choice comes from the seed."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from random import Random

PAIRS = 12
"""Pairs of buddies that chat."""

NEW_PAIRS = 16
"""Pairs that become buddies in each round."""

PASSWORDS = 16
"""Handsets that ask for a password in each round."""

SPECIAL = 0.03
"""Share of the messages that are no chats, while there are others to send."""

BASE = "12520"
OLD_BASE = "161"
QUESTIONS = "12520033"

CHAT = r"message \d+\.|第\d+条"
"""A chat's text. Its number is that of its message, and its end is marked."""


class Kind(StrEnum):
    """What a message asks for: the id of its instruction."""

    OPEN = "service.open"
    STATE = "service.state"
    ADD = "buddy.add"
    YES = "answer.yes"
    RANDOM = "password.random"
    CHAT = "chat"


@dataclass(slots=True, eq=False)
class Message:
    """One SMS from a handset. sent: how often it was submitted. message_id: of its response, "" before."""

    order: int
    kind: Kind
    source: str
    destination: str
    text: str
    sent: int = 0
    message_id: str = ""


class Load:
    """The people of an experiment, and what they send next. passwords: asked for in each round."""

    def __init__(self, seed: int, rounds: int, passwords: int = PASSWORDS) -> None:
        self.random = Random(seed)
        self.chatting = False
        self._count = 0
        self._numbers = 0
        self._queue: deque[Message] = deque()
        self._special: list[Message] = []
        self._answered: set[str] = set()
        self.buddies = [self._pair() for _ in range(PAIRS)]
        self._new = [[self._pair() for _ in range(NEW_PAIRS)] for _ in range(rounds)]
        self._forgetful = [[self._handset() for _ in range(passwords)] for _ in range(rounds)]

    @property
    def handsets(self) -> list[str]:
        """All of them."""
        pairs = [*self.buddies, *(pair for pairs in self._new for pair in pairs)]
        return [*(m for pair in pairs for m in pair), *(m for group in self._forgetful for m in group)]

    @property
    def asked(self) -> list[str]:
        """Those who are asked to become buddies while the gateway is killed."""
        return [other for pairs in self._new for _, other in pairs]

    @property
    def waiting(self) -> bool:
        """Whether something other than the next chat is to be sent."""
        return bool(self._queue or self._special)

    def open_all(self) -> None:
        """KTFX from everybody."""
        for msisdn in self.handsets:
            self.put(Kind.OPEN, msisdn, BASE, "KTFX")

    def befriend(self) -> None:
        """HY# within the pairs that will chat."""
        for one, other in self.buddies:
            self.put(Kind.ADD, one, BASE, f"HY#{other}")

    def begin_round(self, number: int) -> None:
        """Chats without end, and among them this round's HY# and P."""
        self.chatting = True
        self._special += [self._message(Kind.ADD, a, BASE, f"HY#{b}") for a, b in self._new[number]]
        self._special += [self._message(Kind.RANDOM, m, BASE, "P") for m in self._forgetful[number]]
        self.random.shuffle(self._special)

    def end(self) -> None:
        """No more chats; what else this round had goes out."""
        self.chatting = False
        self._queue.extend(self._special)
        self._special.clear()

    def put(self, kind: Kind, source: str, destination: str, text: str) -> None:
        """To be sent next, behind what waits."""
        self._queue.append(self._message(kind, source, destination, text))

    def next(self) -> Message | None:
        """What is sent now; None for nothing."""
        if self._queue:
            return self._queue.popleft()
        if not self.chatting:
            return None
        if self._special and self.random.random() < SPECIAL:
            return self._special.pop()
        pair = self.random.choice(self.buddies)
        source, to = pair if self.random.random() < 0.5 else pair[::-1]
        chat = self._message(Kind.CHAT, source, BASE + to, "")
        chat.text = f"message {chat.order}." if chat.order % 2 else f"第{chat.order}条"
        return chat

    def delivered(self, to: str, source: str) -> None:
        """Who is asked answers once, however often he is asked."""
        if source.startswith(QUESTIONS) and (to + source) not in self._answered:
            self._answered.add(to + source)
            self.put(Kind.YES, to, source, "是")

    def _message(self, kind: Kind, source: str, destination: str, text: str) -> Message:
        self._count += 1
        return Message(self._count, kind, source, destination, text)

    def _handset(self) -> str:
        self._numbers += 1
        return f"138{self._numbers:08d}"

    def _pair(self) -> tuple[str, str]:
        return self._handset(), self._handset()
