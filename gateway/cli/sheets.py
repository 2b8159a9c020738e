"""`tables export` and `tables import`: tables as sheets in CSV and XLSX, and back."""

import argparse
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from commands.tables import EVERY, Tables, path_of
from gateway.cli.config import add_config, settings_of
from gateway.cli.output import complain, print_json, sentence
from gateway.cli.showing import say
from gateway.cli.tables import say_faults, table_named
from gateway.tables import csvfile
from gateway.tables.importing import Import, replace_whole, title_of, write
from gateway.tables.rows import rows_of
from gateway.tables.sheets import SheetError, SheetFault, chinese, sheet_of
from routing.tablefile import TableError

_XLSX: Final = ".xlsx"
NO_OPENPYXL: Final = "XLSX needs openpyxl: pip install 'fetion-gateway[xlsx]'; CSV does not"


class Export:
    """`tables export`: writes sheets."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the format, the place and the tables."""
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="a table, such as appendix7 (default: all)"
        )
        parser.add_argument(
            "--format", choices=("csv", "xlsx"), required=True, help="one file a table, or one workbook"
        )
        parser.add_argument(
            "--to", type=Path, required=True, metavar="PLACE", help="a folder for CSV, a file for XLSX"
        )
        parser.add_argument("--force", action="store_true", help="replace files that are there")
        _add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print the files."""
        folder = settings_of(args).tables.folder
        names = [table_named(args, name) for name in args.names] or EVERY
        try:
            Tables.load(folder)
            files = _files(args, dict.fromkeys(names), folder)
            if not args.force and (there := next((path for path in files if path.exists()), None)):
                return complain(f"{there}: is there already: --force replaces it")
            replace_whole(files)
        except TableError as error:
            return say_faults(error.faults)
        except ImportError:
            return complain(NO_OPENPYXL)
        except OSError as error:
            return complain(sentence(error))
        for path in files:
            print_json({"file": str(path)}) if args.json else say(str(path))
        return 0


class ImportSheets:
    """`tables import FILE`: writes table files."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the file and the folder."""
        parser.add_argument("file", type=Path, metavar="FILE", help="a CSV or XLSX file")
        parser.add_argument(
            "--to", type=Path, required=True, metavar="FOLDER", help="the folder of tables.folder"
        )
        parser.add_argument(
            "--table", metavar="NAME", help="which table it is (default: by the name of the sheet)"
        )
        parser.add_argument(
            "--source", default="", metavar="TEXT", help="what attests values without a provenance"
        )
        parser.add_argument("--force", action="store_true", help="replace table files that are there")
        _add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print the tables, or every fault with sheet, row, column and reason."""
        settings_of(args)
        table = None if args.table is None else table_named(args, args.table)
        try:
            grids = (_xlsx() if args.file.suffix.lower() == _XLSX else _csv(args.file)).read(args.file)
            found = Import(args.to, args.source).read(grids, table)
            paths = write(args.to, found, force=args.force)
        except SheetError as error:
            return _say_faults(error.faults, as_json=args.json)
        except ImportError:
            return complain(NO_OPENPYXL)
        except OSError as error:
            return complain(sentence(error))
        for path, each in zip(paths, found, strict=True):
            if args.json:
                print_json({"table": each.table, "rows": each.rows, "file": str(path)})
            else:
                say(f"{path}: {each.rows} rows")
        return 0


export = Export
import_ = ImportSheets


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    add_config(parser)


def _files(args: argparse.Namespace, names: Mapping[str, None], folder: Path | None) -> dict[Path, bytes]:
    """The files to write, by their paths."""
    words = chinese()
    tables = {name: path_of(name, folder) for name in names}
    sheets = {
        title_of(name): sheet_of(rows_of(name, path.read_bytes()), words)
        for name, path in tables.items()
        if path.exists()
    }
    if args.format == "xlsx":
        return {args.to: _xlsx().write(sheets)}
    return {args.to / f"{title}.csv": csvfile.write(lines) for title, lines in sheets.items()}


def _xlsx() -> ModuleType:
    """The module for XLSX. Raises ImportError without openpyxl."""
    return importlib.import_module("gateway.tables.xlsx")


def _csv(path: Path) -> ModuleType:
    if path.suffix.lower() == ".xls":
        raise SheetError([SheetFault(str(path), 0, "", "the old format of Excel: save it as .xlsx")])
    return csvfile


def _say_faults(faults: Sequence[SheetFault], *, as_json: bool) -> int:
    for fault in faults:
        if as_json:
            told = {"place": fault.place, "row": fault.line, "column": fault.column, "reason": fault.reason}
            print_json(told)
        else:
            complain(fault)
    return complain("nothing is written")
