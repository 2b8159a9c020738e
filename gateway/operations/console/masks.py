"""Masks the numbers of customers in what the console shows: 138****8000. Pure."""

import re
from collections.abc import Callable, Container
from typing import Final

Mask = Callable[[str], str]
"""Returns a text with its mobile numbers masked, or some of them."""

_DIGITS: Final = 11
_RUN: Final = re.compile(rf"[0-9]{{{_DIGITS},}}")
_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
_OVERLAPPING: Final = re.compile(rf"(?=({_MOBILE.pattern}))")
_BETWEEN: Final = r"[\s.,()<>{}\[\]+_-]*"
"""What people write between the digits of a number."""
_GROUPED: Final = re.compile(rf"[1１]{_BETWEEN}[3-9３-９](?:{_BETWEEN}\d){{9}}")


def masking(own: Container[str] = (), ids: Container[str] = ()) -> Mask:
    """Make a mask for addresses and sentences of ours, where the digits of a number stand together.

    own: mobiles that are shown. ids: of SMS, which may look like numbers.
    """

    def mask(found: re.Match[str]) -> str:
        digits = found[0]
        if digits in ids:
            return digits
        before, tail = digits[:-_DIGITS], digits[-_DIGITS:]
        if _MOBILE.fullmatch(tail):  # a number follows an access code, or 86
            return _anywhere(before, own) + (tail if tail in own else _masked(tail))
        return _anywhere(digits, own)

    return lambda text: _RUN.sub(mask, text)


def masking_texts(own: Container[str] = ()) -> Mask:
    """Make a mask for what people write: digits of a number may be grouped, or of full width."""
    joined = masking(own)

    def mask(found: re.Match[str]) -> str:
        digits = "".join(str(int(each)) for each in found[0] if each.isdecimal())
        return found[0] if digits in own else _masked(digits)

    return lambda text: _GROUPED.sub(mask, joined(text))


def _anywhere(digits: str, own: Container[str]) -> str:
    """Mask each number that digits may hold; nothing says where one begins, so two may overlap."""
    shown = list(digits)
    for found in _OVERLAPPING.finditer(digits):
        if found[1] not in own:
            shown[found.start() + 3 : found.start() + 7] = "****"
    return "".join(shown)


def _masked(mobile: str) -> str:
    return f"{mobile[:3]}****{mobile[7:]}"
