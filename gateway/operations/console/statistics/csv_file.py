"""A table as CSV (RFC 4180, UTF-8 with BOM) that a spreadsheet opens without running anything in it."""

import csv
import io
from typing import Final

from gateway.operations.console.statistics.sheets import Cell, Sheet

BOM: Final = "\ufeff"
_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_of(sheet: Sheet) -> bytes:
    """The file. Numbers stay numbers; a text that a spreadsheet would take for a formula begins with '."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([harmless(each) for each in sheet.header])
    writer.writerows([_cell(each) for each in row] for row in sheet.rows)
    return (BOM + file.getvalue()).encode()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_BEGINS_FORMULA) else text


def _cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    return harmless(value) if isinstance(value, str) else value
