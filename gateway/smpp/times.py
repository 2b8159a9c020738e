"""The times of SMPP: schedule_delivery_time and validity_period (SMPP 3.4 section 7.1.1).

Sixteen characters. `YYMMDDhhmmsstnnp` is a point in time, with t tenths of a second and nn quarters of an
hour that its clock is ahead of UTC (p is `+`) or behind it (`-`); `YYMMDDhhmmss000R` is a span from now on. A
form without an offset, as some peers write it, is no time: it would be wrong by up to a day.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Final

LENGTH: Final = 16
_QUARTER: Final = timedelta(minutes=15)
_MOST_QUARTERS: Final = 48
_CENTURY: Final = 2000
_MONTHS: Final = 12


def end_of(validity: str, now_ms: int) -> int:
    """When a validity_period ends (ms since the epoch); 0: never.

    A span of zero is "never": it asks for one attempt, and there is only one.

    Args:
        validity: as on the wire; "" is what the receiver likes.
        now_ms: the time from which a span counts (ms since the epoch).

    Raises:
        ValueError: it is no time of SMPP.
    """
    if not validity:
        return 0
    if len(validity) != LENGTH:
        raise ValueError(f"a time of {len(validity)} characters, must be {LENGTH}")
    digits, sign = validity[:-1], validity[-1]
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("a time with something else than digits")
    if sign == "R":
        return _after(digits, now_ms)
    if sign not in "+-":
        raise ValueError("a time that ends in none of R, + and -")
    return _at(digits, ahead=sign == "+")


def _numbers(digits: str) -> tuple[int, int, int, int, int, int]:
    """Years, months, days, hours, minutes, seconds."""
    year, month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, 12, 2))
    return year, month, day, hour, minute, second


def _at(digits: str, *, ahead: bool) -> int:
    """A point in time."""
    year, month, day, hour, minute, second = _numbers(digits)
    tenths, quarters = int(digits[12]), int(digits[13:])
    if quarters > _MOST_QUARTERS:
        raise ValueError(f"an offset of {quarters} quarters of an hour, at most {_MOST_QUARTERS}")
    try:
        local = datetime(_CENTURY + year, month, day, hour, minute, second, tenths * 100_000, UTC)
    except ValueError as error:
        raise ValueError(f"a time that does not exist: {error}") from None
    offset = quarters * _QUARTER
    return _ms(local - offset if ahead else local + offset)


def _after(digits: str, now_ms: int) -> int:
    """A span from now on. Years and months are those of the calendar: a month after January 31 is the last
    day of February."""
    if digits[12:] != "000":
        raise ValueError("a span that does not end in 000R")
    year, month, day, hour, minute, second = _numbers(digits)
    if not (year or month or day or hour or minute or second):
        return 0
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    years, months = divmod(now.month - 1 + month, _MONTHS)
    years += now.year + year
    last = monthrange(years, months + 1)[1]
    then = now.replace(year=years, month=months + 1, day=min(now.day, last))
    span = timedelta(days=day, hours=hour, minutes=minute, seconds=second)
    return _ms(then + span) + now_ms % 1000


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
