"""The number of a customer: as a visitor types it, as a page shows it, and in the address of his page.

The address of a page stays in the history of a browser and in the log of a proxy, and the page shows the
number only to who has opened it. So the address has the number sealed with the key of the store.
"""

import base64
import binascii
from typing import Final

from commands.tables import Tables
from gateway.secrets import Keys, UnsealError

FETION_DIGITS: Final = 9
LONGEST: Final = 40
"""Characters of a number that somebody types."""
_CONTEXT: Final = b"console customer"
_BETWEEN: Final = str.maketrans("", "", " -\t\u3000")
NOT_FOUND: Final = (
    "no customer of yours has this number: write a mobile of 11 digits, or a Fetion number of 9"
)


def key_of(keys: Keys, msisdn: str) -> str:
    """What stands for a mobile in the address of a page. It is another one each time."""
    return base64.urlsafe_b64encode(keys.seal(msisdn, _CONTEXT)).decode().rstrip("=")


def msisdn_of(keys: Keys, key: str) -> str | None:
    """The mobile of an address; None where it names none here."""
    try:
        sealed = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        return keys.unseal(sealed, _CONTEXT)
    except (binascii.Error, ValueError, UnsealError):
        return None


def masked(number: str) -> str:
    """A number without its middle: 138****8000."""
    return f"{number[:3]}****{number[7:]}" if len(number) > 7 else "****"


def typed(tables: Tables, text: str) -> tuple[str, str]:
    """The mobile and the Fetion number that a visitor has typed: one of them at most, else "".

    A second number stands for the main one.
    """
    digits = text.translate(_BETWEEN)
    if len(digits) <= LONGEST and digits.removeprefix("+").isascii():
        if len(digits) == FETION_DIGITS and digits.isdigit():
            return "", digits
        msisdn = tables.msisdn(digits)
        if msisdn is not None and tables.main_number is not None:
            msisdn = tables.main_number(msisdn)
        if msisdn is not None:
            return msisdn, ""
    return "", ""
