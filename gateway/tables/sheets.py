"""A table as a sheet: a header in English and Chinese, and one line of text cells a row.

Sheets come from people and from Excel: empty lines, columns without a name, numbers without their leading
zeros, dates. What a cell cannot mean is a fault that names the cell.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import RootModel, StringConstraints

from gateway.tables.rows import COMMENT, ENTRY, KEY, LISTED, ROWS, SECTION, NoPath, Row, steps
from routing.tablefile import load

_LAYOUT: Final = (SECTION, KEY)
_AS_TYPED: Final = "sample"
"""The column in which blanks at the ends count: samples are put together."""
_ROUNDED: Final = re.compile(r"[0-9](\.[0-9]+)?E\+[0-9]+")
_FORMULA_TEXT: Final = re.compile(r'="(.*)"')
_PLACE: Final = re.compile(r"\[[0-9]+\]")
_NAME: Final = re.compile(r"[a-z][a-z0-9_.\[\]]*|\[[0-9][a-z0-9_.\[\]]*", re.IGNORECASE)


class Names(RootModel[dict[str, Annotated[str, StringConstraints(min_length=1)]]]):
    """The schema of columns.yaml."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell. typed: text that somebody typed as text, not a number that may have lost its zeros. fault: why
    it cannot be read."""

    text: str
    typed: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """The lines of a sheet, the header among them. name: of the sheet; place: file, and sheet where it has
    several."""

    name: str
    place: str
    lines: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class SheetFault:
    """A fault of a sheet. line: from 1, 0 for the whole sheet. column: its letter and name, or ""."""

    place: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        at = f", row {self.line}" if self.line else ""
        return f"{self.place}{at}{f', column {self.column}' if self.column else ''}: {self.reason}"


class SheetError(Exception):
    """Sheets that must not be imported. `faults` has all faults."""

    def __init__(self, faults: Sequence[SheetFault]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


@dataclass(slots=True)
class Sheet:
    """The rows of a sheet, the line that each stands in, and the place of the columns."""

    grid: Grid
    rows: list[Row] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    faults: list[SheetFault] = field(default_factory=list)

    def column(self, name: str) -> str:
        """How people find a column: C (prefix)."""
        place = self.columns.get(name)
        return name if place is None else f"{letters(place)} ({name})"


def letters(place: int) -> str:
    """The letters of a column, counted from 0."""
    return (letters(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def chinese() -> Mapping[str, str]:
    """The Chinese names of columns, by the English ones."""
    return load(Path(__file__).with_name("columns.yaml"), Names).root


def sheet_of(rows: Sequence[Row], names: Mapping[str, str]) -> list[list[str]]:
    """The lines of a sheet, the header first."""
    columns = _ordered(rows)
    header = [*_LAYOUT, *columns]
    lines = [[f"{column} {_translated(column, names)}".rstrip() for column in header]]
    lines += [[row.section, row.key, *(row.cells.get(column, "") for column in columns)] for row in rows]
    return lines


def _ordered(rows: Sequence[Row]) -> list[str]:
    """The columns of rows as they come, those below one name together."""
    found = dict.fromkeys(column for row in rows for column in row.cells)
    rank: dict[tuple[str, ...], int] = {}

    def key(column: str) -> list[int]:
        above: tuple[str, ...] = ()
        order = []
        for step in steps(column):
            above = (*above, "" if isinstance(step, int) else step)
            order.append(step if isinstance(step, int) else rank.setdefault(above, len(rank)))
        return order

    return sorted(found, key=key)


def _translated(column: str, names: Mapping[str, str]) -> str:
    """The Chinese name of a path; "" where a name in it has none."""
    words = [names.get(step, "") if isinstance(step, str) else f"[{step}]" for step in steps(column)]
    return "" if "" in words else "·".join(words).replace("·[", "[")


def read_sheet(grid: Grid, in_force: Sequence[Row], names: Mapping[str, str]) -> Sheet:
    """The rows of a sheet; its faults are in the result.

    in_force: the rows of the table that it replaces, for what the sheet leaves out and to find lost zeros.
    """
    sheet = Sheet(grid)
    numbered = [
        (number, line) for number, line in enumerate(grid.lines, 1) if any(_full(cell) for cell in line)
    ]
    if not numbered:
        sheet.faults.append(SheetFault(grid.place, 0, "", "is empty: a header and rows are wanted"))
        return sheet
    (at, header), *lines = numbered
    _read_header(sheet, at, header, {zh: en for en, zh in names.items()})
    if SECTION not in sheet.columns and not in_force:
        sheet.faults.append(SheetFault(grid.place, at, "", f"no column {SECTION}"))
    if sheet.faults:
        return sheet
    usual = _usual(in_force)
    zeros = _with_zeros(in_force, lines, sheet.columns)
    for number, line in lines:
        cells = dict(_read_line(sheet, number, line, zeros))
        section, key = cells.pop(SECTION, usual[0]), cells.pop(KEY, "")
        if KEY not in sheet.columns:
            key = usual[1]
        sheet.rows.append(Row(section, key, cells))
        sheet.lines.append(number)
    return sheet


def _full(cell: Cell) -> bool:
    return bool(cell.text.strip() or cell.fault)


def _read_header(sheet: Sheet, at: int, header: Sequence[Cell], english: Mapping[str, str]) -> None:
    for place, cell in enumerate(header):
        text = cell.text.strip()
        if not text:
            if any(place < len(line) and _full(line[place]) for line in sheet.grid.lines):
                sheet.faults.append(SheetFault(sheet.grid.place, at, letters(place), "has cells and no name"))
            continue
        match = _NAME.match(text)
        name = match[0].lower() if match else english.get(text, "")
        try:
            fault = "" if name and (name == ENTRY or steps(name)) else f"{text!r} names no column"
        except NoPath as error:
            fault = str(error)
        if name in sheet.columns:
            fault = f"the column {name} stands here twice"
        if fault:
            sheet.faults.append(SheetFault(sheet.grid.place, at, letters(place), fault))
        else:
            sheet.columns[name] = place


def _read_line(
    sheet: Sheet, number: int, line: Sequence[Cell], zeros: Mapping[str, Mapping[str, str]]
) -> Iterator[tuple[str, str]]:
    for name, place in sheet.columns.items():
        cell = line[place] if place < len(line) else Cell("")
        text, fault = cell.text if name == _AS_TYPED else cell.text.strip(), cell.fault
        if match := _FORMULA_TEXT.fullmatch(text):
            text, cell = match[1], Cell(match[1], typed=True)
        elif _ROUNDED.fullmatch(text):
            fault = (
                f"Excel has written a number as {text}: give the column the format Text, then type it again"
            )
        lost = zeros.get(_PLACE.sub("[]", name), {}).get(text)
        if lost is not None and not cell.typed and not fault:
            fault = (
                f"{text} has lost its leading zeros, if it is {lost} of the table in force:"
                f" give the column the format Text and type {lost} (if {text} is meant: XLSX, as text)"
            )
        if fault:
            sheet.faults.append(SheetFault(sheet.grid.place, number, sheet.column(name), fault))
        elif text:
            yield name, text


def _usual(in_force: Sequence[Row]) -> tuple[str, str]:
    """Section and key of rows in a sheet that does not name them: those that most rows have."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in in_force:
        if row.section != COMMENT:
            counts[row.section, LISTED if row.key == LISTED else ""] += 1
    return max(counts, key=lambda each: counts[each], default=(ROWS, LISTED))


def _with_zeros(
    in_force: Sequence[Row], lines: Sequence[tuple[int, Sequence[Cell]]], columns: Mapping[str, int]
) -> Mapping[str, Mapping[str, str]]:
    """By column, what texts with leading zeros are without them: only those that the sheet does not have in
    full, and that are no text of the table in force."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    plain: dict[str, set[str]] = defaultdict(set)
    for row in in_force:
        for column, text in row.cells.items():
            name = _PLACE.sub("[]", column)
            if text.isascii() and text.isdecimal() and text.startswith("0") and len(text) > 1:
                found[name][text.lstrip("0") or "0"] = text
            else:
                plain[name].add(text)
    for column, place in columns.items():
        name = _PLACE.sub("[]", column)
        if name in found:
            there = {line[place].text.strip() for _, line in lines if place < len(line)}
            found[name] = {
                text: full
                for text, full in found[name].items()
                if full not in there and text not in plain[name]
            }
    return found


def sourced(rows: Sequence[Row], in_force: Sequence[Row], source: str) -> list[Row]:
    """The rows, each value without a provenance attested by `source`, where the table in force has one."""
    wanted = {
        (row.section, _PLACE.sub("[]", column.removesuffix(".provenance")))
        for row in in_force
        for column in row.cells
        if column.endswith(".provenance")
    } | {(row.section, "value") for row in in_force if {"value", "provenance"} <= row.cells.keys()}
    found = [Row(row.section, row.key, _attested(row, wanted, source)) for row in rows]
    commented = any(row.section == COMMENT for row in in_force)
    if commented and not any(row.section == COMMENT for row in rows):
        found.insert(0, Row(COMMENT, LISTED, {ENTRY: f"provenance: attested, source: {source}"}))
    return found


def _attested(row: Row, wanted: set[tuple[str, str]], source: str) -> dict[str, str]:
    cells = dict(row.cells)
    for column in row.cells:
        head = "" if column == "value" else f"{column}."
        if (row.section, _PLACE.sub("[]", column)) in wanted and f"{head}provenance" not in row.cells:
            cells |= {f"{head}provenance": "attested", f"{head}source": source}
    return cells
