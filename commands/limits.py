"""What a customer may at most, and the words that no message may hold: from the configuration."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """What a customer may at most; the configuration's section `limits` (fetion.md 6, appendices.md 8).

    buddies: of one customer. open_questions: put to one customer and not answered. question_hours: how
    long an answer is awaited. list_hours: how long a list of services may be answered. suggestion_minutes:
    how long 是 takes up a suggestion. message_length: characters of a chat message. sms_per_day,
    sms_per_month: chat messages of one customer. invitations_per_month: to one mobile by one customer.
    free_hours: of the first order of matching. instructions_per_minute: of one handset. same_text:
    how often in a row, within same_text_minutes, the same text of one handset may lead to the same answer.
    help_period: seconds in which one handset gets the same help once. instructions_per_minute and same_text
    may be 0: no limit.
    """

    buddies: int = 300
    open_questions: int = 20
    question_hours: int = 24
    list_hours: int = 2
    suggestion_minutes: int = 10
    message_length: int = 180
    sms_per_day: int = 600
    sms_per_month: int = 10_000
    invitations_per_month: int = 1
    free_hours: int = 72
    instructions_per_minute: int = 30
    same_text: int = 20
    same_text_minutes: int = 10
    help_period: int = 600


DEFAULT_LIMITS = ServiceLimits()


class Words(Protocol):
    """The list of sensitive words."""

    def found(self, text: str) -> str | None:
        """The first word of the list that a text holds, None for a clean one."""


class NoWords:
    """No list."""

    def found(self, text: str) -> str | None:
        """Nothing is sensitive."""
        del text
        return None


NO_WORDS: Words = NoWords()
