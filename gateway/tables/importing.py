"""Puts sheets into an operator's folder as table files: all or none, and only if all tables are valid."""

import errno
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from commands.glosses import FILE as GLOSSES
from commands.glosses import Glosses
from commands.tables import EVERY, Tables, check_folder, path_of
from gateway.disk import sync
from gateway.tables.rows import COMMENT, LISTED, SECTION, NoPath, Row, octets_of, rows_of
from gateway.tables.sheets import Grid, Sheet, SheetError, SheetFault, chinese, read_sheet, sourced
from routing.loader import HEADERS
from routing.tablefile import Fault, TableError, nearest

_KEY: Final = re.compile(r"([^.\[\]]+)(?:\[([0-9]+)\]|\.([^\[\]]+?(?=\.|\[|$)))?(.*)")
_NOT_KEPT: Final = frozenset({COMMENT, "provenance"})
"""Sections that say where a whole table comes from: a list that replaces its rows comes from elsewhere."""
_ON_LINE: Final = re.compile(r"on line ([0-9]+)")
_PLACE: Final = re.compile(r"\[([0-9]+)\]")
_NO_ROWS: Final = "# provenance: reconstructed, ground: no file\n"


@dataclass(frozen=True, slots=True)
class Imported:
    """A table of a sheet, ready to be written. rows: how many the sheet has, without comments."""

    table: str
    octets: bytes
    rows: int


class Import:
    """The sheets of one file on their way into a folder.

    source: what attests values without a provenance; "": such values are faults.
    """

    def __init__(self, folder: Path, source: str = "") -> None:
        self._folder = folder
        self._source = source
        self._sheets: dict[str, Sheet] = {}
        self._rows: dict[str, list[Row]] = {}

    def read(self, grids: Sequence[Grid], table: str | None = None) -> list[Imported]:
        """Check the sheets, and all tables as they would be then. table: which one a single sheet is.

        Raises SheetError with all faults.
        """
        faults: list[SheetFault] = []
        found: list[Imported] = []
        names = chinese()
        if table is not None and len(grids) > 1:
            raise SheetError([SheetFault(grids[0].place, 0, "", "has several sheets: leave out --table")])
        for grid in grids:
            name = table or _table_of(grid)
            if name is None or name in self._sheets:
                reason = f"the sheet {grid.name!r} is no table; {nearest(grid.name, map(title_of, EVERY))}"
                faults.append(SheetFault(grid.place, 0, "", reason if name is None else f"a second {name}"))
                continue
            in_force = _in_force(name, self._folder)
            sheet = self._sheets[name] = read_sheet(grid, in_force, names)
            faults += sheet.faults
            rows = sourced(sheet.rows, in_force, self._source) if self._source else sheet.rows
            if SECTION not in sheet.columns:  # a bare list: what else the table has stays
                own = {row.section for row in rows} | _NOT_KEPT
                rows = [*rows, *(row for row in in_force if row.section not in own)]
            self._rows[name] = rows
            try:
                count = sum(row.section != COMMENT for row in sheet.rows)
                found.append(Imported(name, octets_of(name, rows), count))
            except NoPath as error:
                faults.append(SheetFault(grid.place, 0, "", str(error)))
        faults = faults or list(self._faults_of(found))
        if faults:
            raise SheetError(faults)
        return found

    def _faults_of(self, found: Sequence[Imported]) -> Iterator[SheetFault]:
        """The faults of all tables together, in a folder beside."""
        with tempfile.TemporaryDirectory() as scratch:
            staged = Path(scratch) / "tables"
            for name in EVERY:
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                own = (self._folder / name).absolute()
                if name not in self._sheets and (own.exists() or own.is_symlink()):
                    (staged / name).symlink_to(own)
            for each in found:
                (staged / each.table).write_bytes(each.octets)
            try:
                check_folder(self._folder if self._folder.is_dir() else None)
                tables = Tables.load(staged)
                if GLOSSES in self._sheets:
                    Glosses.load(tables.commands, staged / GLOSSES)
            except TableError as error:
                for fault in error.faults:
                    yield self._found(fault, staged)

    def _found(self, fault: Fault, staged: Path) -> SheetFault:
        """A fault where people find it: in the sheet, or in a file that was there before."""
        path = Path(fault.file)
        name = str(path.relative_to(staged)) if path.is_relative_to(staged) else ""
        sheet = self._sheets.get(name)
        if sheet is None:
            where = str(self._folder / name) if name else fault.file
            return SheetFault(where, 0, "", str(replace(fault, file="")).removeprefix(": "))
        fault = replace(fault, reason=_ON_LINE.sub(lambda on: self._in_row(int(on[1]), name), fault.reason))
        place, column = self._place_of(fault, name)
        if place is None or place >= len(sheet.lines):  # a section that the sheet does not have
            return SheetFault(sheet.grid.place, 0, "", f"{fault.key}: {fault.reason}")
        return SheetFault(
            sheet.grid.place, sheet.lines[place], sheet.column(column) if column else "", fault.reason
        )

    def _in_row(self, line: int, name: str) -> str:
        """Where people find another line of our file, which a fault names."""
        place, sheet = self._place_of_line(line, name) if name.endswith(".csv") else None, self._sheets[name]
        return "in another row" if place is None else f"in row {sheet.lines[place]}"

    def _place_of_line(self, line: int, name: str) -> int | None:
        """Which row of the sheet a line of a CSV table is: one line a row, behind comments and header."""
        rows, skipped = self._rows[name], len(self._rows[name]) - len(self._sheets[name].rows)
        data = [place for place, row in enumerate(rows) if row.section != COMMENT]
        at = line - 2 - (len(rows) - len(data))
        return data[at] - skipped if 0 <= at < len(data) else None

    def _place_of(self, fault: Fault, name: str) -> tuple[int | None, str]:
        """Which row of the sheet a fault is about, and which column."""
        rows = self._rows[name]
        if name.endswith(".csv"):
            return self._place_of_line(fault.line, name), fault.key
        match = _KEY.fullmatch(fault.key)
        if match is None:
            return None, ""
        section, item, key, rest = match.groups()
        column = _PLACE.sub(lambda found: f"[{int(found[1]) + 1}]", rest.removeprefix(".")).removesuffix(
            ".value"
        )
        seen: Counter[str] = Counter()
        for place, row in enumerate(rows):
            if row.section != section:
                continue
            if (row.key == LISTED and str(seen[section]) == item) or (row.key == key and key is not None):
                return place, column
            if row.key == "":
                return place, fault.key.removeprefix(section).removeprefix(".").removesuffix(".value")
            seen[section] += 1
        return None, ""


def write(folder: Path, found: Sequence[Imported], *, force: bool) -> list[Path]:
    """Write the tables into a folder, which is made where it is missing. Raises FileExistsError, OSError.

    Each file is written beside its place and renamed: a gateway that reads them meanwhile sees the old or the
    new one, and refuses a mixture that does not fit.
    """
    paths = [folder / each.table for each in found]
    if not force and (there := next((path for path in paths if path.exists()), None)):
        raise FileExistsError(f"{there}: is there already: --force replaces it")
    replace_whole({path: each.octets for path, each in zip(paths, found, strict=True)})
    return paths


def replace_whole(files: Mapping[Path, bytes]) -> None:
    """Write files beside their places, then rename them. If one cannot be written, none is.

    A link stays, and the file that it leads to is replaced. Raises OSError.
    """
    written: list[tuple[Path, Path]] = []
    try:
        for path, octets in files.items():
            place = path.resolve()
            if place.exists() and not place.is_file():
                raise OSError(errno.EINVAL, "is no file, and stays as it is: name a file", str(path))
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = place.with_name(f".{place.name}.{os.getpid()}.new")  # two may write at once
            written.append((beside, place))
            _write(beside, octets, path)
        for beside, place in written:
            beside.replace(place)
        for folder in {place.parent for _, place in written}:
            _sync_folder(folder)
    finally:
        for beside, _ in written:
            beside.unlink(missing_ok=True)


def _write(beside: Path, octets: bytes, path: Path) -> None:
    """Write a file to its disk. Raises OSError, which names the path that people know."""
    try:
        with beside.open("wb") as file:
            file.write(octets)
            file.flush()
            sync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync_folder(folder: Path) -> None:
    """Let the names in a folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def title_of(table: str) -> str:
    """What the sheet of a table is called."""
    return Path(table).stem


def _table_of(grid: Grid) -> str | None:
    return next((name for name in EVERY if grid.name.strip().lower() in {name, title_of(name)}), None)


def _in_force(name: str, folder: Path) -> list[Row]:
    """The rows of the table that a sheet replaces; of the shipped one where that has faults."""
    try:
        Tables.load(folder if folder.is_dir() else None)
    except TableError:
        return rows_of(name, _octets(path_of(name, None), name))
    return rows_of(name, _octets(path_of(name, folder), name))


def _octets(path: Path, name: str) -> bytes:
    """The octets of a table; of an optional one that is not there a table without rows."""
    return path.read_bytes() if path.exists() else f"{_NO_ROWS}{HEADERS[name]}\n".encode()
