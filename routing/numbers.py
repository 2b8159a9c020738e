"""The number plan: which digits are the number of a person.

There are two parsers. This module reads the number of a person (a sender, or an argument of an instruction).
`routing.table.Routing.resolve` reads a destination, where an access code comes first.

People and message centres write a mobile in these forms, without FILLERS; IP is one of `call_prefixes`:

    [+86 | 86 | 0086] [IP] [0] mobile    139..., +86139..., 0139..., 17951139..., 8617951139..., +86(0)139...
    IP (86 | 0086) [0] mobile            1795186139...: an IP prefix before a number of the address book

Rejected: a + that is not the first character, a + without 86 (+139... is a number of North America), two
country codes, two IP prefixes, a 0 before the country code or the IP prefix. A Fetion number has no prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeAlias

COUNTRY_PREFIXES = ("+86", "0086", "86")
"""The forms of the country code of mainland China before a number (ITU-T E.164)."""

FILLERS = " -.()[]{}<>"
"""Characters that people write between the digits of a number."""

_WITHOUT_FILLERS = str.maketrans("", "", FILLERS)
_SPAN = re.compile(r"([0-9]+)(?:-([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Mobile:
    """A mainland mobile number: 11 digits, without country code."""

    digits: str


@dataclass(frozen=True, slots=True)
class FetionNumber:
    """A Fetion number: 9 digits, which name a customer without showing the mobile number."""

    digits: str


Person: TypeAlias = Mobile | FetionNumber


def span(text: str) -> tuple[str, ...]:
    """The prefixes of a span: "13-15" is 13, 14, 15; "188" is itself. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    first, last = (match[1], match[2] or match[1]) if match else ("", "")
    if not first or len(first) != len(last) or first > last:
        raise ValueError(f"{text!r} is no span of prefixes: write 188 or 1340-1348")
    return tuple(str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))


@dataclass(frozen=True, slots=True)
class Digits:
    """A set of digit strings, by length, allowed beginnings (spans) and forbidden beginnings (never).

    Raises ValueError for a span that is not valid.
    """

    shortest: int
    longest: int
    spans: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    begins: tuple[str, ...] = field(init=False)
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        begins = tuple(begin for text in self.spans for begin in span(text)) or ("",)
        object.__setattr__(self, "begins", begins)
        object.__setattr__(self, "_pattern", re.compile(self.regex))

    @property
    def regex(self) -> str:
        """The set as a regular expression without groups."""
        never = f"(?!{'|'.join(self.never)})" if self.never else ""
        branches = []
        for length in sorted(set(map(len, self.begins))):
            # One branch per length, because `re` compiles 13|14|15 into a character class.
            begins = "|".join(begin for begin in self.begins if len(begin) == length)
            branches.append(f"(?:{begins})[0-9]{{{max(0, self.shortest - length)},{self.longest - length}}}")
        return f"{never}(?:{'|'.join(branches)})"

    def fits(self, text: str) -> bool:
        """Whether `text` is in the set."""
        return self._pattern.fullmatch(text) is not None

    def overlaps(self, other: Digits) -> bool:
        """Whether a string may be in both sets. `never` is not considered."""
        longest = min(self.longest, other.longest)
        if longest < max(self.shortest, other.shortest):
            return False
        return any(
            (one.startswith(two) or two.startswith(one)) and max(len(one), len(two)) <= longest
            for one in self.begins
            for two in other.begins
        )

    def mismatch(self, text: str) -> str | None:
        """Why `text` is not in the set, in words; None when it is."""
        if self.fits(text):
            return None
        if not text:
            return "is missing"
        if not self.shortest <= len(text) <= self.longest:
            return f"{text!r} is {count(len(text))}"
        if code := next((code for code in self.never if text.startswith(code)), None):
            return f"{text!r} begins with access code {code}"
        return f"{text!r} begins with {text[: len(self.begins[0])]}"

    def __str__(self) -> str:
        if not self.longest:
            return "none"
        span = "" if self.shortest == self.longest else f"{self.shortest}-"
        begin = f" beginning {', '.join(self.spans)}" if self.spans else ""
        return f"{span}{count(self.longest)}{begin}"


def count(digits: int) -> str:
    """A number of digits in words: "1 digit", "2 digits"."""
    return f"{digits} digit" if digits == 1 else f"{digits} digits"


def without_fillers(text: str) -> str:
    """A number without the FILLERS."""
    return text.translate(_WITHOUT_FILLERS)


class NumberPlan:
    """The forms of a mobile and a Fetion number. Immutable.

    call_prefixes: digits that callers put before a number to call it through another network.
    """

    __slots__ = ("_plain", "_spelled", "fetion_number", "mobile")

    def __init__(self, mobile: Digits, fetion_number: Digits, call_prefixes: tuple[str, ...] = ()) -> None:
        self.mobile = mobile
        self.fetion_number = fetion_number
        country, ip = "|".join(map(re.escape, COUNTRY_PREFIXES)), "|".join(call_prefixes)
        # A pattern of its own for the usual form: nearly every sender has it.
        self._plain = re.compile(f"(?:{country})?({mobile.regex})").fullmatch
        head = f"(?:{country})?(?:{ip})?|(?:{ip})(?:86|0086)"
        self._spelled = re.compile(f"(?:{head})0?({mobile.regex})").fullmatch

    def msisdn(self, address: str) -> str | None:
        """The 11-digit mobile of a sender; None when the address is not a mobile.

        A number that begins with an access code is not a mobile (16103300001 is 161 + 033 + 00001).
        """
        match = self._plain(address) or self._spelled(without_fillers(address))
        return match[1] if match is not None else None

    def person(self, text: str) -> Person | None:
        """The person whom `text` names: a mobile in any of the forms, or a Fetion number; else None."""
        match = self._plain(text)
        if match is not None:
            return Mobile(match[1])
        number = without_fillers(text)
        match = self._spelled(number)
        if match is not None:
            return Mobile(match[1])
        return FetionNumber(number) if self.fetion_number.fits(number) else None
