"""Types of number and numbering plans, as SMPP 3.4 assigns them."""

from collections.abc import Mapping
from types import MappingProxyType

TYPE_OF_NUMBER = {"national": 0, "international": 1, "plus": 1}
"""TON for each spelling of a mobile number: unknown, international (SMPP 3.4 section 5.2.5)."""

TYPES_OF_NUMBER: Mapping[int, str] = MappingProxyType(
    {
        0: "unknown",
        1: "international",
        2: "national",
        3: "network specific",
        4: "subscriber",
        5: "alphanumeric",
        6: "abbreviated",
    }
)
"""SMPP 3.4 section 5.2.5."""

NUMBERING_PLANS: Mapping[int, str] = MappingProxyType(
    {
        0: "unknown",
        1: "E.164",
        3: "X.121",
        4: "telex",
        6: "E.212",
        8: "national",
        9: "private",
        10: "ERMES",
        14: "IP",
        18: "WAP client",
    }
)
"""SMPP 3.4 section 5.2.6."""
