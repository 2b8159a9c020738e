"""The home province of a mobile, from its first seven digits (the HLR segment).

The file is CSV, `first7,last7,province_code`, in ascending order; both ends of a run are included. `#` lines
stand before the header. One of them must be `# provenance: ...` with a source or a ground, as in every table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from routing.tablefile import Fault, TableError, read_text

UNKNOWN = "000"
"""Province of a number that is not listed: the headquarters."""

_HEADER = "first7,last7,province_code"
_SEGMENT = re.compile("1[0-9]{6}")
_PROVENANCE = re.compile(r"# provenance: (?:attested|reconstructed|standard)(?:, (?:source|ground): .+)")


class Run(NamedTuple):
    """Consecutive segments of one province, both ends included."""

    first: int
    last: int
    province: str


class Segments:
    """Provinces by segment, in one octet per segment from the lowest to the highest. Immutable."""

    __slots__ = ("_codes", "_lowest", "_provinces", "runs")

    def __init__(self, runs: Sequence[Run]) -> None:
        """`runs` are in ascending order, do not overlap, and name at most 255 provinces."""
        self.runs = tuple(runs)
        self._lowest = runs[0].first if runs else 0
        self._codes = (UNKNOWN, *sorted({run.province for run in runs}))
        octets = {code: bytes([index]) for index, code in enumerate(self._codes)}
        table = bytearray(runs[-1].last + 1 - self._lowest if runs else 0)
        for first, last, province in runs:
            table[first - self._lowest : last + 1 - self._lowest] = octets[province] * (last + 1 - first)
        self._provinces = bytes(table)

    def home(self, msisdn: str) -> str:
        """The province code of an 11-digit mobile; "000" when it is not listed."""
        try:
            index = int(msisdn[:7]) - self._lowest
            return self._codes[self._provinces[index]] if index >= 0 else UNKNOWN
        except (ValueError, IndexError):
            return UNKNOWN

    def any_between(self, first: int, last: int) -> bool:
        """Whether a segment is listed from `first` to `last` (seven digits, both included)."""
        return any(run.first <= last and first <= run.last for run in self.runs)


def load_segments(path: Path, provinces: Collection[str]) -> Segments:
    """The segments of a file. Raises TableError with the line of every bad row."""
    runs: list[Run] = []
    faults: list[Fault] = []
    lines = iter(enumerate(read_text(path).splitlines(), 1))
    if reason := _head_fault(lines):
        faults.append(Fault(str(path), 1, "(file)", reason))
    last = 0
    for line, text in lines:
        run = _run(text, last, provinces)
        if isinstance(run, Run):
            runs.append(run)
            last = run.last
        else:
            faults.append(Fault(str(path), line, *run))
    if faults:
        raise TableError(faults)
    return Segments(runs)


def _head_fault(lines: Iterable[tuple[int, str]]) -> str | None:
    """Read the comments and the header. Returns what is wrong with them, or None."""
    sourced = False
    for _, text in lines:
        if text == _HEADER:
            return None if sourced else "no line '# provenance: attested, source: ...' before the header"
        if not text.startswith("#"):
            break
        sourced = sourced or _PROVENANCE.fullmatch(text) is not None
    return f"the header {_HEADER!r} is missing before the rows"


def _run(text: str, previous: int, provinces: Collection[str]) -> Run | tuple[str, str]:
    """The run of a row, or the key and the reason of its fault."""
    fields = text.split(",")
    if len(fields) != 3:
        return "(row)", f"three fields are wanted ({_HEADER}), not {len(fields)}"
    first, last, province = fields
    if not _SEGMENT.fullmatch(first):
        return "first7", "seven digits beginning with 1 are wanted"
    if not _SEGMENT.fullmatch(last):
        return "last7", "seven digits beginning with 1 are wanted"
    if last < first:
        return "last7", "lies before first7"
    if int(first) <= previous:
        return "first7", f"does not lie behind the row before, which ends with {previous}"
    if province not in provinces:
        return "province_code", f"{province!r} is no province code"
    return Run(int(first), int(last), province)
