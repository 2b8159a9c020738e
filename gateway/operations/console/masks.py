"""Masks the numbers of customers in what the console shows: 138****8000. Pure."""

import re
from collections.abc import Callable, Container
from typing import Final

Mask = Callable[[str], str]
"""Returns a text with its mobile numbers masked, or some of them."""

_DIGITS: Final = 11
_RUN: Final = re.compile(rf"[0-9]{{{_DIGITS},}}")
_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
_BETWEEN: Final = r"[\s.,()<>{}\[\]+_-]*"
"""What people write between the digits of a number."""
_GROUPED: Final = re.compile(rf"(?<!\d)[1１]{_BETWEEN}[3-9３-９](?:{_BETWEEN}\d){{9}}(?!\d)")


def masking(own: Container[str] = (), ids: Container[str] = ()) -> Mask:
    """Make a mask for addresses and sentences of ours, where the digits of a number stand together.

    own: mobiles that are shown. ids: of SMS, which may look like numbers.
    """

    def mask(found: re.Match[str]) -> str:
        digits = found[0]
        if digits in ids:
            return digits
        tail = digits[-_DIGITS:]
        if _MOBILE.fullmatch(tail):  # a number may follow an access code, or 86
            return digits[:-_DIGITS] + _masked(tail, own)
        return _MOBILE.sub(lambda mobile: _masked(mobile[0], own), digits)

    return lambda text: _RUN.sub(mask, text)


def masking_texts(own: Container[str] = ()) -> Mask:
    """Make a mask for what people write: digits of a number may be grouped, or of full width."""
    joined = masking(own)

    def mask(found: re.Match[str]) -> str:
        digits = "".join(str(int(each)) for each in found[0] if each.isdecimal())
        return found[0] if digits in own else _masked(digits, own)

    return lambda text: _GROUPED.sub(mask, joined(text))


def _masked(mobile: str, own: Container[str]) -> str:
    return mobile if mobile in own else f"{mobile[:3]}****{mobile[7:]}"
