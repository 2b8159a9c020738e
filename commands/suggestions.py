"""Rule 6, and the hint of rule 3: which row a text probably meant that is not an instruction.

All functions are pure and read folded text. Nothing is suggested for a text with a negation, nor for one that
begins with a word of another service.
"""

import re
from collections.abc import Iterable

from rapidfuzz.distance import OSA

from commands.grammar import Line
from commands.table import SHORTEST_SUGGESTED, Cancelling, Grammar, Row, Table

_DIGIT = re.compile(r"[0-9]")
_LATIN = re.compile(r"[A-Z]")


def near(table: Table, grammar: Grammar, core: str, line: Line) -> tuple[Row | None, int]:
    """The row that a line may have meant, and the rule; (None, 6) when nothing is to be suggested.

    Args:
        core: the line without the punctuation around it.
    """
    row, rule = hint(grammar, core, line.word), 3
    if row is None:
        row, rule = suggest(grammar, line.word, table.opposites), 6
    if row is None or says_no(table.negations, core) or line.word.startswith(table.foreign):
        return None, 6
    return (None, 6) if table.cancelling is not None and line.word in table.cancelling.words else (row, rule)


def hint(grammar: Grammar, core: str, word: str) -> Row | None:
    """Rule 3: the row whose word begins the line, although the row takes no arguments ("QXFX 是什么").

    A letter directly behind a Latin word makes it another word. Words of fewer than SHORTEST_SUGGESTED
    characters give no hint.
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
    """Rule 6: the one row with a word at distance 1 (optimal string alignment: a swap of neighbours counts
    one).

    None when two rows are equally near, when the text has digits, and between opposites (open and cancel).
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


def says_no(negations: Iterable[str], line: str) -> bool:
    """Whether a line has a negation. Between two equal characters (要不要) it forms a question and does not
    count."""
    for negation in negations:
        place = line.find(negation)
        while place >= 0:
            behind = place + len(negation)
            if not line[:place] or line[place - 1] != line[behind : behind + 1]:
                return True
            place = line.find(negation, behind)
    return False


def means_cancelling(cancelling: Cancelling, negations: Iterable[str], core: str, line: Line) -> bool:
    """Whether a line is a word for cancelling, or a question that names it."""
    if line.word in cancelling.words:
        return True
    if not (line.asks or any(word in core for word in cancelling.questions)):
        return False
    places = [core.find(name) for name in cancelling.names if name in core]
    return bool(places) and not says_no(negations, core[: min(places)])
