"""The home province of a mobile, from the digits that it begins with (its segment).

segments.csv has one of two forms; segments-extra.csv, if there is one, has either too and is laid over it:

    first7,last7,province_code      runs of seven digits, both ends included, in ascending order
    prefix,province_code            one prefix of 3 to 9 digits a row, in any order

The longest prefix that begins a mobile decides; of two equally long ones that of segments-extra.csv. A mobile
that no row begins has no known home. routing.rowfile says what else a file may hold.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import Final, NamedTuple

from routing.rowfile import RowFaults, RowFile, fields_of, open_rows
from routing.tablefile import Fault, TableError

UNKNOWN = "000"
"""Province of a number that is not listed: the headquarters."""

CODES: Final = tuple(f"{number:03}" for number in range(1000))
"""Every province code by its number."""

RUNS: Final = "first7,last7,province_code"
PREFIXES: Final = "prefix,province_code"

_LOWEST: Final = 1_000_000
"""The lowest seven digits of a mobile; the highest are 1,999,999."""
_LONGEST: Final = 9
_SEGMENT = re.compile("1[0-9]{6}")
_PREFIX = re.compile("1[0-9]{2,8}")


class Segment(NamedTuple):
    """Consecutive prefixes of one province, all of one length; both ends are included."""

    first: str
    last: str
    province: str
    line: int = 0

    def __str__(self) -> str:
        digits = self.first if self.first == self.last else f"{self.first}-{self.last}"
        return f"{digits} -> {self.province}"


@dataclass(slots=True)
class SegmentList:
    """The rows of a segment file, in columns: 15 octets a row.

    file: its name. digest: of its octets. lengths: digits of a prefix.
    """

    file: str
    digest: bytes = b""
    firsts: array[int] = field(default_factory=lambda: array("I"))
    lasts: array[int] = field(default_factory=lambda: array("I"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    provinces: array[int] = field(default_factory=lambda: array("H"))
    lengths: bytearray = field(default_factory=bytearray)

    @classmethod
    def of(cls, segments: Iterable[Segment], file: str = "segments.csv", digest: bytes = b"") -> SegmentList:
        """The rows in columns."""
        listed = cls(file, digest)
        for first, last, province, line in segments:
            listed.firsts.append(int(first))
            listed.lasts.append(int(last))
            listed.lines.append(line)
            listed.provinces.append(int(province))
            listed.lengths.append(len(first))
        return listed

    def add(self, prefixes: Sequence[str], provinces: Iterable[str], lines: Iterable[int]) -> None:
        """Add rows of one prefix each."""
        firsts = array("I", map(int, prefixes))
        self.firsts.extend(firsts)
        self.lasts.extend(firsts)
        self.lines.extend(lines)
        self.provinces.extend(map(int, provinces))
        self.lengths.extend(map(len, prefixes))

    def __iter__(self) -> Iterator[Segment]:
        columns = zip(self.firsts, self.lasts, self.provinces, self.lines, strict=True)
        for first, last, province, line in columns:
            yield Segment(str(first), str(last), CODES[province], line)

    def deciding(self, msisdn: str) -> Segment | None:
        """The row with the longest prefix of a mobile, or None."""
        found = [each for each in self if each.first <= msisdn[: len(each.first)] <= each.last]
        return max(found, key=lambda each: len(each.first), default=None)


class Segments:
    """Provinces by prefix. Immutable.

    There is one number for each seven digits: below 1000 it is the province; else the number of a page, less
    1000, with the province for each two digits that follow. It takes 4 MB, 200 octets a page, and the lists.
    """

    __slots__ = ("_by_seven", "_pages", "lists")

    def __init__(self, *lists: SegmentList) -> None:
        """`lists` are laid one over another; prefixes are longer than 2 digits and shorter than 10."""
        self.lists = lists
        self._by_seven = array("I", bytes(4 * _LOWEST))
        self._pages = array("H")
        for length in range(1, _LONGEST + 1):
            for each in lists:
                if length in each.lengths:
                    self._lay(each, length)

    @property
    def digest(self) -> bytes:
        """A hash of the files."""
        return hashlib.sha256(b"".join(each.digest for each in self.lists)).digest()

    def home(self, number: int) -> str:
        """The province code of an 11-digit mobile; "000" when it is not listed."""
        index = number // 10_000 - _LOWEST
        if not 0 <= index < _LOWEST:
            return UNKNOWN
        found = self._by_seven[index]
        if found >= 1000:
            found = self._pages[(found - 1000) * 100 + number // 100 % 100]
        return CODES[found]

    def any_between(self, first: int, last: int) -> bool:
        """Whether a mobile with a home begins with `first` to `last` (seven digits, both included)."""
        return any(self._by_seven[max(0, first - _LOWEST) : max(0, last + 1 - _LOWEST)])

    def decided_by(self, msisdn: str) -> str:
        """Which row gives a mobile its home, in words: its file and line."""
        found = [(each.file, row) for each in self.lists if (row := each.deciding(msisdn)) is not None]
        if not found:
            return f"no row of {' and '.join(each.file for each in self.lists)} begins this number"
        # max keeps the first of equal ones, and the last list lies on top.
        file, row = max(reversed(found), key=lambda each: len(each[1].first))
        return f"{file}:{row.line}: {row}"

    def _lay(self, listed: SegmentList, length: int) -> None:
        """Enter the prefixes of one length."""
        chosen = listed.lengths.translate(bytes(digits == length for digits in range(256)))
        rows = compress(zip(listed.firsts, listed.lasts, listed.provinces, strict=True), chosen)
        if length <= 7:
            by_seven, times = self._by_seven, 10 ** (7 - length)
            for first, last, province in rows:
                start, stop = first * times - _LOWEST, (last + 1) * times - _LOWEST
                if stop - start == 1:
                    by_seven[start] = province
                else:
                    by_seven[start:stop] = array("I", (province,)) * (stop - start)
            return
        times = 10 ** (9 - length)
        for first, last, province in rows:
            for nine in range(first * times, (last + 1) * times):
                segment, place = divmod(nine, 100)
                self._pages[self._page(segment - _LOWEST) + place] = province

    def _page(self, index: int) -> int:
        """Where the page of seven digits begins. A new one has the province of the seven digits."""
        found = self._by_seven[index]
        if found < 1000:
            self._by_seven[index] = 1000 + len(self._pages) // 100
            self._pages.extend(array("H", (found,)) * 100)
            return len(self._pages) - 100
        return (found - 1000) * 100


def load_segments(path: Path, provinces: Collection[str], extra: Path | None = None) -> Segments:
    """The segments of a file, with those of `extra` laid over it.

    Raises:
        TableError: the first faults of each file by line, and how many follow.
    """
    lists: list[SegmentList] = []
    faults: list[Fault] = []
    for each in (path, extra):
        try:
            if each is not None:
                lists.append(_read(each, provinces))
        except TableError as error:
            faults += error.faults
    if faults:
        raise TableError(faults)
    return Segments(*lists)


def _read(path: Path, provinces: Collection[str]) -> SegmentList:
    rows, faults = open_rows(path, (RUNS, PREFIXES)), RowFaults(path)
    digest = hashlib.sha256(rows.octets).digest()
    if rows.header == RUNS:
        listed = SegmentList.of(_runs(rows, provinces, faults), path.name, digest)
    else:
        listed = _prefixes(rows, provinces, faults)
        if len(set(listed.firsts)) < len(listed.firsts):
            listed = SegmentList.of(_distinct(listed, faults), path.name, digest)
        listed.file, listed.digest = path.name, digest
    faults.check()
    return listed


def _prefixes(rows: RowFile, provinces: Collection[str], faults: RowFaults) -> SegmentList:
    """The rows with one prefix, column by column where a piece has nothing but rows in order."""
    known = "|".join(sorted(provinces)).encode()
    usual = re.compile(rb"(?:1[0-9]{2,8},(?:%b)\r?\n)*" % known).fullmatch
    listed = SegmentList(rows.path.name)
    for line, piece in rows.pieces():
        if usual(piece):
            fields = piece.decode("ascii").replace(",", " ").split()
            prefixes = fields[::2]
            listed.add(prefixes, fields[1::2], range(line, line + len(prefixes)))
        else:
            for number, (prefix, province) in _checked(line, piece, provinces, faults):
                listed.add((prefix,), (province,), (number,))
    return listed


def _checked(
    line: int, piece: bytes, provinces: Collection[str], faults: RowFaults
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a piece with one prefix, without those that have faults."""
    for number, fields in fields_of(line, piece, faults):
        if len(fields) != 2:
            faults.add(number, "(row)", f"two fields are wanted ({PREFIXES}), not {len(fields)}")
        elif not _PREFIX.fullmatch(fields[0]):
            faults.add(number, "prefix", "three to nine digits beginning with 1 are wanted")
        elif fields[1] not in provinces:
            faults.add(number, "province_code", f"{fields[1]!r} is no province code")
        else:
            yield number, fields


def _distinct(listed: SegmentList, faults: RowFaults) -> Iterator[Segment]:
    """Each prefix once. Two provinces for a prefix are a fault."""
    earlier: dict[str, Segment] = {}
    for row in listed:
        known = earlier.setdefault(row.first, row)
        if known is row:
            yield row
        elif known.province != row.province:
            reason = f"{row.first} is in {row.province} here and in {known.province} on line {known.line}"
            faults.add(row.line, "province_code", reason)


def _runs(rows: RowFile, provinces: Collection[str], faults: RowFaults) -> Iterator[Segment]:
    """The rows with two ends."""
    previous = ""
    for line, fields in rows.rows(faults):
        fault = _run_fault(fields, previous, provinces)
        if fault is not None:
            faults.add(line, *fault)
            continue
        first, last, province = fields
        previous = last
        yield Segment(first, last, province, line)


def _run_fault(fields: list[str], previous: str, provinces: Collection[str]) -> tuple[str, str] | None:
    """The key and the reason of the fault of a run, or None."""
    if len(fields) != 3:
        return "(row)", f"three fields are wanted ({RUNS}), not {len(fields)}"
    first, last, province = fields
    if not _SEGMENT.fullmatch(first):
        return "first7", "seven digits beginning with 1 are wanted"
    if not _SEGMENT.fullmatch(last):
        return "last7", "seven digits beginning with 1 are wanted"
    if last < first:
        return "last7", "lies before first7"
    if first <= previous:
        return "first7", f"does not lie behind the row before, which ends with {previous}"
    if province not in provinces:
        return "province_code", f"{province!r} is no province code"
    return None
