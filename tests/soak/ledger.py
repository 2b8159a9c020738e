"""What the SMS centre of a soak knows, and the verdict: it compares its notes with the store at the end."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from gateway.message import PART, Delivery, number_of
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import Added, PartSet, part_of
from gateway.smpp.pdus import DeliverSm
from tests.crash.evidence import Sms, sms_of
from tests.soak.load import Kind, Message, Piece

Key = tuple[str, str, str | int]
"""What an SMS to a handset is known by before it is whole: to, from, and its text or its reference."""

OUTCOMES = {
    Kind.OPEN: "done",
    Kind.ADD: "asked",
    Kind.YES: "done",
    Kind.CHAT: "chat",
    Kind.RENAME: "done",
    Kind.RANDOM: "done",
    Kind.STATE: "done",
}

STATE = "现有好友"
"""Stands in the answer to CXFX only."""

SHOWN = 20
"""Faults of one kind that are told; the rest are counted."""


class Ledger:
    """Kept while the soak runs.

    messages: everything that was sent. first: SMS to a handset -> place of its first arrival among all.
    states: who has the answer to CXFX. counts: of what happened, by name.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.first: dict[Sms, int] = {}
        self.states: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.forward = 0  # how often the wall clock was put forward
        self.refused_for_good: set[Key] = set()
        self.unanswered: Counter[Key] = Counter()
        self.arrived: Counter[Key] = Counter()
        self.answered_well: Counter[Key] = Counter()
        self._sets: dict[tuple[str, str, int, int], PartSet] = {}
        self._alphabet = Alphabet.from_config({}, "gsm")
        self._wrong: list[str] = []

    def sent(self, piece: Piece) -> None:
        """It is submitted, for the first time or again."""
        message = piece.message
        if message.began < 0:
            message.began = self.forward
        if piece.place == 0 and piece.sent == 0:
            self.messages.append(message)
        piece.sent += 1
        self.counts["submitted"] += 1
        self.counts["submitted again"] += piece.sent > 1

    def acknowledged(self, piece: Piece, message_id: str) -> None:
        """A positive response."""
        message = piece.message
        before = message.ids[piece.place]
        if before and before != message_id:
            self._wrong.append(f"two: {message} is acknowledged as {before} and as {message_id}")
        message.ids[piece.place] = message_id
        message.ended = self.forward
        self.counts["acknowledged"] += 1

    def refused(self, piece: Piece, status: int) -> None:
        """A negative response that forbids a repeat."""
        self._wrong.append(f"refused with 0x{status:X}: {piece.message}")

    def delivered(self, pdu: DeliverSm) -> Key:
        """A deliver_sm came; whether it is answered is decided elsewhere."""
        to, source = pdu.destination_addr, pdu.source_addr
        header, octets = part_of(pdu.short_message, pdu.esm_class, pdu.tlvs)
        if header is None:
            text = self._alphabet.decode_piece(octets, pdu.data_coding, marked=True, padded=False)
            self._whole(to, source, text)
            key: Key = sms_of(to, source, text)
        else:
            key = to, source, header.reference
            place = to, source, header.reference, header.total
            parts = self._sets.setdefault(place, PartSet(header.total))
            added = parts.add(header.number, octets, pdu.data_coding)
            if added is Added.CONFLICT:  # the reference came round again
                parts = self._sets[place] = PartSet(header.total)
                added = parts.add(header.number, octets, pdu.data_coding)
            if added is Added.COMPLETE:
                # It stays, as in a handset: a part of it that comes again is a repeat and begins nothing.
                self._whole(to, source, parts.text(self._alphabet, padded=False))
        self.arrived[key] += 1
        return key

    def _whole(self, to: str, source: str, text: str) -> None:
        self.counts["delivered"] += 1
        sms = sms_of(to, source, text)
        if sms in self.first:
            self.counts["delivered again"] += 1
        else:
            self.first[sms] = len(self.first)
        if STATE in text:
            self.states.add(to)

    # The verdict

    def faults(self, store: Path) -> list[str]:
        """Everything in which notes and store do not agree, the first of each kind."""
        with closing(sqlite3.connect(store)) as db:
            return [
                *_few("answers", self._wrong),
                *_few("executions", self._not_executed_once(db)),
                *_few("long SMS", self._long_ones(db)),
                *_few("replies", self._wrong_replies(db)),
                *_few("deliveries", self._not_delivered(db)),
                *_few("order", self._out_of_order(db)),
            ]

    def _not_executed_once(self, db: sqlite3.Connection) -> Iterator[str]:
        """SMS and rows of the journal belong together one to one, and each row does as its SMS says."""
        whole = {number_of(m.ids[0]): m for m in self.messages if m.done and len(m.ids) == 1}
        yield from (f"never acknowledged: {m}" for m in self.messages if not m.done)
        if len(whole) != sum(m.done and len(m.ids) == 1 for m in self.messages):
            yield "lost: two SMS were acknowledged with one id"
        texts = {m.text for m in self.messages if len(m.ids) > 1}
        query = (
            "SELECT number, instruction, outcome, source, destination, text FROM journal WHERE outcome != ?"
        )
        for number, *row in db.execute(query, (PART,)):
            message = whole.pop(number, None)
            if message is None:
                if row[-1] not in texts:
                    yield f"twice: nobody was answered {number:016x}: {row}"
                continue
            text = "" if message.kind is Kind.RANDOM else message.text
            if row != [message.kind, OUTCOMES[message.kind], message.source, message.destination, text]:
                yield f"executed otherwise: {message} as {row}"
        yield from (f"lost: not in the journal: {message}" for message in whole.values())

    def _long_ones(self, db: sqlite3.Connection) -> Iterator[str]:
        """All parts are in the journal, and the whole text is executed once.

        One that was not complete when the wall clock was put forward may have been given up as too old.
        """
        query = (
            "SELECT text, count(*), min(source), min(outcome) FROM journal WHERE parts > 1 AND outcome != ?"
        )
        executed = {text: row for text, *row in db.execute(f"{query} GROUP BY text", (PART,))}
        numbers = {number for (number,) in db.execute("SELECT number FROM journal WHERE parts > 1")}
        known: set[int] = set()
        for message in self.messages:
            if len(message.ids) == 1 or not message.done:
                continue
            ids = {number_of(each) for each in message.ids}
            if len(ids) < len(message.ids) or ids & known or not ids <= numbers:
                yield f"lost: parts that are not in the journal once each: {message}"
            known |= ids
            count, source, outcome = executed.get(message.text, (0, message.source, "chat"))
            if count == 0 and message.began < message.ended:
                self.counts["long SMS given up over a clock put forward"] += 1
            elif (count, source, outcome) != (1, message.source, "chat"):
                yield f"{count} times, {outcome}: {message}"

    def _wrong_replies(self, db: sqlite3.Connection) -> Iterator[str]:
        """Each SMS led to one SMS, to the right handset; one that opens or asks leads to others, checked as
        it is met. Nobody gets the answer of another."""
        query = """
            SELECT j.number, j.instruction, j.source, j.destination, j.text, count(o.number),
            min(o.destination), min(o.text)
            FROM journal j LEFT JOIN outbox o ON o.cause = j.number
            WHERE j.instruction IN ('chat', 'buddy.rename', 'password.random', 'service.state')
            GROUP BY j.number"""
        for number, instruction, source, destination, text, count, to, told in db.execute(query):
            if instruction == Kind.CHAT:
                right = count == 1 and to == destination.removeprefix("12520") and told == text
            else:
                right = count == 1 and to == source
            if instruction == Kind.RENAME:
                right = right and text.rsplit("#", 1)[1] in told
            if not right:
                yield f"{count} replies of {number:016x} {instruction} {source} {text!r}: {to} {told!r}"
        causes = "SELECT count(*) FROM outbox WHERE cause NOT IN (SELECT number FROM journal)"
        if (strays := db.execute(causes).fetchone()[0]) != 0:
            yield f"{strays} SMS without a cause"

    def _not_delivered(self, db: sqlite3.Connection) -> Iterator[str]:
        """Each SMS has arrived, but those that the centre refused for good, and those that it left
        unanswered until they were parked."""
        query = "SELECT destination, source, text, secret, reference, parts, state, losses, error FROM outbox"
        known = set()
        unexplained = 0  # parked, and no answer was left out: three binds in a row were lost under them
        for to, source, text, secret, reference, parts, state, losses, error in db.execute(query):
            sms: Sms = (to, source, "<secret>" if secret else text)
            key: Key = (to, source, reference & 0xFF) if parts > 1 else sms
            known.add(sms)
            match state:
                case Delivery.SENT:
                    self.counts["sent"] += 1
                    right = sms in self.first and self.answered_well[key] > 0
                case Delivery.FAILED:
                    self.counts["refused for good"] += 1
                    right = key in self.refused_for_good
                case Delivery.PARKED:
                    self.counts["parked"] += 1
                    unexplained += not self.unanswered[key]
                    right = losses >= 3 and 100 * unexplained <= self.counts["binds lost"]
                case _:
                    right = False
            if not right:
                told = f"{self.arrived[key]} arrivals, {self.unanswered[key]} of them not answered"
                yield f"{Delivery(state).name} ({error!r}, {losses} losses; {told}): {sms}"
        yield from (f"from nowhere: {sms}" for sms in self.first.keys() - known)

    def _out_of_order(self, db: sqlite3.Connection) -> Iterator[str]:
        """What a handset gets arrives for the first time in the order in which it was stored."""
        latest: dict[str, tuple[int, Sms]] = defaultdict(lambda: (-1, ("", "", "")))
        # A sentence that one handset got twice tells nothing: only the first arrival of a text is noted.
        query = """
            SELECT destination, source, text FROM outbox WHERE state = ? AND NOT secret
            GROUP BY destination, source, text HAVING count(*) = 1 ORDER BY number"""
        for to, source, text in db.execute(query, (Delivery.SENT,)):
            sms = (to, source, text)
            place, before = latest[to]
            if sms not in self.first:
                continue
            if self.first[sms] < place:
                yield f"{sms} arrived before {before}"
            latest[to] = self.first[sms], sms


def _few(kind: str, faults: Iterable[str]) -> Iterator[str]:
    found = list(faults)
    yield from found[:SHOWN]
    if len(found) > SHOWN:
        yield f"{len(found) - SHOWN} more faults of {kind}"
