"""Load the routing files, with the checks across rows and files.

The faults of all files are reported together. A file is not checked against another one that could not be
read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from routing.files import TableFiles
from routing.model import Province, TailKind
from routing.numbers import Digits, NumberPlan, span
from routing.ported import FILE as PORTED
from routing.ported import HEADER as PORTED_HEADER
from routing.ported import NOBODY, PortedNumbers, load_ported
from routing.rows import AccessCode, Row
from routing.schema import Appendix6, Appendix7, NumberPlanRecord, Provinces, RowRecord
from routing.segments import PREFIXES, UNKNOWN, Segments, load_segments
from routing.tablefile import Fault, Located, TableError, locate, nearest

FILES = ("appendix6.yaml", "appendix7.yaml", "numbers.yaml", "provinces.yaml", "segments.csv")
"""The files of the routing tables."""

SEGMENTS_EXTRA = "segments-extra.csv"

HEADERS: Mapping[str, str] = MappingProxyType({SEGMENTS_EXTRA: PREFIXES, PORTED: PORTED_HEADER})
OPTIONAL = tuple(HEADERS)
"""Files that may be missing: segments laid over segments.csv, and the mobiles that were ported."""

LONGEST_ADDRESS = 20
"""Digits of an address at most: destination_addr has 21 octets with its NUL (SMPP 3.4 section 4.4.1)."""

_TAIL = re.compile(r"([0-9]{1,2})(?:-([0-9]{1,2}))? digits?")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SecondNumbers:
    """Second numbers from `first` to `last` (leading digits, both included).

    main: the leading digits of the main number that corresponds to `first`; None: they are refused.
    """

    first: str
    last: str
    main: str | None


@dataclass(frozen=True, slots=True)
class Tables:
    """The content of the routing tables, checked. version: a hash of the files."""

    version: str
    numbers: NumberPlan
    codes: Mapping[str, AccessCode]
    provinces: Mapping[str, Province]
    segments: Segments
    ported: PortedNumbers
    cmcc: tuple[str, ...]
    second_numbers: tuple[SecondNumbers, ...]
    appendix7: Located[Appendix7]


def load_tables(folder: Path | None = None) -> Tables:
    """Load the shipped tables, with the files of `folder` in place of those of the same name.

    Raises TableError with all faults.
    """
    faults: list[Fault] = []
    file = TableFiles(folder, Path(__file__).parent).path
    plan = _attempt(faults, lambda: locate(file("numbers.yaml"), NumberPlanRecord))
    appendix6 = _attempt(faults, lambda: locate(file("appendix6.yaml"), Appendix6))
    appendix7 = _attempt(faults, lambda: locate(file("appendix7.yaml"), Appendix7))
    records = _attempt(faults, lambda: locate(file("provinces.yaml"), Provinces))
    provinces = {} if records is None else _provinces(records, faults)
    segments = ported = None
    if records is not None:
        extra, moved = (path if path.exists() or path.is_symlink() else None for path in map(file, OPTIONAL))
        segments = _attempt(faults, lambda: load_segments(file("segments.csv"), provinces, extra))
        ported = NOBODY if moved is None else _attempt(faults, lambda: load_ported(moved, provinces))
    second_numbers = () if appendix6 is None else tuple(_second_numbers(appendix6, faults))
    if plan is None or appendix7 is None or segments is None or ported is None:
        raise TableError(faults)
    cmcc = tuple(prefix for each in plan.value.cmcc for prefix in span(each.value))
    codes = _access_codes(appendix7, segments, cmcc, faults)
    never = tuple(codes)
    call_prefixes = tuple(_call_prefixes(plan, codes, faults))
    numbers = NumberPlan(plan.value.mobile.shape(never), plan.value.fetion_number.shape(never), call_prefixes)
    if appendix6 is not None:
        faults += _second_number_faults(appendix6, numbers.mobile)
    rows = RowCompiler(appendix7, codes, numbers, provinces)
    compiled = rows.compile()
    if faults := faults + rows.faults:
        raise TableError(faults)
    version = _version(file, segments.digest + ported.digest)
    return Tables(version, numbers, compiled, provinces, segments, ported, cmcc, second_numbers, appendix7)


def _attempt(faults: list[Fault], read: Callable[[], T]) -> T | None:
    """The result of `read`; None when it raises TableError, whose faults are added."""
    try:
        return read()
    except TableError as error:
        faults += error.faults
        return None


def _version(file: Callable[[str], Path], numbers: bytes) -> str:
    """A hash of the files. numbers: the hashes of the CSV files, which are long: they are read once."""
    digest = hashlib.sha256(numbers)
    for name in FILES:
        if name.endswith(".yaml"):
            digest.update(file(name).read_bytes())
    return digest.hexdigest()[:12]


def _provinces(located: Located[Provinces], faults: list[Fault]) -> dict[str, Province]:
    """Provinces by code, the headquarters first."""
    table = located.value
    found = {table.headquarters.code: table.headquarters.province()}
    if table.headquarters.code != UNKNOWN:
        reason = f"the headquarters have {UNKNOWN}, the code of a sender without a known home"
        faults.append(located.fault(("headquarters", "code"), reason))
    for position, record in enumerate(table.provinces):
        path = ("provinces", position, "code")
        if record.code in found:
            faults.append(located.fault(path, f"{record.code} is taken by {found[record.code].en}"))
        elif record.code.startswith("0"):
            faults.append(located.fault(path, "a province code does not begin with 0: sub-codes do"))
        found[record.code] = record.province()
    return found


def _second_numbers(located: Located[Appendix6], faults: list[Fault]) -> Iterator[SecondNumbers]:
    """The rows that are no examples. Rows that share a number are a fault."""
    taken: list[tuple[str, str, int]] = []
    for position, record in enumerate(located.value.rows):
        if record.example:
            continue
        first, last = record.first.value, record.last.value
        low, high = first.ljust(11, "0"), last.ljust(11, "9")
        for other_low, other_high, line in taken:
            if low <= other_high and other_low <= high:
                path = ("rows", position, "first")
                faults.append(located.fault(path, f"shares numbers with the row on line {line}"))
        taken.append((low, high, located.line_of(("rows", position))))
        yield SecondNumbers(first, last, record.main.value if record.main is not None else None)


def _second_number_faults(located: Located[Appendix6], mobile: Digits) -> Iterator[Fault]:
    """Faults of ranges that are no mobiles, and of main numbers that are second numbers themselves."""
    acting = [(place, record) for place, record in enumerate(located.value.rows) if not record.example]
    for place, record in acting:
        ends = {"first": record.first.value, "last": record.last.value}
        if record.main is not None:
            ends["main"] = record.main.value
        for key, end in ends.items():
            if not mobile.fits(end.ljust(mobile.longest, "0")):
                yield located.fault(("rows", place, key), f"{end} begins no mobile ({mobile})")
        if record.main is None:
            continue
        low = record.main.value
        high = str(int(low) + int(record.last.value) - int(record.first.value)).ljust(mobile.longest, "9")
        for other_place, other in acting:
            if other.first.value <= high and low <= other.last.value.ljust(mobile.longest, "9"):
                line = located.line_of(("rows", other_place))
                reason = f"its main numbers are second numbers themselves, of the row on line {line}"
                yield located.fault(("rows", place, "main"), reason)


def _call_prefixes(
    located: Located[NumberPlanRecord], codes: list[str], faults: list[Fault]
) -> Iterator[str]:
    """The call prefixes. One that could be read as an access code is a fault."""
    for place, record in enumerate(located.value.call_prefixes):
        prefix = record.value
        code = next((code for code in codes if code.startswith(prefix) or prefix.startswith(code)), None)
        if code is not None:
            path = ("call_prefixes", place, "value")
            faults.append(located.fault(path, f"{prefix} and access code {code} begin alike"))
        yield prefix


def _access_codes(
    located: Located[Appendix7], segments: Segments, cmcc: tuple[str, ...], faults: list[Fault]
) -> list[str]:
    """The access codes. One that begins a mobile number is a fault."""
    codes: list[str] = []
    for position, record in enumerate(located.value.access_codes):
        code, path = record.value, ("access_codes", position, "value")
        start = code[:7]
        mobile = next((each for each in cmcc if each.startswith(code) or code.startswith(each)), None)
        if code in codes:
            faults.append(located.fault(path, f"{code} stands here twice"))
        elif mobile is not None or segments.any_between(int(start.ljust(7, "0")), int(start.ljust(7, "9"))):
            faults.append(located.fault(path, f"{code} begins a listed segment {mobile or ''}".rstrip()))
        codes.append(code)
    return codes


class RowCompiler:
    """Compiles the rows of appendix7.yaml into access codes. It collects faults in `faults`."""

    def __init__(
        self,
        located: Located[Appendix7],
        codes: list[str],
        numbers: NumberPlan,
        provinces: Mapping[str, Province],
    ) -> None:
        self.faults: list[Fault] = []
        self._located = located
        self._codes = codes
        self._numbers = numbers
        self._provinces = provinces

    def compile(self) -> dict[str, AccessCode]:
        """The access codes, longest first. Use them only when `faults` is empty."""
        rows: dict[str, list[tuple[int, Row]]] = {code: [] for code in self._codes}
        after_zero: dict[str, list[Row]] = {code: [] for code in self._codes}
        for position, record in enumerate(self._located.value.rows):
            row = self._row(position, record)
            for place, code in enumerate(self._codes_of(position, record)):
                if row is not None:
                    self._check_length(position, place, code, row)
                    self._check_overlap(position, code, row, rows[code])
                    rows[code].append((position, row))
                    if record.leading_zero is not None:
                        after_zero[code].append(row.after_zero())
        if not self.faults:
            self._check_rows_exist(rows)
        longest_first = sorted(rows.items(), key=lambda each: -len(each[0]))
        return {
            code: AccessCode(code, [*(row for _, row in found), *after_zero[code]])
            for code, found in longest_first
        }

    def _codes_of(self, position: int, record: RowRecord) -> Iterator[str]:
        seen: set[str] = set()
        for place, code in enumerate(each.value for each in record.codes):
            if code not in self._codes:
                self._fault(position, ("codes", place), f"no access code; {nearest(code, self._codes)}")
            elif code in seen:
                self._fault(position, ("codes", place), f"{code} stands here twice")
            else:
                seen.add(code)
                yield code

    def _row(self, position: int, record: RowRecord) -> Row | None:
        tail = self._tail(position, record.tail.value)
        provinces = self._by_prefix(position, record)
        prefix = record.prefix.value
        if tail is None or provinces is None:
            return None
        kind, digits = tail
        if record.leading_zero is not None and (prefix != "none" or kind is not TailKind.MOBILE):
            reason = "belongs to a row with prefix none and tail mobile"
            self._fault(position, ("leading_zero",), reason)
            return None
        closed = record.closed is not None or prefix.startswith("0")
        return Row(provinces, kind, digits, closed, record.accepts.value, record.purpose.value)

    def _tail(self, position: int, text: str) -> tuple[TailKind, Digits] | None:
        if text == "none":
            return TailKind.NONE, Digits(0, 0)
        if text == "mobile":
            return TailKind.MOBILE, self._numbers.mobile
        if text == "fetion number":
            return TailKind.FETION_NUMBER, self._numbers.fetion_number
        match = _TAIL.fullmatch(text)
        if match is None:
            wanted = "none, mobile, fetion number, '5 digits' or '0-5 digits'"
            self._fault(position, ("tail",), f"{text!r} is no tail: write {wanted}")
            return None
        shortest, longest = int(match[1]), int(match[2] or match[1])
        if not 0 <= shortest <= longest or longest == 0:
            self._fault(position, ("tail",), f"{text!r}: the second number is not below the first, nor 0")
            return None
        return TailKind.DIGITS, Digits(shortest, longest)

    def _by_prefix(self, position: int, record: RowRecord) -> dict[str, str | None] | None:
        """The prefixes of a row -> their province; None: the sender's home."""
        prefix, province = record.prefix.value, record.province.value
        every = prefix == "provinces"
        prefixes = ["" if prefix == "none" else prefix]
        if every:
            prefixes = [code for code in self._provinces if code != UNKNOWN]
        if every and province == "prefix":
            return {code: code for code in prefixes}
        if province == "sender":
            return dict.fromkeys(prefixes, None)
        if province in self._provinces:
            return dict.fromkeys(prefixes, province)
        wanted = "sender, prefix, a province code" if every else "sender, a province code"
        self._fault(position, ("province",), f"{province!r} is no province: write {wanted}")
        return None

    def _check_length(self, position: int, place: int, code: str, row: Row) -> None:
        longest = len(code) + max(map(len, row.provinces)) + row.tail.longest
        if longest > LONGEST_ADDRESS:
            reason = f"the longest address under {code} has {longest} digits, SMPP carries {LONGEST_ADDRESS}"
            self._fault(position, ("tail",) if not place else ("codes", place), reason)

    def _check_overlap(self, position: int, code: str, row: Row, above: list[tuple[int, Row]]) -> None:
        for other_position, other in above:
            shared = sorted(set(row.provinces) & set(other.provinces))
            if shared and row.tail.overlaps(other.tail):
                line = self._located.line_of(("rows", other_position))
                reason = f"{code}{shared[0]} with tail {row.tail} overlaps tail {other.tail} on line {line}"
                self._fault(position, ("tail",), reason)

    def _check_rows_exist(self, rows: Mapping[str, list[tuple[int, Row]]]) -> None:
        for place, code in enumerate(self._codes):
            if not rows[code]:
                path = ("access_codes", place, "value")
                self.faults.append(self._located.fault(path, f"no row has the access code {code}"))

    def _fault(self, position: int, path: tuple[str | int, ...], reason: str) -> None:
        self.faults.append(self._located.fault(("rows", position, *path), reason))
