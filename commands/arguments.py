"""The kinds of arguments that an instruction may take, and how each kind is read from a text.

Names and free text are taken from the text as the customer typed it; all other kinds are read from its folded
form (commands.text).
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

    NUMBER = auto()  # of a person: mobile or Fetion number
    MOBILE = auto()  # of a person
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
"""Kinds that may span several lines; of all others the first line counts."""

GLUED_KINDS = frozenset({Kind.NUMBER, Kind.MOBILE, Kind.PAGE})
"""Kinds whose digits may follow the word without a separator."""

PERSON_KINDS = frozenset({Kind.NUMBER, Kind.MOBILE})
"""Kinds that name a person."""

MARKED_KINDS = frozenset({Kind.TEXT, Kind.NAME})
"""Kinds that may end with a question mark. Behind any other kind it asks about the instruction."""

LONGEST_COUNT = 3
"""Digits of a page number or of a number of days, at most."""

_PRINTABLE = range(0x21, 0x7F)
_AGES = re.compile(r"([1-9][0-9])(?:[-~到至]([1-9][0-9]))?岁?")
_BORN = re.compile(
    r"((?:19|20)[0-9]{2})(?:年|([0-9]{2})([0-9]{2})|[-./年]([0-9]{1,2})(?:月|[-./月]([0-9]{1,2})日?)?)?"
)
_PROVINCE_KINDS = "省市"
"""Characters that may follow the short name of a province."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a row.

    shortest, longest: UTF-16 units (commands.text.units); longest 0: no limit. choices: the values of
    Kind.CHOICE.
    """

    name: str
    kind: Kind
    required: bool = True
    shortest: int = 0
    longest: int = 0
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readers:
    """What readers look up: the person whom a number names, the sentence that explains a word, the code of
    a province."""

    person: Callable[[str], Person | None]
    topics: Mapping[str, str]
    provinces: Mapping[str, str]


Reader: TypeAlias = Callable[[Cursor, Argument, Readers, bool], str | None]


def read(cursor: Cursor, argument: Argument, readers: Readers, *, last: bool) -> str | None:
    """Read one argument at the cursor and move the cursor behind it.

    Returns:
        The value; None when the text at the cursor is not of this kind. The cursor may have moved then
            too.
    """
    return _READERS[argument.kind](cursor, argument, readers, last)


def password(text: str, argument: Argument) -> str | None:
    """`text` if it may be a password, else None. The text is not normalised.

    A password has printable half-width characters (0x21-0x7E) and the length of the argument: "6-16
    characters, no Chinese, no full-width" (fetion.md 2, attested).
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
        return None  # one mark of a pair; or only question marks, which ask about the instruction
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
    """The folded text before the next separator, without paired marks around it."""
    return cursor.text.folded[slice(*cursor.take_field())].strip(MARKS)


def serial(word: str, argument: Argument) -> str | None:
    """The place in a list that a line names, without leading zeros; None when it names none."""
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
