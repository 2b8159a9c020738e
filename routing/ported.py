"""Mobiles that were ported: to another operator, or to China Mobile (携号转网).

ported.csv, in any order; routing.rowfile says what else it may hold:

    msisdn,province_code,operator
    13900000001,200,other
    13000000001,100,cmcc

A mobile of the file has the province and the operator of its row, whatever its segment says.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from routing.model import Operator
from routing.rowfile import RowFaults, RowFile, fields_of, open_rows
from routing.segments import CODES

FILE: Final = "ported.csv"
HEADER: Final = "msisdn,province_code,operator"

_OPERATORS: Final = (Operator.CMCC, Operator.OTHER)
_DIGIT_OF: Mapping[str, int] = MappingProxyType({each.value: i for i, each in enumerate(_OPERATORS)})
_MSISDN = re.compile("1[0-9]{10}")

# A row is one number: 11 digits of the mobile, 3 of the province, 1 of the operator.
_BEHIND: Final = 10_000

# Rows are sorted by the first five digits, look-ups begin with the first six.
_FIVE: Final = range(10_000, 20_000)
_LOWEST_SIX: Final = 100_000
_BEHIND_FIVE: Final = 1_000_000
_BEHIND_SIX: Final = 100_000


class Ported(NamedTuple):
    """Where a ported mobile belongs now."""

    province: str
    operator: Operator


class PortedNumbers:
    """The ported mobiles. Immutable. It takes 6 octets a mobile, and 0.4 MB.

    file: the name of their file. digest: a hash of it, empty without a file.
    """

    __slots__ = ("_ends", "_lows", "_meanings", "_values", "digest", "file")

    def __init__(self, buckets: dict[int, list[int]], file: str = FILE, digest: bytes = b"") -> None:
        """`buckets` are the rows (`packed`) by their first five digits, ascending in each, and a mobile once.
        They are taken out."""
        self.file = file
        self.digest = digest
        self._lows = array("I")
        self._values = array("H")
        self._ends = array(
            "I", (0,)
        )  # of the mobiles with the n-th six digits: from _ends[n] to _ends[n + 1]
        for five in _FIVE:
            rows = buckets.pop(five, ())  # to free all at the end would hold the interpreter lock
            before, lows = len(self._lows), [row // _BEHIND % _BEHIND_FIVE for row in rows]
            self._ends.extend(
                before + bisect_left(lows, end) for end in range(_BEHIND_SIX, _BEHIND_FIVE + 1, _BEHIND_SIX)
            )
            self._lows.extend(lows)
            self._values.extend([row % _BEHIND for row in rows])
        self._meanings = {
            value: Ported(CODES[value // 10], _OPERATORS[value % 10])
            for value in range(10 * len(CODES))
            if value % 10 < len(_OPERATORS)
        }

    def __len__(self) -> int:
        return len(self._lows)

    def find(self, number: int) -> Ported | None:
        """Where an 11-digit mobile belongs; None when it was not ported."""
        six = number // _BEHIND_SIX - _LOWEST_SIX
        if not 0 <= six < _LOWEST_SIX:
            return None
        ends, lows, low = self._ends, self._lows, number % _BEHIND_FIVE
        end = ends[six + 1]
        place = bisect_left(lows, low, ends[six], end)
        if place < end and lows[place] == low:
            return self._meanings[self._values[place]]
        return None


NOBODY: Final = PortedNumbers({})
"""No mobile was ported."""


def packed(msisdn: str, province: str, operator: str) -> int:
    """A row as one number."""
    return (int(msisdn) * 1000 + int(province)) * 10 + _DIGIT_OF[operator]


def load_ported(path: Path, provinces: Collection[str]) -> PortedNumbers:
    """The ported mobiles of a file.

    Raises:
        TableError: the first faults by line, and how many follow. The same row twice is one; two different
            rows of a mobile are a fault.
    """
    rows, faults = open_rows(path, (HEADER,)), RowFaults(path)
    buckets = _buckets(rows, provinces, faults)
    contradictory: set[int] = set()
    for place, bucket in buckets.items():
        bucket.sort()
        if len({row // _BEHIND for row in bucket}) < len(bucket):
            buckets[place] = distinct = sorted(set(bucket))
            contradictory.update(a // _BEHIND for a, b in pairwise(distinct) if a // _BEHIND == b // _BEHIND)
    if contradictory:
        _find_lines(rows, provinces, contradictory, faults)
    faults.check()
    return PortedNumbers(buckets, path.name, hashlib.sha256(rows.octets).digest())


def _buckets(rows: RowFile, provinces: Collection[str], faults: RowFaults) -> dict[int, list[int]]:
    """The rows by their first five digits. One sort of all of them would hold the interpreter lock."""
    known = "|".join(sorted(provinces)).encode()
    usual = re.compile(rb"(?:1[0-9]{10},(?:%b),(?:cmcc|other)\r?\n)*" % known).fullmatch
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    for line, piece in rows.pieces():
        for row in _usual(piece) if usual(piece) else _checked(line, piece, provinces, faults):
            buckets[row // (_BEHIND_FIVE * _BEHIND)].append(row)
    return buckets


def _usual(piece: bytes) -> Iterable[int]:
    """The rows of a piece that is known to be in order."""
    piece = piece.replace(b",cmcc", b"0").replace(b",other", b"1").replace(b",", b"")
    return map(int, piece.decode("ascii").split())


def _checked(line: int, piece: bytes, provinces: Collection[str], faults: RowFaults) -> Iterable[int]:
    """The rows of a piece without those that have faults."""
    for number, fields in fields_of(line, piece, faults):
        fault = _fault(fields, provinces)
        if fault is None:
            yield packed(*fields)
        else:
            faults.add(number, *fault)


def _fault(fields: list[str], provinces: Collection[str]) -> tuple[str, str] | None:
    """The key and the reason of the fault of a row, or None."""
    if len(fields) != 3:
        return "(row)", f"three fields are wanted ({HEADER}), not {len(fields)}"
    msisdn, province, operator = fields
    if not _MSISDN.fullmatch(msisdn):
        return "msisdn", "eleven digits beginning with 1 are wanted, without country code"
    if province not in provinces:
        return "province_code", f"{province!r} is no province code"
    if operator not in _DIGIT_OF:
        return "operator", f"{operator!r} is no operator: write {' or '.join(_DIGIT_OF)}"
    return None


def _find_lines(
    rows: RowFile, provinces: Collection[str], contradictory: Collection[int], faults: RowFaults
) -> None:
    """Add a fault for each row that contradicts an earlier one of the same mobile."""
    first: dict[str, tuple[int, list[str]]] = {}
    ignored = RowFaults(rows.path)  # each has been added before
    for line, fields in rows.rows(ignored):
        if _fault(fields, provinces) is None and int(fields[0]) in contradictory:
            earlier, same = first.setdefault(fields[0], (line, fields))
            if same != fields:
                here, there = (", ".join(each[1:]) for each in (fields, same))
                faults.add(line, "msisdn", f"{fields[0]} is {here} here and {there} on line {earlier}")
