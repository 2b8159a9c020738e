"""The address_range of a bind: which handsets it asks for (SMPP 3.4 section 5.2.7, as peers use it)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddressRange:
    """One number, or all that begin with a prefix, compared as 11 digits."""

    digits: str
    exact: bool

    @classmethod
    def of(cls, text: str) -> "AddressRange | None":
        """`digits` = that number, `digits*` or `^digits` = a prefix, "" = nobody in particular (None).

        Raises ValueError for anything else.
        """
        wanted = text.strip()
        if not wanted:
            return None
        exact = not wanted.startswith("^") and not wanted.endswith("*")
        digits = wanted.removeprefix("^").removesuffix("*").removeprefix("+")
        if not (digits.isascii() and digits.isdigit()):
            raise ValueError(f"address_range {text!r} is neither digits, digits* nor ^digits: no claim")
        return cls(digits.removeprefix("86"), exact)

    def weight(self, msisdn: str) -> int:
        """How closely it matches: 0 = not at all; an exact number beats every prefix."""
        if self.exact:
            return 100 if msisdn == self.digits else 0
        return len(self.digits) + 1 if msisdn.startswith(self.digits) else 0


def claim_of(text: str) -> AddressRange | None:
    """Read the address_range of a bind as its gateway does: what asks for nothing that we understand asks for
    nobody in particular."""
    try:
        return AddressRange.of(text)
    except ValueError:
        return None
