"""Questions to customers: ask, find the one that is answered, close.

A customer keeps the open questions and some closed ones, so that late and repeated answers get a clear reply.
"""

from dataclasses import replace

from commands.model import Customer, Given, Question, Reply, Source

MINUTE = 60_000
HOUR = 60 * MINUTE
"""Milliseconds."""

KEPT_CLOSED = 20
KEPT_FOR = 7 * 24 * HOUR
"""How many closed questions are kept, and for how long (milliseconds). Their serials are not used again."""

LAST_SERIAL = 99_999

YES, NO, EXPIRED = "yes", "no", "expired"
"""How a question ends."""

SUGGESTION = "suggestion"
"""The kind of a question whether a misunderstood text meant a row; its note is the id of the row.

A suggestion is not listed among the open questions, causes no reminder, and does not count for
limits.open_questions."""


def find(customer: Customer, kind: str, about: str, now: int) -> Question | None:
    """The open question of that kind about that customer, or None. At most one is open."""
    for question in customer.questions:
        if question.kind == kind and question.about == about and question.is_open(now):
            return question
    return None


def open_questions(customer: Customer, now: int) -> list[Question]:
    """The open questions that are not suggestions, oldest first."""
    return [each for each in customer.questions if each.kind != SUGGESTION and each.is_open(now)]


def open_suggestion(customer: Customer, now: int) -> Question | None:
    """The open suggestion, or None. At most one is open."""
    return find(customer, SUGGESTION, "", now)


def may_ask(customer: Customer, given: Given) -> bool:
    """Whether limits.open_questions allows another question."""
    return len(open_questions(customer, given.now)) < given.limits.open_questions


def ask(customer: Customer, kind: str, base: str, given: Given, about: str = "", note: str = "") -> Question:
    """Ask a customer (a copy for changing) a new question.

    When too many are open, the oldest expires. Ask `may_ask` first when another customer caused the question;
    the customer's own instruction is never delayed by questions of others.
    """
    kept = _kept(customer.questions, given.now)
    waiting = [
        index for index, each in enumerate(kept) if each.kind != SUGGESTION and each.is_open(given.now)
    ]
    for index in waiting[: max(0, len(waiting) + 1 - given.limits.open_questions)]:
        kept[index] = replace(kept[index], closed=EXPIRED)
    deadline = given.now + given.limits.question_hours * HOUR
    return _put(customer, kept, Question(0, kind, base, about, note, given.now, deadline))


def suggest(customer: Customer, row: str, base: str, given: Given) -> Question:
    """Ask a customer (a copy for changing) whether to run a row. It replaces the open suggestion."""
    kept = [
        replace(each, closed=EXPIRED) if each.kind == SUGGESTION and each.is_open(given.now) else each
        for each in _kept(customer.questions, given.now)
    ]
    deadline = given.now + given.limits.suggestion_minutes * MINUTE
    return _put(customer, kept, Question(0, SUGGESTION, base, "", row, given.now, deadline))


def close(customer: Customer, serial: int, how: str) -> None:
    """Record on a customer (a copy for changing) how a question ended."""
    customer.questions = tuple(
        replace(question, closed=how) if question.serial == serial else question
        for question in customer.questions
    )


def close_all(customer: Customer) -> None:
    """Expire all open questions of a customer (a copy for changing)."""
    customer.questions = tuple(
        question if question.closed else replace(question, closed=EXPIRED) for question in customer.questions
    )


def serial_text(question: Question) -> str:
    """A serial as it is written in the number of a question: five digits."""
    return f"{question.serial:05}"


def sms(to: str, sentence: str, question: Question, now: int, **values: str) -> Reply:
    """The SMS of a question, with the hours that are left, rounded up."""
    values["hours"] = str(-(-(question.deadline - now) // HOUR))
    return Reply(to, sentence, values, Source.QUESTION, f"{question.base}:{serial_text(question)}")


def _kept(questions: tuple[Question, ...], now: int) -> list[Question]:
    """The open questions, and the closed ones that are still kept, in order."""
    closed = [each for each in questions if not each.is_open(now) and now - each.asked_at < KEPT_FOR]
    recent = {each.serial for each in closed[-KEPT_CLOSED:]}
    return [each for each in questions if each.is_open(now) or each.serial in recent]


def _put(customer: Customer, kept: list[Question], question: Question) -> Question:
    """Give the question the next serial and append it to the kept ones."""
    question = replace(question, serial=_next_serial(customer.last_serial, kept))
    customer.last_serial = question.serial
    customer.questions = (*kept, question)
    return question


def _next_serial(last: int, kept: list[Question]) -> int:
    """The next serial from 1 to LAST_SERIAL that no kept question has."""
    taken = {question.serial for question in kept}
    serial = last % LAST_SERIAL + 1
    while serial in taken:
        serial = serial % LAST_SERIAL + 1
    return serial
