"""The sub-codes of one access code: which row takes an address, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from routing.model import Accepts, Considered, Route, TailKind
from routing.numbers import Digits, count

TRUNK = "0"
"""The trunk prefix: people write it before a number of another town, and by habit before a mobile."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Appendix 7 under one access code.

    provinces: prefix -> its province; None: the home of the sender. There are several prefixes only where one
    row stands for all provinces. leading_zero: the prefix is not a sub-code but the TRUNK before a mobile.
    """

    provinces: Mapping[str, str | None]
    tail_kind: TailKind
    tail: Digits
    closed: bool
    accepts: Accepts
    purpose: str
    leading_zero: bool = False

    def after_zero(self) -> Row:
        """The same row for mobiles that are written with a 0 in front."""
        return replace(self, provinces={TRUNK: self.provinces[""]}, closed=True, leading_zero=True)

    def prefix_of(self, rest: str) -> str | None:
        """The longest prefix of this row that begins `rest`, or None."""
        return max((prefix for prefix in self.provinces if rest.startswith(prefix)), key=len, default=None)

    def tail_fault(self, tail: str) -> str | None:
        """Why the row does not take this tail; None when it does."""
        reason = self.tail.mismatch(tail)
        return None if reason is None else f"tail {reason}, the row wants {self.tail}"


class AccessCode:
    """An access code with its rows. Immutable.

    If a closed prefix begins the address, the longest such prefix decides alone. Else, of the rows whose tail
    fits, the one with the longest prefix wins. A TRUNK before a mobile is removed unless a closed prefix
    other than TRUNK takes the address.
    """

    __slots__ = ("_after_zero", "_closed", "_closed_sizes", "_open", "_open_sizes", "code", "rows")

    def __init__(self, code: str, rows: Sequence[Row]) -> None:
        self.code = code
        self.rows = tuple(rows)
        self._after_zero = tuple(row for row in rows if row.leading_zero)
        self._closed = _by_prefix(row for row in rows if row.closed and not row.leading_zero)
        self._closed_sizes = _sizes(self._closed)
        self._open = _by_prefix(row for row in rows if not row.closed)
        self._open_sizes = _sizes(self._open)

    def route(self, rest: str) -> Route:
        """The route of access code + `rest` (digits)."""
        choice = self._choose(rest)
        if choice is None:
            return self._refuse(rest)
        row, prefix = choice
        return Route(
            self.code,
            prefix,
            rest[len(prefix) :],
            row.tail_kind,
            row.accepts,
            row.purpose,
            row.provinces[prefix],
        )

    def consider(self, rest: str) -> Iterator[Considered]:
        """Every row whose prefix begins `rest`, longest prefix first, and why it was chosen or not."""
        near = [(prefix, row) for row in self.rows if (prefix := row.prefix_of(rest)) is not None]
        for prefix, row in sorted(near, key=lambda each: -len(each[0])):
            chosen, why = self._verdict(row, prefix, rest)
            yield Considered(prefix, str(row.tail), row.accepts, row.purpose, chosen, why)

    def _deciding(self, rest: str) -> str | None:
        """The longest closed prefix that begins `rest`, or None."""
        return next((rest[:size] for size in self._closed_sizes if rest[:size] in self._closed), None)

    def _choose(self, rest: str) -> tuple[Row, str] | None:
        decides = self._deciding(rest)
        after_zero = _fitting(self._after_zero, TRUNK, rest) if rest.startswith(TRUNK) else None
        if decides is not None:
            choice = _fitting(self._closed[decides], decides, rest)
            return after_zero or choice if decides == TRUNK else choice or after_zero
        if after_zero is not None:
            return after_zero
        for size in self._open_sizes:
            rows = self._open.get(rest[:size])
            if rows is not None and (choice := _fitting(rows, rest[:size], rest)) is not None:
                return choice
        return None

    def _refuse(self, rest: str) -> Route:
        prefix = self._deciding(rest)
        if prefix is None:
            prefix, tail = "", rest
            reason = f"no row of {self.code} takes {rest!r} ({count(len(rest))}): check the number"
        else:
            tail = rest[len(prefix) :]
            faults = [fault for row in self._closed[prefix] if (fault := row.tail_fault(tail))]
            reason = f"sub-code {prefix} of {self.code}: {'; '.join(faults)}"
        kind = TailKind.DIGITS if tail else TailKind.NONE
        return Route(self.code, prefix, tail, kind, Accepts.NONE, "", None, reason)

    def _verdict(self, row: Row, prefix: str, rest: str) -> tuple[bool, str]:
        choice = self._choose(rest)
        chosen = choice is not None and choice[0] is row
        if row.leading_zero and chosen:
            return True, f"a {TRUNK} before a mobile comes off, and the tail is {row.tail}"
        decides = self._deciding(rest)
        if decides is not None and (decides != prefix or not row.closed):
            return False, f"the closed prefix {decides} decides"
        fault = row.tail_fault(rest[len(prefix) :])
        if fault is not None:
            return False, fault
        if choice is not None and choice[0].leading_zero:
            return False, f"its tail fits, but a {TRUNK} before a mobile comes off first"
        if chosen:
            why = "this closed prefix decides" if row.closed else "no longer prefix fits"
            return True, f"{why}, and the tail is {row.tail}"
        return False, f"its tail fits, but prefix {choice[1] if choice else ''} is longer"


def _by_prefix(rows: Iterator[Row]) -> dict[str, tuple[Row, ...]]:
    found: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        for prefix in row.provinces:
            found[prefix] = (*found.get(prefix, ()), row)
    return found


def _sizes(prefixes: Iterable[str]) -> tuple[int, ...]:
    """The lengths of the prefixes, longest first."""
    return tuple(sorted(set(map(len, prefixes)), reverse=True))


def _fitting(rows: Sequence[Row], prefix: str, rest: str) -> tuple[Row, str] | None:
    tail = rest[len(prefix) :]
    for row in rows:
        if row.tail.fits(tail):
            return row, prefix
    return None
