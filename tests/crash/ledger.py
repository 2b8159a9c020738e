"""What the SMS centre knows: what it submitted, which answers it got, what was delivered. And the verdict."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from gateway.message import Delivery, number_of
from tests.crash.evidence import PASSWORD, Executed, Sms, Stored, sms_of
from tests.crash.load import Kind, Message

EXPECTED = {
    Kind.OPEN: ("done", 1),
    Kind.STATE: ("done", 1),
    Kind.ADD: ("asked", 2),
    Kind.YES: ("done", 2),
    Kind.RANDOM: ("done", 1),
    Kind.CHAT: ("chat", 1),
}
"""The outcome that each kind has when it is executed once in its place, and how many SMS it leads to."""

STATE = "现有好友"
"""Stands in the answer to CXFX only."""


@dataclass(slots=True)
class Figures:
    """One line for the reader of a test run."""

    kills: int = 0
    messages: int = 0
    unanswered: list[int] = field(default_factory=list)
    resent: Counter[Kind] = field(default_factory=Counter)
    duplicates: Counter[Kind] = field(default_factory=Counter)
    in_flight: list[int] = field(default_factory=list)
    repeats: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.messages} messages; unanswered at the kills {self.unanswered}; "
            f"resent {_counted(self.resent)}; of these recognised as duplicates {_counted(self.duplicates)}; "
            f"replies in flight at the kills {self.in_flight}; {self.repeats} delivered again"
        )


def _counted(kinds: Counter[Kind]) -> str:
    return f"{kinds.total()} ({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))})"


class Ledger:
    """Kept while the experiment runs; `faults` compares it with the store at its end.

    received: how often each SMS was delivered. states: (to, from) of the answers to CXFX that came.
    """

    def __init__(self) -> None:
        self.figures = Figures()
        self.messages: list[Message] = []
        self.unanswered: dict[int, Message] = {}
        self.received: Counter[Sms] = Counter()
        self.states: set[tuple[str, str]] = set()
        self._order: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._passwords: dict[str, set[str]] = defaultdict(set)
        self._in_flight: Counter[Sms] = Counter()
        self._arrived: set[Sms] = set()
        self._refused: list[str] = []

    def sent(self, message: Message) -> None:
        """It is submitted: for the first time, or again under a new sequence number."""
        message.sent += 1
        if message.sent == 1:
            self.messages.append(message)
            self.figures.messages += 1
        else:
            self.figures.resent[message.kind] += 1
        self.unanswered[message.order] = message

    def answered(self, message: Message, status: int, message_id: str) -> None:
        """The response to a submit_sm."""
        del self.unanswered[message.order]
        if status:
            self._refused.append(f"{message.kind} of {message.source}: command_status 0x{status:X}")
            return
        message.message_id = message_id
        # One process, one run: the run stands in every number (gateway.message.Numbers).
        if number_of(message_id) >> 32 & 0xFFFFFF <= self.figures.kills:
            self.figures.duplicates[message.kind] += 1

    def delivered(self, to: str, source: str, text: str) -> None:
        """A deliver_sm."""
        sms = sms_of(to, source, text)
        self.received[sms] += 1
        self._arrived.add(sms)
        if self.received[sms] == 1:
            self._order[to, source].append(text)
        if (found := PASSWORD.search(text)) is not None:
            self._passwords[to].add(found[1])
        if STATE in text:
            self.states.add((to, source))

    def killed(self, waiting: set[Sms]) -> None:
        """The process died; waiting: what it had not closed, and will be sent by the next one.

        In flight were those of them that it had sent and that had arrived: no later process can know that
        they had. One that an earlier process sent, and that still waits to be sent again, was counted then.
        """
        in_flight = waiting & self._arrived
        self._arrived = set()
        self._in_flight.update(in_flight)
        self.figures.kills += 1
        self.figures.in_flight.append(len(in_flight))
        self.figures.unanswered.append(len(self.unanswered))

    def faults(self, stored: Stored) -> list[str]:
        """Everything in which ledger, store and handsets do not agree."""
        self.figures.repeats = sum(self.received.values()) - len(self.received)
        return [
            *self._refused,
            *self._not_executed_once(stored),
            *self._wrong_replies(stored),
            *self._not_delivered_once(stored),
            *self._wrong_passwords(stored),
            *self._out_of_order(),
        ]

    def _not_executed_once(self, stored: Stored) -> Iterator[str]:
        """Messages and journal rows belong together one to one, and each row does as its message says."""
        by_id: dict[int, Message] = {}
        for message in self.messages:
            if not message.message_id:
                yield f"never answered: {message}"
                continue
            number = number_of(message.message_id)
            if number in by_id:
                yield f"lost: {message} has the id of {by_id[number]}"
            by_id[number] = message
            if (row := stored.journal.get(number)) is None:
                yield f"lost: {message} is not in the journal"
            elif (wrong := _wrong_row(message, row)) is not None:
                yield wrong
        for number in stored.journal.keys() - by_id.keys():
            yield f"twice: nobody was answered {number:016x}: {stored.journal[number]}"
        for message in self.messages:
            if message.kind is Kind.ADD:
                pair = message.source, message.text.removeprefix("HY#")
                if not {pair, pair[::-1]} <= stored.buddies:
                    yield f"lost: {pair} are no buddies"

    def _wrong_replies(self, stored: Stored) -> Iterator[str]:
        """Each journal row led to as many SMS as its kind does."""
        caused = Counter(cause for cause, _, _ in stored.outbox)
        for number, row in stored.journal.items():
            if row.instruction in EXPECTED and caused[number] != EXPECTED[Kind(row.instruction)][1]:
                yield f"{caused[number]} replies: {row}"
        yield from (f"no cause: {cause:016x}" for cause in caused.keys() - stored.journal.keys())

    def _not_delivered_once(self, stored: Stored) -> Iterator[str]:
        """Each outbox row arrived; again only where it was in flight at a kill, once for each such kill."""
        rows = Counter(sms for _, sms, _ in stored.outbox)
        yield from (f"twice: {count} rows for {sms}" for sms, count in rows.items() if count > 1)
        yield from (f"{state.name}: {sms}" for _, sms, state in stored.outbox if state is not Delivery.SENT)
        for sms in rows:
            arrived, most = self.received[sms], 1 + self._in_flight[sms]
            if not 1 <= arrived <= most:
                yield f"arrived {arrived} times, at least once and at most {most} times was right: {sms}"
        yield from (f"from nowhere: {sms}" for sms in self.received.keys() - rows.keys())

    def _wrong_passwords(self, stored: Stored) -> Iterator[str]:
        """Whoever asked for a password was told one, and it is the one that counts."""
        for message in self.messages:
            if message.kind is not Kind.RANDOM:
                continue
            told = self._passwords[message.source]
            if len(told) != 1:
                yield f"{message.source} was told {len(told)} passwords"
                continue
            try:
                PasswordHasher().verify(stored.passwords.get(message.source, ""), *told)
            except (VerifyMismatchError, ValueError) as error:
                yield f"{message.source}: its password is not the one it was told: {error}"

    def _out_of_order(self) -> Iterator[str]:
        """Between two handsets, chats arrive for the first time in the order in which they were sent."""
        submitted: dict[tuple[str, str], list[str]] = defaultdict(list)
        for message in self.messages:
            if message.kind is Kind.CHAT:
                to = message.destination.removeprefix("12520")
                submitted[to, f"12520{message.source}"].append(message.text)
        for way, texts in submitted.items():
            if self._order[way] != texts:
                yield f"order {way}: sent {len(texts)}, arrived {len(self._order[way])} or in another order"


def _wrong_row(message: Message, row: Executed) -> str | None:
    """Why this row is not that of this message."""
    text = "" if message.kind is Kind.RANDOM else message.text
    expected = Executed(message.kind, EXPECTED[message.kind][0], message.source, message.destination, text)
    return None if row == expected else f"executed otherwise: {message} as {row}"
