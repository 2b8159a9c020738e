"""Rule 7: detect passwords that are sent to a number that does not take them.

Pure. A text counts as an attempt in two cases: it contains a word for password and something else; or, apart
from courtesies, it is one string that may be a password and is nothing else that is known.
"""

import re
from collections.abc import Callable

from commands.table import Attempt
from commands.text import OUTER

REPLACEMENT = "\ufffd"
"""The character that replaces octets that could not be decoded."""

_TOKEN = re.compile(r"[A-Z0-9]+")
_CONTENT = re.compile(r"[\w@$%^&=|/\\\ufffd]")
"""Characters that are neither blank nor punctuation."""

_SIGNS = "@$_%^&!="
_WANTS_NOTHING = OUTER + "?\n"
_DIGIT = re.compile(r"[0-9]")


class Passwords:
    """Detects attempts. Immutable.

    is_number: whether digits are the number of a person or an address of ours.
    """

    __slots__ = ("_attempt", "_chinese", "_courtesies", "_is_number", "_run", "_spoken_of")

    def __init__(self, attempt: Attempt, is_number: Callable[[str], bool]) -> None:
        self._attempt = attempt
        self._is_number = is_number
        self._chinese = _any_of(attempt.chinese)
        self._courtesies = _any_of(attempt.courtesies)
        latin = "|".join(sorted(attempt.latin))
        chinese = "".join(f"|{re.escape(word)}" for word in attempt.chinese)
        self._spoken_of = re.compile(f"(?<![A-Z0-9])(?:{latin or chr(0)}){chinese}")
        bounds = f"{{{attempt.shortest},{attempt.longest}}}"
        self._run = re.compile(f"[A-Z0-9{re.escape(_SIGNS)}]{bounds}")

    def are_spoken_of(self, folded: str) -> bool:
        """Whether a text contains a word for password, and something besides it."""
        attempt, spoken = self._attempt, False
        if self._spoken_of.search(folded) is None:
            return False  # the usual case, found at low cost

        def unless_word(found: re.Match[str]) -> str:
            nonlocal spoken
            token = found[0]
            spoken = spoken or token in attempt.latin or self._is_glued(token)
            return "" if token in attempt.latin else token

        rest = _TOKEN.sub(unless_word, folded)
        if self._chinese is not None:
            rest, times = self._chinese.subn(" ", rest)
            spoken = spoken or times > 0
        return spoken and _CONTENT.search(self._without_courtesies(rest)) is not None

    def may_hold(self, folded: str) -> bool:
        """Whether a text speaks of a password, or is one."""
        return self.are_spoken_of(folded) or self.is_one(folded)

    def is_one(self, folded: str) -> bool:
        """Whether a text, or its first line, is one string that may be a password and is nothing else."""
        if _DIGIT.search(folded) is None:
            return False
        return self._is_run(folded) or self._is_run(folded.lstrip(" \n").partition("\n")[0])

    def may_be_in(self, garbled: str) -> bool:
        """Whether a text with undecodable characters may contain a password, of which a part was not
        decoded."""
        return _DIGIT.search(garbled) is not None or self.are_spoken_of(garbled)

    def _is_glued(self, token: str) -> bool:
        """Whether a token is a word for password with a password attached: MM123456."""
        attempt = self._attempt
        if _DIGIT.search(token) is None:
            return False
        return any(
            len(word) > 1
            and token.startswith(word)
            and attempt.shortest <= len(token) - len(word) <= attempt.longest
            for word in attempt.latin
        )

    def _is_run(self, text: str) -> bool:
        run = self._without_courtesies(text).strip(_WANTS_NOTHING)
        if self._run.fullmatch(run) is None or _DIGIT.search(run) is None:
            return False
        if run.isdigit():
            return not self._is_number(run)
        return any(each.isalpha() for each in run) and not run.startswith(self._attempt.commands)

    def _without_courtesies(self, text: str) -> str:
        return text if self._courtesies is None else self._courtesies.sub(" ", text)


def every_second(text: str) -> str:
    """The letters of ASCII that came as UCS-2 and was read octet by octet, because its data_coding is wrong.

    Beside each letter stands a NUL, which is @ in GSM 7-bit. Returns "" for any other text.
    """
    for fill in ("\0", "@"):
        for place in (0, 1):
            if len(text) > 2 and text[place::2].strip(fill) == "":
                return text[1 - place :: 2]
    return ""


def _any_of(words: tuple[str, ...]) -> re.Pattern[str] | None:
    """A pattern that finds any of the words, the longest first; a Latin word only as a whole token."""
    if not words:
        return None
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(
        "|".join(
            f"(?<![A-Z0-9]){word}(?![A-Z0-9])" if word.isascii() else re.escape(word)
            for word in longest_first
        )
    )
