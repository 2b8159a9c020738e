"""The kinds of arguments that an instruction may take, and how each is read off a text.

Numbers, names and choices are read behind a separator; free text and names are cut from what the
customer typed, everything else from the folded form (commands.text).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum, auto
from types import MappingProxyType
from typing import TypeAlias

from commands.text import MARKS, OUTER, Cursor, units, word_of
from routing.numbers import Mobile, Person


class Kind(StrEnum):
    """What an argument is."""

    NUMBER = auto()  # a person: mobile or Fetion number
    MOBILE = auto()  # a person's mobile
    PAGE = auto()  # of a list, from 1
    DAYS = auto()
    NAME = auto()  # as typed, on the first line
    CHOICE = auto()  # one of a few words or digits
    TOPIC = auto()  # a word of the table; its value is the sentence that explains that row
    TEXT = auto()  # free text: everything to the end, as typed, newlines included
    PASSWORD = auto()  # the whole text, as typed
    SERIAL = auto()  # of a list: the text is these digits and nothing else, there is no word
    AGES = auto()  # 20 or 18-25; its value is always from-to
    PROVINCE = auto()  # by name or code; its value is the code
    BORN = auto()  # a birthday or a year; its value is the year


FREE_KINDS = frozenset({Kind.TEXT})
"""Kinds for which the whole text counts, not only its first line."""

GLUED_KINDS = frozenset({Kind.NUMBER, Kind.MOBILE, Kind.PAGE})
"""Kinds whose digits may follow the word without a separator."""

PERSON_KINDS = frozenset({Kind.NUMBER, Kind.MOBILE})
"""Kinds that name a person."""

MARKED_KINDS = frozenset({Kind.TEXT, Kind.NAME})
"""Kinds whose value is written freely: a question mark behind it belongs to it."""

LONGEST_COUNT = 3
"""Digits of a page or of days."""

_PRINTABLE = range(0x21, 0x7F)
_AGES = re.compile(r"([1-9][0-9])(?:[-~到至]([1-9][0-9]))?岁?")
_BORN = re.compile(
    r"((?:19|20)[0-9]{2})(?:年|([0-9]{2})([0-9]{2})|[-./年]([0-9]{1,2})(?:月|[-./月]([0-9]{1,2})日?)?)?"
)
_PROVINCE_KINDS = "省市"
"""What may stand behind a province's short name."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a row. choices: of Kind.CHOICE.

    shortest, longest: characters as an SMS counts them (commands.text.units); longest 0: no limit.
    """

    name: str
    kind: Kind
    required: bool = True
    shortest: int = 0
    longest: int = 0
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readers:
    """What reading needs from outside: who a number is, the sentence behind a word, a province's code."""

    person: Callable[[str], Person | None]
    topics: Mapping[str, str]
    provinces: Mapping[str, str]


Reader: TypeAlias = Callable[[Cursor, Argument, Readers, bool], str | None]


def read(cursor: Cursor, argument: Argument, readers: Readers, *, last: bool) -> str | None:
    """The value of one argument at the cursor, which moves behind it; None when it is none of its kind."""
    return _READERS[argument.kind](cursor, argument, readers, last)


def password(text: str, argument: Argument) -> str | None:
    """`text` when it may be a password: printable half-width characters (0x21-0x7E), enough and not too many.

    None when it may not. Source: "6-16 characters, no Chinese, no full-width" is attested. Never normalised.
    """
    if argument.shortest <= len(text) <= argument.longest and all(ord(each) in _PRINTABLE for each in text):
        return text
    return None


def _number(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del last
    person = readers.person(cursor.take_digits())
    if person is None or (argument.kind is Kind.MOBILE and not isinstance(person, Mobile)):
        return None
    return person.digits


def _count(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del argument, readers, last
    field = _field(cursor)
    if not (field.isascii() and field.isdigit() and len(field) <= LONGEST_COUNT):
        return None
    value = int(field)
    return str(value) if value else None


def _name(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del readers
    start, end = cursor.take_rest() if last else cursor.take_field()
    folded = cursor.text.folded[start:end]
    if cursor.text.splits(start, end) or ("?" in folded and not folded.strip(OUTER + "?")):
        return None  # half a pair of marks, or a question mark alone: that asks about the instruction
    name = cursor.text.cut(start, end).strip()
    return name if argument.shortest <= units(name) <= argument.longest else None


def _choice(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del readers, last
    field = _field(cursor)
    return field if field in argument.choices else None


def _topic(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del argument
    start, end = cursor.take_rest() if last else cursor.take_field()
    return readers.topics.get(word_of(cursor.text.folded[start:end]))


def _ages(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del argument, readers, last
    ages = _AGES.fullmatch(_field(cursor))
    return "-".join(sorted((ages[1], ages[2] or ages[1]))) if ages else None


def _province(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del argument, last
    name = _field(cursor)
    return readers.provinces.get(name) or readers.provinces.get(name.rstrip(_PROVINCE_KINDS))


def _born(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del argument, readers, last
    found = _BORN.fullmatch(_field(cursor))
    if found is None:
        return None
    month, day = found[2] or found[4] or "1", found[3] or found[5] or "1"
    try:
        return str(date(int(found[1]), int(month), int(day)).year)
    except ValueError:
        return None


def _field(cursor: Cursor) -> str:
    """What stands before the next separator, folded, without the pair of marks around it."""
    return cursor.text.folded[slice(*cursor.take_field())].strip(MARKS)


def serial(word: str, argument: Argument) -> str | None:
    """The place in a list that a line names, without leading zeros; None when it is none."""
    if word.isascii() and word.isdigit() and argument.shortest <= len(word) <= argument.longest:
        return str(int(word))
    return None


def _text(cursor: Cursor, argument: Argument, readers: Readers, last: bool) -> str | None:
    del readers, last
    start, end = cursor.take_rest()
    if cursor.text.splits(start, end):
        return None
    text = cursor.text.cut(start, end)
    length = units(text.strip())
    return text if length and argument.shortest <= length <= (argument.longest or length) else None


_READERS: Mapping[Kind, Reader] = MappingProxyType({
    Kind.NUMBER: _number,
    Kind.MOBILE: _number,
    Kind.PAGE: _count,
    Kind.DAYS: _count,
    Kind.NAME: _name,
    Kind.CHOICE: _choice,
    Kind.TOPIC: _topic,
    Kind.TEXT: _text,
    Kind.AGES: _ages,
    Kind.PROVINCE: _province,
    Kind.BORN: _born,
})  # fmt: skip
