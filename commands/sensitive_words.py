"""The list of sensitive words: a file of one word a line, looked for in what customers write to each other.

Words and texts are folded alike (commands.text: width, case, punctuation), and blanks do not count, so a
word is found however it is typed. Empty lines and those that begin with # say nothing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from commands.text import normalise
from routing.files import is_no_file
from routing.tablefile import Fault, TableError

LONGEST: Final = 50
"""Characters of a word: what is longer is a mistake in the file."""


class WordList:
    """Sensitive words, ready for searching (commands.limits.Words). Immutable.

    A text is walked once: each character that begins a word costs a look at the words that it begins.
    """

    __slots__ = ("_by_first", "count")

    def __init__(self, words: Iterable[str]) -> None:
        by_first: dict[str, list[str]] = {}
        folded = {fold(word) for word in words} - {""}
        for word in sorted(folded):
            by_first.setdefault(word[0], []).append(word)
        self._by_first = {first: tuple(starting) for first, starting in by_first.items()}
        self.count = len(folded)

    @classmethod
    def load(cls, path: Path) -> "WordList":
        """The words of a file in UTF-8. Raises TableError, with the line, for one that cannot be used."""
        if is_no_file(path):  # SIGHUP reads it, and all SMS would wait with it for a pipe
            raise TableError([Fault(str(path), 1, "(file)", "is no file: name a file")])
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except OSError as error:
            raise TableError([Fault(str(path), 1, "(file)", f"cannot be read: {error.strerror}")]) from error
        except UnicodeDecodeError as error:
            raise TableError([Fault(str(path), 1, "(file)", "is not UTF-8")]) from error
        entries = [(number, line.strip()) for number, line in enumerate(lines, 1)]
        words = [(number, word) for number, word in entries if word and not word.startswith("#")]
        faults = [
            Fault(str(path), number, "word", f"{reason}: {word[:LONGEST]!r}")
            for number, word in words
            if (reason := _unusable(word))
        ]
        if faults:
            raise TableError(faults)
        return cls(word for _, word in words)

    def found(self, text: str) -> str | None:
        """The first word that a text holds, None for a clean one."""
        folded = fold(text)
        by_first = self._by_first
        if by_first.keys().isdisjoint(folded):
            return None
        for position, character in enumerate(folded):
            for word in by_first.get(character, ()):
                if folded.startswith(word, position):
                    return word
        return None


def fold(text: str) -> str:
    """A text as it is compared: folded, without blanks and line ends."""
    return "".join(normalise(text).folded.split())


def _unusable(word: str) -> str:
    """What is wrong with a word, "" for nothing."""
    if len(word) > LONGEST:
        return f"has more than {LONGEST} characters"
    return "" if fold(word) else "is nothing but blanks"
