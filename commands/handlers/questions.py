"""Questions: put one, find the one that is answered, close it.

A customer keeps his open questions and, for clear answers to late or repeated ones, some of the closed.
"""

from dataclasses import replace

from commands.model import Customer, Given, Question, Reply, Source

MINUTE = 60_000
HOUR = 60 * MINUTE
"""Milliseconds."""

KEPT_CLOSED = 20
KEPT_FOR = 7 * 24 * HOUR
"""Closed questions that are remembered, and how long: until then a serial is not used again."""

LAST_SERIAL = 99_999

YES, NO, EXPIRED = "yes", "no", "expired"
"""How a question ends."""

SUGGESTION = "suggestion"
"""The kind of question that offers to do what a misunderstood text probably meant; its note is the row.
It counts for nothing beside the real ones: never lists, never reminds, takes nobody's place."""


def find(customer: Customer, kind: str, about: str, now: int) -> Question | None:
    """The open question of that kind about that other side; there is one at most."""
    for question in customer.questions:
        if question.kind == kind and question.about == about and question.is_open(now):
            return question
    return None


def open_questions(customer: Customer, now: int) -> list[Question]:
    """The real ones that can be answered now, oldest first."""
    return [each for each in customer.questions if each.kind != SUGGESTION and each.is_open(now)]


def open_suggestion(customer: Customer, now: int) -> Question | None:
    """The suggestion that can be taken up now; there is one at most."""
    return find(customer, SUGGESTION, "", now)


def may_ask(customer: Customer, given: Given) -> bool:
    """Whether another question fits."""
    return len(open_questions(customer, given.now)) < given.limits.open_questions


def ask(customer: Customer, kind: str, base: str, given: Given, about: str = "", note: str = "") -> Question:
    """Put a new question to a customer (a copy for changing). The oldest gives way when there are too many:
    whoever asks on behalf of others looks at `may_ask` first, a customer's own wish is not held up by theirs.
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
    """Offer a customer (a copy for changing) to do what a row does, in place of what was offered before."""
    kept = [
        replace(each, closed=EXPIRED) if each.kind == SUGGESTION and each.is_open(given.now) else each
        for each in _kept(customer.questions, given.now)
    ]
    deadline = given.now + given.limits.suggestion_minutes * MINUTE
    return _put(customer, kept, Question(0, SUGGESTION, base, "", row, given.now, deadline))


def close(customer: Customer, serial: int, how: str) -> None:
    """Note on a customer (a copy for changing) how a question ended."""
    customer.questions = tuple(
        replace(question, closed=how) if question.serial == serial else question
        for question in customer.questions
    )


def close_all(customer: Customer) -> None:
    """Close whatever is still open on a customer (a copy for changing): it cannot be answered any more."""
    customer.questions = tuple(
        question if question.closed else replace(question, closed=EXPIRED) for question in customer.questions
    )


def serial_text(question: Question) -> str:
    """A serial as it stands in the number of a question."""
    return f"{question.serial:05}"


def sms(to: str, sentence: str, question: Question, now: int, **values: str) -> Reply:
    """The SMS that puts a question; asked again it says how much time is left."""
    values["hours"] = str(-(-(question.deadline - now) // HOUR))
    return Reply(to, sentence, values, Source.QUESTION, f"{question.base}:{serial_text(question)}")


def _kept(questions: tuple[Question, ...], now: int) -> list[Question]:
    """The open ones and the last of the closed, in their order."""
    closed = [each for each in questions if not each.is_open(now) and now - each.asked_at < KEPT_FOR]
    recent = {each.serial for each in closed[-KEPT_CLOSED:]}
    return [each for each in questions if each.is_open(now) or each.serial in recent]


def _put(customer: Customer, kept: list[Question], question: Question) -> Question:
    """The question with the next serial, put behind the kept ones."""
    question = replace(question, serial=_next_serial(customer.last_serial, kept))
    customer.last_serial = question.serial
    customer.questions = (*kept, question)
    return question


def _next_serial(last: int, kept: list[Question]) -> int:
    """The next number of the circle 1..99999 that no remembered question has."""
    taken = {question.serial for question in kept}
    serial = last % LAST_SERIAL + 1
    while serial in taken:
        serial = serial % LAST_SERIAL + 1
    return serial
