"""Limits of the service and the list of sensitive words, as the configuration gives them."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """The section `limits` of the configuration (fetion.md 6, appendices.md 8).

    buddies: of one customer. open_questions: questions to one customer that are not answered. question_hours:
    how long a question can be answered. list_hours: how long a product of the list can be chosen.
    suggestion_minutes: how long 是 accepts a suggestion. message_length: UTF-16 units of a chat message.
    sms_per_day, sms_per_month: chat messages of one customer. invitations_per_month: by one customer to one
    mobile. free_hours: of the first order of matching. instructions_per_minute: of one handset. same_text:
    how many times in a row, within same_text_minutes, the same text of one handset may get the same answer.
    help_period: seconds in which a handset gets the same help once.

    province_reply: seconds within which a province's system has to answer.

    instructions_per_minute and same_text may be 0: no limit.
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
    province_reply: int = 60


DEFAULT_LIMITS = ServiceLimits()


class Words(Protocol):
    """The list of sensitive words."""

    def found(self, text: str) -> str | None:
        """The first word of the list that the text contains; None when it contains none."""


class NoWords:
    """An empty list of sensitive words."""

    def found(self, text: str) -> str | None:
        """Always None."""
        del text
        return None


NO_WORDS: Words = NoWords()
