"""Normalise what customers type, and keep the way back to the original.

Chinese handsets write the same instruction in many ways: full-width letters and digits, Chinese punctuation,
quotes, invisible characters. `normalise` folds them: NFKC for each character, a-z to A-Z (no other letters,
so the locale does not matter), every blank to a space, every line end to a newline, Chinese punctuation to
its ASCII equivalent; invisible characters are dropped. Because folding changes lengths, a Text maps each
folded character to its original, and `cut` returns original text.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from routing.numbers import FILLERS, without_fillers

_EQUIVALENTS = {
    ".": "。．·・",
    ",": "、",
    "?": "❓❔؟",
    '"': "“”„‟″‘’‚‛′〝〞〟",
    "-": "—–―‐‑‒−",
    "~": "〜",
    "<": "《〈",
    ">": "》〉",
    "[": "【〔〖「『",
    "]": "】〕〗」』",
    "\n": "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029",
}

PLAIN = " .,;:!~"
MARKS = "\"'()[]{}<>"
OUTER = PLAIN + MARKS
"""Punctuation that has no meaning around a word. MARKS are paired and are removed in pairs."""

SEPARATORS = frozenset("#*+:, \n")
"""Characters between a word and its arguments. A run of them counts as one."""

# Code blocks that contain blanks, control characters and invisible characters.
_BLOCKS = (range(0x3001), range(0xFE00, 0xFE10), (0xFEFF,), range(0xFFF9, 0xFFFC), range(0xE0001, 0xE0080))

_OPENER = MappingProxyType({")": "(", "]": "[", "}": "{", ">": "<"})
_OPENING_QUOTES = "“„‟‘‚‛〝"
_CLOSING_QUOTES = "”’〞〟"
_MARK = re.compile(f"[{re.escape(MARKS)}]")
_QUESTION_MARKS = re.compile(f"[{re.escape(PLAIN)}]*[?][{re.escape(PLAIN)}?]*(?<=[?])")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_IN_NUMBERS = re.escape(FILLERS)
_RUN_OF_DIGITS = re.compile(rf"[{_IN_NUMBERS}]*\+?[{_IN_NUMBERS}0-9]*")
_CLOSING = MappingProxyType({"(": ")", "[": "]", "{": "}", "<": ">"})


def _translation() -> MappingProxyType[int, str | None]:
    """The translation table: what each character becomes; None: it is dropped."""
    table: dict[int, str | None] = {}
    for code in chain(*_BLOCKS):
        character = chr(code)
        if character.isspace() or unicodedata.category(character) == "Cc":
            table[code] = " "
        elif unicodedata.category(character) == "Cf" or 0xFE00 <= code < 0xFE10:
            table[code] = None  # invisible: zero width, directions, soft hyphen, variation selectors
    for ascii_form, variants in _EQUIVALENTS.items():
        table.update((ord(variant), ascii_form) for variant in variants)
    table.update((code, chr(code - 32)) for code in range(ord("a"), ord("z") + 1))
    # The full-width forms of ASCII, as NFKC maps them. With them here, few texts need _normalise_each.
    table.update((code + 0xFEE0, chr(code).translate(table)) for code in range(0x21, 0x7F))
    return MappingProxyType(table)


_TRANSLATION = _translation()


def units(text: str) -> int:
    """The length of a text in an SMS: UTF-16 units. A character outside the BMP counts two."""
    return len(text) + sum(each > "\uffff" for each in text)


class Text:
    """A text and its folded form. `_starts[i]` is the index in `original` that `folded[i]` comes from;
    None: i itself."""

    __slots__ = ("_starts", "folded", "original")

    def __init__(self, original: str, folded: str, starts: Sequence[int] | None) -> None:
        self.original = original
        self.folded = folded
        self._starts = starts

    def cut(self, start: int, end: int) -> str:
        """The original of `folded[start:end]`, with the invisible characters inside and directly behind
        it."""
        if start >= end:
            return ""
        if self._starts is None:
            return self.original[start:end]
        stop = self._starts[end] if end < len(self._starts) else len(self.original)
        # One original character may give several folded ones: a cut in its middle ends behind it.
        return self.original[self._starts[start] : max(stop, self._starts[end - 1] + 1)]

    def partners(self) -> dict[int, int]:
        """The index of each paired mark of `folded` -> the index of its partner. Marks without a partner are
        left out.

        A quote that looks the same at both ends closes the open one. An apostrophe between letters is no
        quote.
        """
        folded, found = self.folded, dict[int, int]()
        opened: dict[str, list[int]] = {}
        for each in _MARK.finditer(folded):
            place, mark = each.start(), each[0]
            if (
                mark == "'"
                and folded[place - 1 : place].isalpha()
                and folded[place + 1 : place + 2].isalpha()
            ):
                continue
            opener = _OPENER.get(mark, mark)
            waiting = opened.setdefault(opener, [])
            if opener == mark and not self._closes(place, mark, waiting):
                waiting.append(place)
            elif waiting:
                partner = waiting.pop()
                found[partner], found[place] = place, partner
        return found

    def splits(self, start: int, end: int) -> bool:
        """Whether `folded[start:end]` holds one mark of a pair without the other."""
        folded = self.folded
        if _MARK.search(folded, start, end) is None or not has_marks(folded[:start] + folded[end:]):
            return False
        pairs = self.partners().items()
        return any(start <= one < end and not start <= other < end for one, other in pairs)

    def _closes(self, place: int, mark: str, waiting: list[int]) -> bool:
        """Whether a quote closes a pair; the character that was typed decides."""
        if mark not in "\"'":
            return False
        typed = self.original[place if self._starts is None else self._starts[place]]
        return typed in _CLOSING_QUOTES or (typed not in _OPENING_QUOTES and bool(waiting))


def has_marks(folded: str) -> bool:
    """Whether a text holds a mark that may be one of a pair."""
    return _MARK.search(folded) is not None


def normalise(text: str) -> Text:
    """Fold `text` as the docstring of this module says."""
    if text.isascii():
        if not text.isprintable() and _CONTROL.search(text) is not None:
            return Text(text, text.translate(_TRANSLATION), None)
        return Text(text, text.upper(), None)
    folded = text.translate(_TRANSLATION)
    if len(folded) == len(text) and unicodedata.is_normalized("NFKC", folded):
        return Text(text, folded, None)  # one to one: nothing was dropped, and NFKC changes nothing
    return _normalise_each(text)


def _normalise_each(text: str) -> Text:
    """Fold character by character, with the map to the original."""
    folded: list[str] = []
    starts: list[int] = []
    for index, character in enumerate(text):
        # Before NFKC too: some of these characters (U+2033, for example) have decompositions of their own.
        form = character.translate(_TRANSLATION)
        if not form.isascii():
            form = unicodedata.normalize("NFKC", form).translate(_TRANSLATION)
        folded.append(form)
        starts.extend([index] * len(form))
    return Text(text, "".join(folded), starts)


def core_of(line: str) -> str:
    """A line without the blanks and punctuation around it.

    A `?` is removed too, but not when it is all there is: alone it is a word (it asks for help).
    """
    core = line.strip(OUTER)
    return core.rstrip("?" + OUTER) or "?" if core.endswith("?") else core


class Core(NamedTuple):
    """`folded[start:end]` is a line without blanks and punctuation around it.

    marked: the end including the question marks behind. asks: a question mark follows.
    """

    start: int
    end: int
    marked: int
    asks: bool


def peel(text: Text, start: int, end: int) -> Core:
    """Remove the blanks and punctuation around the line `folded[start:end]`.

    A paired mark is removed only together with its partner. A question mark is removed only behind something:
    alone it is a word (it asks for help).
    """
    line = text.folded[start:end]
    core = core_of(line)
    first = start + len(line) - len(line.lstrip(OUTER))
    last = first + len(core)
    if has_marks(text.folded[start:first] + text.folded[last:end]):
        first, last = _with_partners(text, first, last, start, end)
    behind = text.folded[last:end]
    if "?" not in behind or core == "?":
        return Core(first, last, last, asks=False)
    marks = _QUESTION_MARKS.match(behind)
    return Core(first, last, last + (marks.end() if marks else 0), asks=True)


def _with_partners(text: Text, first: int, last: int, start: int, end: int) -> tuple[int, int]:
    """The bounds `first`, `last` extended, within start and end, to the partners of the marks inside them."""
    partners, added = text.partners(), [(first, last)]
    while added:
        low, high = added.pop()
        wanted = [partners[place] for place in range(low, high) if place in partners]
        wanted = [place for place in wanted if start <= place < end and not first <= place < last]
        for place in wanted:
            if place < first:
                added.append((place, first))
                first = place
            elif place >= last:
                added.append((last, place + 1))
                last = place + 1
    return first, last


def word_of(line: str) -> str:
    """A line as it is compared with the words of the table: its core without blanks."""
    return core_of(line).replace(" ", "")


class Cursor:
    """A position in a Text that moves forward to `end`."""

    __slots__ = ("end", "position", "text")

    def __init__(self, text: Text, position: int, end: int) -> None:
        self.text = text
        self.position = position
        self.end = end

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= self.end

    def skip_separators(self) -> bool:
        """Move behind a run of separators. Returns whether there was one."""
        folded, position = self.text.folded, self.position
        while position < self.end and folded[position] in SEPARATORS:
            position += 1
        moved = position > self.position
        self.position = position
        return moved

    def take_digits(self) -> str:
        """Read the digits of a number here, with a leading +, without the FILLERS among them.

        Returns "" when there are none. Characters behind the last digit are not consumed, except brackets
        that the number opened.
        """
        match = _RUN_OF_DIGITS.match(self.text.folded, self.position, self.end)
        run = match[0] if match is not None else ""
        if run.isdigit():  # the usual case
            self.position += len(run)
            return run
        number = run.rstrip(FILLERS)
        if not number or number[-1] == "+":
            return ""
        self.position += len(number) + _closed_behind(number, run[len(number) :])
        return without_fillers(number)

    def take_field(self) -> tuple[int, int]:
        """Move to the next separator. Returns the bounds of what was passed."""
        folded, start = self.text.folded, self.position
        while self.position < self.end and folded[self.position] not in SEPARATORS:
            self.position += 1
        return start, self.position

    def take_rest(self) -> tuple[int, int]:
        """Move to the end. Returns the bounds of what was passed."""
        start, self.position = self.position, self.end
        return start, self.end


def _closed_behind(number: str, behind: str) -> int:
    """How many characters behind a number close brackets that the number opened."""
    unclosed = dict.fromkeys(_CLOSING.values(), 0)
    for each in number:
        if each in _CLOSING:
            unclosed[_CLOSING[each]] += 1
        elif unclosed.get(each):
            unclosed[each] -= 1
    taken = 0
    for place, each in enumerate(behind, start=1):
        if unclosed.get(each):
            unclosed[each] -= 1
            taken = place
        elif each != " ":
            break
    return taken
