"""Marks of days whose figures are not complete, as the table meta keeps them: pure, for every driver."""

from datetime import date, timedelta
from typing import Final

from gateway.storage.folding import number_of_day

MARK: Final = "figures marked "
"""Followed by a day such as 20070301. The value changes with each marking."""
TOUCHED: Final = "figures touched "
"""Followed by a day: how often a fold changed its figures."""
UNCOUNTED: Final = "figures uncounted "
"""Followed by the number of a node: the first day, such as 20070301, of which it counts nothing, and which
is not marked yet."""
MOST: Final = 3660
"""Days that are marked at once; of more, the latest."""
LOOKED_AT: Final = 2000
"""Events that are looked at for a day; where more wait, some may be of it."""


def mark_of(day: str) -> str:
    """The key of its mark."""
    return f"{MARK}{number_of_day(day)}"


def touched_of(day: str) -> str:
    """The key under which it is counted how often a fold changed it."""
    return f"{TOUCHED}{number_of_day(day)}"


def days_between(first: str, last: str) -> list[str]:
    """The days from one to another, both included; none where the first is later."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    count = (end - begin).days + 1
    return [(end - timedelta(days=n)).isoformat() for n in reversed(range(min(MOST, max(0, count))))]


def settled(since: str, today: str, *, over: bool) -> tuple[list[str], str]:
    """Which days are to be marked of a node that counts nothing since a day, and from which day on the rest
    is noted; over: it counts again. A clock that was put back may show a day before the noted one."""
    if over:
        return days_between(min(since, today), max(since, today)), ""
    return [day for day in days_between(since, today) if day < today], max(since, today)


def is_of(data: str | None, day: str) -> bool:
    """Whether an event of the family FIGURES, as JSON, names a day."""
    return data is not None and f'"{day}"' in data
