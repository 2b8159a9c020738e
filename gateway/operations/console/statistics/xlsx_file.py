"""Tables as a workbook. It is written in a worker thread: a large one takes a while."""

import io
from collections.abc import Sequence
from typing import Final

from gateway.operations.console.statistics.sheets import Sheet

_OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_WIDTH: Final = 16
_NAME: Final = 31
"""Characters in the name of a sheet at most."""


def xlsx_of(sheets: Sequence[Sheet]) -> bytes:
    """The file: a sheet for each table, in this order. Texts stay texts, whatever they begin with."""
    import xlsxwriter  # here: most starts of the gateway write no workbook

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, _OPTIONS) as book:
        bold = book.add_format({"bold": True})
        for sheet in sheets:
            page = book.add_worksheet(_name_of(sheet))
            page.set_column(0, max(0, len(sheet.header) - 1), _WIDTH)
            page.freeze_panes(1, 0)
            for column, title in enumerate(sheet.header):
                page.write_string(0, column, title, bold)
            for line, row in enumerate(sheet.rows, 1):
                for column, value in enumerate(row):
                    if isinstance(value, str):
                        page.write_string(line, column, value)
                    elif value is not None:
                        page.write_number(line, column, value)
    return file.getvalue()


def _name_of(sheet: Sheet) -> str:
    """A name that a workbook takes."""
    return (
        "".join("_" if each in "[]:*?/\\" else each for each in sheet.title)[:_NAME].strip("'") or sheet.name
    )
