"""Sheets in CSV: UTF-8 with a mark that Excel knows; read with what Excel and people make of it."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.tables.sheets import Cell, Grid, SheetError, SheetFault

DELIMITERS: Final = (",", ";", "\t")
_LONGEST: Final = 100_000
"""Characters of a cell."""


def write(lines: Sequence[Sequence[str]]) -> bytes:
    """The octets of a file."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(lines)
    return written.getvalue().encode("utf-8-sig")


def read(path: Path) -> list[Grid]:
    """The sheet of a file. Raises SheetError, OSError."""
    text = _decoded(path)
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    lines: list[list[Cell]] = []
    before = csv.field_size_limit(_LONGEST)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines.extend([Cell(field) for field in fields] for fields in reader)
    except csv.Error as error:
        reason = f"no CSV: {error}: is a quotation mark missing?"
        raise SheetError([SheetFault(str(path), len(lines) + 1, "", reason)]) from error
    finally:
        csv.field_size_limit(before)
    return [Grid(path.stem, str(path), lines)]


def _decoded(path: Path) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, or else GB 18030, in which Chinese Excel saves."""
    octets = path.read_bytes()
    marked = octets.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            return octets.decode(encoding)
        except UnicodeDecodeError:
            continue
    reason = "neither UTF-8 nor GB 18030 (GBK): save it as CSV UTF-8"
    raise SheetError([SheetFault(str(path), 0, "", reason)])
