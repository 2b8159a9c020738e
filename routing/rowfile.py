"""CSV files of numbers: their head, their rows by pieces, and the faults of rows.

    # provenance: attested, source: who made the list, and when
    prefix,province_code
    1390000,200

`#` lines and empty lines may stand anywhere; the line `# provenance:` and the header come before the rows.
Lines end with LF or CRLF, blanks around a field do not count, and the file may begin with a byte order mark.

A piece is so short that no single call holds the interpreter lock for long: a table is loaded in a thread
while the event loop works.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from routing.tablefile import Fault, TableError

PIECE: Final = 32_768
"""Octets of a piece, before the rest of its last line."""

SHOWN: Final = 20
"""Faults of a file that are reported one by one."""

_BOM: Final = b"\xef\xbb\xbf"
_PROVENANCE = re.compile(r"# provenance: (?:attested|reconstructed|standard)(?:, (?:source|ground): .+)")


class RowFaults:
    """The faults of the rows of a file: the first SHOWN, and how many follow."""

    __slots__ = ("_file", "_more", "_shown")

    def __init__(self, path: Path) -> None:
        self._file = str(path)
        self._shown: list[Fault] = []
        self._more = 0

    def add(self, line: int, key: str, reason: str) -> None:
        """Add the fault of a row."""
        if len(self._shown) < SHOWN:
            self._shown.append(Fault(self._file, line, key, reason))
        else:
            self._more += 1

    def check(self) -> None:
        """Raise TableError if there is a fault."""
        if not self._shown:
            return
        if self._more:
            last = max(fault.line for fault in self._shown)
            self._shown.append(Fault(self._file, last, "rows", f"{self._more:,} more faults follow"))
        raise TableError(self._shown)


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file with a checked head.

    octets: the whole file; it ends with LF. header: which of the allowed headers it has. start: where the
    rows begin in `octets`. line: the line of the first row.
    """

    path: Path
    octets: bytes
    header: str
    start: int
    line: int

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """The rows by pieces of whole lines, each with the number of its first line."""
        octets, start, line = self.octets, self.start, self.line
        while start < len(octets):
            end = octets.find(b"\n", start + PIECE) + 1 or len(octets)
            piece = octets[start:end]
            yield line, piece
            start, line = end, line + piece.count(b"\n")

    def rows(self, faults: RowFaults) -> Iterator[tuple[int, list[str]]]:
        """All rows as their fields, each with its line. Lines that are not UTF-8 are added to `faults`."""
        for line, piece in self.pieces():
            yield from fields_of(line, piece, faults)


def open_rows(path: Path, headers: Collection[str]) -> RowFile:
    """Read a file and check its head. Raises TableError."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise TableError([Fault(str(path), 1, "(file)", f"cannot be read: {error.strerror}")]) from error
    if not octets.endswith(b"\n"):
        octets += b"\n"
    start, line, sourced = len(_BOM) if octets.startswith(_BOM) else 0, 0, False
    reason = f"the header {' or '.join(map(repr, headers))} is missing before the rows"
    while start < len(octets):
        end = octets.index(b"\n", start) + 1
        line += 1
        try:
            text = octets[start:end].decode().strip()
        except UnicodeDecodeError:
            reason = "not UTF-8: save the file as UTF-8"
            break
        start = end
        if text in headers:
            if sourced:
                return RowFile(path, octets, text, start, line + 1)
            reason = "no line '# provenance: attested, source: ...' before the header"
            break
        if text and not text.startswith("#"):
            break
        sourced = sourced or _PROVENANCE.fullmatch(text) is not None
    raise TableError([Fault(str(path), max(line, 1), "(file)", reason)])


def fields_of(line: int, piece: bytes, faults: RowFaults) -> Iterator[tuple[int, list[str]]]:
    """The rows of a piece as their fields, each with its line, without comments and empty lines.

    Args:
        line: of the first row.
        faults: takes the lines that are not UTF-8.
    """
    for number, octets in enumerate(piece[:-1].split(b"\n"), line):
        try:
            text = octets.decode().strip()
        except UnicodeDecodeError:
            faults.add(number, "(row)", "not UTF-8: save the file as UTF-8")
            continue
        if text and not text.startswith("#"):
            yield number, [field.strip() for field in text.split(",")]
