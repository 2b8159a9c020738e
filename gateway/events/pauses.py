"""How long to wait after a failure: full jitter below a bound that doubles."""

from random import Random
from typing import Final

RETRY_FIRST: Final = 0.2
RETRY_MOST: Final = 30.0
"""Seconds: the bound of the first pause, and that of the longest."""


def pause(random: Random, failures: int, first: float = RETRY_FIRST, most: float = RETRY_MOST) -> float:
    """Draw the seconds to wait after so many failures in a row, 1 or more."""
    return random.uniform(0, min(first * 2 ** min(failures - 1, 30), most))
