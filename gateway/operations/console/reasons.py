"""What a reason is that a visitor gives and the audit keeps. Pure."""

import unicodedata
from typing import Final

LONGEST_REASON: Final = 200
"""Characters."""
_BLANK: Final = "Zs"


def is_reason(text: str) -> bool:
    """Whether it is one line of 1 to LONGEST_REASON characters that everybody can see, and not only blanks.

    Characters that turn the direction of writing around would show a reason as somebody else's words.
    """
    seen = all(each.isprintable() or unicodedata.category(each) == _BLANK for each in text)
    return 0 < len(text) <= LONGEST_REASON and seen and not text.isspace()
