"""Numbers: which digits are a person's, and which persons they name.

Two parsers, never one. Here is the one for a person (a sender, or an argument of an instruction); the
one for a destination, which looks for an access code first, is `routing.table.Routing.resolve`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

COUNTRY_PREFIXES = ("+86", "0086", "86")
"""How mainland China's country code is written before a number, ITU-T E.164."""

_SEPARATORS = str.maketrans("", "", " -")
_SPAN = re.compile(r"([0-9]+)(?:-([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Mobile:
    """A mainland mobile number: 11 digits, without country code."""

    kind: ClassVar[Literal["mobile"]] = "mobile"
    digits: str


@dataclass(frozen=True, slots=True)
class FetionNumber:
    """A Fetion number: 9 digits, which name a customer without showing the mobile number."""

    kind: ClassVar[Literal["fetion_number"]] = "fetion_number"
    digits: str


Person: TypeAlias = Mobile | FetionNumber


def span(text: str) -> tuple[str, ...]:
    """The prefixes that a span names: "13-15" is 13, 14, 15; "188" is itself. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    first, last = (match[1], match[2] or match[1]) if match else ("", "")
    if not first or len(first) != len(last) or first > last:
        raise ValueError(f"{text!r} is no span of prefixes: write 188 or 1340-1348")
    return tuple(str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))


@dataclass(frozen=True, slots=True)
class Digits:
    """A set of digit strings: how long, how they begin (spans), and how they never begin.

    Raises ValueError for a span that is none.
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
        """The same set as a regular expression without groups."""
        never = f"(?!{'|'.join(self.never)})" if self.never else ""
        branches = []
        for length in sorted(set(map(len, self.begins))):
            # One branch per length: the compiler of `re` makes 13|14|15 a character class.
            begins = "|".join(begin for begin in self.begins if len(begin) == length)
            branches.append(f"(?:{begins})[0-9]{{{max(0, self.shortest - length)},{self.longest - length}}}")
        return f"{never}(?:{'|'.join(branches)})"

    def fits(self, text: str) -> bool:
        """Whether `text` is one of them."""
        return self._pattern.fullmatch(text) is not None

    def overlaps(self, other: Digits) -> bool:
        """Whether some string may be in both (what they never begin with is not looked at)."""
        longest = min(self.longest, other.longest)
        if longest < max(self.shortest, other.shortest):
            return False
        return any(
            (one.startswith(two) or two.startswith(one)) and max(len(one), len(two)) <= longest
            for one in self.begins
            for two in other.begins
        )

    def mismatch(self, text: str) -> str | None:
        """Why `text` is none of them, in words; None when it is one."""
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
    """A number of digits in words."""
    return f"{digits} digit" if digits == 1 else f"{digits} digits"


class Numbers:
    """The number plan: what a mobile and a Fetion number look like here. Immutable."""

    __slots__ = ("_msisdn", "_person", "fetion_number", "mobile")

    def __init__(self, mobile: Digits, fetion_number: Digits) -> None:
        self.mobile = mobile
        self.fetion_number = fetion_number
        country = "|".join(map(re.escape, COUNTRY_PREFIXES))
        with_country = f"(?:{country})?({mobile.regex})"
        self._msisdn = re.compile(with_country).fullmatch
        self._person = re.compile(f"{with_country}|({fetion_number.regex})").fullmatch

    def msisdn(self, address: str) -> str | None:
        """A sender's 11-digit mobile number, or None when the address is no person's mobile."""
        match = self._msisdn(address)
        return match[1] if match is not None else None

    def person(self, text: str, *, grouped: bool = False) -> Person | None:
        """The person whom `text` names, or None.

        +86, 0086 and 86 come off a mobile, never off a Fetion number; a number that begins with an access
        code is nobody's (16103300001 is 161 + 033 + 00001). `grouped` takes out blanks and hyphens first.
        """
        match = self._person(text.translate(_SEPARATORS) if grouped else text)
        if match is None:
            return None
        return Mobile(match[1]) if match[1] is not None else FetionNumber(match[2])
