"""The precedence of appendix 8 at a place that takes instructions: rules 2, 3, 4, 6 and 7.

Rules are named by their number in the appendix. All functions are pure and look at folded text.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from rapidfuzz.distance import OSA

from commands.arguments import Readers, read, serial
from commands.table import SHORTEST_SUGGESTED, Attempt, Grammar, Row
from commands.text import OUTER, SEPARATORS, Cursor, Text, core_of

_DIGIT = re.compile(r"[0-9]")
_LATIN = re.compile(r"[A-Z]")
_BLANK = re.compile(r"[ \n]")


class Line(NamedTuple):
    """The first line that is not blank, less the punctuation around it (rule 2).

    start, end: its bounds in the folded text. word: as compared with words. alone: nothing follows it.
    """

    start: int
    end: int
    word: str
    alone: bool


class Match(NamedTuple):
    """A row, its arguments (None: they are not what the row wants), and the rule."""

    row: Row
    arguments: dict[str, str] | None
    rule: int


def first_line(folded: str) -> Line:
    """The line that counts for rows without free text."""
    start = len(folded) - len(folded.lstrip(" \n"))
    stop = folded.find("\n", start)
    line = folded[start:] if stop < 0 else folded[start:stop]
    alone = stop < 0 or not folded[stop:].strip(" \n")
    core = core_of(line)
    start += len(line) - len(line.lstrip(OUTER))
    return Line(start, start + len(core), core.replace(" ", "") if " " in core else core, alone)


def match(grammar: Grammar, text: Text, line: Line, readers: Readers) -> Match | None:
    """The row that a text means here: rule 3, then rule 4; None when it means none."""
    row = grammar.exact.get(line.word)
    if row is not None and (line.alone or not row.takes_free_text):
        return Match(row, None if row.needs_arguments else {}, 3)
    folded = text.folded
    for length in grammar.lengths:
        behind = line.start + length
        row = grammar.heads.get(folded[line.start : behind])
        if row is None:
            continue
        end = len(folded) if row.takes_free_text else line.end
        if behind < end and _may_follow(folded[behind], row):
            return Match(row, _arguments(row, Cursor(text, behind, end), readers), 4)
    return None


def listed(grammar: Grammar, line: Line) -> Match | None:
    """The row that takes the places of a list: a line of so many digits and nothing else (after rule 3)."""
    row = grammar.listed
    value = None if row is None else serial(line.word, row.arguments[0])
    return None if row is None or value is None else Match(row, {row.arguments[0].name: value}, 3)


def _may_follow(character: str, row: Row) -> bool:
    return character in SEPARATORS or (row.takes_glued_digits and _DIGIT.match(character) is not None)


def _arguments(row: Row, cursor: Cursor, readers: Readers) -> dict[str, str] | None:
    """The arguments behind a word, None when one is missing, none of its kind, or one too many.

    An optional one may be left out: what is none of its kind may be the next one.
    """
    values: dict[str, str] = {}
    last = len(row.arguments) - 1
    separated = True
    for place, argument in enumerate(row.arguments):
        separated = cursor.skip_separators() or separated
        if cursor.at_end():
            return None if argument.required else values  # the required ones come first
        if not separated:
            return None
        start = cursor.position
        value = read(cursor, argument, readers, last=place == last)
        if value is not None:
            values[argument.name] = value
            separated = False
        elif argument.required:
            return None
        else:
            cursor.position = start
    cursor.skip_separators()
    return values if cursor.at_end() else None


def hint(grammar: Grammar, core: str, word: str) -> Row | None:
    """Rule 3: the row whose word begins the line, although nothing may stand behind it ("QXFX 是什么").

    A letter glued to a Latin word makes another word of it; words of fewer than four characters hint
    at nothing.
    """
    for known, row in grammar.exact_only:
        if len(known) < SHORTEST_SUGGESTED:
            break  # longest first
        for line in (core, word):
            rest = line.removeprefix(known) if line.startswith(known) else ""
            if rest and not (known.isascii() and _LATIN.match(rest)):
                return row
    return None


def suggest(grammar: Grammar, word: str, opposites: Iterable[tuple[str, str]]) -> Row | None:
    """Rule 6: the one row with a word at distance 1 (optimal string alignment: a swap counts one).

    None for a tie, for a text with digits, and between opposites (open and cancel).
    """
    if _DIGIT.search(word) is not None:
        return None
    found: Row | None = None
    for known, row in grammar.near:
        if abs(len(known) - len(word)) > 1 or OSA.distance(word, known, score_cutoff=1) > 1:
            continue
        if any(_opposed(word, known, pair) for pair in opposites):
            continue
        if found is not None and found is not row:
            return None
        found = row
    return found


def _opposed(word: str, known: str, pair: tuple[str, str]) -> bool:
    return any(word.startswith(one) and known.startswith(two) for one, two in (pair, pair[::-1]))


def is_attempt(attempt: Attempt, line: str) -> bool:
    """Rule 7: a word, then one token as long as a password; glued to the word only when it holds a digit.

    line: with its punctuation, which may be part of the password.
    """
    for word in attempt.words:
        behind = line[len(word) :]
        token = behind.lstrip("".join(SEPARATORS)).rstrip(" ")
        if not line.startswith(word) or _BLANK.search(token) is not None:
            continue
        lengths = (len(behind.strip(" ")), len(token), len(token.rstrip(OUTER)))
        fits = any(attempt.shortest <= length <= attempt.longest for length in lengths)
        if fits and (behind[0] in SEPARATORS or _DIGIT.search(token) is not None):
            return True
    return False


def may_hold_password(attempt: Attempt, folded: str) -> bool:
    """Rule 7: a single token as long as a password, with a digit, may be one."""
    token = folded.strip(" \n")
    if not attempt.shortest <= len(token) <= attempt.longest:
        return False
    return _BLANK.search(token) is None and _DIGIT.search(token) is not None
