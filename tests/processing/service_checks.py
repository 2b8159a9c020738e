"""What must hold whatever handsets text: of what stands in the store, and of every SMS handled.

A `Ledger` is the small model: it learns from events, answers and the clock alone, and never looks at how the
service keeps its customers.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from commands.charging import FETION, MATCHING, ORDERED
from commands.handlers.questions import EXPIRED, NO, SUGGESTION, YES
from commands.model import (
    Buddy,
    Chat,
    Customer,
    CustomerState,
    Instruction,
    Misunderstood,
    Result,
    ServiceLimits,
    Source,
)
from commands.sentences import parts_of
from tests.processing.dictionary_service import BAD_WORD, FEW, PASSWORD, ZONE, Turn, commands

FRIEND_FOR: Final = 24 * 3_600_000
"""Milliseconds for which strangers brought together may write."""

Customers = Mapping[str, Customer]
Buddies = Mapping[tuple[str, str], Buddy]
QuestionKey = tuple[str, int, int]
"""msisdn, serial, when it was asked."""


def check_store(customers: Customers, buddies: Buddies, limits: ServiceLimits, now: int) -> None:
    """Lists symmetric, counters right, numbers unique, limits kept."""
    counted: Counter[str] = Counter()
    for (owner, other), row in buddies.items():
        assert (row.owner, row.other) == (owner, other)
        assert row.since or row.blocked or row.matched_at, f"{owner} keeps nothing about {other}"
        if row.since:
            counted[owner] += 1
            back = buddies.get((other, owner))
            assert back is not None, f"{other} does not have {owner}"
            assert back.since == row.since, f"{owner} and {other} differ"
            assert customers[owner].state in {CustomerState.OPEN, CustomerState.SUSPENDED}, f"{owner} is gone"
    numbers = [each.fetion_number for each in customers.values() if each.fetion_number]
    assert len(numbers) == len(set(numbers))
    for msisdn, customer in customers.items():
        assert customer.buddies == counted[msisdn] <= limits.buddies
        assert bool(customer.fetion_number) == (
            customer.state in {CustomerState.OPEN, CustomerState.SUSPENDED}
        )
        waiting = [each for each in customer.questions if each.is_open(now)]
        assert sum(each.kind != SUGGESTION for each in waiting) <= limits.open_questions
        assert sum(each.kind == SUGGESTION for each in waiting) <= 1
        assert len({(each.kind, each.about) for each in waiting}) == len(waiting)
        assert len({each.serial for each in customer.questions}) == len(customer.questions)
        assert sum(not order.ended for order in customer.orders) <= 1
        assert not customer.has(MATCHING) or customer.state in {CustomerState.OPEN, CustomerState.SUSPENDED}
        assert customer.sent.today <= limits.sms_per_day
        assert customer.sent.this_month <= limits.sms_per_month


@dataclass
class Ledger:
    """What handsets did. ordered: msisdn and product. days, months: chat messages of a msisdn in each."""

    opened: set[str] = field(default_factory=set)
    pairs: set[frozenset[str]] = field(default_factory=set)
    ordered: set[tuple[str, str]] = field(default_factory=set)
    answered: set[QuestionKey] = field(default_factory=set)
    days: Counter[tuple[str, int]] = field(default_factory=Counter)
    months: Counter[tuple[str, int]] = field(default_factory=Counter)

    def enter(self, turn: Turn) -> None:
        """Note an SMS and check everything about it."""
        for check in CHECKS:
            check(self, turn)


def _answered(turn: Turn) -> dict[QuestionKey, str]:
    """The questions that this SMS answered, and how."""
    found = {}
    for msisdn, customer in turn.before.items():
        after = {each.serial: each for each in turn.after[msisdn].questions}
        for question in customer.questions:
            now = after.get(question.serial)
            if now is not None and now.closed in {YES, NO} and not question.closed:
                found[msisdn, question.serial, question.asked_at] = now.closed
    return found


def _changed(turn: Turn) -> dict[str, set[str]]:
    """Who changed, and which of his fields; new customers too."""
    found = {}
    for msisdn, after in turn.after.items():
        before = turn.before.get(msisdn, Customer(msisdn))
        names = {name for name in Customer.__slots__ if getattr(before, name) != getattr(after, name)}
        if names:
            found[msisdn] = names
    return found


def _named(turn: Turn) -> Iterator[str]:
    """Whom the SMS itself names: by mobile, by Fetion number, by answering his question."""
    understood = turn.understood
    numbers = list(understood.arguments.values()) if isinstance(understood, Instruction) else []
    if isinstance(understood, Chat):
        numbers.append(understood.to)
    for number in numbers:
        yield number
        yield from (msisdn for msisdn, each in turn.before.items() if number and each.fetion_number == number)
    for msisdn, serial, _ in _answered(turn):
        yield from (each.about for each in turn.before[msisdn].questions if each.serial == serial)


def no_reply_without_cause(_: Ledger, turn: Turn) -> None:
    """Replies go to the sender and to whom his SMS names; only success of chat and silence leave him none."""
    sender, outcome = turn.understood.sender, turn.outcome
    told = Counter(reply.to for reply in outcome.replies)
    assert set(told) <= {sender, *_named(turn)}
    assert all(count <= (2 if to == sender else 1) for to, count in told.items())
    silent = outcome.result in {Result.CHAT, Result.LIMITED}
    assert bool(told[sender]) != silent, outcome
    if set(told) - {sender}:
        assert outcome.result in {Result.DONE, Result.ASKED, Result.CHAT, Result.REFUSED}


def every_sentence_is_one_of_its_row(_: Ledger, turn: Turn) -> None:
    """It exists, its row or no row in particular says it, and it takes the SMS that it claims at most."""
    table, sentences = commands().table, commands().sentences
    general = table.uses - {name for row in table.rows.values() for name in row.replies}
    row = table.rows.get(turn.understood.id)
    said = row.replies if row is not None else frozenset()
    if row is not None and row.answers:  # a suggestion taken up says what its row says
        said = frozenset(table.uses)
    for reply, text in zip(turn.outcome.replies, turn.texts, strict=True):
        assert reply.sentence in general | said, reply.sentence
        assert parts_of(text) <= sentences.by_id[reply.sentence].sms, text
        assert "{" not in text or "{" in turn.understood.text


def nobody_unopened_gets_anything_done(ledger: Ledger, turn: Turn) -> None:
    """Without Fetion, with a line that is cut, or protected, only what the table allows there happens."""
    sender, understood = turn.understood.sender, turn.understood
    before = turn.before.get(sender, Customer(sender))
    row = commands().table.rows.get(understood.id)
    assert (before.state in {CustomerState.OPEN, CustomerState.SUSPENDED}) == (sender in ledger.opened)
    if before.state is CustomerState.SUSPENDED:
        allowed = row is not None and row.works_suspended
    elif before.protected and before.state is CustomerState.OPEN:
        allowed = row is not None and row.works_protected
    elif before.state is CustomerState.OPEN:
        return
    else:
        allowed = row is not None and not row.needs_open
    if not allowed:
        spared = {"helped", "questions", "last_serial"} if isinstance(understood, Misunderstood) else set()
        assert set(_changed(turn)) <= {sender}
        assert _changed(turn).get(sender, set()) <= spared
        assert turn.buddies_before == turn.buddies_after
    if before.state is not CustomerState.OPEN:
        names = {(event.family, event.name) for event in turn.outcome.events}
        assert names <= {("service", "opened")}
        assert before.state is not CustomerState.SUSPENDED or not names


def questions_are_answered_once(ledger: Ledger, turn: Turn) -> None:
    """Only the recipient answers, in time, one question with one SMS; what is closed stays as it is."""
    answers = _answered(turn)
    assert len(answers) <= 1
    assert ledger.answered.isdisjoint(answers)
    ledger.answered.update(answers)
    for (msisdn, serial, _), how in answers.items():
        question = next(each for each in turn.before[msisdn].questions if each.serial == serial)
        assert msisdn == turn.understood.sender
        assert turn.understood.id == f"answer.{how}"
        assert not question.closed
        assert question.asked_at <= turn.now < question.deadline
        assert question.deadline - question.asked_at <= FEW.question_hours * 3_600_000
    for msisdn, customer in turn.before.items():
        after = {each.serial: each for each in turn.after[msisdn].questions}
        for question in customer.questions:
            now = after.get(question.serial, question)
            if question.closed and now.asked_at == question.asked_at:
                assert now == question
            assert now.closed in {"", YES, NO, EXPIRED}
    row = commands().table.rows.get(turn.understood.id)
    if row is not None and row.answers and not answers:
        assert turn.outcome.result in {Result.REFUSED, Result.LIMITED}
        assert not _changed(turn)
        assert turn.buddies_before == turn.buddies_after


def quotas_hold(ledger: Ledger, turn: Turn) -> None:
    """So many chat messages a day and a month, of the service's zone; and no message is refused too early."""
    sender = turn.understood.sender
    day = datetime.fromtimestamp(turn.now / 1000, ZONE)
    today, this_month = (sender, day.toordinal()), (sender, day.year * 12 + day.month)
    if turn.outcome.result is Result.CHAT:
        ledger.days[today] += 1
        ledger.months[this_month] += 1
    assert ledger.days[today] <= FEW.sms_per_day
    assert ledger.months[this_month] <= FEW.sms_per_month
    told = {reply.sentence for reply in turn.outcome.replies}
    assert "chat.quota_day" not in told or ledger.days[today] == FEW.sms_per_day
    assert "chat.quota_month" not in told or ledger.months[this_month] == FEW.sms_per_month


def events_tell_what_happened(ledger: Ledger, turn: Turn) -> None:
    """Who has opened and who is whose buddy, learnt from events alone, is what the store has."""
    for event in turn.outcome.events:
        match event.family, event.name:
            case "service", "opened":
                assert event.msisdn not in ledger.opened
                ledger.opened.add(event.msisdn)
            case "service", "cancelled":
                ledger.opened.remove(event.msisdn)
                ledger.pairs = {pair for pair in ledger.pairs if event.msisdn not in pair}
            case "buddy", "added":
                assert event.data is not None
                assert set(_answered(turn).values()) == {YES}
                ledger.pairs.add(frozenset((event.msisdn, event.data["other"])))
            case "buddy", "deleted":
                assert event.data is not None
                ledger.pairs.remove(frozenset((event.msisdn, event.data["other"])))
    is_open = {CustomerState.OPEN, CustomerState.SUSPENDED}
    assert ledger.opened == {msisdn for msisdn, each in turn.after.items() if each.state in is_open}
    assert ledger.pairs == {frozenset(pair) for pair, row in turn.buddies_after.items() if row.since}


def facts_tell_what_is_charged(ledger: Ledger, turn: Turn) -> None:
    """A product is ordered once before it is cancelled, and a charged one only by an answer."""
    for fact in turn.outcome.facts:
        key = (fact.msisdn, fact.product)
        assert fact.at == turn.now
        assert (key in ledger.ordered) == (fact.operation != ORDERED)
        ledger.ordered ^= {key}
        if fact.product != FETION and fact.operation == ORDERED:
            assert set(_answered(turn).values()) == {YES}
    running = {(msisdn, MATCHING) for msisdn, each in turn.after.items() if each.has(MATCHING)}
    running |= {(msisdn, FETION) for msisdn in ledger.opened}
    assert ledger.ordered == running


def chat_reaches_whom_it_may(_: Ledger, turn: Turn) -> None:
    """Both open, none blocked or refused, buddies or brought together lately; a hidden mobile stays so."""
    if turn.outcome.result is not Result.CHAT:
        return
    (reply,) = turn.outcome.replies
    sender, other = turn.before[turn.understood.sender], turn.before[reply.to]
    rows = [
        turn.buddies_before.get(pair)
        for pair in ((sender.msisdn, other.msisdn), (other.msisdn, sender.msisdn))
    ]
    known = [row for row in rows if row is not None]
    assert sender.state is other.state is CustomerState.OPEN
    assert not sender.protected
    assert other.refuse_until <= turn.now
    assert not any(row.blocked for row in known)
    friends = any(row.since for row in known)
    assert friends or any(turn.now - row.matched_at < FRIEND_FOR for row in known)
    assert reply.source is Source.CHAT
    assert reply.detail == (sender.fetion_number if sender.hides_mobile or not friends else sender.msisdn)
    assert BAD_WORD not in turn.texts[0]
    assert len(turn.texts[0]) <= FEW.message_length
    assert turn.texts[0] in turn.understood.text


def a_hidden_mobile_is_never_told(_: Ledger, turn: Turn) -> None:
    """Nobody is told the mobile of somebody who hides it, unless he wrote it himself."""
    written = f"{turn.understood.text} {turn.understood.route.address}"
    for reply, text in zip(turn.outcome.replies, turn.texts, strict=True):
        for msisdn, customer in turn.before.items():
            if customer.hides_mobile and customer.fetion_number and msisdn != reply.to:
                assert msisdn not in text or msisdn in written, (reply.sentence, text)
                assert msisdn not in reply.detail


def passwords_are_kept_as_hashes(_: Ledger, turn: Turn) -> None:
    """A password is in no customer, no event and no reply but the sealed one that brings it."""
    set_now = (
        turn.understood.arguments.get("password", "") if isinstance(turn.understood, Instruction) else ""
    )
    secrets: Collection[str] = {each for each in (PASSWORD, set_now) if each}
    for secret in secrets:
        assert secret not in repr((turn.after, turn.buddies_after, turn.outcome.events, turn.outcome.facts))
        for reply, text in zip(turn.outcome.replies, turn.texts, strict=True):
            assert reply.secret or secret not in text


def nothing_misunderstood_is_done(_: Ledger, turn: Turn) -> None:
    """A text that is no instruction changes nothing but what its sender was told."""
    if isinstance(turn.understood, Misunderstood):
        assert not turn.outcome.events
        assert not turn.outcome.facts
        assert turn.buddies_before == turn.buddies_after
        told: Mapping[str, set[str]] = MappingProxyType(_changed(turn))
        assert set(told) <= {turn.understood.sender}
        assert told.get(turn.understood.sender, set()) <= {"helped", "questions", "last_serial"}


CHECKS: Final[tuple[Callable[[Ledger, Turn], None], ...]] = (
    nobody_unopened_gets_anything_done,
    no_reply_without_cause,
    every_sentence_is_one_of_its_row,
    questions_are_answered_once,
    quotas_hold,
    events_tell_what_happened,
    facts_tell_what_is_charged,
    chat_reaches_whom_it_may,
    a_hidden_mobile_is_never_told,
    passwords_are_kept_as_hashes,
    nothing_misunderstood_is_done,
)
