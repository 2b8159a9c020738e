"""Answers: find the question that is meant, check that it can still be answered, and run its answer."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from commands.handlers import buddy, matching, products, questions, service, voice
from commands.handlers.people import refused
from commands.model import Given, Instruction, Outcome, Question, Reply, Result, World
from routing.model import Accepts

YES, NO = "answer.yes", "answer.no"

Answer: TypeAlias = Callable[[World, Instruction, Given, Question], Outcome]

_YES: Mapping[str, Answer] = MappingProxyType(
    {
        service.CANCEL: service.cancel_confirmed,
        products.CANCEL_ALL: service.cancel_confirmed,
        matching.OPEN: matching.open_confirmed,
        matching.CANCEL: matching.cancel_confirmed,
        buddy.ADD: buddy.accepted,
        voice.INVITE: voice.accepted,
    },
)
_NO: Mapping[str, Answer] = MappingProxyType(
    {
        service.CANCEL: service.cancel_declined,
        products.CANCEL_ALL: service.cancel_declined,
        matching.OPEN: matching.open_declined,
        matching.CANCEL: matching.cancel_declined,
        buddy.ADD: buddy.declined,
        voice.INVITE: voice.declined,
    },
)


Again: TypeAlias = Callable[[World, str, Given, Question], Reply | None]

_AGAIN: Mapping[str, Again] = MappingProxyType(
    {
        service.CANCEL: service.cancel_again,
        products.CANCEL_ALL: products.cancel_all_again,
        matching.OPEN: matching.open_again,
        matching.CANCEL: matching.cancel_again,
        buddy.ADD: buddy.add_again,
        voice.INVITE: voice.invite_again,
    },
)


def yes(world: World, understood: Instruction, given: Given) -> Outcome:
    """是 and the other words that agree."""
    return _answer(world, understood, given, _YES, questions.YES)


def no(world: World, understood: Instruction, given: Given) -> Outcome:
    """否 and the other words that decline."""
    return _answer(world, understood, given, _NO, questions.NO)


def suggested(world: World, understood: Instruction, now: int) -> Question | None:
    """The open suggestion that an answer accepts or declines, or None. At a base, open questions come
    first."""
    sender = understood.sender
    if understood.route.accepts is Accepts.ANSWER:
        question = _addressed(world, sender, understood.arguments, now)
        is_one = question is not None and question.kind == questions.SUGGESTION and question.is_open(now)
        return question if is_one else None
    customer = world.customer(sender)
    if customer is None or not customer.questions or questions.open_questions(customer, now):
        return None
    return questions.open_suggestion(customer, now)


def asked_about(
    world: World, sender: str, addressed: Mapping[str, str] | None, now: int
) -> Question | Outcome | None:
    """The open question that an answer with a question mark is about.

    Args:
        addressed: see Parser.addressed; None at a base.

    Returns:
        At a base the only open question, else the suggestion; an Outcome that lists the questions when
            there are several; None when there is none.
    """
    if addressed is not None:
        question = _addressed(world, sender, addressed, now)
        return question if question is not None and question.is_open(now) else None
    customer = world.customer(sender)
    if customer is None:
        return None
    waiting = questions.open_questions(customer, now)
    if len(waiting) > 1:
        return _which(sender, waiting)
    return waiting[0] if waiting else questions.open_suggestion(customer, now)


def again(world: World, sender: str, question: Question, given: Given) -> Reply | None:
    """The SMS of a question again, from the same number; None when its other customer has left."""
    return _AGAIN[question.kind](world, sender, given, question)


def reminder(
    world: World, sender: str, addressed: Mapping[str, str], sentence: str, now: int
) -> Reply | None:
    """The SMS that reminds of the open question to whose number another text was sent; None when there is
    none.

    Args:
        addressed: see Parser.addressed.
    """
    question = _addressed(world, sender, addressed, now)
    if question is None or question.kind == questions.SUGGESTION or not question.is_open(now):
        return None
    return questions.sms(sender, sentence, question, now)


def _answer(
    world: World, understood: Instruction, given: Given, kinds: Mapping[str, Answer], how: str
) -> Outcome:
    sender, now = understood.sender, given.now
    if understood.route.accepts is Accepts.ANSWER:
        question = _addressed(world, sender, understood.arguments, now)
        if question is None:
            return refused(sender, "answer.unknown")
    else:
        customer = world.customer(sender)
        waiting = [] if customer is None else questions.open_questions(customer, now)
        if len(waiting) != 1:
            return _which(sender, waiting)
        question = waiting[0]
    if not question.is_open(now):
        late = question.closed in {"", questions.EXPIRED}
        return refused(sender, "answer.late" if late else "answer.repeated")
    questions.close(world.edit(sender), question.serial, how)
    return kinds[question.kind](world, understood, given, question)


def _addressed(world: World, sender: str, addressed: Mapping[str, str], now: int) -> Question | None:
    """The question with that serial, else the newest one begun at that access code, else None.

    An open question is preferred, then one that is not a suggestion.
    """
    customer = world.customer(sender)
    if customer is None:
        return None
    serial, begun_at = addressed["serial"], addressed.get("begun_at", "")
    for question in customer.questions:
        if serial and question.serial == int(serial):
            return question
    begun = [question for question in customer.questions if begun_at and question.base == begun_at]
    return max(
        begun,
        key=lambda each: (each.is_open(now), each.kind != questions.SUGGESTION, each.asked_at),
        default=None,
    )


def _which(sender: str, waiting: list[Question]) -> Outcome:
    """The reply to an answer at a base when no question, or more than one, is open."""
    if not waiting:
        return refused(sender, "answer.none")
    serials = " ".join(map(questions.serial_text, waiting))
    return Outcome(
        Result.REFUSED, [Reply(sender, "answer.several", {"count": str(len(waiting)), "serials": serials})]
    )
