"""Keeps, for the next commit, the attempts that did not go as nearly all do (gateway.message.Attempt).

An SMS whose only attempt is answered positively costs nothing here.
"""

from typing import Final

from gateway.channels.contract import Bind
from gateway.message import Answer, Attempt, Commit, MobileTerminated
from gateway.outbound.waiting import WINDOW

LATE: Final = "answered late"
TWICE: Final = "it may have arrived twice"


class Attempts:
    """Attempts that are not stored yet. most: how many; while the store fails for long, the oldest go."""

    def __init__(self, most: int) -> None:
        self._noted: list[Attempt] = []
        self._most = most

    def ended(
        self, sms: MobileTerminated, bind: Bind, answer: Answer, status: str, now: float, now_ms: int
    ) -> None:
        """Note that an attempt failed with the part in flight. status: of a refusal or a lost session."""
        self._note(sms, bind, sms.parts_done + 1, answer, status, now, now_ms)

    def succeeded(self, sms: MobileTerminated, bind: Bind, now: float, now_ms: int) -> None:
        """Note the last attempt of an SMS of which others failed, or which waited long before it left."""
        if sms.attempts > 1 or sms.repeat or sms.waited != WINDOW:
            self._note(sms, bind, sms.parts, Answer.OK, "", now, now_ms)

    def late(
        self, sms: MobileTerminated, bind: Bind, ordinal: int, part: int, now: float, now_ms: int
    ) -> None:
        """Note that an attempt, so far one without an answer, was answered positively after all."""
        left = sms.handed_over if ordinal == 1 or not sms.left else sms.left
        left_at = now_ms - round((now - left) * 1000)
        self._add(
            Attempt(sms.number, ordinal, part, left_at, now_ms, bind.number, bind.peer, Answer.OK, LATE)
        )

    def again(
        self, sms: MobileTerminated, bind: Bind, answer: Answer, status: str, now: float, now_ms: int
    ) -> None:
        """Note what came of a second copy of an SMS whose first one was answered late."""
        said = f"{status}, {TWICE}" if status else TWICE
        self._note(sms, bind, sms.parts, answer, said, now, now_ms)

    def _note(
        self,
        sms: MobileTerminated,
        bind: Bind,
        part: int,
        answer: Answer,
        status: str,
        now: float,
        now_ms: int,
    ) -> None:
        left_at = now_ms - round((now - (sms.left or sms.handed_over)) * 1000)
        waited = sms.waited
        sms.waited = ""
        self._add(
            Attempt(
                sms.number,
                sms.attempts,
                part,
                left_at,
                now_ms,
                bind.number,
                bind.peer,
                answer,
                status,
                waited,
            )
        )

    def _add(self, attempt: Attempt) -> None:
        noted = self._noted
        noted.append(attempt)
        if len(noted) > self._most:
            del noted[: self._most // 2]

    def hand_in(self, commit: Commit) -> None:
        """Put them into a commit."""
        commit.attempts, self._noted = self._noted, []

    def take_back(self, commit: Commit) -> None:
        """Take back those of a commit that failed."""
        self._noted = [*commit.attempts, *self._noted]
