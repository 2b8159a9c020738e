"""Sets of mobiles, written as ranges: 13900000000-13900000099."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

MOBILE: Final = 11
"""Digits of a mobile."""


class MobileRanges:
    """An immutable set of mobiles of 11 digits; len() counts them. A look-up takes O(log ranges)."""

    def __init__(self, ranges: Iterable[str]) -> None:
        """Take ranges as the configuration writes them: a mobile, or the first and the last, both inclusive.
        They may overlap."""
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(map(_bounds, ranges)):
            if self._lasts and first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    def __contains__(self, msisdn: object) -> bool:
        """Whether this is one of the mobiles; anything but 11 ASCII digits is not."""
        if not (isinstance(msisdn, str) and len(msisdn) == MOBILE and msisdn.isascii() and msisdn.isdigit()):
            return False
        number = int(msisdn)
        found = bisect_right(self._firsts, number) - 1
        return found >= 0 and number <= self._lasts[found]

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in zip(self._firsts, self._lasts, strict=True))

    def __iter__(self) -> Iterator[str]:
        """The mobiles in ascending order."""
        for first, last in zip(self._firsts, self._lasts, strict=True):
            yield from map(str, range(first, last + 1))


def _bounds(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)
