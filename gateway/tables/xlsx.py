"""Sheets in XLSX, by openpyxl. Every cell is written as text, so that leading zeros stay."""

import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.worksheet import Worksheet

from gateway.tables.sheets import Cell, Grid, SheetError, SheetFault

_EXACT: Final = 15
"""Digits of a number that Excel keeps."""
_TEXT: Final = "@"
"""The format Text."""


def write(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """The octets of a workbook."""
    book = Workbook(write_only=True)
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        for line in lines:
            sheet.append([_text_cell(sheet, text) for text in line])
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def _text_cell(sheet: Any, text: str) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if not text:
        return None
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"  # a text that begins with = is no formula
    cell.number_format = _TEXT
    return cell


def read(path: Path) -> list[Grid]:
    """The sheets of a workbook. Raises SheetError, OSError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Excel puts into a workbook beside cells
            book = load_workbook(io.BytesIO(path.read_bytes()))
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, EOFError, SyntaxError) as error:
        reason = "no XLSX workbook, or a damaged one: save it anew as Excel workbook (.xlsx)"
        raise SheetError([SheetFault(str(path), 0, "", reason)]) from error
    several = len(book.worksheets) > 1
    return [
        Grid(sheet.title, f"{path}, sheet {sheet.title}" if several else str(path), list(_lines(sheet)))
        for sheet in book.worksheets
    ]


def _lines(sheet: Worksheet) -> Iterator[list[Cell]]:
    merged = {(area.min_row, area.min_col): area.coord for area in sheet.merged_cells.ranges}
    for number, line in enumerate(sheet.iter_rows(), 1):
        yield [
            Cell("", fault=f"merged cells {merged[number, place]}: unmerge them, and fill each")
            if (number, place) in merged
            else _cell(cell.value, cell.data_type)
            for place, cell in enumerate(line, 1)
        ]


def _cell(value: object, kind: str) -> Cell:
    if value is None:
        return Cell("")
    if kind == "f":
        return Cell("", fault="a formula: paste its value")
    if kind == "e":
        return Cell("", fault=f"the error {value}")
    if isinstance(value, bool):
        return Cell(str(value).lower())
    if isinstance(value, (datetime, date, time, timedelta)):
        return Cell(
            "", fault=f"Excel has made a date of it ({value}): give the column the format Text, type it anew"
        )
    if isinstance(value, (int, float)):
        return _number(value)
    return Cell(str(value), typed=True)


def _number(value: float) -> Cell:
    if value != int(value):
        return Cell(str(value))
    digits = str(int(value))
    if len(digits) > _EXACT:
        return Cell(
            "", fault=f"a number of {len(digits)} digits, of which Excel keeps {_EXACT}: type it as text"
        )
    return Cell(digits)
