"""The precedence of appendix 8 at a place that takes instructions: rules 2, 3 and 4.

Rules are cited by their number in the appendix. All functions are pure and read folded text.
"""

import re
from typing import NamedTuple

from commands.arguments import Readers, read, serial
from commands.table import Grammar, Row
from commands.text import OUTER, SEPARATORS, Cursor, Text, core_of, has_marks, peel

_DIGIT = re.compile(r"[0-9]")
_ASKS = re.compile(f"[{re.escape(OUTER)}\\n]*[?][?{re.escape(OUTER)}\\n]*")
"""Only question marks and punctuation."""


class Line(NamedTuple):
    """A line that is not blank, without the blanks and punctuation around it (rules 2 and 3).

    start, end: its bounds in the folded text. marked: its end including the question marks behind it. stop:
    where the next line begins. word: the line as it is compared with words. alone: no other line follows.
    asks: a question mark follows.
    """

    start: int
    end: int
    marked: int
    stop: int
    word: str
    alone: bool
    asks: bool


class Match(NamedTuple):
    """A row that matched, its arguments (None: not what the row takes), and the number of the rule."""

    row: Row
    arguments: dict[str, str] | None
    rule: int


def first_line(text: Text, position: int = 0) -> Line:
    """The first line at or behind `position`. For rows without free text no other line counts."""
    folded = text.folded
    start = len(folded) - len(folded[position:].lstrip(" \n"))
    stop = folded.find("\n", start)
    if stop < 0:
        stop, behind = len(folded), ""
    else:
        behind = folded[stop:].strip(" \n")
    core = folded[start:stop]
    if len(core_of(core)) == len(core):  # the usual case: nothing around it
        end = marked = stop
        asks = False
    else:
        start, end, marked, asks = peel(text, start, stop)
        core = folded[start:end]
    if behind and not asks:
        asks = _ASKS.fullmatch(behind) is not None
    return Line(start, end, marked, stop, core.replace(" ", ""), not behind, asks)


def match(grammar: Grammar, text: Text, line: Line, readers: Readers) -> Match | None:
    """The row that a text means here by rule 3 or rule 4; None when it means none."""
    row = grammar.exact.get(line.word)
    if row is not None and (line.alone or not row.takes_free_text):
        return Match(row, None if row.needs_arguments else {}, 3)
    folded = text.folded
    for length in grammar.lengths:
        behind = line.start + length
        row = grammar.heads.get(folded[line.start : behind])
        if row is None:
            continue
        end = _end_of_arguments(row, text, line)
        if behind < end and _may_follow(folded[behind], row):
            return Match(row, _arguments(row, Cursor(text, behind, end), readers), 4)
    return None


def asked_about(found: Match, line: Line) -> bool:
    """Rule 3: whether a question mark asks about the row, and so nothing is done.

    It does not when it belongs to free text or to a name, or when the row has no effect (`reads`).
    """
    row = found.row
    if not line.asks or row.reads:
        return False
    is_text = row.takes_free_text or (row.keeps_marks and line.marked > line.end)
    return not (found.rule == 4 and is_text)


def listed(grammar: Grammar, line: Line) -> Match | None:
    """The row that takes places of a list, if the line is only digits, as many as it takes (after rule 3)."""
    row = grammar.listed
    value = None if row is None else serial(line.word, row.arguments[0])
    return None if row is None or value is None else Match(row, {row.arguments[0].name: value}, 3)


def _end_of_arguments(row: Row, text: Text, line: Line) -> int:
    """Where the arguments of a row end.

    Free text ends with the SMS, or with the closing mark of a pair around the whole instruction. A name
    includes the question marks behind it.
    """
    if not row.takes_free_text:
        return line.marked if row.keeps_marks else line.end
    folded = text.folded
    if has_marks(folded[: line.start]):
        ends = [end for start, end in text.partners().items() if start < line.start <= end]
        if ends and not folded[min(ends) :].strip(OUTER + "\n"):
            return min(ends)
    return len(folded)


def _may_follow(character: str, row: Row) -> bool:
    """Whether a character may follow the word of a row."""
    return character in SEPARATORS or (row.takes_glued_digits and _DIGIT.match(character) is not None)


def _arguments(row: Row, cursor: Cursor, readers: Readers) -> dict[str, str] | None:
    """The arguments behind a word; None when one is missing, of a wrong kind, or too many.

    An optional argument may be left out: a text that is not of its kind is read as the next one.
    """
    values: dict[str, str] = {}
    last = len(row.arguments) - 1
    separated = True
    for place, argument in enumerate(row.arguments):
        separated = cursor.skip_separators() or separated
        if cursor.at_end():
            return None if argument.required else values  # required ones come first: the rest is optional
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
