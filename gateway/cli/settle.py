"""`settle`: writes the charging records of some days as CSV files (gateway.billing.settlement)."""

import argparse
import sys
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from commands.tables import path_of
from commands.tariffs import FILE as TARIFFS
from commands.tariffs import load_tariffs
from gateway.billing.settlement import Records, Span
from gateway.cli.config import add_config, no_store, settings_of
from gateway.cli.output import complain, print_json, sentence
from gateway.cli.progress import Shown, progress
from gateway.settings import Settings
from gateway.storage.contract import StorageError
from gateway.storage.engines import open_reader
from routing.table import Routing
from routing.tablefile import TableError

YEARS = range(2000, 2200)
"""Years of which a store may have records."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    parser.add_argument(
        "--from", dest="first", type=_day, required=True, metavar="YYYY-MM-DD", help="the first day"
    )
    parser.add_argument(
        "--to", dest="last", type=_day, required=True, metavar="YYYY-MM-DD", help="the last day, included"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument("--json", action="store_true", help="print how many records each file has")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command. 1 if there is no store, or the files cannot be written."""
    if args.first > args.last:
        args.parser.error(f"--from {args.first} is after --to {args.last}")
    settings = settings_of(args)
    if settings.storage.lacking:
        return complain(no_store(settings.storage.path))
    kept = settings.storage.retention.journal_days
    today = datetime.now(ZoneInfo(settings.service.timezone)).date()
    if (today - args.first).days >= kept:
        sys.stderr.write(
            f"fetion-gateway: warning: records of more than {kept} days ago are deleted"
            " (storage.retention.journal_days): these files may lack some\n"
        )
    try:
        with progress() as shown:
            counts = settle(settings, args.first, args.last, args.out, shown)
    except (StorageError, TableError) as error:
        return complain(error)
    except OSError as error:
        return complain(f"--out: {sentence(error)}")
    if args.json:
        print_json(counts)
    else:
        sys.stdout.writelines(f"{args.out / name}.csv: {count} records\n" for name, count in counts.items())
    return 0


def settle(settings: Settings, first: date, last: date, out: Path, shown: Shown) -> dict[str, int]:
    """Write the files of these days. Returns the number of records per file.

    Raises StorageError, TableError, and OSError for the files.
    """
    span = Span(first, last, ZoneInfo(settings.service.timezone))
    with closing(open_reader(settings.storage.url)) as reader:
        folder = settings.tables.folder
        tariffs = load_tariffs(path_of(TARIFFS, folder))
        tests = settings.console.test_numbers
        records = Records(reader, Routing.load(folder), tariffs, span, settings.limits.free_hours, tests)
        return records.write(out, shown.step)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2007-03-01") from None
    if day.year not in YEARS:
        raise argparse.ArgumentTypeError(f"no records of the year {day.year}")
    return day
